"""`iteration`: puzzles that take one small step after another, which models are said not to learn.

Everything is generated, and checked by the code that generated it. A kind names what is asked and
how far: `grid 4x4, 2 rows given`, `rule 110, width 24, 2 steps`, `life 8x8, 1 step`. Exact match is
the result, the likelihood of a right answer stands beside it as the continuous score.

    grid    arrange words so that rows and columns read as words of the list
    rule    elementary cellular automata 28, 90 and 110 on a ring, shown at one width and asked at
            that and at wider ones (Wolfram, 1983)
    life    Conway's Life on a torus of 8x8 (Gardner, 1970)
"""

import random
from collections.abc import Callable, Iterator, Sequence

from ddl_train.records import Probe

RULES = (28, 90, 110)
SHOWN_WIDTH = 12
WIDTHS = (12, 18, 24)
STEPS = (1, 2, 4)
SIZES = (3, 4, 5)
LIFE_SIZE = 8
_EXAMPLES = 4
_VOWELS, _CONSONANTS = "aeiou", "bdfgklmnprst"

Row = tuple[int, ...]
Board = tuple[Row, ...]


def make_puzzles(per_step: int, *, seed: int) -> list[Probe]:
    """`per_step` puzzles of each kind and step of difficulty, the same for the same seed."""
    makers: list[Callable[[random.Random], Probe]] = []
    makers += [
        (lambda rng, n=size, given=given: grid_puzzle(n, given, rng))  # type: ignore[misc]
        for size in SIZES
        for given in range(size - 1, -1, -1)
    ]
    makers += [
        (lambda rng, r=rule, w=width, k=steps: rule_puzzle(r, w, k, rng))  # type: ignore[misc]
        for rule in RULES
        for width in WIDTHS
        for steps in STEPS
    ]
    makers += [
        (lambda rng, k=steps: life_puzzle(k, rng))  # type: ignore[misc]
        for steps in STEPS
    ]
    puzzles: dict[str, Probe] = {}
    for place, make in enumerate(makers):
        for number in range(per_step):
            puzzle = make(random.Random(f"iteration/{seed}/{place}/{number}"))
            puzzles.setdefault(puzzle.prompt, puzzle)
    return [
        Probe(
            probe_id=f"{puzzle.kind}/{number}",
            prompt=puzzle.prompt,
            answers=puzzle.answers,
            kind=puzzle.kind,
            is_raw=True,
        )
        for number, puzzle in enumerate(puzzles.values())
    ]


def grid_puzzle(size: int, num_given: int, rng: random.Random) -> Probe:
    """Words in a square; every arrangement that reads both ways is a right answer."""
    while True:
        rows = [_word(size, row, rng) for row in range(size)]
        columns = ["".join(row[place] for row in rows) for place in range(size)]
        words = sorted({*rows, *columns})
        if len(words) == 2 * size:
            break
    given = rows[:num_given]
    shown = rng.sample(words, len(words))
    right = [grid for grid in grids_of(words, size) if list(grid[:num_given]) == given]
    lines = [
        f"Arrange words of this list in a square of {size} rows so that every row and every column "
        f"is a different word of it: {' '.join(shown)}.",
    ]
    if given:
        lines.append(f"The first rows are: {' / '.join(given)}.")
    lines.append("Answer with all rows, parted by slashes.")
    return _puzzle(
        f"grid {size}x{size}, {num_given} rows given",
        "\n".join(lines),
        [" / ".join(grid) for grid in right],
    )


def grids_of(words: Sequence[str], size: int) -> list[tuple[str, ...]]:
    """Every square of different words of a list whose columns are its other words."""
    beginnings = {word[:n] for word in words for n in range(1, size + 1)}

    def extend(rows: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        columns = ["".join(row[place] for row in rows) for place in range(size)]
        if rows and not all(column in beginnings for column in columns):
            return
        if len(rows) == size:
            if len({*rows, *columns}) == 2 * size:
                yield rows
            return
        for word in words:
            if word not in rows:
                yield from extend((*rows, word))

    return list(extend(()))


def rule_puzzle(rule: int, width: int, steps: int, rng: random.Random) -> Probe:
    """Rows of an automaton are shown with what follows; another row's later state is asked."""
    lines = ["Every line of cells follows from the one before by one rule, on a ring."]
    for _ in range(_EXAMPLES):
        row = _random_row(SHOWN_WIDTH, rng)
        lines.append(f"{_cells(row)} -> {_cells(rule_step(row, rule))}")
    start = _random_row(width, rng)
    after = start
    for _ in range(steps):
        after = rule_step(after, rule)
    what = "after 1 step" if steps == 1 else f"after {steps} steps"
    lines.append(f"What is this line {what}? {_cells(start)} ->")
    return _puzzle(
        f"rule {rule}, width {width}, {_steps(steps)}", "\n".join(lines), [_cells(after)]
    )


def rule_step(row: Row, rule: int) -> Row:
    """One step of an elementary cellular automaton on a ring."""
    n = len(row)
    return tuple(rule >> (4 * row[i - 1] + 2 * row[i] + row[(i + 1) % n]) & 1 for i in range(n))


def life_puzzle(steps: int, rng: random.Random) -> Probe:
    """A board of Life; its later state is asked."""
    board = tuple(_random_row(LIFE_SIZE, rng, share=0.35) for _ in range(LIFE_SIZE))
    after = board
    for _ in range(steps):
        after = life_step(after)
    what = "1 step" if steps == 1 else f"{steps} steps"
    prompt = (
        f"Conway's Life on a board of {LIFE_SIZE} rows whose edges are joined. 1 is alive.\n"
        f"{_board(board)}\nWhat is the board after {what}? Answer with its rows."
    )
    return _puzzle(f"life {LIFE_SIZE}x{LIFE_SIZE}, {_steps(steps)}", prompt, [_board(after)])


def life_step(board: Board) -> Board:
    """One step of Life on a torus."""
    height, width = len(board), len(board[0])

    def neighbours(i: int, j: int) -> int:
        return sum(
            board[(i + di) % height][(j + dj) % width]
            for di in (-1, 0, 1)
            for dj in (-1, 0, 1)
            if di or dj
        )

    return tuple(
        tuple(
            int(neighbours(i, j) == 3 or (board[i][j] == 1 and neighbours(i, j) == 2))
            for j in range(width)
        )
        for i in range(height)
    )


def _puzzle(kind: str, prompt: str, answers: Sequence[str]) -> Probe:
    return Probe(probe_id=kind, prompt=prompt, answers=tuple(answers), kind=kind, is_raw=True)


def _word(size: int, row: int, rng: random.Random) -> str:
    """Vowels and consonants like a chessboard, so that columns can be spoken too."""
    return "".join(
        rng.choice(_VOWELS if (row + place) % 2 else _CONSONANTS) for place in range(size)
    )


def _random_row(width: int, rng: random.Random, *, share: float = 0.5) -> Row:
    return tuple(int(rng.random() < share) for _ in range(width))


def _cells(row: Row) -> str:
    return " ".join(map(str, row))


def _board(board: Board) -> str:
    return "\n".join(_cells(row) for row in board)


def _steps(steps: int) -> str:
    return "1 step" if steps == 1 else f"{steps} steps"
