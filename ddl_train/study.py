"""Study: insights -> questions about them, written before hours of training begin.

The frozen base writes about each insight that has nothing yet: study items to train on, and probe
items, in other wordings, to ask about later and never to train on. It can be called again after a
crash: an insight with items is not asked again, nor is a question that brought none. Nothing is
stored here; the caller keeps what comes back.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Literal, get_args

from ddl_train.config import SleepConfig
from ddl_train.memory.study import Asked
from ddl_train.probes.text import normalise
from ddl_train.records import Engine, Insight, StudyItem, Usage
from ddl_train.roles.prompts import PromptPack
from ddl_train.roles.student import write_items
from ddl_train.training.rows import PROPOSE

Family = Literal["study", "probe"]
FAMILIES: tuple[Family, ...] = get_args(Family)


def study(
    engine: Engine,
    pack: PromptPack,
    *,
    tonight: Sequence[Insight],
    earlier: Sequence[Insight],
    stored: Sequence[StudyItem],
    config: SleepConfig,
    asked: Collection[Asked] = (),
    seed: int = 0,
    progress: Callable[..., None] | None = None,
) -> tuple[list[StudyItem], Usage]:
    """Write the items that tonight's night and its evaluation still lack.

    Args:
        engine: the base writes; adapters stay out of it.
        pack: the run's prompt pack.
        tonight: insights that the current adapter has not been trained on.
        earlier: insights that it has.
        stored: items of both families that exist already.
        config: kinds, and how many items of each to study; probes are asked for once.
        asked: questions that were put before, whatever came of them.
        seed: of the items after the first of a kind.
        progress: told "n more insights done" and the `total`, once for each family.

    Returns:
        New items only, to be stored with `questions_due`, and what they cost. What a probe asks of an
        insight is not studied.
    """
    insights = {one.insight_id: one for one in [*tonight, *earlier]}
    due = questions_due(pack, tonight, earlier, stored, asked, config)
    items: list[StudyItem] = []
    usage = Usage()
    for family in FAMILIES:
        kinds_of: dict[int, list[str]] = {}
        for insight_id, _, kind in [one for one in due if one[1] == family]:
            kinds_of.setdefault(insight_id, []).append(kind)
        for kinds in dict.fromkeys(map(tuple, kinds_of.values())):
            lacking = [insights[one] for one, some in kinds_of.items() if tuple(some) == kinds]
            written, cost = write_items(
                engine,
                pack,
                lacking,
                kinds,
                family,
                num_items=config.items_per_kind if family == "study" else 1,
                min_answer_support=config.min_answer_support,
                seed=seed,
            )
            items += written
            usage += cost
        if progress:
            progress(len(insights), total=len(FAMILIES) * len(insights))
    return _apart([*stored, *items], items), usage


def _apart(known: Sequence[StudyItem], items: Sequence[StudyItem]) -> list[StudyItem]:
    """New items without those to study that ask an insight what a probe asks it."""
    probes = {(one.insight_id, normalise(one.question)) for one in known if one.family == "probe"}
    return [
        one
        for one in items
        if one.family == "probe" or (one.insight_id, normalise(one.question)) not in probes
    ]


def questions_due(
    pack: PromptPack,
    tonight: Sequence[Insight],
    earlier: Sequence[Insight],
    stored: Sequence[StudyItem],
    asked: Collection[Asked],
    config: SleepConfig,
) -> list[Asked]:
    """Insight, family and kind of each question that `study` puts, for the caller to remember.

    An insight with no item of a family is asked for them, and each kind in one night only: what the
    base could not say it will hardly say the next night either.
    """
    kinds: dict[Family, list[str]] = {
        "study": [kind for kind in config.kinds if kind != PROPOSE],
        "probe": list(pack.kinds("probe")),
    }
    have = {(item.insight_id, item.family) for item in stored}
    known = set(asked)
    return [
        (insight.insight_id, family, kind)
        for family in FAMILIES
        for insight in [*tonight, *earlier]
        if (insight.insight_id, family) not in have
        for kind in kinds[family]
        if (insight.insight_id, family, kind) not in known
    ]
