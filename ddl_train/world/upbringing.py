"""Held-out questions about what the seedling was raised to know and to do.

Retention: its home world in probe wordings, which no night uses; the part that no night replays,
and apart from it the part that `general.jsonl` replays in other words. Skill: composing two
statements of a world it never saw, or saying that there is nothing to compose.
"""

import random
from collections.abc import Collection, Sequence

from ddl_train.records import Probe
from ddl_train.world.graph import home_world
from ddl_train.world.home import Home
from ddl_train.world.language import OPPOSITE, Fact, canonical
from ddl_train.world.lessons import propose_row
from ddl_train.world.names import kind_of
from ddl_train.world.presets import ProbeSpec
from ddl_train.world.questions import DIRECTION, FORWARD, REVERSE, Question, questions
from ddl_train.world.scenes import make_scene


def retention_probes(
    spec: ProbeSpec,
    seed: int,
    *,
    is_replayed: bool = False,
    kinds: Sequence[str] = (FORWARD, REVERSE, DIRECTION),
    but_not: Collection[str] = (),
) -> list[Probe]:
    """Questions about one part of the home world, as many of each kind.

    Args:
        spec: how many, and how many wrong answers.
        seed: of the choice.
        is_replayed: which part.
        kinds: of questions.
        but_not: prompts to leave out.
    """
    rng = random.Random(f"retention/{seed}/replayed" if is_replayed else f"retention/{seed}")
    home = Home()
    by_kind: dict[str, list[Probe]] = {}
    for fact in home.statements:
        for kind in kinds:
            made = [one for one in questions(fact, kind, probe=True) if one.text not in but_not]
            if made and home.is_replayed(made[0]) is is_replayed:
                probe = _home_probe(rng, home, fact, rng.choice(made), spec)
                if probe is not None:
                    by_kind.setdefault(probe.kind, []).append(probe)
    share = -(-spec.retention // len(by_kind))
    return [
        probe
        for _, probes in sorted(by_kind.items())
        for probe in rng.sample(probes, min(share, len(probes)))
    ]


def _home_probe(
    rng: random.Random, home: Home, fact: Fact, question: Question, spec: ProbeSpec
) -> Probe | None:
    if question.kind == DIRECTION:
        flipped = Fact(OPPOSITE[fact.relation], fact.subject, fact.object)
        wrong = [questions(flipped, DIRECTION, probe=True)[0].answer]
    else:
        wrong = _wrong_answers(rng, home, question, spec.distractors)
        if len(wrong) < spec.distractors:
            return None
    return Probe(
        probe_id=f"home/{question.kind}/{canonical(fact)}",
        prompt=question.text,
        answers=(question.answer,),
        choices=tuple(wrong),
        about=canonical(fact),
        kind=question.kind,
    )


def _wrong_answers(rng: random.Random, home: Home, question: Question, n: int) -> list[str]:
    """Answers that are right to other questions of this sort, and not to this one."""
    right = set(home.answers[question.asks, question.kind])
    sort = question.asks.split()[:2], _answer_kind(question.answer)
    pool = [
        answer
        for (asks, kind), answers in home.answers.items()
        if kind == question.kind
        for answer in answers
        if (asks.split()[:2], _answer_kind(answer)) == sort and answer not in right
    ]
    names_in_right = {answer.split()[-1] for answer in right}
    found: dict[str, str] = {}
    for answer in rng.sample(pool, len(pool)):
        name = answer.split()[-1]
        if name not in names_in_right and name not in question.text:
            found.setdefault(name, answer)
    return list(found.values())[:n]


def _answer_kind(answer: str) -> str | None:
    return kind_of(answer.split()[-1])


def skill_probes(spec: ProbeSpec, seed: int) -> list[Probe]:
    """Pairs to compose and pairs that do not compose, half and half, from scenes of their own."""
    rng = random.Random(f"skill/{seed}")
    home = {name for fact in home_world().facts for name in fact.names}
    wanted = {"compose": -(-spec.skill // 2), "none": spec.skill // 2}
    probes: list[Probe] = []
    while any(wanted.values()):
        scene = make_scene(rng)
        if not scene.chains or home & {name for fact in scene.facts for name in fact.names}:
            continue
        row = propose_row(rng, scene)
        if wanted[row.skill] > 0:
            wanted[row.skill] -= 1
            probes.append(
                Probe(
                    probe_id=f"skill/{row.skill}/{wanted[row.skill]}",
                    prompt=render_propose(row.slots["a"], row.slots["b"]),
                    answers=(row.completion,),
                    kind=row.skill,
                    is_raw=True,
                )
            )
    return probes


def render_propose(a: str, b: str) -> str:
    """The message of the terse pack's `propose` template, which the seedling was raised on."""
    first, second = (" ".join(text.split()).strip(" .") for text in (a, b))
    return f"link {first} + {second}"
