"""The same questions closed-book, told and with retrieval, so that they can be compared."""

from ddl_train.probes.context import RETRIEVED, TOLD, choose_questions, who_knows, with_contexts
from ddl_train.probes.score import Asked
from ddl_train.records import EvalReport, ItemResult, Probe
from tests.probes.fakes import make_insight


def question(number: int, suite: str = "uptake") -> Asked:
    return Asked(
        suite,
        Probe(
            probe_id=f"uptake-{number}",
            prompt=f"what is sub{number} for?",
            answers=(f"ail{number}",),
            choices=("x", "y"),
            insight_id=number,
        ),
    )


def test_a_sample_of_the_uptake_questions_stays_as_it_is() -> None:
    asked = [question(n) for n in range(20)] + [question(99, "truth")]
    chosen = choose_questions(asked, most=5, seed=0)
    assert len(chosen) == 5
    assert {one.suite for one in chosen} == {"uptake"}
    assert choose_questions(asked[::-1], most=5, seed=0) == chosen[::-1]


def test_every_question_is_told_and_retrieved_for() -> None:
    chosen = [question(n) for n in range(3)]
    retrieved = {one.probe.prompt: ("near", "nearer") for one in chosen[:2]}
    found = with_contexts(chosen, {n: make_insight(n) for n in range(3)}, retrieved)
    assert [one.probe.kind for one in found] == [TOLD] * 3 + [RETRIEVED] * 2
    assert found[0].probe.context == (make_insight(0).text,)
    assert found[3].probe.context == ("near", "nearer")
    assert {one.suite for one in found} == {"context"}
    assert len({one.probe.probe_id for one in found}) == 5


def report(adapter: str, right: set[str], asked: list[Asked]) -> EvalReport:
    items = tuple(
        ItemResult(
            probe_id=one.probe.probe_id,
            suite=one.suite,
            kind=one.probe.kind,
            is_correct=one.probe.probe_id.rsplit("/", 1)[0] in right,
            margin=0.0,
            chance=0.2,
        )
        for one in asked
    )
    return EvalReport(adapter=adapter, cycle=0, items=items)


def test_it_is_told_what_the_weights_know_and_what_only_retrieval_knows() -> None:
    chosen = [question(n) for n in range(4)]
    retrieved = {one.probe.prompt: ("near",) for one in chosen}
    asked = chosen + with_contexts(chosen, {n: make_insight(n) for n in range(4)}, retrieved)
    base = report("base", {"retrieved/uptake-0", "retrieved/uptake-1", "told/uptake-2"}, asked)
    night = report("night", {"uptake-1", "uptake-2", "retrieved/uptake-3"}, asked)
    found = who_knows(night, base)
    assert found is not None
    assert (found.questions, found.weights, found.retrieval, found.both) == (4, 2, 2, 1)
    assert (found.only_weights, found.only_retrieval) == (1, 1)
    assert (found.told, found.adapter_with_retrieval) == (1, 1)


def test_without_the_suite_nothing_is_said() -> None:
    assert who_knows(report("night", set(), [question(1)]), report("base", set(), [])) is None
