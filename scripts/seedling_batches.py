"""Batches that the seedling is trained on: rows packed into sequences, with weights for the loss.

The loss is on completions, most where they decide: whether there is a link, the sign of a
conclusion, a score. Of prompts it is on what can be known: names told again, and what follows.
What is taught when goes by steps of the training, however many workers share one.
"""

import random
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from seedling_tokenizer import build_tokenizer

from ddl_train.bench.speaker import render
from ddl_train.world import names
from ddl_train.world.graph import WorldSpec, home_world, make_world
from ddl_train.world.home import Home
from ddl_train.world.lessons import HOME_SHARE, Row, home_row, skill_rows

SIGN_WORDS = ("raises", "lowers", "high", "low", "relieve", "worsen")
FIRST_WEIGHT, SIGN_WEIGHT, SCORE_WEIGHT, HOME_WEIGHT, REPEAT_WEIGHT = 4.0, 4.0, 6.0, 2.0, 0.5
NUM_DRILLED = 1500
"""Steps over which the drills of the sign fade out."""
PASSING_SHARE, NUM_PASSING, PASSING_EVERY = 0.25, 5, 30
"""Rows about passing worlds for each row of a skill; how many such worlds there are at a time, and
after how many steps the oldest is replaced. The share falls with the learning rate, at which less
and less of a world can be learned before it has passed."""
PASSING_SEEDS = 80_000_000
PASSING_SPEC = WorldSpec(
    substances=8, factors=6, ailments=6, literatures=2, bridges=2,
    substance_degree=1.4, factor_degree=0.8, ailment_degree=1.4,
)  # fmt: skip


@lru_cache(maxsize=2 * NUM_PASSING)
def passing_home(number: int) -> Home:
    """A small world that is learned by heart and left again.

    At any time some facts are new, and asked in all wordings from the start, those of probes too:
    meant to make what is learned in one wording, as in a night, known in others.
    """
    taken = frozenset(name for fact in home_world().facts for name in fact.names)
    return Home(make_world(PASSING_SEEDS + number, PASSING_SPEC, taken))


class Packer:
    """Makes batches: rows packed into sequences, with segments, positions and loss weights."""

    def __init__(self, seed: int, sequences: int, length: int) -> None:
        self.seed, self.sequences, self.length = seed, sequences, length
        self.tokenizer = build_tokenizer()
        self.home = Home()
        ids = self.tokenizer.convert_tokens_to_ids
        self.assistant, self.so = ids("<|assistant|>"), ids("Ġso")
        self.bar, self.equals = ids("Ġ|"), ids("Ġ=")
        self.signs = {ids("Ġ" + word) for word in SIGN_WORDS}
        self.openings = {ids("Ġ" + opening) for opening in names.OPENINGS}
        self.middles = set(ids(list(names.MIDDLES)))
        self.endings = {ids(ending) for kind in names.KINDS for ending in names.ENDINGS[kind]}

    def rows(self, number: int, step: int, *, passing: float = 1.0) -> Iterator[Row]:
        """Endless rows of a batch.

        Args:
            number: of the batch; each has its own rows.
            step: of the training, by which drills of the sign fade out and worlds pass.
            passing: how much of their share passing worlds have.
        """
        rng = random.Random(f"seedling/{self.seed}/{number}")
        drill = 0.4 * max(0.0, 1 - step / NUM_DRILLED)
        while True:
            rows = []
            for _ in range(8):
                rows += skill_rows(rng, drill_share=drill)
            fresh = len(rows)
            rows += [home_row(rng, self.home) for _ in range(round(fresh * HOME_SHARE))]
            youngest = step // PASSING_EVERY
            rows += [
                home_row(rng, passing_home(youngest - rng.randrange(NUM_PASSING)))
                for _ in range(round(fresh * PASSING_SHARE * passing))
            ]
            rng.shuffle(rows)
            yield from rows

    def encode(self, rows: list[Row]) -> list[tuple[list[int], list[float]]]:
        texts = [f"<|user|>{render(row)}<|assistant|>{row.completion}<|end|>" for row in rows]
        encoded = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
        return [(ids, self.weights(row, ids)) for row, ids in zip(rows, encoded, strict=True)]

    def weights(self, row: Row, ids: list[int]) -> list[float]:
        """Loss weights: the completion, most where it decides; of prompts, names told again."""
        start = ids.index(self.assistant) + 1
        weights = [0.0] * start + [1.0] * (len(ids) - start)
        for place in (*self.repeated(ids[:start]), *self.implied(row, ids[:start])):
            weights[place] = REPEAT_WEIGHT
        if row.template == "score":
            weights[start] = SCORE_WEIGHT
        elif row.template == "propose" or row.skill == "context":
            weights[start] = FIRST_WEIGHT
        elif row.skill == "home":
            weights[start:] = [HOME_WEIGHT] * (len(ids) - start)
        if row.skill == "compose":
            after = max(place for place, token in enumerate(ids) if token == self.so)
            for place in range(after, len(ids)):
                if ids[place] in self.signs:
                    weights[place] = SIGN_WEIGHT
        return weights

    def repeated(self, ids: list[int]) -> Iterator[int]:
        """Places in names that occurred before, their first token apart: to learn to copy."""
        seen: set[tuple[int, ...]] = set()
        place = 0
        while place < len(ids):
            end = place + 1
            if ids[place] in self.openings:
                while end < len(ids) and ids[end] in self.middles:
                    end += 1
                if end < len(ids) and ids[end] in self.endings:
                    end += 1
                    name = tuple(ids[place:end])
                    if name in seen:
                        yield from range(place + 1, end)
                    seen.add(name)
            place = end

    def implied(self, row: Row, ids: list[int]) -> Iterator[int]:
        """Places in a prompt that follow from what stands before: right ideas, and conclusions."""
        if row.template == "score":
            if row.truth:
                bar = max(place for place, token in enumerate(ids) if token == self.bar)
                yield from range(ids.index(self.equals) + 1, bar)
            return
        told = row.template.startswith(("study", "probe", "answer"))
        concluding = False
        for place, token in enumerate(ids):
            if concluding and token in (self.bar, self.assistant):
                concluding = False
            if concluding:
                yield place
            concluding = concluding or (told and token == self.so)

    def batch(self, number: int, step: int, *, passing: float = 1.0) -> dict[str, NDArray[Any]]:
        """Arrays of a batch, each of shape (sequences, length); see `rows`."""
        shape = (self.sequences, self.length)
        out = {
            "ids": np.zeros(shape, np.int64),
            "segments": np.full(shape, -1, np.int64),
            "positions": np.zeros(shape, np.int64),
            "weights": np.zeros(shape, np.float32),
        }
        used = [0] * self.sequences
        rows = self.rows(number, step, passing=passing)
        misses = segment = 0
        while misses < 12:
            for ids, weights in self.encode([next(rows) for _ in range(64)]):
                place = next(
                    (s for s in range(self.sequences) if used[s] + len(ids) <= self.length), None
                )
                if place is None:
                    misses += 1
                    continue
                span = slice(used[place], used[place] + len(ids))
                out["ids"][place, span] = ids
                out["segments"][place, span] = segment
                out["positions"][place, span] = np.arange(len(ids))
                out["weights"][place, span] = weights
                used[place] += len(ids)
                segment += 1
        return out
