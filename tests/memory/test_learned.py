"""Learning where to look: what brings ideas is drawn more, with probabilities that are known."""

import random
from collections import Counter
from collections.abc import Sequence
from functools import partial
from math import comb
from pathlib import Path

import numpy as np
import pytest

from ddl_train.config import WakeConfig
from ddl_train.config.sampler import LearnConfig
from ddl_train.memory.batches import _never_drawn, _number_line, active_ids
from ddl_train.memory.draw import Draw, Mixture
from ddl_train.memory.learned import Looker
from ddl_train.memory.origins import Origins
from ddl_train.memory.space import Lineages, read_space
from ddl_train.memory.store import Memory
from ddl_train.memory.strata import Strata
from ddl_train.memory.verdicts import _insert_dream
from ddl_train.memory.yields import Yields
from ddl_train.records import BASE, Verdict
from ddl_train.storage.database import transaction
from ddl_train.storage.run import Run
from tests.memory.test_draw import MapEmbedder, cosine, on_a_circle
from tests.storage.made import a_memory, a_run, a_verdict, idea

SHARES = {"uniform": 0.4, "distance_band": 0.2, "near_other_source": 0.3, "strength": 0.1}


def learning(shares: dict[str, float] = SHARES, **learn: float) -> WakeConfig:
    return WakeConfig.model_validate({"sampler": shares | {"num_neighbours": 5, "learn": learn}})


def hits_in_band(memory: Memory, config: WakeConfig, num_batches: int) -> list[list[bool]]:
    """Batches on a memory where only pairs of the band give an idea: which pairs lay in it."""
    found = []
    for index in range(num_batches):
        pairs = memory.next_batch(0, index, 20, config, BASE, 3)
        in_band = [0.2 < cosine(pair) < 0.6 for pair in pairs]
        verdicts = [
            a_verdict(pair, idea(pair) if is_in else None)
            for pair, is_in in zip(pairs, in_band, strict=True)
        ]
        _log_without_growth(memory, index, verdicts)
        found.append(in_band)
    return found


def _log_without_growth(memory: Memory, index: int, verdicts: Sequence[Verdict]) -> None:
    """Keep verdicts, admitted ones too, and no concept of theirs."""
    db = memory._db
    ids = db.execute(
        "SELECT pair_id FROM pairs WHERE batch_index = ? ORDER BY position", (index,)
    ).fetchall()
    with transaction(db):
        for (pair_id,), verdict in zip(ids, verdicts, strict=True):
            _insert_dream(db, pair_id, verdict)


