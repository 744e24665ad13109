"""Every adapter is asked the same items in the same order; what cannot be asked is said."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ddl_train.config import EvaluateConfig, GuardConfig, WakeConfig
from ddl_train.errors import ProbeError
from ddl_train.evaluate import Dreamer, evaluate
from ddl_train.probes.suites import HELD_OUT, Suites, build_suites, check_leaks
from ddl_train.records import (
    BASE,
    ConceptPair,
    EvalReport,
    FloatArray,
    Proposal,
    TrainingRow,
    Usage,
)
from tests.fakes import HashEmbedder, ScriptedGenerator, TableCritic, a_pair
from tests.probes.fakes import PlainPrompts, TableEngine, make_insight, make_items


def write(path: Path, *probes: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(probe) + "\n" for probe in probes), encoding="utf-8")
    return str(path)


def probe(number: int, **more: Any) -> dict[str, Any]:
    question = {"id": f"q{number}", "prompt": f"which of the colours is number {number}?"}
    return question | {"answers": [f"red{number}"], "choices": ["blue", "green"]} | more


def build(num_new: int = 6, num_old: int = 0, **changes: Any) -> Suites:
    """Suites over insights 0..n, tonight's first."""
    given: dict[str, Any] = {
        key: changes.pop(key)
        for key in ("rows", "seed", "statements", "held_out")
        if key in changes
    }
    insights = [make_insight(number) for number in range(num_new + num_old)]
    return build_suites(
        EvaluateConfig(**changes),
        tonight=insights[:num_new],
        earlier=insights[num_new:],
        items=[item for insight in insights for item in make_items(insight.insight_id)],
        **(
            {
                "held_out": ["a held-out text", "another one"],
                "statements": [insight.conclusion for insight in insights],
            }
            | given
        ),
    )


def knows_all(adapter: str, prompt: str, answer: str) -> bool:
    return adapter != BASE and answer[-1] in prompt


def ask(
    suites: Suites,
    adapter: str,
    *,
    engine: TableEngine | None = None,
    known: EvalReport | None = None,
) -> EvalReport:
    return evaluate(
        engine or TableEngine(knows_all),
        adapter,
        suites,
        cycle=3,
        prompts=PlainPrompts(),
        config=EvaluateConfig(),
        known=known,
    )


def suite_of(suites: Suites, name: str) -> list[str]:
    return [one.probe.probe_id for one in suites.asked if one.suite == name]


def test_all_adapters_are_asked_the_same_in_the_same_order(tmp_path: Path) -> None:
    suites = build(
        truth=[write(tmp_path / "truth.jsonl", probe(1), probe(2))],
        skill=[write(tmp_path / "skill.jsonl", probe(3, choices=[]))],
    )
    base, night = ask(suites, BASE), ask(suites, "night")
    keys = [(item.suite, item.probe_id) for item in base.items]
    assert keys == [(item.suite, item.probe_id) for item in night.items]
    assert [suite for suite, _ in keys] == ["uptake"] * 12 + ["truth"] * 2 + ["skill"]
    uptake = [item.is_correct for item in night.items if item.suite == "uptake"]
    assert all(uptake)
    assert not any(item.is_correct for item in base.items)
    assert night.cycle == 3
    assert night.missing == ()
    assert night.losses == base.losses == {HELD_OUT: (1.0, 1.0)}
    assert night.divergences == {HELD_OUT: (0.1, 0.1)}
    assert base.divergences == {HELD_OUT: (0.0, 0.0)}


def test_retention_takes_questions_and_texts(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("One paragraph.\nStill the same.\n\nAnother.")
    questions = write(tmp_path / "home.jsonl", probe(1))
    suites = build(retention=[questions, str(tmp_path / "book.txt")])
    assert len(suite_of(suites, "retention")) == 1
    assert suites.texts[str(tmp_path / "book.txt")] == (
        "One paragraph.\nStill the same.",
        "Another.",
    )


def test_where_there_is_no_text_the_retention_questions_stand_in(tmp_path: Path) -> None:
    questions = write(tmp_path / "home.jsonl", probe(1), probe(2))
    suites = build(retention=[questions], held_out=[])
    assert suites.texts == {
        "retention questions": (
            "which of the colours is number 1?\nred1",
            "which of the colours is number 2?\nred2",
        )
    }
    assert list(ask(suites, "night").divergences) == ["retention questions"]
    assert list(build(retention=[questions]).texts) == [HELD_OUT]


def test_truth_knows_what_was_dreamt(tmp_path: Path) -> None:
    path = write(
        tmp_path / "truth.jsonl",
        probe(1, about="Sub0 may relieve ail0."),
        probe(2, about="sub99 may relieve ail99"),
        probe(3),
    )
    report = ask(build(truth=[path]), BASE)
    truth = [item.is_dreamt for item in report.items if item.suite == "truth"]
    assert truth == [True, False, None]


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"num_new": 0}, "uptake: "),
        ({"num_new": 4}, "uptake: "),  # too few to lend four distractors
        ({"num_distractors": 9}, "uptake: "),
    ],
)
def test_a_suite_with_nothing_to_ask_is_missing(changes: dict[str, Any], missing: str) -> None:
    suites = build(**changes)
    assert [one[: len(missing)] for one in suites.missing] == [missing]
    assert ask(suites, BASE).missing == suites.missing


