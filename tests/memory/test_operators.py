"""Operators: each gets the pairs of its share, and one that brings nothing new gets fewer."""

import random
import sqlite3
from collections import Counter
from math import comb
from pathlib import Path

import pytest

from ddl_train.config import WakeConfig
from ddl_train.memory.operators import (
    OperatorTally,
    budget_of,
    choose_operators,
    read_shares,
    tally_operators,
    wilson_lower,
)
from ddl_train.memory.store import Memory
from ddl_train.records import BASE, ConceptPair
from ddl_train.storage.run import Run
from tests.storage.made import a_memory, a_run, a_verdict, dream, idea

TWO = WakeConfig.model_validate({"operators": {"connect": 1.0, "analogy": 1.0}})


def test_by_default_every_pair_is_connected(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        pairs = a_memory(run, 9).next_batch(0, 0, 20, WakeConfig(), BASE, 3)
        assert {pair.operator for pair in pairs} == {"connect"}


def test_operators_do_not_change_which_pairs_are_drawn(tmp_path: Path) -> None:
    drawn = []
    for number, config in enumerate((WakeConfig(), TWO)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with a_run(folder) as run:
            pairs = a_memory(run, 9).next_batch(0, 0, 20, config, BASE, 3)
            drawn.append([(pair.a.concept_id, pair.b.concept_id) for pair in pairs])
    assert drawn[0] == drawn[1]


def test_a_batch_has_what_the_shares_say() -> None:
    shares = {"connect": 0.5, "analogy": 0.3, "question": 0.2}
    for seed in range(20):
        chosen = Counter(choose_operators(shares, 64, random.Random(seed)))
        assert all(abs(chosen[name] - 64 * share) < 1 for name, share in shares.items())


def test_a_small_batch_is_fair_over_time() -> None:
    chosen: Counter[str] = Counter()
    for seed in range(3000):
        chosen.update(choose_operators({"a": 0.9, "b": 0.1}, 3, random.Random(seed)))
    assert chosen["b"] / 9000 == pytest.approx(0.1, abs=0.01)


def test_a_batch_keeps_its_operators_after_a_crash(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        drawn = a_memory(run, 9).next_batch(0, 0, 20, TWO, BASE, 3)
    assert {pair.operator for pair in drawn} == {"connect", "analogy"}
    with Run.open(run.dir) as run:
        memory = Memory(run, None)
        assert memory.pending_batch(0) == (0, drawn)


def live(
    memory: Memory, batches: range, *, parrot_until: int, config: WakeConfig = TWO
) -> list[int]:
    """Dream batch after batch; up to one of them `analogy` says one thing. Its pairs by batch."""
    numbers = []
    for index in batches:
        pairs = memory.next_batch(0, index, 20, config, BASE, 0)

        def conclude(pair: ConceptPair, is_parrot: bool = index < parrot_until) -> str:
            return "all is one" if pair.operator == "analogy" and is_parrot else idea(pair)

        # the first of them is admitted, the rest memory refuses as duplicates
        memory.log_verdicts(0, index, [a_verdict(pair, conclude(pair)) for pair in pairs])
        numbers.append(sum(pair.operator == "analogy" for pair in pairs))
    return numbers


def test_an_operator_that_only_repeats_itself_loses_its_budget(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        numbers = live(a_memory(run, 40), range(12), parrot_until=12)
        assert numbers[0] == 10
        assert 1 <= numbers[-1] <= 3


def test_and_gets_it_back_when_it_brings_something_new(tmp_path: Path) -> None:
    config = TWO.model_copy(
        update={"operator_budget": TWO.operator_budget.model_copy(update={"window": 160})}
    )
    with a_run(tmp_path) as run:
        numbers = live(a_memory(run, 40), range(24), parrot_until=8, config=config)
        assert numbers[7] <= 5
        assert numbers[-1] == 10


def test_rejected_ideas_in_the_same_words_are_repeats(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 9)
        pairs = memory.next_batch(0, 0, 20, WakeConfig(), BASE, 0)
        reason = "coherence: 2.0 is below 6"
        verdicts = [a_verdict(pair, "all is one", rejected_because=reason) for pair in pairs]
        memory.log_verdicts(0, 0, verdicts)
        tally = tally_operators(run.database)["connect"]
        assert (tally.pairs, tally.repeats, tally.admitted) == (20, 19, 0)


@pytest.mark.parametrize(
    ("reason", "is_repeat"),
    [
        ("duplicate: cosine 0.99 to memory is above 0.98", True),
        ("restated: 0.01 from the nearest concept is below 0.1", True),
        ("copied: 90% of the conclusion stands in one concept", True),
        ("coherence: 2.0 is below 6", False),
        (None, False),
    ],
)
def test_what_was_said_already_is_a_repeat(
    reason: str | None, is_repeat: bool, tmp_path: Path
) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 9)
        pairs = memory.next_batch(0, 0, 5, WakeConfig(), BASE, 0)
        verdicts = [a_verdict(pair, idea(pair), rejected_because=reason) for pair in pairs]
        memory.log_verdicts(0, 0, verdicts)
        assert tally_operators(run.database)["connect"].repeats == 5 * is_repeat


def test_none_is_no_repeat(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 40)
        dream(memory, 0, 0, lambda pair: None, size=200, config=TWO)
        assert read_shares(run.database, TWO) == {"connect": 0.5, "analogy": 0.5}
        tallies = tally_operators(run.database)
        assert sum(one.none for one in tallies.values()) == 200
        assert all(one.ideas == 0 for one in tallies.values())


def test_what_cannot_be_read_counts_against_an_operator() -> None:
    assert budget_of(OperatorTally(pairs=100, unread=100), TWO) == TWO.operator_budget.floor


@pytest.mark.parametrize("number", [0, 1, 3, 5])
def test_a_few_repeats_prove_nothing(number: int) -> None:
    assert budget_of(OperatorTally(pairs=number, repeats=number), TWO) > 0.8


def test_a_budget_never_falls_below_its_floor() -> None:
    assert budget_of(OperatorTally(pairs=10_000, repeats=10_000), TWO) == 0.1


def test_the_interval_is_wilsons() -> None:
    # Newcombe (1998), table I: 81 of 263 and 0 of 20
    assert wilson_lower(81, 263) == pytest.approx(0.2553, abs=5e-5)
    assert wilson_lower(0, 20) == 0.0


def test_only_the_window_is_looked_at(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 9)
        dream(memory, 0, 0, idea, size=12)
        dream(memory, 0, 1, lambda pair: None, size=8)
        assert tally_operators(run.database, window=8)["connect"].none == 8
        assert tally_operators(run.database, window=8)["connect"].pairs == 8
        assert tally_operators(run.database)["connect"].pairs == 20
        assert run.database.row_factory is sqlite3.Row


def test_no_link_is_what_connect_did_not_find(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 9)
        pairs = memory.next_batch(0, 0, comb(9, 2), TWO, BASE, 0)
        memory.log_verdicts(0, 0, [a_verdict(pair, None) for pair in pairs])
        found = memory.rejected_pairs(0, 1000, 0)
        connected = [pair for pair in pairs if pair.operator == "connect"]
        assert len(found) == len(connected) < len(pairs)
