"""Tables of the world bench: cells in, one line an arm out, figures with n and an interval.

Shares of one or two seeds are pooled, with Wilson's interval over items; changes of what was asked
before and after have the interval of their standard error, of these seeds and no others. From three
seeds on the figure is the mean over seeds, with Student's interval over seeds;
where it is the same in all of them, which says little, with that over their items and a star, or with
`[-]` where it counts no items. Intervals of shares end at 0 and 1, those of differences do not.
"""

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

from scipy.stats import t as student

from ddl_train.bench.column import Column, Value
from ddl_train.bench.learning import Change, Share, matrix, ratio
from ddl_train.bench.measures_asleep import (
    CEILING,
    DREAMT_IN_WRITING,
    KEEPING,
    LEARNING,
    NEVER_DREAMT,
    NEVER_IN_WRITING,
)
from ddl_train.bench.measures_awake import AWAKE, DISCOVERY, judged_true
from ddl_train.probes.statistics import wilson
from ddl_train.records import JsonObject

MIN_SEEDS = 3


class Figure(NamedTuple):
    """One cell of a table."""

    value: float
    low: float
    high: float
    num_items: int
    """0 for what counts no items."""
    num_seeds: int
    is_over_items: bool = False
    """Whether the interval is over items; else over seeds."""

    def __str__(self) -> str:
        if math.isnan(self.value):
            return "-"
        digits = 0 if abs(self.value) >= 100 else 1 if abs(self.value) >= 10 else 3
        if not self.num_items and self.num_seeds == 1 and self.value == int(self.value):
            digits = 0
        text = f"{self.value:.{digits}f}"
        if interval := self.interval(digits):
            text += f" {interval}"
        return f"{text} {f'n={self.num_items} ' if self.num_items else ''}s={self.num_seeds}"

    def interval(self, digits: int = 3) -> str:
        """In brackets, with a star where it is over the items of three seeds or more; or empty.

        `[-]` where several seeds agree in a number without items: that is no certainty.
        """
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            return "[-]" if self.num_seeds > 1 and not self.num_items else ""
        star = "*" if self.is_over_items and self.num_seeds >= MIN_SEEDS else ""
        return f"[{self.low:.{digits}f}, {self.high:.{digits}f}]{star}"


NOTHING = Figure(math.nan, math.nan, math.nan, 0, 0)


def figure(values: Sequence[Value]) -> Figure:
    """Put the values of one measure over the seeds of an arm together."""
    changes = [value for value in values if isinstance(value, Change)]
    if changes:
        return _of_changes(changes)
    shares: list[Share] = [
        value
        for value in values
        if isinstance(value, tuple) and not isinstance(value, Change) and value[1]
    ]
    if shares:
        return _of_shares(shares)
    found = _over_seeds([float(value) for value in values if isinstance(value, int | float)])
    return found._replace(low=math.nan, high=math.nan) if _is_point(found) else found


def _of_changes(changes: Sequence[Change]) -> Figure:
    found = _mean_of(changes)
    return _within_one(found) if all(change.is_share for change in changes) else found


def _mean_of(changes: Sequence[Change]) -> Figure:
    found = _over_seeds(
        [change.value for change in changes], sum(change.num_items for change in changes)
    )
    if len(changes) >= MIN_SEEDS and not _is_point(found):
        return found
    half = 1.96 * math.sqrt(sum(change.error**2 for change in changes)) / len(changes)
    return found._replace(low=found.value - half, high=found.value + half, is_over_items=True)


def _of_shares(shares: Sequence[Share]) -> Figure:
    right, asked = (sum(share[place] for share in shares) for place in (0, 1))
    low, high = wilson(right, asked)
    if len(shares) < MIN_SEEDS:
        return Figure(right / asked, low, high, asked, len(shares), is_over_items=True)
    found = _over_seeds([right / asked for right, asked in shares], asked)
    if _is_point(found):
        return found._replace(low=low, high=high, is_over_items=True)
    return _within_one(found)