def test_retention_that_nobody_gave_is_missing() -> None:
    suites = build_suites(
        EvaluateConfig(), tonight=[], earlier=[], items=[], held_out=[" "], statements=[]
    )
    assert [reason.split(":")[0] for reason in suites.missing] == ["uptake", "retention"]


def test_probes_that_stand_in_training_rows_are_left_out(tmp_path: Path) -> None:
    rows = [
        TrainingRow(prompt="Q: which of the colours is number 1?", completion="red1", origin="new"),
        TrainingRow(prompt="what would sub2 be given for?", completion="ail2", origin="new"),
    ]
    truth = write(tmp_path / "truth.jsonl", probe(1), probe(2))
    skill = write(tmp_path / "skill.jsonl", probe(1))
    suites = build(truth=[truth], skill=[skill], rows=rows)
    assert len(suite_of(suites, "uptake")) == 11
    assert [one.split("#")[0] for one in suite_of(suites, "truth")] == ["q2"]
    assert [one.split(":")[0] for one in suites.notes] == ["uptake", "truth", "skill"]
    assert suites.missing == (f"skill: every probe of {skill} stands in training rows",)


def test_a_cap_keeps_tonight_and_what_was_dreamt(tmp_path: Path) -> None:
    dreamt = [probe(number, about="sub0 may relieve ail0") for number in range(10)]
    others = [probe(number, about="nothing") for number in range(10, 60)]
    path = write(tmp_path / "truth.jsonl", *others, *dreamt)
    suites = build(6, 20, truth=[path], max_items=12, max_uptake_insights=8)
    asked = [one.probe for one in suites.asked if one.suite == "uptake"]
    assert {item.insight_id for item in asked} == set(range(6))
    more = build(6, 20, max_uptake_insights=8)
    assert {one.probe.insight_id for one in more.asked} > set(range(6))
    assert len(more.asked) == 16
    truth = suite_of(suites, "truth")
    assert len(truth) == 12
    assert sum(int(one[1:].split("#")[0]) < 10 for one in truth) >= 9
    again = build(6, 20, truth=[path], max_items=12, max_uptake_insights=8)
    assert suite_of(again, "truth") == truth


def test_what_an_adapter_has_answered_is_not_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    old = build(truth=[write(path, probe(1, about="sub7 may relieve ail7"), probe(2), probe(3))])
    known = ask(old, "night")
    edited = write(path, probe(1, about="sub7 may relieve ail7"), probe(2, answers=["red"]))
    new = build(truth=[edited], statements=["sub7 may relieve ail7"])
    engine = TableEngine(knows_all)
    report = ask(new, "night", engine=engine, known=known)
    assert report == replace(ask(new, "night"), usage=report.usage)
    assert {answer for _, answer in engine.asked} == {"red", "blue", "green"}
    with pytest.raises(ValueError, match="expected one of base"):
        ask(new, BASE, known=known)


def test_insights_are_of_tonight_until_the_adapter_in_use_was_trained_on_them() -> None:
    known = ask(build(6), "night")
    assert {item.is_tonight for item in known.items} == {True}
    later = ask(build(0, 6), "night", known=known)
    assert [item.is_tonight for item in later.items] == [False] * 12


def test_only_uptake_is_of_a_night(tmp_path: Path) -> None:
    truth = [write(tmp_path / "truth.jsonl", probe(1, about="sub0 may relieve ail0"))]
    items = ask(build(truth=truth), "night").items
    assert {item.is_tonight for item in items if item.suite == "truth"} == {None}


def test_a_probe_that_stands_in_memory_is_refused_by_name(tmp_path: Path) -> None:
    truth = write(tmp_path / "truth.jsonl", probe(1), probe(2))
    (tmp_path / "book.txt").write_text("which of the colours is number 1?")
    config = EvaluateConfig(truth=[truth], retention=[str(tmp_path / "book.txt")])
    check_leaks(config, ["the colours are numbered"])
    with pytest.raises(ProbeError, match=r"truth\.jsonl q1 .* \(1 more\); a probe that"):
        check_leaks(
            config,
            ["So which of the colours is number 1?", "x", "which of the colours is number 2?"],
        )


