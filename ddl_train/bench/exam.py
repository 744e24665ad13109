"""The exam of a cell: questions of its own, made with the oracle, the same for every adapter.

What the gate asks decides which nights are kept, so that it flatters them; and outside an invented
world nobody can tell whether a wrong answer is wrong. Here everything is asked apart from that:

    uptake   each true insight both ways, in the wordings of probes; the wrong answers are right for
             other true insights, of the same kind of entity, and neither true, stated nor contested
    flip     which way each true insight goes: is its opposite believed?
    home     the seedling's home world, both ways: what nights replay, and what they never do; worded
             otherwise than in the probe files of the cell's world, whose facts they share
    unheard  all of this in wordings that neither nights nor the seedling's upbringing ever used,
             uptake and home beside the same wrong answers: of home the base says how far anything
             can be known so
    skill    composing two statements, or NONE, in scenes that nothing else uses

Uptake and flips, unheard or not, are asked of the base and of what was in use after every cycle,
home and skill of the base and of what is in use at the end. The base is asked once more with the insight in view
(`told`: no night can be expected to do better), and for uptake with what memory holds nearest
(`retrieved`: what one would do instead of sleeping).
"""

import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ddl_train.measure import retrieve
from ddl_train.probes.lending import Draft, lend
from ddl_train.probes.score import Asked, score_probes
from ddl_train.probes.text import normalise
from ddl_train.records import BASE, Insight, JsonObject, Probe
from ddl_train.session import Session
from ddl_train.world.home import PROBED_ONLY
from ddl_train.world.language import Fact, canonical, parse
from ddl_train.world.oracle import Oracle
from ddl_train.world.presets import ProbeSpec
from ddl_train.world.probes import flip_probe, sort_of_answer, wrong_answers
from ddl_train.world.questions import DIRECTION, FORWARD, REVERSE, questions, unheard_questions
from ddl_train.world.upbringing import retention_probes, skill_probes

EXAM_SEEDS = 900_000
"""Scenes of the exam are not those of any world's probe files."""
TOLD, RETRIEVED = "told", "retrieved"
FLIP_WORDINGS = ("named", "not named")
"""Whether an unheard wording names both sides, by its number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One question of the exam."""

    group: str
    """uptake/forward, uptake/reverse, flip, home/replayed, home/never replayed or skill; and
    unheard/ before forward, reverse, home/forward, home/reverse, flip/named (both sides) or flip/not
    named."""
    about: str
    """Items about the same thing are no independent evidence."""
    cycle: int | None = None
    """In which its insight was first admitted."""
    probe: Probe


def true_facts(insights: Iterable[Insight], oracle: Oracle) -> dict[Fact, int]:
    """What true insights state, contested aside, each with the cycle that first admitted it."""
    found: dict[Fact, int] = {}
    for insight in insights:
        fact = parse(insight.conclusion)
        if fact is not None and oracle.judge_fact(fact).truth == "true":
            found[fact] = min(insight.cycle, found.get(fact, insight.cycle))
    return found


def set_exam(
    facts: Mapping[Fact, int], oracle: Oracle, *, num_distractors: int, seed: int
) -> list[Item]:
    """What is asked about insights, from `true_facts`; uptake first."""
    rng = random.Random(f"exam/{seed}")
    in_order = list(facts)
    numbers = {fact: number for number, fact in enumerate(in_order)}
    items = []
    for kind in (FORWARD, REVERSE):
        by_sort: dict[tuple[str, bool], list[Fact]] = {}
        for fact in facts:
            by_sort.setdefault(sort_of_answer(fact, kind), []).append(fact)
        for alike in by_sort.values():
            drafts = []
            for fact in alike:
                asked = rng.choice(questions(fact, kind, probe=True))
                wrong = {normalise(one): one for one in wrong_answers(fact, kind, alike, oracle)}
                drafts.append(Draft(numbers[fact], asked.text, asked.answer, wrong))
            for draft, choices in lend(drafts, num_distractors, seed):
                fact = in_order[draft.number]
                probe = Probe(
                    probe_id=f"exam/{kind}/{canonical(fact)}",
                    prompt=draft.question,
                    answers=(draft.answer,),
                    choices=choices,
                    about=canonical(fact),
                    kind=kind,
                )
                items.append(_about(fact, facts[fact], f"uptake/{kind}", probe))
    items += [
        _about(fact, cycle, "flip", flip_probe(rng, fact))
        for fact, cycle in facts.items()
        if questions(fact, DIRECTION, probe=True)
    ]
    rng = random.Random(f"exam/unheard/{seed}")
    uptake = [item for item in items if item.group.startswith("uptake/")]
    items += _in_unheard_wordings(rng, uptake, "unheard")
    for fact, cycle in facts.items():
        for one in unheard_questions(fact, DIRECTION):
            group = f"unheard/flip/{FLIP_WORDINGS[one.wording]}"
            items.append(_about(fact, cycle, group, flip_probe(rng, fact, [one])))
    return items


