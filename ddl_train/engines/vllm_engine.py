"""vLLM in this process, beside the local base; implements `records.ScoringModel`.

**Not verified.** Written against the documentation and the source of vLLM 0.31, and never run: no
machine of this project has it. What its tests check is the wiring, with a stand-in for the library.

It starts when it is first asked and holds a second copy of the base. Between wakes it sleeps at
level 1: weights in host memory, cache dropped (level 2 has been seen to return garbage after waking).
After each waking it must give the greedy answer that it gave when it started. Adapters get a name
and an id that were never used before at each waking, since a name that comes again can be served
from what an earlier adapter left in the cache (vllm-project/vllm#42125).

Prompts are the token ids of the local chat format, so that both read the same. Not covered:
quantised bases, hidden states, ending a NONE or a hopeless dream early, equal texts from equal seeds.
"""

import hashlib
import importlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ddl_train.config import VllmConfig
from ddl_train.engines.integers import IntegerTree
from ddl_train.engines.scoring import Query
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.engines.vllm_start import check_vllm, start_vllm
from ddl_train.errors import AdapterError, ModelError
from ddl_train.records import (
    BASE,
    Completion,
    Continuation,
    FloatArray,
    Likelihood,
    Sampling,
    Usage,
)

CANARY = "Count from 1 to 9 in digits, separated by commas."
NUM_CANARY_TOKENS = 16