def test_what_brings_ideas_is_drawn_more(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        batches = hits_in_band(on_a_circle(run, 60), learning(prior_pairs=20), 8)
        shares = [sum(batch) / len(batch) for batch in batches]
        assert np.mean(shares[4:]) > 0.7 > 2 * 0.13  # of all pairs 13 % lie in the band


def test_exploration_never_dies(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        batches = hits_in_band(on_a_circle(run, 60), learning(floor=0.3, prior_pairs=20), 10)
        assert all(not all(batch) for batch in batches)


def looks(
    run: Run, memory: Memory, config: WakeConfig, count: int, num_looks: int
) -> list[list[Draw]]:
    """The same batch drawn again and again, with other random numbers and nothing written."""
    db = run.database
    learn = config.sampler.learn
    assert learn is not None
    lineages, yields = Lineages(db), Yields(db)
    lineages.update()
    yields.update()
    strata = Strata(yields, lineages, memory._vectors, now=0)
    found = []
    for number in range(num_looks):
        rng = random.Random(number)
        space = read_space(db, active_ids(db), lineages, Origins(db), config.sampler)
        line, _ = _number_line(db, 3)
        mixture = Mixture(config.sampler, space, line, memory._vectors, rng)
        looker = Looker(learn, strata, yields, rng, now=0)
        found.append(looker.draw(mixture, space, count, partial(_never_drawn, db)))
    return found


@pytest.mark.parametrize("candidates", [1, 8])
def test_inverse_probabilities_count_the_pairs_of_any_kind(tmp_path: Path, candidates: int) -> None:
    """Horvitz and Thompson: the mean of 1/p over draws of a kind is how many there are of it."""
    # The size of a band is estimated, so no band where exactness is asked for.
    shares = {name: share for name, share in SHARES.items() if name != "distance_band"}
    config = learning(shares, candidates=candidates, floor=0.3, prior_pairs=20)
    with a_run(tmp_path) as run:
        memory = on_a_circle(run, 40)
        hits_in_band(memory, config, 3)
        drawn = {row[0] for row in run.database.execute("SELECT pair_number FROM pairs")}
        angles = np.arange(40) * 2 * np.pi / 40
        kinds: Counter[str] = Counter()
        for a in range(40):
            for b in range(a):
                if a * (a - 1) // 2 + b not in drawn:
                    kinds[_kind(float(np.cos(angles[a] - angles[b])))] += 1
        found = looks(run, memory, config, 12, 250)
        for kind, size in kinds.items():
            sums = [
                sum(1 / one.probability for one in batch if _kind(_cosine(one)) == kind)
                / len(batch)
                for batch in found
            ]
            error = np.std(sums) / len(sums) ** 0.5
            assert abs(np.mean(sums) - size) < 4 * error, kind
        assert sum(kinds.values()) == comb(40, 2) - len(drawn)


def _cosine(draw: Draw) -> float:
    return float(np.cos(2 * np.pi * (draw.ids[0] - draw.ids[1]) / 40))


def _kind(cosine: float) -> str:
    return "near" if cosine > 0.85 else "band" if 0.2 < cosine < 0.6 else "far"


def test_a_batch_comes_out_the_same_when_the_run_was_killed_before_it(tmp_path: Path) -> None:
    drawn = []
    for name, is_killed in (("whole", False), ("killed", True)):
        (tmp_path / name).mkdir()
        run = a_run(tmp_path / name)
        memory = on_a_circle(run, 30)
        pairs = []
        for index in range(5):
            if is_killed and index in (2, 4):
                run.close()
                run = Run.open(run.dir)
                memory = Memory(run, MapEmbedder())
            batch = memory.next_batch(0, index, 10, learning(), BASE, 3)
            verdicts = [a_verdict(pair, None) for pair in batch]
            memory.log_verdicts(0, index, verdicts)
            rows = run.database.execute("SELECT probability, stratum, chances FROM pairs")
            pairs.append((batch, [tuple(row) for row in rows]))
        run.close()
        drawn.append(pairs)
    assert drawn[0] == drawn[1]


def test_learning_ends_when_every_pair_was_dreamt_on(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = on_a_circle(run, 9)
        numbers = []
        for index in range(9):
            pairs = memory.next_batch(0, index, 7, learning(), BASE, 3)
            memory.log_verdicts(0, index, [a_verdict(pair, None) for pair in pairs])
            numbers += [pair.pair_number for pair in pairs]
        assert sorted(numbers) == list(range(comb(9, 2)))


def test_what_learning_reads_does_not_grow_with_memory(tmp_path: Path) -> None:
    config = WakeConfig.model_validate(
        {"sampler": SHARES | {"insight": 0.2, "learn": {"candidates": 4}}}
    )
    num_steps = []
    for number in (400, 1600):
        folder = tmp_path / str(number)
        folder.mkdir()
        with a_run(folder) as run:
            memory = a_memory(run, number)
            for index in range(2):
                pairs = memory.next_batch(0, index, 8, config, BASE, 3)
                memory.log_verdicts(0, index, [a_verdict(pair, idea(pair)) for pair in pairs])
            steps = [0]

            def count(steps: list[int] = steps) -> int:
                steps[0] += 1
                return 0

            run.database.set_progress_handler(count, 1)
            memory.next_batch(0, 2, 8, config, BASE, 3)
            run.database.set_progress_handler(None, 0)
            num_steps.append(steps[0])
    assert num_steps[1] < 1.5 * num_steps[0]


def test_without_learning_nothing_is_noted_of_strata(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        pairs = a_memory(run).next_batch(0, 0, 5, WakeConfig(), BASE, 3)
        assert {pair.stratum for pair in pairs} == {""}


def test_learning_needs_a_floor() -> None:
    with pytest.raises(ValueError, match="floor"):
        LearnConfig(floor=0.0)
