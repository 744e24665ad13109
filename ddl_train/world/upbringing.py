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
from ddl_train.world.language import Fact, canonical
from ddl_train.world.lessons import propose_row
from ddl_train.world.oracle import Oracle
from ddl_train.world.presets import ProbeSpec
from ddl_train.world.probes import AnswerPool, other_side
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

    What its chains disagree about is not asked, nor is it a wrong answer.

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
    truth, pool = Oracle.of(home_world()), AnswerPool()
    decided = [one for one in home.statements if truth.judge_fact(one).truth != "contested"]
    for fact in decided:
        pool.add(fact)
    for fact in decided:
        for kind in kinds:
            made = [one for one in questions(fact, kind, probe=True) if one.text not in but_not]
            if not made or home.is_replayed(made[0]) is not is_replayed:
                continue
            is_sign = kind == DIRECTION
            wrong = (
                [other_side(fact)]
                if is_sign
                else pool.wrong(rng, fact, kind, truth, spec.distractors)
            )
            if len(wrong) == (1 if is_sign else spec.distractors):
                by_kind.setdefault(kind, []).append(_home_probe(fact, rng.choice(made), wrong))
    share = -(-spec.retention // len(by_kind))
    return [
        probe
        for _, probes in sorted(by_kind.items())
        for probe in rng.sample(probes, min(share, len(probes)))
    ]


def _home_probe(fact: Fact, question: Question, wrong: Sequence[str]) -> Probe:
    return Probe(
        probe_id=f"home/{question.kind}/{canonical(fact)}",
        prompt=question.text,
        answers=(question.answer,),
        choices=tuple(wrong),
        about=canonical(fact),
        kind=question.kind,
    )


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
