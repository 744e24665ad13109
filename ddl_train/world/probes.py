"""Held-out questions about a world, in wordings that no training row uses.

`truth` asks what follows and is stated nowhere: which way (two choices), the other end both ways
(ranked against entities of the same kind that are no right answer), and where only one answer is
right, or several are, the answer itself (generated). `false_memory` asks for what is not so: the
wrong sign of what is true, and links that asides only seem to make.

Wrong answers are drawn from what is right elsewhere, as often as it is, so that a model that knows
which names are common and nothing else stays at chance.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from ddl_train.records import Probe
from ddl_train.world.language import ASIDE, OPPOSITE, Fact, canonical
from ddl_train.world.names import AILMENT, FACTOR, KINDS, SUBSTANCE, kind_of
from ddl_train.world.oracle import Conclusion, Oracle, relation_between
from ddl_train.world.presets import ProbeSpec
from ddl_train.world.questions import CAUSE, DIRECTION, FORWARD, REVERSE, TOPIC, Question, questions

KIND_ORDER: dict[str | None, int] = {kind: place for place, kind in enumerate(KINDS)}
GENERATED, ANY = "generated", "any"
SIGN_FLIP, DECOY = "sign_flip", "decoy"


@dataclass(slots=True)
class AnswerPool:
    """Right answers by what kind of question they answer, each as often as it is right."""

    _answers: dict[tuple[str, str, str], list[Fact]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def add(self, fact: Fact) -> None:
        for kind in (FORWARD, REVERSE):
            self._answers[self._key(fact, kind)].append(fact)

    @staticmethod
    def _key(fact: Fact, kind: str) -> tuple[str, str, str]:
        return TOPIC[fact.relation], kind, kind_of(_asked(fact, kind)) or ""

    def wrong(self, rng: random.Random, fact: Fact, kind: str, oracle: Oracle, n: int) -> list[str]:
        """Draw up to n answers of the same kind that are not right, nor contested."""
        pool = self._answers[self._key(fact, kind)]
        some = rng.sample(pool, len(pool)) if len(pool) < 1000 else rng.choices(pool, k=200)
        return list(islice(wrong_answers(fact, kind, some, oracle), n))


def sort_of_answer(fact: Fact, kind: str) -> tuple[str, bool]:
    """Facts of one sort answer with names of one kind of entity, and with nothing beside them."""
    is_level = kind == REVERSE and TOPIC[fact.relation] == CAUSE  # "high f"
    return kind_of(_asked(fact, kind)) or "", is_level


def wrong_answers(fact: Fact, kind: str, others: Iterable[Fact], oracle: Oracle) -> Iterator[str]:
    """What other facts of the same sort answer and is not right here, nor contested, each once."""
    seen = set(fact.names)
    for other in others:
        claim = _with_answer(fact, kind, other)
        name = _asked(claim, kind)
        if name not in seen and not any(map(oracle.is_open, _asserted(claim))):
            seen.add(name)
            yield _answer(claim, kind)


def _asked(fact: Fact, kind: str) -> str:
    return fact.object if kind == FORWARD else fact.subject


def _with_answer(fact: Fact, kind: str, other: Fact) -> Fact:
    """The statement that another statement's answer to this question would make."""
    if kind == FORWARD:
        return replace(fact, object=other.object)
    relation = other.relation if TOPIC[fact.relation] == CAUSE else fact.relation
    return Fact(relation, other.subject, fact.object)


def _asserted(claim: Fact) -> Iterator[Fact]:
    yield claim
    if TOPIC[claim.relation] == CAUSE:  # "high f" beside "low f" would ask for the sign
        yield replace(claim, relation=OPPOSITE[claim.relation])


def _answer(fact: Fact, kind: str) -> str:
    return questions(fact, kind, probe=True)[0].answer


def right_answers(fact: Fact, kind: str, oracle: Oracle) -> list[str] | None:
    """Every right answer to a question about a fact; None where one of them is contested."""
    if kind == FORWARD:
        walks = oracle.walks_from(fact.subject)
        claims = [
            Fact(relation_between(fact.subject, name, sign), fact.subject, name)
            for name, sign in sorted(walks)
        ]
    else:
        walks = oracle.walks_to(fact.object)
        claims = [
            Fact(relation_between(name, fact.object, sign), name, fact.object)
            for name, sign in sorted(walks)
        ]
    answers = []
    for claim in claims:
        if not _answers_too(claim, fact, kind):
            continue
        truth = oracle.judge_fact(claim).truth
        if truth == "contested":
            return None
        if truth in ("true", "already_stated"):
            answers.append(_answer(claim, kind))
    return answers


def _answers_too(claim: Fact, fact: Fact, kind: str) -> bool:
    if kind == REVERSE and TOPIC[fact.relation] == CAUSE:
        return TOPIC[claim.relation] == CAUSE
    return claim.relation == fact.relation


# ---- truth --------------------------------------------------------------------------------