def _in_unheard_wordings(rng: random.Random, asked: Sequence[Item], group: str) -> Iterator[Item]:
    """The same questions among the same answers; names of one thing have no such wordings."""
    for item in asked:
        fact = parse(item.about)
        assert fact is not None, item.about
        kind = str(item.probe.kind)
        if wordings := unheard_questions(fact, kind):
            prompt = rng.choice(wordings).text
            probe = replace(item.probe, probe_id=f"unheard/{item.probe.probe_id}", prompt=prompt)
            yield replace(item, group=f"{group}/{kind}", probe=probe)


def _about(fact: Fact, cycle: int, group: str, probe: Probe) -> Item:
    return Item(group=group, about=canonical(fact), cycle=cycle, probe=probe)


def set_upkeep(spec: ProbeSpec, seed: int, *, but_not: Collection[str] = ()) -> list[Item]:
    """What is asked about home, its parts as large as they are, and about skill.

    Args:
        spec: of the world's probes.
        seed: of the cell.
        but_not: prompts that the gate may use.
    """
    seed += EXAM_SEEDS
    ask = partial(retention_probes, seed=seed, kinds=(FORWARD, REVERSE), but_not=but_not)
    never = ask(replace(spec, retention=spec.retention // 2))
    num_others = round(len(never) * (1 - PROBED_ONLY) / PROBED_ONLY)
    replayed = ask(replace(spec, retention=num_others), is_replayed=True)
    groups = {"home/never replayed": never, "home/replayed": replayed, "skill": skill_probes(spec, seed)}  # fmt: skip
    items = [
        Item(group=group, about=probe.about or probe.probe_id, probe=probe)
        for group, probes in groups.items()
        for probe in probes
    ]
    home = [item for item in items if item.group.startswith("home/")]
    rng = random.Random(f"exam/unheard/{seed}")
    return [*items, *_in_unheard_wordings(rng, home, "unheard/home")]


def examine(
    session: Session,
    oracle: Oracle,
    in_use: Sequence[str],
    spec: ProbeSpec,
    *,
    but_not: Collection[str],
) -> JsonObject:
    """Sit the exam.

    Args:
        session: after its last cycle.
        oracle: of its world.
        in_use: the adapter that was current after each cycle.
        spec: of the preset's probes: how many there are of home and skill.
        but_not: prompts that the gate may use.

    Returns:
        `items`, [group, about, cycle] each; `in_use`; `num_choices` of uptake; and `answers`: for the base, `told`,
        `retrieved` and each adapter a text with a 1 for every item that is right, a 0 where it is
        not and a - where it was not asked. A flip, unheard or not, is right when the falsehood is believed.
    """
    config = session.config.evaluate
    seed = session.config.seed
    facts = true_facts(session.memory.insights(), oracle)
    taught = set_exam(facts, oracle, num_distractors=config.num_distractors, seed=seed)
    upkeep = set_upkeep(spec, seed, but_not=but_not)
    answers = {
        version: _sit(session, version, taught) for version in dict.fromkeys([BASE, *in_use])
    }
    for version in answers:
        is_last = version in (BASE, *in_use[-1:])
        answers[version] += _sit(session, version, upkeep) if is_last else "-" * len(upkeep)
    uptake = [item for item in taught if item.group.startswith("uptake/")]
    for name, shown in ((TOLD, _told(taught)), (RETRIEVED, _retrieved(session, uptake))):
        answers[name] = _sit(session, BASE, shown).ljust(len(taught) + len(upkeep), "-")
    return {
        "items": [[item.group, item.about, item.cycle] for item in [*taught, *upkeep]],
        "in_use": list(in_use),
        "num_choices": 1 + config.num_distractors,
        "answers": answers,
    }


def _sit(session: Session, version: str, items: Sequence[Item]) -> str:
    results, _ = score_probes(
        session.engine,
        [Asked("exam", item.probe) for item in items],
        adapter=session.use(version),
        prompts=session.pack,
        max_new_tokens=session.config.evaluate.max_new_tokens,
    )
    return "".join("1" if result.is_correct else "0" for result in results)


def _told(items: Sequence[Item]) -> list[Item]:
    return [_shown(item, (item.about,)) for item in items]


def _retrieved(session: Session, items: Sequence[Item]) -> list[Item]:
    asked = list(dict.fromkeys(item.probe.prompt for item in items))
    if not asked:
        return []
    found, _ = retrieve(session, asked, session.config.evaluate.num_retrieved)
    return [_shown(item, found[item.probe.prompt]) for item in items]


def _shown(item: Item, context: Sequence[str]) -> Item:
    return replace(item, probe=replace(item.probe, context=tuple(context)))