def _within_one(found: Figure) -> Figure:
    """Cut off what a share cannot be; an infinite interval says nothing and stays so."""
    if not math.isfinite(found.low):
        return found
    return found._replace(low=max(found.low, 0.0), high=min(found.high, 1.0))


def _over_seeds(numbers: Sequence[float], num_items: int = 0) -> Figure:
    if not numbers:
        return NOTHING
    mean = sum(numbers) / len(numbers)
    if len(numbers) < 2:
        return Figure(mean, math.nan, math.nan, num_items, len(numbers))
    spread = math.sqrt(sum((x - mean) ** 2 for x in numbers) / (len(numbers) - 1) / len(numbers))
    half = float(student.ppf(0.975, len(numbers) - 1)) * spread
    return Figure(mean, mean - half, mean + half, num_items, len(numbers))


def _is_point(found: Figure) -> bool:
    """Whether all seeds agree, which says little."""
    return math.isclose(found.low, found.high, abs_tol=1e-9)


TABLES = {
    "Discovery": DISCOVERY,
    "What the nights taught (exam after the last cycle)": LEARNING,
    "What they cost (exam after the last cycle)": KEEPING,
    "Instead of nights: the base with the statement, or what was retrieved, in view": CEILING,
    "Awake on the same composing pairs": AWAKE,
    "Conclusions never dreamt (probe files of the world)": NEVER_DREAMT,
    "Written answers to questions that insights answer (after the last cycle)": DREAMT_IN_WRITING,
    "Written answers to questions that no insight answers": NEVER_IN_WRITING,
}
NOTES = {
    "What they cost (exam after the last cycle)": "Leaks count answers that no dream earned, of "
    "which a placebo's rows are full.",
    "Awake on the same composing pairs": "Where the base finds all of them only harm can show.",
}
COMPARED = tuple(
    column
    for column in (*DISCOVERY, *LEARNING, *KEEPING, *DREAMT_IN_WRITING)
    if column.name in (
        "true insights", "precision, contested aside", "resting on insights", "uptake forward",
        "uptake reverse", "backward transfer", "believes flipped insights",
        "forward in wordings never heard", "reverse in wordings never heard",
        "home, less than base", "home in the gate's suite, less than base",
        "skill, less than base", "KL to the base", "nights promoted", "tokens a night",
        "forward, precision of several", "reverse, precision of several",
    )
)  # fmt: skip
"""What arms are held against the default in, world by world."""


def write_tables(cells: Sequence[JsonObject]) -> str:
    """All tables as Markdown."""
    arms = {
        arm: [cell for cell in cells if cell["arm"] == arm]
        for arm in dict.fromkeys(cell["arm"] for cell in cells)
    }
    parts = [_lives(arms)]
    for title, columns in TABLES.items():
        rows = {
            arm: [figure([column.read(cell) for cell in mine]) for column in columns]
            for arm, mine in arms.items()
        }
        parts.append(_table(title, columns, rows))
    if beside := _beside_default(arms):
        parts.append(_table("Less the default on the same worlds", COMPARED, beside))
    if arms.get("default"):
        parts.append(_by_cycle(arms["default"]))
    parts.append(
        "n counts items, s seeds; what is about one thing is no independent evidence and counts "
        "together in intervals of differences and of decoys. Brackets are 95 % intervals: over items for one or two seeds (Wilson's "
        f"for shares) and where all seeds agree (*), over seeds (Student's) from {MIN_SEEDS} on. Other "
        "numbers have Student's from two seeds on, or [-] where all seeds agree; the table of cycles has "
        "none. For scale, of another task: "
        "SEAL's released continual run (Zweiger et al. 2025, arXiv:2506.10943) has its base at 0.307, "
        "what was just learned at 0.415, and 0.247 after eight nights, backward transfer -0.191."
    )
    return "\n\n".join(parts) + "\n"


