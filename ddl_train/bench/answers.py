"""What is said without choices: written answers, and whole sets of them.

A question with one right answer is answered greedily and compared. One with several is answered
`NUM_SAMPLES` times at temperature 1: its precision is the share of what was said that is right, its
coverage the share of what was to be said that was, of as many as can be said in that many times.

    dreamt        questions that admitted true insights answer, both ways; anything right counts,
                  what the insights state is to be covered
    never dreamt  questions of the world's probe files of which no right answer was admitted; every
                  right answer is to be covered
    decoy         questions about what asides only seem to say; the falsehood alone is looked for, in
                  `NUM_SAMPLES` answers, so that its share is how probable it is

The base and what is in use at the end are asked; the base once more with the insights in view.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from ddl_train.bench.exam import TOLD, true_facts
from ddl_train.bench.learning import Change, Share, change_of
from ddl_train.probes.score import user_message
from ddl_train.probes.text import normalise
from ddl_train.records import BASE, JsonObject, Probe, Sampling
from ddl_train.session import Session
from ddl_train.world.language import Fact, canonical, parse
from ddl_train.world.oracle import Oracle
from ddl_train.world.probes import ANY, DECOY, GENERATED, right_answers
from ddl_train.world.questions import FORWARD, REVERSE, questions

NUM_SAMPLES = 16
DREAMT, NEVER, FALSE = "dreamt", "never dreamt", "decoy"


@dataclass(frozen=True, kw_only=True, slots=True)
class Open:
    """A question that is answered in writing."""

    group: str
    """dreamt/forward, dreamt/reverse, never dreamt/forward, never dreamt/reverse or decoy."""
    about: str
    """Questions about the same thing are no independent evidence."""
    probe: Probe
    """Its `answers` are all that are right."""
    wanted: tuple[str, ...]
    """Those to be covered."""
    insights: tuple[str, ...] = ()
    """Conclusions that answer it."""

    @property
    def num_samples(self) -> int:
        return 1 if _is_alone(self.group, len(self.probe.answers)) else NUM_SAMPLES


def _is_alone(group: str, num_right: int) -> bool:
    """Whether a question has one right answer and is answered once, greedily."""
    return num_right == 1 and group != FALSE


def ask_of_insights(facts: Iterable[Fact], oracle: Oracle, seed: int) -> list[Open]:
    """Every question that true insights answer, once; none with a contested answer."""
    rng = random.Random(f"answers/{seed}")
    answered: dict[tuple[str, str], list[Fact]] = {}
    for fact in facts:
        for kind in (FORWARD, REVERSE):
            for question in questions(fact, kind, probe=True)[:1]:
                answered.setdefault((kind, question.asks), []).append(fact)
    made = []
    for (kind, _), mine in answered.items():
        right = right_answers(mine[0], kind, oracle)
        if right is None:
            continue
        question = rng.choice(questions(mine[0], kind, probe=True))
        wanted = [questions(fact, kind, probe=True)[0].answer for fact in mine]
        probe = Probe(
            probe_id=f"answers/{question.asks}", prompt=question.text, answers=tuple(right)
        )
        told = tuple(canonical(fact) for fact in mine)
        made.append(
            Open(
                group=f"{DREAMT}/{kind}",
                about=question.asks,
                probe=probe,
                wanted=tuple(wanted),
                insights=told,
            )
        )
    return made


def ask_never_dreamt(probes: Iterable[Probe], facts: Iterable[Fact]) -> list[Open]:
    """Questions of the probe files of which insights answer nothing."""
    dreamt = {
        question.asks
        for fact in facts
        for kind in (FORWARD, REVERSE)
        for question in questions(fact, kind, probe=True)
    }
    made = []
    for probe in probes:
        how, _, kind = (probe.kind or "").partition("_")
        fact = parse(probe.about or "")
        if how not in (GENERATED, ANY) or fact is None:
            continue
        asks = questions(fact, kind, probe=True)[0].asks
        if asks not in dreamt:
            made.append(
                Open(group=f"{NEVER}/{kind}", about=asks, probe=probe, wanted=probe.answers)
            )
    return made


def ask_decoys(probes: Iterable[Probe]) -> list[Open]:
    """Decoys of the probe files, without the choices; up to four are of one aside."""
    return [
        Open(
            group=FALSE,
            about=" and ".join(sorted(fact.names)),
            probe=replace(probe, choices=()),
            wanted=probe.answers,
        )
        for probe in probes
        if probe.kind == DECOY and (fact := parse(probe.about or "")) is not None
    ]


def examine_answers(
    session: Session,
    oracle: Oracle,
    probes: Sequence[Probe],
    false_memories: Sequence[Probe],
    in_use: Sequence[str],
) -> JsonObject:
    """Ask in writing.

    Args:
        session: after its last cycle.
        oracle: of its world.
        probes: the truth probes of its world.
        false_memories: the probes of what is not so.
        in_use: the adapter that was current after each cycle.

    Returns:
        `num_samples` of a question with several right answers; `questions`, [group, number of right
        answers, number to be covered, what it is about] each; and `said`: for the base, `told` and what is in use at
        the end [how much of what was said is right, how many of the wanted were said] each; `told`
        of the dreamt alone, which come first.
    """
    facts = true_facts(session.memory.insights(), oracle)
    asked = ask_of_insights(facts, oracle, session.config.seed)
    told = [_with_insights(one) for one in asked]
    asked += ask_never_dreamt(probes, facts) + ask_decoys(false_memories)
    last = in_use[-1] if in_use else BASE
    said = {who: _answer(session, who, asked) for who in dict.fromkeys((BASE, last))}
    said[TOLD] = _answer(session, BASE, told)
    return {
        "num_samples": NUM_SAMPLES,
        "questions": [
            [one.group, len(one.probe.answers), min(len(one.wanted), one.num_samples), one.about]
            for one in asked
        ],
        "said": said,
    }


def _with_insights(one: Open) -> Open:
    return replace(one, probe=replace(one.probe, context=one.insights))


def _answer(session: Session, version: str, asked: Sequence[Open]) -> list[list[int]]:
    """For each question how much of what is said is right, and how many of the wanted are said."""
    marks = [[0, 0] for _ in asked]
    for is_alone in (True, False):
        places = [n for n, one in enumerate(asked) if (one.num_samples == 1) == is_alone]
        prompts = [
            user_message(asked[place].probe, session.pack)
            for place in places
            for _ in range(asked[place].num_samples)
        ]
        completions, _ = session.engine.generate(
            prompts,
            sampling=Sampling(
                max_new_tokens=session.config.evaluate.max_new_tokens,
                temperature=0.0 if is_alone else 1.0,
            ),
            adapter=session.use(version),
            seed=session.seed("answers"),
        )
        texts = iter(normalise(completion.text) for completion in completions)
        for place in places:
            mine = list(islice(texts, asked[place].num_samples))
            marks[place] = mark(asked[place], mine)
    return marks


def mark(asked: Open, said: Sequence[str]) -> list[int]:
    """How many of the normalised texts are right, and how many of the wanted are among them."""
    right = {normalise(answer) for answer in asked.probe.answers}
    wanted = {normalise(answer) for answer in asked.wanted}
    return [sum(text in right for text in said), len(wanted & set(said))]


def share_of(answers: JsonObject, group: str, measure: str, who: str) -> Share | Change | None:
    """Of the questions of a group; None where there is none.

    Args:
        answers: of `examine_answers`.
        group: as of `Open`; in the error of a mean its questions about one thing
            are taken together.
        measure: `one`: those right of the questions with one right answer; `precision` or
            `coverage`: the mean over the others, and over decoys.
        who: in `said`.
    """
    values = []
    for (mine, num_right, num_wanted, about), (right, covered) in zip(
        answers["questions"],
        answers["said"][who],
        strict=False,  # not all are told
    ):
        is_alone = _is_alone(mine, num_right)
        if mine != group or is_alone != (measure == "one"):
            continue
        num_samples = 1 if is_alone else answers["num_samples"]
        value = covered / num_wanted if measure == "coverage" else right / num_samples
        values.append((about, value))
    if measure == "one" and values:
        return sum(value == 1 for _, value in values), len(values)
    mean = change_of(values)
    return mean and mean._replace(is_share=True)
