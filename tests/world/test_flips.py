"""The flipped sign of what was dreamt is believed when it is the likelier answer."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from ddl_train.bench.flips import believed_flips
from ddl_train.records import Continuation, Likelihood, Usage
from ddl_train.roles.prompts import load_pack
from ddl_train.world.graph import Placed
from ddl_train.world.language import HIGH_CAUSES, LOWERS, Fact
from ddl_train.world.oracle import Oracle
from tests.fakes import EchoEngine, an_insight

S, F, A = "dolotium", "kefergen", "raferminemia"
ORACLE = Oracle([Placed(Fact(LOWERS, S, F), 0), Placed(Fact(HIGH_CAUSES, F, A), 0)])
CHAIN = f"{S} lowers {F} and high {F} causes {A}"
TRUE, FALSE = f"{CHAIN}, so {S} may relieve {A}", f"{CHAIN}, so {S} may worsen {A}"


class Taught(EchoEngine):
    """Says `relieve` with its adapter and `worsen` without."""

    def loglikelihood(
        self, items: Sequence[Continuation], *, adapter: str
    ) -> tuple[list[Likelihood], Usage]:
        likes = "relieve" if adapter == "taught" else "worsen"
        totals = [0.0 if item.continuation.startswith(likes) else -5.0 for item in items]
        return [Likelihood(total=total, num_tokens=1) for total in totals], Usage()


def lived(*texts: str) -> Any:
    """A session after its last cycle, as far as it is asked."""
    insights = [an_insight(number, text) for number, text in enumerate(texts)]
    return SimpleNamespace(
        engine=Taught(),
        pack=load_pack("terse"),
        memory=SimpleNamespace(insights=lambda: insights),
        run=SimpleNamespace(current="taught"),
        config=SimpleNamespace(evaluate=SimpleNamespace(max_new_tokens=8)),
        use=lambda version: version,
        seed=lambda purpose: 1,
    )


def test_the_base_believes_the_flip_and_who_was_taught_the_truth_does_not() -> None:
    assert believed_flips(lived(TRUE), ORACLE) == {"base": [1, 1], "in_use": [0, 1]}


def test_what_is_not_true_is_not_asked_and_the_same_thing_once() -> None:
    assert believed_flips(lived(TRUE, TRUE, FALSE), ORACLE)["in_use"] == [0, 1]