def _lives(arms: dict[str, list[JsonObject]]) -> str:
    """Which worlds each arm lived in and for how long, and what guessing brings."""
    lived = "; ".join(
        f"{arm}: seed{'s' * (len(mine) > 1)} {', '.join(str(cell['seed']) for cell in mine)}, "
        f"{' or '.join(str(n) for n in sorted({cell['num_cycles'] for cell in mine}))} cycles"
        for arm, mine in arms.items()
    )
    choices = sorted({cell["exam"]["num_choices"] for mine in arms.values() for cell in mine})
    return (
        f"{lived}.\n\nChance: {' or '.join(f'1 in {n}' for n in choices)} for uptake and ends never "
        "dreamt, 1 in 2 for directions and flips; a generated answer and a skill have none."
    )


def _beside_default(arms: dict[str, list[JsonObject]]) -> dict[str, list[Figure]]:
    """Each arm's figures less those of the default, as paired differences over common seeds."""
    default = {cell["seed"]: cell for cell in arms.get("default", [])}
    rows = {}
    for arm, cells in arms.items():
        pairs = [(cell, default[cell["seed"]]) for cell in cells if cell["seed"] in default]
        if arm != "default" and pairs:
            rows[arm] = [
                figure([_less(column.read(one), column.read(other)) for one, other in pairs])
                for column in COMPARED
            ]
    return rows


def _less(one: Value, other: Value) -> float | None:
    a, b = plain(one), plain(other)
    return None if a is None or b is None else a - b


def plain(value: Value) -> float | None:
    """A measure as a number."""
    if isinstance(value, Change):
        return value.value
    return ratio(value) if isinstance(value, tuple) else value


def _by_cycle(cells: Sequence[JsonObject]) -> str:
    """The default's life: what each cycle found, and the matrix of what is known of each."""
    num_cycles = max(len(cell["discovery"]) for cell in cells)
    depths = sorted({depth for cell in cells for depth in cell["world"]["num_true"]})
    names = [
        "true so far",
        "recall so far",
        *(f"depth {depth}" for depth in depths),
        "precision",
        *(f"of cycle {n + 1}" for n in range(num_cycles)),
    ]
    recalled = [depths, *([depth] for depth in depths)]
    lines = ["## The default, cycle by cycle: found, and uptake of what each cycle found", ""]
    lines += ["| after cycle | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for cycle in range(num_cycles):
        known = [figure([_known(cell, cycle, of) for cell in cells]) for of in range(cycle + 1)]
        found = [
            figure([float(_found_by(cell, cycle)) for cell in cells]),
            *(figure([_recall(cell, cycle, of) for cell in cells]) for of in recalled),
            figure([judged_true(cell["discovery"][cycle]["admitted"]) for cell in cells]),
        ]
        texts = ["-" if math.isnan(one.value) else f"{one.value:.3g}" for one in [*found, *known]]
        lines.append(
            f"| {cycle + 1} | " + " | ".join([*texts, *[""] * (num_cycles - cycle - 1)]) + " |"
        )
    return "\n".join(lines)


def _known(cell: JsonObject, cycle: int, of: int) -> Share | None:
    rows = matrix(cell["exam"])
    return rows[cycle][of] if cycle < len(rows) and rows[cycle][of][1] else None


def _recall(cell: JsonObject, cycle: int, depths: Collection[str]) -> Share:
    """Found until then, of all that is true up to some of these depths."""
    there_are = cell["world"]["num_true"]
    return _found_by(cell, cycle, depths), sum(there_are.get(depth, 0) for depth in depths)


def _found_by(cell: JsonObject, cycle: int, depths: Collection[str] | None = None) -> int:
    """True insights until then, of some depths or of all."""
    return sum(
        number
        for one in cell["discovery"][: cycle + 1]
        for depth, number in one["new_by_depth"].items()
        if depths is None or depth in depths
    )


def _table(title: str, columns: Sequence[Column], rows: dict[str, list[Figure]]) -> str:
    lines = [f"## {title}", ""]
    if title in NOTES:
        lines += [NOTES[title], ""]
    lines += ["| arm | " + " | ".join(column.name for column in columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    lines += [f"| {arm} | " + " | ".join(map(str, figures)) + " |" for arm, figures in rows.items()]
    return "\n".join(lines)
