"""Probe files of a world: held out, right, and at chance for whoever knows nothing."""

import hashlib
import random
from collections import Counter, defaultdict
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from jinja2 import Environment

from ddl_train.records import Probe, TrainingRow
from ddl_train.world.documents import grow, tell
from ddl_train.world.graph import home_world
from ddl_train.world.home import Home
from ddl_train.world.language import (
    ASIDE,
    OPPOSITE,
    RELIEVES,
    WORSENS,
    Fact,
    canonical,
    parse,
    skeleton,
)
from ddl_train.world.leaks import find_leaks
from ddl_train.world.oracle import Oracle
from ddl_train.world.presets import load_preset
from ddl_train.world.questions import (
    DIRECTION,
    FORWARD,
    PROBE_SKELETONS,
    REVERSE,
    STUDY_KINDS,
    STUDY_SKELETONS,
    is_kept_back,
    questions,
)
from ddl_train.world.upbringing import render_propose, retention_probes, skill_probes
from ddl_train.world.writer import make_probes

PRESET = load_preset("standard")


@cache
def oracle() -> Oracle:
    return Oracle.of(grow(11, PRESET.world))


@cache
def suites() -> dict[str, list[Probe]]:
    return make_probes(oracle(), PRESET, 11)


def about(probe: Probe) -> Fact:
    fact = parse(probe.about or "")
    assert fact is not None
    return fact


def kinds(suite: str, *names: str) -> list[Probe]:
    return [probe for probe in suites()[suite] if probe.kind in names]


def test_no_wording_is_used_for_both_study_and_probes() -> None:
    assert not STUDY_SKELETONS & PROBE_SKELETONS
    for fact in oracle().stated:
        if fact.relation in OPPOSITE:
            for kind in STUDY_KINDS:
                assert not any(is_kept_back(q.text) for q in questions(fact, kind))


@pytest.mark.parametrize("suite", ["truth", "retention", "false_memory"])
def test_every_question_is_in_a_probe_wording(suite: str) -> None:
    assert suites()[suite]
    assert {skeleton(probe.prompt)[0] for probe in suites()[suite]} <= PROBE_SKELETONS


def test_ids_are_unique_and_no_choice_is_an_answer() -> None:
    for probes in suites().values():
        assert len({probe.probe_id for probe in probes}) == len(probes)
        assert not any(set(probe.answers) & set(probe.choices) for probe in probes)


def test_truth_asks_about_what_follows_and_no_document_states() -> None:
    for probe in suites()["truth"]:
        assert oracle().judge_fact(about(probe)).truth == "true"
    told = [s for doc in tell(grow(11, PRESET.world), PRESET.documents) for s in doc.sentences]
    statements = {canonical(f) for s in told if (f := parse(s)) and f.relation in OPPOSITE}
    assert not statements & {probe.about for probe in suites()["truth"]}


def test_no_wrong_answer_is_right_or_contested() -> None:
    for probe in kinds("truth", FORWARD, REVERSE):
        fact = about(probe)
        assert len(probe.choices) == 4
        for choice in probe.choices:
            level, _, name = choice.rpartition(" ")
            if probe.kind == FORWARD:
                claim = Fact(fact.relation, fact.subject, name)
            elif level:
                claim = Fact(f"{level} causes", name, fact.object)
            else:
                claim = Fact(fact.relation, name, fact.object)
            assert not oracle().is_open(claim), probe


def test_a_generated_answer_is_asked_for_where_all_right_ones_are_known() -> None:
    for probe in kinds("truth", "generated_forward", "any_forward"):
        fact = about(probe)
        right = {
            name
            for name in {name for f in oracle().stated for name in f.names}
            if oracle().holds(Fact(fact.relation, fact.subject, name))
        }
        assert set(probe.answers) == right
        assert (len(right) == 1) is probe.kind.startswith("generated")


def _picks(probes: list[Probe], score: Counter[str] | None) -> float:
    """Share right when the answer is picked by a hash, or by how common it is."""
    right = 0
    for probe in probes:
        options = sorted((*probe.answers, *probe.choices))
        if score is None:
            best = min(
                options, key=lambda o: hashlib.sha256(f"{probe.prompt}{o}".encode()).digest()
            )
        else:
            random.Random(probe.probe_id).shuffle(options)
            best = max(options, key=lambda option: score[option])
        right += best in probe.answers
    return right / len(probes)


@pytest.mark.parametrize(("kind", "chance"), [(DIRECTION, 0.5), (FORWARD, 0.2), (REVERSE, 0.2)])
def test_who_knows_nothing_or_only_which_names_are_common_stays_at_chance(
    kind: str, chance: float
) -> None:
    probes = kinds("truth", kind)
    assert len(probes) > 200
    common = Counter(answer for probe in probes for answer in probe.answers)
    assert _picks(probes, None) == pytest.approx(chance, abs=0.07)
    assert _picks(probes, common) < chance + 0.12


def test_one_answer_to_every_direction_question_is_right_half_of_the_time() -> None:
    for suite, kind in (("truth", DIRECTION), ("false_memory", "sign_flip")):
        counts = Counter(probe.answers[0] for probe in kinds(suite, kind))
        assert len(counts) == 6
        for a, b in (("raises", "lowers"), ("high", "low"), ("relieve", "worsen")):
            assert counts[a] == counts[b] > 0


def test_false_memories_are_false() -> None:
    for probe in kinds("false_memory", "sign_flip"):
        fact = about(probe)
        assert oracle().holds(fact)
        wrong = {q.answer for q in questions(Fact(OPPOSITE[fact.relation], fact.subject, fact.object), DIRECTION, probe=True)}  # fmt: skip
        assert set(probe.answers) == wrong
    asides = {frozenset(f.names) for f in oracle().stated if f.relation == ASIDE}
    for probe in kinds("false_memory", "decoy"):
        assert frozenset(about(probe).names) in asides
        assert oracle().judge_fact(about(probe)).truth == "unsupported"