def test_progress_counts_every_item_once(tmp_path: Path) -> None:
    suites = build(truth=[write(tmp_path / "truth.jsonl", probe(1))])
    for known in (None, ask(suites, "night")):
        told: list[int] = []
        evaluate(
            TableEngine(knows_all),
            "night",
            suites,
            cycle=0,
            prompts=PlainPrompts(),
            config=EvaluateConfig(),
            known=known,
            progress=told.append,
        )
        assert sum(told) == suites.num_items


class PlainSpace:
    """Memory's space without a mean to take off."""

    def centre(self, vectors: FloatArray) -> FloatArray:
        return vectors


class CountingGenerator(ScriptedGenerator):
    """Says the same ideas to everybody, and how often it was asked."""

    num_asked = 0

    def propose(
        self, pairs: Sequence[ConceptPair], *, adapter: str, seed: int
    ) -> tuple[list[Proposal], Usage]:
        self.num_asked += 1
        return super().propose(pairs, adapter=adapter, seed=seed)


IDEAS = [
    "zorol lowers vakase and high vakase causes miritis, so zorol may relieve miritis",
    "NONE",
    "vakase and miritis are told apart by zorol, so vakase may announce a miritis",
]


def dreamer(generator: ScriptedGenerator, **changes: Any) -> Dreamer:
    config = WakeConfig(guards=GuardConfig(max_overlap=None), max_disagreement=None)
    return Dreamer(
        generator=generator,
        critic=TableCritic({"zorol may relieve miritis": (8.0, 8.0, 8.0)}),
        embedder=HashEmbedder(),
        space=PlainSpace(),
        special_tokens=(),
        config=config.model_copy(update=changes),
        seed=1,
    )


def dream(known: EvalReport | None = None, **changes: Any) -> tuple[EvalReport, int]:
    pairs = tuple(
        a_pair("zorol lowers vakase", f"high vakase causes miritis{n or ''}", first=n + 2)
        for n in range(3)
    )
    generator = CountingGenerator(IDEAS)
    report = evaluate(
        TableEngine(knows_all),
        "night",
        replace(build(), pairs=pairs),
        cycle=3,
        prompts=PlainPrompts(),
        config=EvaluateConfig(),
        dreamer=dreamer(generator, **changes),
        known=known,
    )
    return report, generator.num_asked


def test_one_dream_on_each_pair_serves_two_suites() -> None:
    report, num_asked = dream()
    assert num_asked == 1
    wake = [item for item in report.items if item.suite == "wake"]
    assert [item.is_correct for item in wake] == [True, False, False]
    assert [item.suite for item in report.items][-3:] == ["diversity"] * 3
    assert report.figures["diversity/ideas"] == pytest.approx(2 / 3)
    assert report.figures["wake/admitted"] == pytest.approx(1 / 3)


def test_an_adapter_that_dreamt_on_the_same_pairs_is_not_asked_again() -> None:
    known, _ = dream()
    again, num_asked = dream(known)
    assert num_asked == 0
    assert (again.items, again.figures) == (known.items, known.figures)
    _, num_asked = dream(known, min_novelty=9.0)
    assert num_asked == 1


def test_cycles_never_ask_what_is_sealed(tmp_path: Path) -> None:
    path = write(tmp_path / "truth.jsonl", *[probe(number) for number in range(90)])
    insights = [make_insight(number) for number in range(6)]
    given: dict[str, Any] = {
        "tonight": insights, "earlier": [], "items": [], "held_out": ["text"], "statements": [],
    }  # fmt: skip
    config = EvaluateConfig(truth=[path])
    open_ones = set(suite_of(build_suites(config, **given), "truth"))
    sealed = set(suite_of(build_suites(config, is_sealed=True, **given), "truth"))
    assert not open_ones & sealed
    assert len(open_ones | sealed) == 90
    assert 15 < len(sealed) < 45


def test_a_leak_of_a_sealed_probe_is_found_too(tmp_path: Path) -> None:
    path = write(tmp_path / "truth.jsonl", *[probe(number) for number in range(60)])
    config = EvaluateConfig(truth=[path])
    for number in range(60):
        with pytest.raises(ProbeError, match=rf"q{number} "):
            check_leaks(config, [f"which of the colours is number {number}?"])


def test_puzzles_are_asked_only_on_request() -> None:
    assert suite_of(build(), "iteration") == []
    assert len(suite_of(build(iteration=1), "iteration")) > 30