class VllmEngine:
    """The base a second time, run by vLLM."""

    def __init__(self, local: TransformersEngine, config: VllmConfig, *, room: int) -> None:
        """Nothing is started yet; an answer may have one token less than `room`.

        Raises:
            ConfigError, ResourceError: as of `check_vllm`.
        """
        check_vllm(local.config)
        self.name = f"{local.name} in vLLM"
        self.config = config
        self._local = local
        self._room = room
        self._llm: Any = None
        self._is_asleep = False
        self._canary: list[int] = []
        self._paths: dict[str, Path] = {}
        self._requests: dict[str, Any] = {}
        """Adapters under the names and ids of this waking."""
        self._num_named = 0

    def load_adapter(self, version: str, path: Path) -> None:
        """Make an adapter known.

        Raises:
            AdapterError: its rank is larger than vLLM was started for.
        """
        rank = json.loads((path / "adapter_config.json").read_text(encoding="utf-8"))["r"]
        if rank > self.config.max_lora_rank:
            raise AdapterError(
                f"{path}: has rank {rank}, and vLLM carries {self.config.max_lora_rank}; raise "
                "wake.vllm.max_lora_rank"
            )
        self._paths[version] = path

    def rest(self) -> None:
        """Leave the GPU to others until it is asked again."""
        if self._llm is not None and not self._is_asleep:
            self._llm.sleep(level=1)
            self._is_asleep = True
            self._requests.clear()

    def generate(
        self, prompts: Sequence[str], *, sampling: Sampling, adapter: str, seed: int
    ) -> tuple[list[Completion], Usage]:
        """Complete each prompt, in order."""
        if not prompts:
            return [], Usage()
        start = time.perf_counter()
        ids = [self._local.prompt_ids(one, room=sampling.max_new_tokens) for one in prompts]
        params = [self._dreaming(sampling, _seed(seed, place)) for place in range(len(ids))]
        answers = [answer.outputs[0] for answer in self._ask(ids, params, adapter)]
        completions = [
            Completion(
                text=self._local.chat.decode(list(answer.token_ids)),
                num_prompt_tokens=len(prompt),
                num_completion_tokens=len(answer.token_ids),
                is_finished=answer.finish_reason == "stop",
            )
            for prompt, answer in zip(ids, answers, strict=True)
        ]
        written = sum(one.num_completion_tokens for one in completions)
        return completions, self._usage(start, sum(map(len, ids)), written)

    def integer_distribution(
        self, prompts: Sequence[str], *, low: int, high: int, adapter: str
    ) -> tuple[FloatArray, Usage]:
        """Probability of each integer low..high as the whole answer, [n, high-low+1]."""
        start = time.perf_counter()
        chat = self._local.chat
        spelt = [chat.completion_ids(str(number), eos=False) for number in range(low, high + 1)]
        tree = IntegerTree(spelt)
        queries = [one for text in prompts for one in tree.queries(self._local.prompt_ids(text))]
        answers = self._log_probs(queries, adapter)
        size = tree.num_queries
        rows = [tree.distribution(answers[n : n + size]) for n in range(0, len(answers), size)]
        table = np.stack(rows) if rows else np.zeros((0, high - low + 1), dtype=np.float32)
        return table, self._usage(start, sum(len(one.ids) for one in queries), 0)

    def loglikelihood(
        self, items: Sequence[Continuation], *, adapter: str
    ) -> tuple[list[Likelihood], Usage]:
        """Score each continuation, in order; EOS after the continuation is not counted."""
        start = time.perf_counter()
        split = [self._local.given_and_scored(item) for item in items]
        ids = [[*given, *scored] for given, scored in split]
        params = [self._params(max_tokens=1, temperature=0.0, prompt_logprobs=0) for _ in ids]
        found = []
        for (given, scored), answer in zip(split, self._ask(ids, params, adapter), strict=True):
            places = answer.prompt_logprobs[len(given) :]
            values = [places[n][token].logprob for n, token in enumerate(scored)]
            found.append(Likelihood(total=float(sum(values)), num_tokens=len(scored)))
        return found, self._usage(start, sum(map(len, ids)), 0)

    def _log_probs(self, queries: Sequence[Query], adapter: str) -> list[list[list[float]]]:
        """For each query, at each place asked about, the log-probability of each token wanted."""
        places = [
            (query.ids[: len(query.ids) - len(query.wanted) + 1 + depth], list(wanted))
            for query in queries
            for depth, wanted in enumerate(query.wanted)
        ]
        params = [
            self._params(max_tokens=1, temperature=0.0, logprob_token_ids=wanted)
            for _, wanted in places
        ]
        answers = self._ask([ids for ids, _ in places], params, adapter)
        rows = iter(
            [answer.outputs[0].logprobs[0][token].logprob for token in wanted]
            for (_, wanted), answer in zip(places, answers, strict=True)
        )
        return [[next(rows) for _ in query.wanted] for query in queries]

    def _ask(
        self, prompts: Sequence[Sequence[int]], params: Sequence[Any], adapter: str
    ) -> list[Any]:
        self._awake()
        if not prompts:
            return []
        asked = [{"prompt_token_ids": list(ids)} for ids in prompts]
        lora = self._request(adapter)
        return list(self._llm.generate(asked, list(params), use_tqdm=False, lora_request=lora))

    def _awake(self) -> None:
        """Start it, or wake it up and see that it is what it was.

        Raises:
            ResourceError: it does not start.
            ModelError: it answers otherwise than before.
        """
        if self._llm is None:
            self._llm = start_vllm(self._local, self.config, room=self._room)
            self._canary = self._sing()
        elif self._is_asleep:
            self._llm.wake_up()
            if (now := self._sing()) != self._canary:
                raise ModelError(
                    f"wake.vllm: after waking up it answers {CANARY!r} with the tokens {now}, and "
                    f"before with {self._canary}, so its weights are not what they were; give the "
                    "same command again, which starts it afresh"
                )
            self._is_asleep = False

    def _sing(self) -> list[int]:
        """The canary's greedy answer."""
        params = self._params(max_tokens=NUM_CANARY_TOKENS, temperature=0.0)
        ids = {"prompt_token_ids": self._local.prompt_ids(CANARY)}
        (answer,) = self._llm.generate([ids], [params], use_tqdm=False, lora_request=None)
        return list(answer.outputs[0].token_ids)

    def _request(self, adapter: str) -> Any:
        if adapter == BASE:
            return None
        if adapter not in self._requests:
            self._num_named += 1
            request = importlib.import_module("vllm.lora.request").LoRARequest
            name = f"{adapter}-{self._num_named}"
            self._requests[adapter] = request(name, self._num_named, str(self._paths[adapter]))
        return self._requests[adapter]

    def _dreaming(self, sampling: Sampling, seed: int) -> Any:
        return self._params(
            max_tokens=sampling.max_new_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            min_p=sampling.min_p,
            seed=seed,
            stop_token_ids=list(self._local.chat.eos_token_ids),
        )

    def _params(self, **values: Any) -> Any:
        return importlib.import_module("vllm").SamplingParams(detokenize=False, **values)

    def _usage(self, start: float, num_read: int, num_written: int) -> Usage:
        seconds = time.perf_counter() - start
        return Usage.forward(
            num_read, num_written, seconds=seconds, num_parameters=self._local.num_used_parameters
        )


def _seed(*parts: int) -> int:
    text = "/".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
