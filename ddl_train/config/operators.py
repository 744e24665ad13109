"""What a pair is dreamt on with: operators and their budgets, and several ideas in one answer."""

from typing import Annotated

from pydantic import AfterValidator, Field

from ddl_train.config.stage import Share, StageConfig

CONNECT = "connect"
"""The operator that every pack has: its `propose` template."""


def _has_a_share(shares: dict[str, float]) -> dict[str, float]:
    if sum(shares.values()) <= 0:
        raise ValueError("no operator has a share above 0; give one, such as connect: 1.0")
    return shares


Shares = Annotated[dict[str, Annotated[float, Field(ge=0)]], AfterValidator(_has_a_share)]


class OperatorBudgetConfig(StageConfig):
    """An operator whose answers are nothing new gets fewer pairs, until one is."""

    max_repeats: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of an operator's answers, NONE left out, that may be repeats or unreadable before it
    loses pairs. It is held against the lower end of the 95 % interval of that share."""
    floor: Annotated[float, Field(gt=0, le=1)] = 0.1
    """What remains of its share at least, so that it can show something new. 1 turns budgets off."""
    window: int = Field(500, gt=0)
    """Last pairs of the run that are looked at; older answers are forgiven."""


class VerbalisedConfig(StageConfig):
    """Several ideas in one answer, each with its stated probability, of which one is taken.

    Zhang et al., 2025, "Verbalized Sampling". It pays with capable models, and costs the tokens of
    all ideas.
    """

    num_ideas: int = Field(5, ge=2, le=20)
    """Asked for in one answer, each of up to `wake.max_new_tokens`."""
    tail: Annotated[Share, Field(gt=0)] = 0.1
    """An idea with a stated probability up to this is drawn with weight 1, a likelier one with
    less in proportion. The template asks for ideas below it."""
