"""What the world bench has to show: goals of the default arm, and what holds on every preset."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from ddl_train.bench.column import Column, Value
from ddl_train.bench.measures_asleep import CEILING, KEEPING, LEARNING, NEVER_DREAMT
from ddl_train.bench.measures_awake import DISCOVERY
from ddl_train.bench.tables import figure, plain
from ddl_train.records import JsonObject

NUM_PLACEBO_NIGHTS = 20
FULL_PRESET, FULL_CYCLES, FULL_SEEDS, FIRST_SEED = "standard", 8, 5, 41
"""The goals of the default arm refer to this many worlds that are kept for reports; of less they are
shown and decide nothing."""
SHOWN = (
    "precision, contested as wrong",
    "believes decoys",
    "home never replayed, less than base",
    "signs in it, less than base",
    "forward in wordings never heard",
    "reverse in wordings never heard",
    "believes flips in wordings never heard",
    "believes its flip",
)
"""Beside their goals, for information: where two chains disagree nothing is true, and no probe asks;
whoever has to choose among five answers and knows none takes the decoy in one of five; of home
the goal is of the whole, by the exam and by the gate's suite, which asks for signs too; the goals of
uptake and flips are of the wordings of probes, which the upbringing ties to those of study, and not of
wordings never heard; and who knows nothing of what was never dreamt takes its flip in one of two."""
Direction = Literal["at least", "at most"]
BOUNDS: tuple[tuple[Sequence[Column], str, Direction, float], ...] = (
    (LEARNING, "backward transfer", "at least", -0.02),
    (KEEPING, "home, less than base", "at most", 0.02),
    (KEEPING, "home never replayed, less than base", "at most", 0.02),
    (KEEPING, "home in the gate's suite, less than base", "at most", 0.02),
    (KEEPING, "signs in it, less than base", "at most", 0.02),
    (KEEPING, "skill, less than base", "at most", 0.02),
    (LEARNING, "believes flipped insights", "at most", 0.02),
    (LEARNING, "forward in wordings never heard", "at least", 0.90),
    (LEARNING, "reverse in wordings never heard", "at least", 0.85),
    (LEARNING, "believes flips in wordings never heard", "at most", 0.02),
    (NEVER_DREAMT, "believes its flip", "at most", 0.02),
    (NEVER_DREAMT, "says decoys", "at most", 0.02),
    (NEVER_DREAMT, "believes decoys", "at most", 0.02),
    (DISCOVERY, "precision, contested aside", "at least", 0.97),
    (DISCOVERY, "precision, contested as wrong", "at least", 0.97),
    (DISCOVERY, "resting on insights", "at least", 1 / 3),
)
"""Columns of the tables that the default arm is held to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """A measured value against what it has to reach."""

    name: str
    value: float | None
    """None: not measured."""
    interval: str = ""
    """Of 95 %, as tables print it."""
    bound: float
    direction: Direction
    applies: bool

    @property
    def is_met(self) -> bool:
        if not self.applies:
            return True
        if self.value is None:
            return False
        if self.direction == "at least":
            return self.value >= self.bound
        return self.value <= self.bound

    def json(self) -> JsonObject:
        return asdict(self) | {"is_met": self.is_met}

    def __str__(self) -> str:
        value = "not measured" if self.value is None else f"{self.value:.3f}"
        state = "met" if self.is_met else "MISSED"
        note = state if self.applies else "for information"
        shown = f"{value} {self.interval}".rstrip()
        return f"{note}: {self.name} {shown} ({self.direction} {self.bound:g})"


def check_goals(cells: Sequence[JsonObject]) -> list[Goal]:
    """Hold the cells against every goal that they can tell about."""
    default, placebo = (_of_arm(cells, arm) for arm in ("default", "placebo"))
    # shuffled answers meet questions they belong to by accident, which no night could learn from
    num_leaks = sum(len(cell["leaks"]) for cell in cells if cell["arm"] != "placebo")
    goals = [
        Goal(
            name="leaks into training rows",
            value=num_leaks,
            bound=0,
            direction="at most",
            applies=True,
        )
    ]
    if placebo:
        goals.append(_placebo_goal(placebo, default))
    if default:
        goals += _default_goals(default)
    return goals


def _placebo_goal(placebo: Sequence[JsonObject], default: Sequence[JsonObject]) -> Goal:
    """No placebo night is promoted, of enough, by a gate that lets other nights pass.

    A promoted one decides anywhere; too few on the full preset decide nothing.
    """
    nights = [night for cell in placebo for night in cell["nights"]]
    passed = sum(night["promoted"] for night in nights)
    is_shown = bool(nights)
    if is_full := _is_full(placebo):
        lets_pass = any(night["promoted"] for cell in default for night in cell["nights"])
        is_shown = lets_pass and len(nights) >= NUM_PLACEBO_NIGHTS
    return Goal(
        name=f"placebo nights promoted, of {len(nights)}",
        value=passed if is_shown or passed else None,
        bound=0,
        direction="at most",
        applies=bool(passed) or is_full or placebo[0]["preset"] != FULL_PRESET,
    )


def _of_arm(cells: Sequence[JsonObject], arm: str) -> list[JsonObject]:
    """Those on worlds that are kept for reports where there are enough of them; else all."""
    mine = [cell for cell in cells if cell["arm"] == arm]
    fresh = [cell for cell in mine if cell["seed"] >= FIRST_SEED]
    return fresh if _is_full(fresh) else mine


def _default_goals(cells: Sequence[JsonObject]) -> list[Goal]:
    applies = _is_full(cells)
    measures: list[tuple[str, Sequence[Value], Direction, float]] = [
        (f"uptake {way} as a share of the ceiling", _of_ceiling(cells, way), "at least", bound)
        for way, bound in (("forward", 0.90), ("reverse", 0.85))
    ]
    for columns, name, direction, bound in BOUNDS:
        column = next(column for column in columns if column.name == name)
        measures.append((name, [column.read(cell) for cell in cells], direction, bound))
    return [
        Goal(
            name=name,
            # a world in which it was not measured is not left out
            value=None if any(plain(value) is None for value in values) else figure(values).value,
            interval=figure(values).interval(),
            bound=bound,
            direction=direction,
            applies=applies and name not in SHOWN,
        )
        for name, values, direction, bound in measures
    ]


def _of_ceiling(cells: Sequence[JsonObject], way: str) -> list[Value]:
    """Uptake as a share of what the base gets right when told, world by world."""
    shares: list[Value] = []
    for cell in cells:
        found, told = (
            plain(next(column for column in columns if column.name == name).read(cell))
            for columns, name in ((LEARNING, f"uptake {way}"), (CEILING, f"told {way}"))
        )
        shares.append(found / told if found is not None and told else None)
    return shares


def _is_full(cells: Sequence[JsonObject]) -> bool:
    return len({cell["seed"] for cell in cells}) >= FULL_SEEDS and all(
        cell["preset"] == FULL_PRESET
        and cell["num_cycles"] >= FULL_CYCLES
        and cell["seed"] >= FIRST_SEED
        for cell in cells
    )
