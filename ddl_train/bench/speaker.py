"""A chat model spoken to in batches: greedy replies, and likelihoods of given replies.

Used to measure the seedling without the roles in between. Prompts are sorted by length and padded
on the left; replies come back in the order of the prompts.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import torch

from ddl_train.engines.batches import pad_left
from ddl_train.engines.chat import ChatFormat
from ddl_train.records import StageProgress
from ddl_train.roles.prompts import PromptPack, load_pack
from ddl_train.world.lessons import Row


@cache
def _pack() -> PromptPack:
    return load_pack("terse")


def render(row: Row) -> str:
    """The user message of a row, in the terse prompts."""
    if row.template:
        return _pack().render(row.template, **row.slots)
    return str(row.slots["text"])


class Speaker:
    """A causal model with its chat tokenizer, in evaluation mode while it speaks."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        batch_size: int = 64,
        stage: StageProgress | None = None,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.pad_token_id = ChatFormat(tokenizer).pad_token_id
        self.batch_size = batch_size
        self.stage = stage
        self.num_prompts = 0
        """Read so far."""

    def _prompt_ids(self, prompts: Sequence[str]) -> list[list[int]]:
        if not prompts:
            return []
        texts = [
            self.tokenizer.apply_chat_template(
                [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
            )
            for prompt in prompts
        ]
        return list(self.tokenizer(texts, add_special_tokens=False)["input_ids"])

    def _batches(self, ids: Sequence[Sequence[int]]) -> Iterator[tuple[list[int], Any, Any]]:
        order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
        for start in range(0, len(order), self.batch_size):
            places = order[start : start + self.batch_size]
            padded = pad_left(
                [ids[place] for place in places], self.pad_token_id, self.model.device
            )
            yield places, padded.input_ids, padded.attention_mask
            self.num_prompts += len(places)
            if self.stage is not None:
                self.stage.advance(len(places))

    @torch.inference_mode()
    def reply(
        self, prompts: Sequence[str], *, max_new_tokens: int = 40, never_first: str | None = None
    ) -> list[str]:
        """Answer each prompt greedily; no answer begins with the word `never_first`."""
        barred = None if never_first is None else [self._tails([never_first])[0][0]]
        replies = [""] * len(prompts)
        for places, input_ids, mask in self._batches(self._prompt_ids(prompts)):
            made = self.model.generate(
                input_ids=input_ids,
                attention_mask=mask,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                begin_suppress_tokens=barred,
                pad_token_id=self.pad_token_id,
                eos_token_id=self.tokenizer.eos_token_id,
            )
            texts = self.tokenizer.batch_decode(
                made[:, input_ids.shape[1] :], skip_special_tokens=True
            )
            for place, text in zip(places, texts, strict=True):
                replies[place] = text.strip()
        return replies

    @torch.inference_mode()
    def mean_log_likelihoods(
        self, prompts: Sequence[str], replies: Sequence[str], *, given: Sequence[str]
    ) -> list[float]:
        """Mean log probability of the tokens of each reply that follow its `given` beginning."""
        tails = [ids[:-1] for ids in self._tails(replies)]
        free = [len(ids) - 1 for ids in self._tails(given)]
        heads = self._prompt_ids(prompts)
        means = [0.0] * len(prompts)
        ids = [head + tail for head, tail in zip(heads, tails, strict=True)]
        for places, input_ids, mask in self._batches(ids):
            positions = (mask.cumsum(1) - 1).clamp(min=0)
            logits = self.model(
                input_ids=input_ids, attention_mask=mask, position_ids=positions
            ).logits.float()
            scores = logits[:, :-1].log_softmax(-1)
            picked = scores.gather(2, input_ids[:, 1:, None])[..., 0]
            for row, place in enumerate(places):
                asked = len(tails[place]) - free[place]
                means[place] = float(picked[row, -asked:].mean()) if asked > 0 else 0.0
        return means

    def _tails(self, replies: Sequence[str]) -> list[list[int]]:
        if not replies:
            return []
        texts = [f"{reply}{self.tokenizer.eos_token}" for reply in replies]
        return list(self.tokenizer(texts, add_special_tokens=False)["input_ids"])

    @torch.inference_mode()
    def expected_numbers(self, prompts: Sequence[str], numbers: Sequence[int]) -> list[float]:
        """Mean of the number that each prompt would be answered with, over the numbers allowed."""
        tokens = [ids[0] for ids in self._tails([str(number) for number in numbers])]
        values = torch.tensor([float(number) for number in numbers])
        means = [0.0] * len(prompts)
        for places, input_ids, mask in self._batches(self._prompt_ids(prompts)):
            positions = (mask.cumsum(1) - 1).clamp(min=0)
            logits = self.model(
                input_ids=input_ids, attention_mask=mask, position_ids=positions, logits_to_keep=1
            ).logits[:, -1]
            chances = logits[:, tokens].float().softmax(-1).cpu()
            for place, mean in zip(places, (chances @ values).tolist(), strict=True):
                means[place] = mean
        return means
