"""Awake: a batch of pairs becomes verdicts, and a cycle of batches grows memory while it goes on."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from ddl_train.config import WakeConfig
from ddl_train.cycle import wake_stage
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.errors import Interrupted
from ddl_train.memory.store import Memory
from ddl_train.records import (
    BASE,
    ConceptPair,
    FloatArray,
    Promotion,
    Proposal,
    Scores,
    SilentProgress,
    Usage,
)
from ddl_train.roles.prompts import load_pack
from ddl_train.session import Session, never
from ddl_train.storage.run import Run
from ddl_train.wake import Wakening, wake
from tests.fakes import HashEmbedder, ScriptedGenerator, TableCritic, a_pair, a_proposal
from tests.storage.conftest import quick_disk  # noqa: F401 - a fixture
from tests.storage.made import a_run, install

pytestmark = pytest.mark.usefixtures("quick_disk")

OPEN: dict[str, Any] = {"guards": {"is_enabled": False}, "max_disagreement": None}
GOOD, POOR = (8.0, 8.0, 8.0), (8.0, 2.0, 8.0)


# One batch.


class Known:
    """A space in which memory holds these texts."""

    def __init__(self, *texts: str) -> None:
        self._vectors, _ = HashEmbedder().embed(texts)

    def centre(self, vectors: FloatArray) -> FloatArray:
        return vectors

    def nearest(self, vectors: FloatArray, k: int) -> tuple[Any, FloatArray]:
        cosines = vectors @ self._vectors.T
        best = np.argsort(-cosines, axis=1)[:, :k]
        return best, np.take_along_axis(cosines, best, axis=1)

    def vectors(self, ids: Sequence[int]) -> FloatArray:
        return HashEmbedder().embed([f"concept {number}" for number in ids])[0]


class AskedCritic(TableCritic):
    """A `TableCritic` that remembers what it was asked to score and to explain."""

    def __init__(self, **table: tuple[float, float, float]) -> None:
        super().__init__(table, default=GOOD)
        self.screened: list[str] = []
        self.known: Sequence[float | None] | None = None
        self.scored: list[str] = []
        self.explained: list[str] = []

    def screen(self, proposals: Sequence[Proposal]) -> tuple[list[float | None], Usage]:
        self.screened += [proposal.conclusion for proposal in proposals]
        found, usage = TableCritic.score(self, proposals)
        return [one.coherence if one else None for one in found], usage

    def score(
        self,
        proposals: Sequence[Proposal],
        *,
        screened: Sequence[float | None] | None = None,
    ) -> tuple[list[Scores | None], Usage]:
        self.scored += [proposal.conclusion for proposal in proposals]
        self.known = screened
        return super().score(proposals)

    def explain(self, proposals: Sequence[Proposal]) -> tuple[list[str], Usage]:
        self.explained += [proposal.conclusion for proposal in proposals]
        return super().explain(proposals)


def wake_on(
    texts: Sequence[str],
    *,
    critic: TableCritic | None = None,
    known: str = "what memory holds",
    room: int | None = None,
    **changes: Any,
) -> Wakening:
    """A batch in which the generator says these texts."""
    return wake(
        [a_pair(first=number + 2, second=1) for number in range(len(texts))],
        generator=ScriptedGenerator(texts),
        critic=critic or TableCritic(default=GOOD),
        embedder=HashEmbedder(),
        space=Known(known),
        special_tokens=["<|end|>"],
        config=WakeConfig.model_validate({"max_disagreement": None} | changes),
        adapter=BASE,
        seed=1,
        room=room,
    )


def reasons(woken: Wakening) -> list[str | None]:
    """The first word of each refusal; None for what was admitted."""
    given = (verdict.rejected_because for verdict in woken.verdicts)
    return [None if reason is None else reason.split(":")[0] for reason in given]


IDEA = "concept 2 is like concept 1, so bees may well store sunlight"
OTHER = "concept 3 is like concept 1, so whales might remember the tides"


def test_every_pair_gets_a_verdict_in_order() -> None:
    woken = wake_on(["NONE", IDEA, "no idea in it"], guards={"min_touch": None})
    assert reasons(woken) == ["none", None, "unparsed"]
    numbers = [verdict.proposal.pair.pair_number for verdict in woken.verdicts]
    assert numbers == [a_pair(first=first, second=1).pair_number for first in (2, 3, 4)]


def test_what_a_guard_refuses_never_reaches_the_critic() -> None:
    critic = AskedCritic()
    woken = wake_on(
        ["NONE", IDEA, "it ends here, so <|end|> and a new turn begins"],
        critic=critic,
        guards={"min_touch": None},
    )
    assert critic.scored == ["bees may well store sunlight"]
    assert [verdict.scores is None for verdict in woken.verdicts] == [True, False, True]


def test_an_idea_that_comes_twice_in_a_batch_is_refused_the_second_time() -> None:
    again = wake_on([IDEA, IDEA, OTHER], guards={"min_touch": None})
    assert reasons(again) == [None, "duplicate", None]


def test_what_memory_holds_already_is_refused() -> None:
    woken = wake_on([IDEA], known="bees may well store sunlight", guards={"min_touch": None})
    assert reasons(woken) == ["duplicate"]


def test_a_refused_idea_does_not_stand_in_the_way_of_the_same_idea_later() -> None:
    woken = wake_on([f"<|end|> {IDEA}", IDEA], guards={"min_touch": None})
    assert reasons(woken)[1] is None


def test_what_the_critic_could_not_score_is_refused() -> None:
    woken = wake_on(["a, so b"], critic=TableCritic(default=None), **OPEN)
    assert reasons(woken) == ["unscored"]


def test_thresholds_decide_without_a_quota() -> None:
    woken = wake_on(["a, so good", "a, so poor"], critic=AskedCritic(poor=POOR), **OPEN)
    assert reasons(woken) == [None, "coherence"]


@pytest.mark.parametrize(
    ("room", "admitted"), [(None, ["best", "good"]), (1, ["best"]), (0, []), (-1, [])]
)
def test_a_quota_takes_the_best_there_is_room_for(room: int | None, admitted: list[str]) -> None:
    critic = AskedCritic(good=GOOD, poor=POOR, best=(9.0, 9.0, 9.0))
    texts = ["a, so poor", "a, so best", "a, so good"]
    woken = wake_on(texts, critic=critic, quota=2, room=room, **OPEN)
    kept = [verdict.proposal.conclusion for verdict in woken.verdicts if verdict.admitted]
    assert kept == admitted


def test_only_what_is_admitted_gets_a_rationale() -> None:
    critic = AskedCritic(poor=POOR)
    woken = wake_on(["a, so poor", "a, so good"], critic=critic, **OPEN)
    assert [verdict.rationale for verdict in woken.verdicts] == [None, "because good"]
    assert critic.explained == ["good"]


def test_without_explain_nothing_is_asked_and_nothing_is_spent() -> None:
    woken = wake_on(["a, so good"], explain=False, **OPEN)
    assert woken.verdicts[0].admitted
    assert woken.usages["rationale"] == Usage()


def test_every_role_says_what_it_has_cost() -> None:
    woken = wake_on(["NONE", IDEA], guards={"min_touch": None})
    spent = {role: usage.num_completion_tokens for role, usage in woken.usages.items()}
    assert spent == {"generator": 2, "embedder": 1, "critic": 1, "rationale": 1}


# A cycle of batches, on a run.


@dataclass
class Dreamer:
    """Has an idea about every pair but those it is told to refuse; remembers what it was given."""

    refuses: int = 0
    """NONE for pairs whose number is a multiple of this."""
    dies_at: int | None = None
    """Batch, from 0, that it is killed in."""
    given: list[tuple[ConceptPair, ...]] = field(default_factory=list)

    def propose(
        self, pairs: Sequence[ConceptPair], *, adapter: str, seed: int
    ) -> tuple[list[Proposal], Usage]:
        self.given.append(tuple(pairs))
        if self.dies_at == len(self.given) - 1:
            raise KeyboardInterrupt
        texts = [
            "NONE"
            if self.refuses and pair.pair_number % self.refuses == 0
            else f"because, so {pair.a.concept_id} goes with {pair.b.concept_id}"
            for pair in pairs
        ]
        proposals = [
            a_proposal(text, pair=pair, adapter=adapter)
            for text, pair in zip(texts, pairs, strict=True)
        ]
        return proposals, Usage(num_prompt_tokens=10 * len(pairs), num_completion_tokens=len(pairs))


class NoEngine:
    """What wake needs of an engine: which tokens are special, and which adapters are loaded."""

    special_tokens = ("<|end|>",)
    found: dict[str, Any] = {}  # noqa: RUF012 - nobody writes to it

    def __init__(self, *adapters: str) -> None:
        self.adapters = set(adapters)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    (tmp_path / "docs").mkdir()
    for number in range(8):
        (tmp_path / "docs" / f"{number}.md").write_text(f"fact {number} of the matter")
    settings = {"num_pairs": 12, "batch_size": 4, "explain": True} | OPEN
    with a_run(tmp_path, wake=settings) as opened:
        yield opened


def session_of(run: Run, dreamer: Dreamer, *, should_stop: Any = never, **changes: Any) -> Session:
    """The run in hand, with fakes for all that is a model; `changes` are of its wake config."""
    wake_config = WakeConfig.model_validate(run.config.wake.model_dump() | changes)
    run.config = run.config.model_copy(update={"wake": wake_config})
    embedder = HashEmbedder()
    return Session(
        run=run,
        memory=Memory(run, embedder),
        engine=cast(TransformersEngine, NoEngine(run.current)),
        embedder=embedder,
        pack=load_pack("terse"),
        generator=dreamer,
        critic=TableCritic(default=GOOD),
        should_stop=should_stop,
    )


def live(session: Session, cycle: int = 0) -> Memory:
    session.run.start_cycle(cycle)
    wake_stage(session, cycle, progress=SilentProgress())
    return session.memory


def test_what_is_admitted_can_be_drawn_in_the_very_next_batch(run: Run) -> None:
    dreamer = Dreamer()
    live(session_of(run, dreamer, sampler={"uniform": 0, "insight": 1}))
    kinds = [{one.kind for pair in batch for one in (pair.a, pair.b)} for batch in dreamer.given]
    assert kinds[0] == {"document"}
    assert "insight" in kinds[1]


def test_an_insight_that_rests_on_an_insight_lies_deeper(run: Run) -> None:
    memory = live(session_of(run, Dreamer(), sampler={"uniform": 0, "insight": 1}))
    assert max(insight.depth for insight in memory.insights()) > 1


def test_every_reject_is_kept_with_its_reason_and_its_dreamer(run: Run) -> None:
    memory = live(session_of(run, Dreamer(refuses=2)))
    rejected = memory.verdicts(is_admitted=False)
    assert rejected
    assert {verdict.rejected_because for verdict in rejected} == {"none: the generator saw no link"}
    assert {verdict.proposal.adapter for verdict in rejected} == {BASE}
    assert len(rejected) + memory.num_insights == 12


def put_to_use(run: Run, content: str) -> str:
    version = install(run, content)
    why = Promotion(candidate=version, promoted=True, reasons=("ok: x",), decided_by="person")
    run.record_promotion(0, why)
    return version


def test_a_share_of_a_later_wake_dreams_again_on_what_was_rejected(run: Run) -> None:
    live(session_of(run, Dreamer(refuses=1)))
    run.database.execute("UPDATE cycles SET stage = 'done'")
    version = put_to_use(run, "weights")
    dreamer = Dreamer()
    memory = live(session_of(run, dreamer, revisit_share=0.5), cycle=1)
    again = [pair for batch in dreamer.given for pair in batch if pair.is_revisit]
    assert len(again) == 6
    before = {verdict.proposal.pair.pair_number for verdict in memory.verdicts(cycle=0)}
    assert {pair.pair_number for pair in again} <= before
    assert {verdict.proposal.adapter for verdict in memory.verdicts(cycle=1)} == {version}


def test_without_a_share_nothing_is_dreamt_on_twice(run: Run) -> None:
    live(session_of(run, Dreamer(refuses=1)))
    run.database.execute("UPDATE cycles SET stage = 'done'")
    put_to_use(run, "weights")
    dreamer = Dreamer()
    live(session_of(run, dreamer, revisit_share=0.0), cycle=1)
    assert not any(pair.is_revisit for batch in dreamer.given for pair in batch)


@pytest.mark.parametrize("batch_size", [1, 5, 12])
def test_a_quota_bounds_a_cycle_whatever_its_batches(run: Run, batch_size: int) -> None:
    memory = live(session_of(run, Dreamer(), quota=3, batch_size=batch_size))
    assert memory.num_insights == 3
    assert memory.num_dreamt(0) == 12


def test_the_ledger_counts_every_role_of_every_batch(run: Run) -> None:
    live(session_of(run, Dreamer(refuses=2)))
    rows = [row for row in run.usage(0) if (row.item or "").startswith("batch")]
    assert {row.item for row in rows} == {"batch 0", "batch 1", "batch 2"}
    assert {row.role for row in rows} == {"generator", "embedder", "critic", "rationale"}
    dreamt = [row.usage for row in rows if row.role == "generator"]
    assert sum(usage.num_tokens for usage in dreamt) == 12 * 11
    judged = sum(row.usage.num_completion_tokens for row in rows if row.role == "critic")
    assert judged == len([one for one in Memory(run).verdicts() if one.scores is not None]) > 0


def test_an_interrupted_wake_repeats_one_batch_and_loses_none(run: Run) -> None:
    first = Dreamer(dies_at=1)
    with pytest.raises(KeyboardInterrupt):
        live(session_of(run, first))
    assert Memory(run).num_dreamt(0) == 4
    second = Dreamer()
    memory = live(session_of(run, second))
    assert second.given[0] == first.given[1], "the batch that was drawn is the one that is owed"
    assert len(second.given) == 2
    numbers = [verdict.proposal.pair.pair_number for verdict in memory.verdicts()]
    assert len(numbers) == len(set(numbers)) == 12
    assert run.stage(0) == "sleep"


def test_an_interrupted_wake_audits_what_it_would_have_audited(tmp_path: Path) -> None:
    audited = []
    for place, deaths in (("whole", (None,)), ("killed", (1, None))):
        for number in range(8):
            (tmp_path / place / "docs").mkdir(parents=True, exist_ok=True)
            (tmp_path / place / "docs" / f"{number}.md").write_text(f"fact {number} of the matter")
        settings = {"num_pairs": 12, "batch_size": 4, "cascade": {"audit_share": 0.5}} | OPEN
        with a_run(tmp_path / place, wake=settings) as run:
            for dies_at in deaths:
                with suppress(KeyboardInterrupt):
                    live(session_of(run, Dreamer(dies_at=dies_at)))
            audited.append([one.audit for one in Memory(run).verdicts()])
    assert audited[0] == audited[1]
    assert set(audited[0]) == {None, ""}


def test_a_wake_that_is_asked_to_stop_ends_between_two_batches(run: Run) -> None:
    dreamer = Dreamer()
    session = session_of(run, dreamer, should_stop=lambda: len(dreamer.given) == 2)
    with pytest.raises(Interrupted):
        live(session)
    assert session.memory.num_dreamt(0) == 8
    assert session.memory.pending_batch(0) is None
    assert run.stage(0) == "wake"


def test_a_cycle_that_runs_out_of_pairs_ends(run: Run) -> None:
    memory = live(session_of(run, Dreamer(refuses=1), num_pairs=100))
    assert memory.num_dreamt(0) == 8 * 7 // 2
    assert run.stage(0) == "sleep"
