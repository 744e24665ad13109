"""Puzzles have right answers, and other code than theirs agrees."""

import random
from collections import Counter
from itertools import permutations

from ddl_train.probes.iteration import (
    RULES,
    grid_puzzle,
    grids_of,
    life_puzzle,
    life_step,
    make_puzzles,
    rule_puzzle,
    rule_step,
)
from ddl_train.probes.text import normalise


def cells(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split()))


def test_a_rule_is_read_from_its_bits() -> None:
    # the new state of 111, 110, 101, 100, 011, 010, 001, 000, as the rules are named
    for rule in RULES:
        bits = f"{rule:08b}"
        for place, state in enumerate(("111", "110", "101", "100", "011", "010", "001", "000")):
            row = (*map(int, state), 0, 0)
            assert rule_step(row, rule)[1] == int(bits[place])


def test_rule_90_is_the_sum_of_its_neighbours() -> None:
    rng = random.Random(0)
    row = tuple(rng.randint(0, 1) for _ in range(40))
    assert rule_step(row, 90) == tuple(row[i - 1] ^ row[(i + 1) % 40] for i in range(40))


def test_life_turns_a_blinker_and_keeps_a_block() -> None:
    def board(*alive: tuple[int, int]) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(int((i, j) in alive) for j in range(8)) for i in range(8))

    assert life_step(board((3, 2), (3, 3), (3, 4))) == board((2, 3), (3, 3), (4, 3))
    block = board((0, 0), (0, 7), (7, 0), (7, 7))  # across the joined edges
    assert life_step(block) == block


def test_every_right_grid_reads_both_ways() -> None:
    for size in (3, 4, 5):
        puzzle = grid_puzzle(size, 0, random.Random(size))
        words = set(puzzle.prompt.split(": ")[1].split(".")[0].split())
        for answer in puzzle.answers:
            rows = answer.split(" / ")
            columns = ["".join(row[n] for row in rows) for n in range(size)]
            assert {*rows, *columns} == words
            assert len(words) == 2 * size


def test_no_right_grid_is_missed() -> None:
    words = ["abc", "def", "ghi", "adg", "beh", "cfi"]
    slow = [
        rows
        for rows in permutations(words, 3)
        if {*rows, *("".join(row[n] for row in rows) for n in range(3))} == set(words)
    ]
    assert sorted(grids_of(words, 3)) == sorted(slow)
    assert len(slow) == 2


def test_given_rows_stand_in_every_right_grid() -> None:
    puzzle = grid_puzzle(4, 3, random.Random(1))
    given = puzzle.prompt.split("The first rows are: ")[1].split(".")[0]
    assert puzzle.answers
    assert all(answer.startswith(given) for answer in puzzle.answers)


def test_steps_add_up() -> None:
    one, four = (rule_puzzle(110, 24, steps, random.Random(7)) for steps in (1, 4))
    start = cells(four.prompt.rsplit("? ", 1)[1].removesuffix(" ->"))
    assert len(start) == 24
    after = start
    for _ in range(4):
        after = rule_step(after, 110)
    assert cells(four.answers[0]) == after
    assert cells(one.answers[0]) == rule_step(start, 110)


def test_a_board_is_answered_by_its_rows() -> None:
    puzzle = life_puzzle(1, random.Random(3))
    assert [len(cells(row)) for row in puzzle.answers[0].split("\n")] == [8] * 8
    assert normalise(puzzle.answers[0]) == normalise(puzzle.answers[0].replace("\n", " / "))


def test_every_step_of_difficulty_is_asked_and_stays_the_same() -> None:
    puzzles = make_puzzles(2, seed=5)
    assert make_puzzles(2, seed=5) == puzzles
    assert make_puzzles(2, seed=6) != puzzles
    assert len({puzzle.probe_id for puzzle in puzzles}) == len(puzzles)
    counts = Counter(puzzle.kind for puzzle in puzzles)
    assert set(counts.values()) == {2}
    assert len([kind for kind in counts if kind.startswith("grid")]) == 3 + 4 + 5
    assert len([kind for kind in counts if kind.startswith("rule")]) == 3 * 3 * 3
    assert len([kind for kind in counts if kind.startswith("life")]) == 3
