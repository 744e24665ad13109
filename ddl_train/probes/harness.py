"""Tasks of lm-evaluation-harness, by name, put to an engine (Gao et al., 2021; extra `lm-eval`).

The library reads the data, writes the prompts and computes the metrics; only the model is ours.
Prompts are its own, without a chat format, so that figures compare with those of its model
`hf`. A task is a suite `lm_eval:TASK`, an item of it a question: right when the first metric of the
task is 1, and scored continuously by log-likelihood (right less best wrong, nats a token) where
there are choices, by that metric itself where there are none.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lm_eval.api.model import TemplateLM
from lm_eval.evaluator import evaluate
from lm_eval.models.utils import (
    handle_stop_sequences,
    normalize_gen_kwargs,
    postprocess_generated_text,
)
from lm_eval.tasks import TaskManager
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from ddl_train.engines.tokens import score_tokens, write_tokens
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.errors import ProbeError
from ddl_train.records import ItemResult, Sampling, Usage

SUITE = "lm_eval"
MAX_LENGTH = 4096
"""Tokens of a context; a longer one loses its beginning, as in the library."""
MAX_NEW_TOKENS = 256
"""Where a task does not say."""
SEED = 1234
"""The library's own, of few-shot examples."""
_SAMPLED_BY = {"do_sample", "temperature", "top_p", "min_p"}


class EngineLM(TemplateLM):  # type: ignore[misc]
    """An engine with one adapter, as the library wants a model."""

    def __init__(self, engine: TransformersEngine, adapter: str) -> None:
        """Take an engine that has the adapter loaded."""
        super().__init__()
        self.engine = engine
        self.adapter = adapter
        self.tokenizer = engine.tokenizer
        self.max_length = min(engine.max_positions or MAX_LENGTH, MAX_LENGTH)
        self.usage = Usage()
        """Of everything that was asked."""

    @property
    def eot_token_id(self) -> int:
        return int(self.tokenizer.eos_token_id)

    @property
    def prefix_token_id(self) -> int:
        """Before a text that nothing is given for."""
        bos = self.tokenizer.bos_token_id
        return self.eot_token_id if bos is None else int(bos)

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **_: Any
    ) -> list[int]:
        """Token ids, with what the tokenizer puts before a text unless it stands there."""
        if add_special_tokens is None:
            add_special_tokens = not string.startswith(self.tokenizer.decode(self.prefix_token_id))
        return list(self.tokenizer.encode(string, add_special_tokens=add_special_tokens))

    def loglikelihood(
        self, requests: Sequence[Any], disable_tqdm: bool = True
    ) -> list[tuple[float, bool]]:
        """Of each (context, continuation): nats, and whether it is what greedy decoding writes."""
        found: list[tuple[float, bool]] = super().loglikelihood(requests, disable_tqdm=True)
        return found

    def loglikelihood_rolling(
        self, requests: Sequence[Any], disable_tqdm: bool = True
    ) -> list[float]:
        """Of each whole text, in windows that do not overlap, in nats."""
        windows = [
            [
                make_disjoint_window(window)
                for window in get_rolling_token_windows(
                    token_list=self.tok_encode(request.args[0]),
                    prefix_token=self.prefix_token_id,
                    max_seq_len=self.max_length,
                    context_len=1,
                )
            ]
            for request in requests
        ]
        scores = iter(self._score([window for of_text in windows for window in of_text]))
        return [sum(next(scores)[0] for _ in of_text) for of_text in windows]

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = True) -> list[str]:
        """What follows each (context, arguments), cut before the first text that ends it."""
        written = [""] * len(requests)
        groups: dict[str, list[int]] = {}
        for number, request in enumerate(requests):
            groups.setdefault(repr(request.args[1]), []).append(number)
        for numbers in groups.values():
            sampling, until = _sampling(requests[numbers[0]].args[1], self.tokenizer.eos_token)
            room = self.max_length - sampling.max_new_tokens
            if room < 1:
                raise ProbeError(
                    f"{SUITE}: a task wants {sampling.max_new_tokens} new tokens, and the model "
                    f"holds {self.max_length} with the prompt; take another task"
                )
            ids, usage = write_tokens(
                self.engine,
                [self.tok_encode(requests[number].args[0])[-room:] for number in numbers],
                sampling=sampling,
                stop=until,
                adapter=self.adapter,
                seed=SEED,
            )
            self.usage += usage
            for number, answer in zip(numbers, ids, strict=True):
                text = self.tokenizer.decode(answer, skip_special_tokens=True)
                written[number] = postprocess_generated_text(text, until, think_end_token=None)
        return written

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[Any, list[int], list[int]]], **_: Any
    ) -> list[tuple[float, bool]]:
        return self._score([(given, scored) for _, given, scored in requests])

    def _score(self, pairs: Sequence[tuple[list[int], list[int]]]) -> list[tuple[float, bool]]:
        """Contexts lose their beginning where both do not fit."""
        fitting = [
            (given[-max(1, self.max_length + 1 - len(scored)) :], scored) for given, scored in pairs
        ]
        found, usage = score_tokens(self.engine, fitting, adapter=self.adapter)
        self.usage += usage
        return found