def choose_conclusions(
    oracle: Oracle, spec: ProbeSpec, rng: random.Random
) -> tuple[list[Conclusion], list[Conclusion]]:
    """The conclusions to ask about, and those whose answers serve as wrong ones elsewhere."""
    subjects = oracle.subjects
    rng.shuffle(subjects)
    found: list[Conclusion] = []
    for subject in subjects:
        found += oracle.conclusions_from(subject, max_depth=spec.max_depth)
        if len(found) > 40 * spec.insights:
            break
    rng.shuffle(found)
    shallow = [conclusion for conclusion in found if conclusion.depth == 1]
    deep = [conclusion for conclusion in found if conclusion.depth > 1]
    num_shallow = max(spec.insights * 2 // 3, spec.insights - len(deep))
    chosen = shallow[:num_shallow]
    return chosen + deep[: spec.insights - len(chosen)], found


def truth_probes(oracle: Oracle, spec: ProbeSpec, seed: int) -> list[Probe]:
    """Ask about conclusions: which way, and both ends."""
    rng = random.Random(f"truth/{seed}")
    chosen, found = choose_conclusions(oracle, spec, rng)
    pool = AnswerPool()
    for conclusion in found:
        pool.add(conclusion.fact)
    probes = _balanced([_direction(rng, c.fact) for c in chosen])
    asked: set[str] = set()
    for conclusion in chosen:
        for kind in (FORWARD, REVERSE):
            question = rng.choice(questions(conclusion.fact, kind, probe=True))
            wrong = pool.wrong(rng, conclusion.fact, kind, oracle, spec.distractors)
            if len(wrong) == spec.distractors:
                probes.append(_probe(question, conclusion.fact, kind, choices=wrong))
            right = right_answers(conclusion.fact, kind, oracle)
            if right and question.asks not in asked:
                asked.add(question.asks)
                how = f"{GENERATED if len(right) == 1 else ANY}_{kind}"
                probes.append(_probe(question, conclusion.fact, how, answers=right))
    return probes


def _direction(rng: random.Random, fact: Fact) -> Probe:
    question = rng.choice(questions(fact, DIRECTION, probe=True))
    return _probe(question, fact, DIRECTION, choices=[other_side(fact)])


def other_side(fact: Fact) -> str:
    flipped = replace(fact, relation=OPPOSITE[fact.relation])
    return questions(flipped, DIRECTION, probe=True)[0].answer


def _balanced(probes: Sequence[Probe]) -> list[Probe]:
    """Drop questions until each answer is right as often as its opposite."""
    by_answer: dict[str, list[Probe]] = defaultdict(list)
    for probe in probes:
        by_answer[probe.answers[0]].append(probe)
    return [
        probe
        for _, some in sorted(by_answer.items())
        for probe in some[: len(by_answer.get(some[0].choices[0], []))]
    ]


def _probe(
    question: Question,
    fact: Fact,
    kind: str,
    *,
    answers: Sequence[str] = (),
    choices: Sequence[str] = (),
) -> Probe:
    return Probe(
        probe_id=f"{kind}/{fact.subject}/{fact.object}",
        prompt=question.text,
        answers=tuple(answers) or (question.answer,),
        choices=tuple(choices),
        about=canonical(fact),
        kind=kind,
    )


# ---- false memories -----------------------------------------------------------------------


def false_memory_probes(oracle: Oracle, spec: ProbeSpec, seed: int) -> list[Probe]:
    """Ask for what is not so. `answers` are the falsehoods, `choices` what is rather true."""
    rng = random.Random(f"false_memory/{seed}")
    chosen, found = choose_conclusions(oracle, spec, random.Random(f"truth/{seed}"))
    pool = AnswerPool()
    for conclusion in found:
        pool.add(conclusion.fact)
    flips = [flip_probe(rng, conclusion.fact) for conclusion in chosen]
    decoys = list(_decoys(rng, oracle, pool, spec))
    rng.shuffle(decoys)
    half = spec.false_memory // 2
    flips = _balanced(flips)
    rng.shuffle(flips)
    flips = _balanced(flips[: max(half, spec.false_memory - len(decoys))])
    return flips + decoys[: spec.false_memory - len(flips)]


def flip_probe(rng: random.Random, fact: Fact, wordings: Sequence[Question] | None = None) -> Probe:
    """Ask which way a fact goes; the answer is the wrong one, what is true a choice beside it.

    One of the wordings is drawn, of those of probes where none are given.
    """
    question = rng.choice(wordings or questions(fact, DIRECTION, probe=True))
    right = _probe(question, fact, SIGN_FLIP, choices=[other_side(fact)])
    return replace(right, answers=right.choices, choices=right.answers)


def _decoys(
    rng: random.Random, oracle: Oracle, pool: AnswerPool, spec: ProbeSpec
) -> Iterator[Probe]:
    """What asides could be taken for: they name two things that have no link."""
    asides = [fact for fact in oracle.stated if fact.relation == ASIDE]
    for aside in rng.sample(asides, min(len(asides), spec.false_memory)):
        for claim in _mistaken(aside):
            opposite = replace(claim, relation=OPPOSITE[claim.relation])
            if oracle.is_open(claim) or oracle.is_open(opposite):
                continue
            for kind in (FORWARD, REVERSE):
                others = pool.wrong(rng, claim, kind, oracle, spec.distractors)
                right = right_answers(claim, kind, oracle) or []
                choices = (rng.sample(right, min(1, len(right))) + others)[: spec.distractors]
                if len(choices) == spec.distractors:
                    question = rng.choice(questions(claim, kind, probe=True))
                    probe = _probe(question, claim, DECOY, choices=choices)
                    yield replace(probe, probe_id=f"{DECOY}/{kind}/{canonical(claim)}")


def _mistaken(aside: Fact) -> Iterator[Fact]:
    """Both signs of the link that an aside does not state; none where kinds allow none."""
    subject, object = sorted(aside.names, key=lambda name: KIND_ORDER.get(kind_of(name), 0))
    kinds = kind_of(subject), kind_of(object)
    if kinds in ((SUBSTANCE, FACTOR), (FACTOR, FACTOR), (FACTOR, AILMENT), (SUBSTANCE, AILMENT)):
        for sign in (1, -1):
            yield Fact(relation_between(subject, object, sign), subject, object)
