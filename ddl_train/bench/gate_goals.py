"""What `ddl-train bench gate` has to show."""

from collections.abc import Sequence

from ddl_train.bench.goals import Goal
from ddl_train.bench.nights import GOOD
from ddl_train.records import JsonObject

NUM_RUNS = 1000
NUM_NIGHTS = 20
"""Of each."""
MOST_LUCKY = 38
"""Of these runs; 5 % of them would be 50, and 38 is what the gate is held to."""
NUM_PLANTED = 60


def gate_goals(rows: Sequence[JsonObject], lucky: JsonObject, planted: JsonObject) -> list[Goal]:
    """Rows of `tabulate`, lucky runs by how the gate was set, and planted harm, against their goals."""
    of_kind = {row["kind"]: row for row in rows}
    bad, good = of_kind["all bad"], of_kind[GOOD]
    goals = [
        Goal(
            name=f"bad nights promoted, of {bad['nights']}",
            value=float(bad["promoted"]),
            bound=0,
            direction="at most",
            applies=True,
        ),
        Goal(
            name=f"good nights refused, of {good['nights']}",
            value=float(good["nights"] - good["promoted"]),
            bound=good["nights"] / 10,
            direction="at most",
            applies=False,
        ),
    ]
    for name, count in lucky.items():
        goals.append(
            Goal(
                name=f"runs of {NUM_NIGHTS} null nights that promote any, of {NUM_RUNS}, {name}",
                value=float(count),
                bound=MOST_LUCKY,
                direction="at most",
                applies=name.startswith("with the"),
            )
        )
    for name, found in planted.items():
        is_full = found["trials"] >= NUM_PLANTED
        goals.append(
            Goal(
                name=f"planted {name} caught, of {found['trials']}",
                value=float(found["caught"]) if is_full else None,
                bound=found["trials"] if is_full else NUM_PLANTED,
                direction="at least",
                applies=True,
            )
        )
    return goals