def load_tasks(names: Sequence[str]) -> dict[str, Any]:
    """Tasks of the library, or YAML files of one, with their data.

    Raises:
        ProbeError: there is no such task, its data cannot be had, or it cannot be asked here.
    """
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    # to know the names of all tasks takes the library half a minute, and a file has none
    manager = TaskManager(include_defaults=not all(Path(name).is_file() for name in names))
    tasks: dict[str, Any] = {}
    for name in names:
        try:
            tasks |= manager.load([name])["tasks"]
        except KeyError:
            raise ProbeError(
                f"{SUITE}:{name}: lm-evaluation-harness has no such task, and it is no YAML file "
                "of one; `lm-eval ls tasks` lists them"
            ) from None
        except (OSError, ValueError, ImportError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ProbeError(f"{SUITE}:{name}: its data cannot be read: {reason}") from None
    for name, task in tasks.items():
        if getattr(task, "UNSAFE_CODE", False) or getattr(task, "MULTIMODAL", False):
            raise ProbeError(
                f"{SUITE}:{name}: runs code that a model writes, or shows it pictures; neither is "
                "done here"
            )
    return tasks


def ask_tasks(
    engine: TransformersEngine, adapter: str, tasks: Mapping[str, Any], *, limit: int | None
) -> tuple[list[ItemResult], dict[str, float], Usage]:
    """Put loaded tasks to one adapter: items, every metric by name, and the cost.

    Args:
        engine: has the adapter loaded.
        adapter: version, or `base`.
        tasks: from `load_tasks`; each adapter is asked the same with the same examples.
        limit: of questions of each task, the first ones; None asks all.
    """
    for task in tasks.values():
        if task.get_config("num_fewshot") is None:
            task.set_config(key="num_fewshot", value=0)
        task.set_fewshot_seed(seed=SEED)
    model = EngineLM(engine, adapter)
    found = evaluate(
        lm=model, task_dict={"tasks": dict(tasks), "groups": {}}, limit=limit, bootstrap_iters=0
    )
    items = [
        item for name, samples in found["samples"].items() for item in _items(name, samples, model)
    ]
    figures = {
        f"{SUITE}:{name}/{metric.removesuffix(',none')}": float(value)
        for name, metrics in found["results"].items()
        for metric, value in metrics.items()
        if "_stderr" not in metric and "," in metric and isinstance(value, (int, float))
    }
    return items, figures, model.usage


def _items(name: str, samples: Sequence[Mapping[str, Any]], model: EngineLM) -> list[ItemResult]:
    """One for each question; none where the metric is of all questions together."""
    first = [one for one in samples if one["filter"] == samples[0]["filter"]]
    items = []
    for one in first:
        metric = one[one["metrics"][0]]
        if not isinstance(metric, (int, float)):
            return []
        margin, chance, answer = _ranked(one, model) or (
            float(metric),
            0.0,
            str(one["filtered_resps"][0]),
        )
        items.append(
            ItemResult(
                probe_id=f"{name}/{one['doc_id']}#{one['doc_hash'][:8]}",
                suite=f"{SUITE}:{name}",
                kind=name,
                is_correct=float(metric) == 1.0,
                margin=margin,
                chance=chance,
                answer=answer,
            )
        )
    return items


def _ranked(sample: Mapping[str, Any], model: EngineLM) -> tuple[float, float, str] | None:
    """Margin, chance and preferred answer among choices; None where there are none."""
    right, asked = sample["target"], sample["arguments"]
    if not isinstance(right, int) or not 0 <= right < len(asked) or len(asked) < 2:
        return None
    means = [
        response[0] / max(1, len(model.tok_encode(arguments[1], add_special_tokens=False)))
        for response, arguments in zip(sample["filtered_resps"], asked, strict=True)
    ]
    wrong = max(mean for number, mean in enumerate(means) if number != right)
    best = max(range(len(means)), key=means.__getitem__)
    return means[right] - wrong, 1 / len(means), str(asked[best][1]).strip()


def _sampling(arguments: Mapping[str, Any], eos: str) -> tuple[Sampling, list[str]]:
    """How a task wants its answers written, and what ends them."""
    wanted = dict(normalize_gen_kwargs(dict(arguments), MAX_NEW_TOKENS))
    until = handle_stop_sequences(wanted.pop("until", None), eos=eos)
    most = int(wanted.pop("max_gen_toks"))
    if not wanted.get("do_sample"):
        return Sampling(max_new_tokens=most), until
    if unknown := sorted(set(wanted) - _SAMPLED_BY):
        raise ProbeError(
            f"{SUITE}: a task samples by {unknown[0]}, which the engine cannot; take one that "
            "decodes greedily or by temperature, top_p and min_p"
        )
    return Sampling(
        max_new_tokens=most,
        temperature=float(wanted.get("temperature") or 1.0),
        top_p=float(wanted.get("top_p", 1.0)),
        min_p=float(wanted.get("min_p", 0.0)),
    ), until
