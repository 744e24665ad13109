"""Generate: static batches, each sequence free to stop on its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig, StoppingCriteria, StoppingCriteriaList

from ddl_train.engines.batches import by_length, pad_left
from ddl_train.engines.chat import ChatFormat
from ddl_train.records import Sampling


@dataclass(frozen=True, slots=True)
class Written:
    """Ids that a model wrote after one prompt, EOS included."""

    ids: list[int]
    is_finished: bool


class StopAfter(StoppingCriteria):
    """Ends each sequence whose text starts with a given word, and remembers where."""

    def __init__(self, word: str, prompt_width: int, num_rows: int, chat: ChatFormat) -> None:
        self.word = word
        self.prompt_width = prompt_width
        self.chat = chat
        self.undecided = set(range(num_rows))
        self.stopped_at: dict[int, int] = {}

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        done = torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
        if self.undecided:
            rows = input_ids[:, self.prompt_width :].tolist()
            for row in list(self.undecided):
                text = self.chat.decode(rows[row])
                if text.startswith(self.word):
                    self.stopped_at[row] = len(rows[row])
                    self.undecided.discard(row)
                elif not self.word.startswith(text):
                    self.undecided.discard(row)
        for row in self.stopped_at:
            done[row] = True
        return done


def generate(
    model: Any,
    chat: ChatFormat,
    prompts: Sequence[Sequence[int]],
    *,
    sampling: Sampling,
    eos: Sequence[int],
    batch_size: int,
    seed: int,
    device: torch.device,
) -> list[Written]:
    """Continue each prompt, in order. The global random state is left as it was."""
    settings = _settings(sampling, chat, eos)
    results: dict[int, Written] = {}
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        for batch in by_length([len(prompt) for prompt in prompts], batch_size):
            written = _generate_batch(
                model, chat, [prompts[i] for i in batch], settings, sampling.stop_after, device
            )
            results.update(zip(batch, written, strict=True))
    return [results[position] for position in range(len(prompts))]


def _generate_batch(
    model: Any,
    chat: ChatFormat,
    prompts: Sequence[Sequence[int]],
    settings: GenerationConfig,
    stop_after: str | None,
    device: torch.device,
) -> list[Written]:
    padded = pad_left(prompts, chat.pad_token_id, device)
    width = padded.input_ids.shape[1]
    stop = None
    if stop_after:
        stop = StopAfter(stop_after, width, len(prompts), chat)
    output = model.generate(
        input_ids=padded.input_ids,
        attention_mask=padded.attention_mask,
        generation_config=settings,
        stopping_criteria=StoppingCriteriaList([stop] if stop else []),
    )
    rows = output[:, width:].tolist()
    stopped_at = stop.stopped_at if stop else {}
    eos = settings.eos_token_id
    return [_cut(row, eos, stopped_at.get(i)) for i, row in enumerate(rows)]


def _cut(ids: list[int], eos: Sequence[int], stopped_at: int | None) -> Written:
    """What was written before the padding."""
    ends = [ids.index(token) + 1 for token in eos if token in ids]
    if stopped_at is not None:
        ends.append(stopped_at)
    return Written(ids[: min(ends)], True) if ends else Written(ids, False)


def _settings(sampling: Sampling, chat: ChatFormat, eos: Sequence[int]) -> GenerationConfig:
    """Every setting that a model's own file could have an opinion on is named here."""
    sample: dict[str, Any] = {"do_sample": False}
    if sampling.temperature > 0:
        sample = {
            "do_sample": True,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": 0,
            "min_p": sampling.min_p or None,
        }
    return GenerationConfig(
        max_new_tokens=sampling.max_new_tokens,
        num_beams=1,
        repetition_penalty=1.0,
        eos_token_id=list(eos),
        pad_token_id=chat.pad_token_id,
        **sample,
    )
