"""How hot a batch is dreamt: a number, or a number that moves over the cycles or over a wake.

Diversity early and precision late, or the other way round: a schedule of the temperature, as in
simulated annealing (Kirkpatrick et al., 1983), and of min-p (Nguyen et al., 2024). The value of a
batch follows from its cycle and its place in the wake, so a resumed run dreams at the same.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from ddl_train.config.stage import StageConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """A batch's place in the run."""

    cycle: int
    num_cycles: int
    """Planned; a cycle beyond them counts as the last."""
    batch: int
    """Index within the cycle's wake."""
    num_batches: int
    """Of that wake."""


class ScheduleConfig(StageConfig):
    """A value that moves from `start` to `end` and stays there."""

    start: float = Field(ge=0)
    """In the first cycle, or in the first batch of every wake."""
    end: float = Field(ge=0)
    """In the last planned cycle, or in the last batch of every wake. Probes are dreamt on at this
    value, so that cycles compare."""
    over: Literal["cycles", "batches"] = "cycles"
    """What it moves over: the planned cycles of the run, or the batches of each wake."""
    shape: Literal["linear", "cosine"] = "linear"
    """A straight line, or half a cosine wave, flat at both ends (Loshchilov and Hutter, 2017)."""

    def at(self, moment: Moment) -> float:
        """The value at a batch; with a single cycle, or batch, it is `start`."""
        place, number = (
            (moment.cycle, moment.num_cycles)
            if self.over == "cycles"
            else (moment.batch, moment.num_batches)
        )
        done = min(place / (number - 1), 1.0) if number > 1 else 0.0
        if self.shape == "cosine":
            done = (1 - math.cos(math.pi * done)) / 2
        return self.start + (self.end - self.start) * done


KINDS = ("a number", "a schedule")
"""What pydantic calls the two in the place of an error."""


def _kind(value: Any) -> str:
    return KINDS[isinstance(value, (dict, ScheduleConfig))]


Schedule = Annotated[ScheduleConfig, Tag(KINDS[1])]
_BY_KIND = Discriminator(_kind)
Temperature = Annotated[Annotated[float, Field(ge=0), Tag(KINDS[0])] | Schedule, _BY_KIND]
MinP = Annotated[Annotated[float, Field(ge=0, le=1), Tag(KINDS[0])] | Schedule, _BY_KIND]


def value_at(value: float | ScheduleConfig, moment: Moment | None) -> float:
    """A number as it is, a schedule at a batch; without one, at its end."""
    if not isinstance(value, ScheduleConfig):
        return value
    return value.end if moment is None else value.at(moment)