def test_retention_asks_what_no_night_replays() -> None:
    home = Home()
    by_text = defaultdict(list)
    for fact in home.statements:
        for kind in (FORWARD, REVERSE, DIRECTION):
            for question in questions(fact, kind, probe=True):
                by_text[question.text].append(question)
    probes = retention_probes(PRESET.probes, 1)
    assert len(probes) > 150
    for probe in probes:
        question = by_text[probe.prompt][0]
        assert not home.is_replayed(question)
        if question.kind != DIRECTION:
            assert not set(probe.choices) & set(home.right_answers(question))


@pytest.mark.parametrize("is_replayed", [False, True])
def test_retention_asks_nothing_that_home_is_of_two_minds_about(is_replayed: bool) -> None:
    truth = Oracle.of(home_world())
    assert any(truth.judge_fact(fact).truth == "contested" for fact in Home().statements)
    for probe in retention_probes(PRESET.probes, 1, is_replayed=is_replayed):
        fact = about(probe)
        assert truth.judge_fact(fact).truth != "contested"
        for choice in probe.choices if probe.kind != DIRECTION else ():
            *_, name = choice.split()
            ends = (fact.subject, name) if probe.kind == FORWARD else (name, fact.object)
            claim = Fact(fact.relation, *ends)
            assert truth.judge_fact(claim).truth not in ("true", "already_stated", "contested")


def test_skill_is_half_composing_and_half_saying_no() -> None:
    probes = skill_probes(PRESET.probes, 1)
    assert Counter(probe.kind for probe in probes) == {"compose": 75, "none": 75}
    for probe in probes:
        assert probe.is_raw
        assert (probe.answers == ("NONE",)) is (probe.kind == "none")
    home = {name for fact in Home().facts for name in fact.names}
    assert not any(set(probe.prompt.split()) & home for probe in probes)


def test_skill_is_asked_in_the_words_of_the_terse_pack() -> None:
    template = Path("ddl_train/roles/prompts/terse/propose.jinja").read_text()
    asked = Environment(autoescape=False).from_string(template).render(a="x  y.", b="z .").strip()
    assert render_propose("x  y.", "z .") == asked == "link x y + z"


# ---- leaks --------------------------------------------------------------------------------


def row(prompt: str, completion: str, origin: str = "new") -> TrainingRow:
    return TrainingRow(prompt=prompt, completion=completion, origin=origin)


def leaks_of(rows: list[TrainingRow], admitted: list[str]) -> list[str]:
    return find_leaks(rows, admitted, stated=oracle().stated, probes=suites()["truth"])


def remedy() -> Fact:
    return next(f for f in map(about, suites()["truth"]) if f.relation in (RELIEVES, WORSENS))


def test_rows_earned_by_dreams_do_not_leak() -> None:
    facts = [about(probe) for probe in suites()["truth"]]
    rows = []
    for fact in facts:
        way = oracle().derivations(fact)[0]
        rows.append(row("restate", f"{canonical(way.first)} and {canonical(way.second)}"))
        for kind in STUDY_KINDS:
            rows += [row(q.text, q.answer) for q in questions(fact, kind)]
    assert leaks_of(rows, [canonical(c.fact) for c in oracle().closure()]) == []
    stated = [f for f in oracle().stated if f.relation in OPPOSITE]
    assert (
        leaks_of([row(q.text, q.answer) for f in stated for q in questions(f, FORWARD)], []) == []
    )


def test_an_answer_that_no_dream_earned_leaks() -> None:
    fact = remedy()
    (question, *_) = questions(fact, FORWARD)
    leaks = leaks_of([row(question.text, question.answer)], [])
    assert len(leaks) == 1
    first, second = sorted(fact.names)
    assert f"joins {first} and {second}" in leaks[0]
    assert leaks_of([row(question.text, question.answer)], [canonical(fact)]) == []


def test_an_aside_that_names_two_earns_no_answer_about_them() -> None:
    fact = remedy()
    (question, *_) = questions(fact, FORWARD)
    aside = Fact(ASIDE, fact.subject, fact.object)
    leaks = find_leaks(
        [row(question.text, question.answer)], [], stated=[aside], probes=suites()["truth"]
    )
    assert len(leaks) == 1


def test_every_right_answer_of_a_question_leaks() -> None:
    probe = next(one for one in suites()["truth"] if one.kind == "any_forward")
    fact = about(probe)
    for answer in probe.answers:
        (question, *_) = questions(replace(fact, object=answer), FORWARD)
        is_stated = any(
            {fact.subject, answer} == set(one.names) and one.composes for one in oracle().stated
        )
        assert len(leaks_of([row(question.text, answer)], [])) == (0 if is_stated else 1)


def test_a_probe_wording_leaks_even_when_it_was_earned() -> None:
    fact = remedy()
    (question, *_) = questions(fact, FORWARD, probe=True)
    (leak,) = leaks_of([row(question.text, question.answer)], [canonical(fact)])
    assert "kept for probes" in leak
    (leak,) = leaks_of([row("write it", f"{question.text} {question.answer}")], [canonical(fact)])
    assert "kept for probes" in leak


def test_a_pair_that_is_answered_no_link_teaches_nothing() -> None:
    fact = remedy()
    prompt = f"link more {fact.subject} means more x + {fact.object} grew"
    assert leaks_of([row(prompt, "NONE", "no_link")], []) == []
    assert len(leaks_of([row(prompt, "NONE")], [])) == 1
