"""Distil by command: made, measured, decided, kept; and one sentence for what cannot be done."""

import json
import shutil
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from safetensors.torch import load_file

from ddl_train.config import DistillConfig, ModelConfig, SleepConfig
from ddl_train.distill import Wanted, distill
from ddl_train.engines.transformers_engine import load_engine
from ddl_train.errors import ProbeError
from ddl_train.records import (
    BASE,
    Promotion,
    SilentProgress,
    StageProgress,
    StudyItem,
    TrainingRow,
)
from ddl_train.roles.prompts import BUILT_IN, load_pack
from ddl_train.session import open_session
from ddl_train.storage.run import Run
from ddl_train.storage.students import newest_student, read_distillations, teacher_of
from ddl_train.training.lora import train_lora
from tests.cli.calling import CommandLine, fingerprint, is_one_sentence
from tests.storage.made import a_memory, dream, idea
from tests.tiny import make_tiny, make_tokenizer

NUM_FACTS = 8


@pytest.fixture
def ddl(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    monkeypatch.setenv("COLUMNS", "200")
    return CommandLine(monkeypatch, capfd)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose run holds one promoted adapter that knows eight facts by heart."""
    folder = tmp_path_factory.mktemp("project")
    make_tiny(folder / "tiny")
    make_tiny(folder / "small", seed=5, hidden_size=16)
    lines = [
        {"id": f"r{n}", "prompt": f"is {n}?", "answers": ["so"], "choices": ["no"]}
        for n in range(12)
    ]
    (folder / "retention.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    texts = [f"Of the {n} rivers one knows the {n + 1} springs." for n in range(12)]
    (folder / "kept.md").write_text("\n\n".join(texts))
    make_run(folder)
    return folder


@pytest.fixture
def project(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(original, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def make_run(folder: Path) -> None:
    from tests.hub.made import a_config

    config = a_config(
        folder,
        checkpoints_dir="checkpoints",
        model={"base": "tiny", "device": "cpu", "max_length": 2000, "batch_size": 8},
        evaluate={
            "retention": ["retention.jsonl", "kept.md"],
            "num_dream_pairs": None,
            "num_context": None,
        },
        wake={"guards": {"is_enabled": False}},
        promote={
            "num_resamples": 200,
            "retention": {"warn": 1, "block": 1},
            "loss": {"warn": 9, "block": 9},
            "kl": {"warn": 9, "block": 9},
        },
        sleep={"r": 4, "lora_alpha": 8, "max_length": 200},
        distill={"num_prompts": 0, "min_items": NUM_FACTS},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with Run.create(config, pack_dir=BUILT_IN / "default") as run:
            memory = a_memory(run)
            run.start_cycle(0)
            insights = dream(memory, 0, 0, idea, size=NUM_FACTS)
            memory.save_study_items(
                [
                    StudyItem(
                        insight_id=one.insight_id,
                        kind="forward",
                        question=f"what may zorol {number} {word}?",
                        answer=f"miritis {number}{number}",
                        family="probe" if word == "relieve" else "study",
                    )
                    for number, one in enumerate(insights)
                    for word in ("relieve", "lower")
                ]
            )
            probes = memory.study_items(family="probe")
            memory.close()
            pack = load_pack(str(run.prompts_dir))
            rows = [
                TrainingRow(
                    prompt=pack.render("answer", question=item.question, context=[]),
                    completion=item.answer,
                    origin="new",
                )
                for item in probes
            ]
            engine = load_engine(ModelConfig(base="tiny", device="cpu", batch_size=8))
            night = train_lora(
                engine,
                rows,
                SleepConfig(
                    r=4,
                    lora_alpha=8,
                    learning_rate=1e-2,
                    num_train_epochs=60,
                    warmup_steps=0,
                    max_length=400,
                    per_device_train_batch_size=4,
                    save_steps=1000,
                ),
                out_dir=run.night_dir(0),
                seed=1,
            )
            assert night.dir is not None
            run.finish_stage(0, "wake")
            adapter = run.add_adapter(
                night.dir,
                cycle=0,
                base="tiny",
                base_sha256=engine.base_sha256,
                parent=None,
                num_rows=len(rows),
                num_insights=len(insights),
                insight_ids=[one.insight_id for one in insights],
            )
            run.finish_stage(0, "sleep", candidate=adapter.version)
            run.finish_stage(0, "evaluate")
            run.record_promotion(
                0, Promotion(candidate=adapter.version, promoted=True, reasons=("ok: it learned",))
            )


def configure(run_dir: Path, **changes: object) -> None:
    """Change the config of a run, as its file and `run` would."""
    with Run.open(run_dir) as run:
        values = run.config.model_dump()
        values["distill"] |= changes
        text = type(run.config).model_validate(values).model_dump_json()
        run.database.execute("UPDATE state SET value = ? WHERE key = 'config'", (text,))


def test_a_student_of_lower_rank_is_let_through_installed_and_written(
    ddl: CommandLine, project: Path
) -> None:
    called = ddl("distill", "dreams", "--rank", "3", "--out", "student", "--json", "--quiet")
    assert called.code in (0, 1), called.err
    found = json.loads(called.out)
    assert called.code == 0, (found["reasons"], found["numbers"])
    assert found["is_let_through"] is True
    assert found["numbers"]["kept_items"] == NUM_FACTS
    with Run.read(project / "checkpoints" / "dreams") as run:
        student = run.adapter(found["adapter"])
        assert run.current == found["teacher"] == teacher_of(run.database, student.version)
        assert newest_student(run.database) == student.version
        assert run.taught(student.version) == run.taught(run.current)
        kept = read_distillations(run.database)
        assert [one.decision.reasons for one in kept] == [tuple(found["reasons"])]
        assert student.version in {report.adapter for report in run.reports(0)}
    written = project / "student" / "adapter_model.safetensors"
    assert written.read_bytes() == (student.path / "adapter_model.safetensors").read_bytes()
    teacher, student_size = found["bought"]["teacher"], found["bought"]["student"]
    assert 4 * student_size["adapter_parameters"] == 3 * teacher["adapter_parameters"]
    whole = sum(one.numel() for one in load_file(project / "tiny" / "model.safetensors").values())
    assert teacher["base_parameters"] == student_size["base_parameters"] == whole
    assert student_size["adapter_bytes"] == written.stat().st_size
    assert min(teacher["tokens_per_second"], student_size["tokens_per_second"]) > 0
    assert ddl("fsck", "dreams").code == 0


def test_every_other_student_of_a_teacher_is_decided_at_less_and_the_same_one_is_not(
    ddl: CommandLine, project: Path
) -> None:
    alphas = []
    for rank in ("3", "2", "3"):
        called = ddl("distill", "dreams", "--rank", rank, "--json", "--quiet")
        alphas.append(json.loads(called.out)["numbers"]["alpha"])
    assert alphas == pytest.approx([0.025, 0.05 / 6, 0.025])


def test_a_student_that_lost_the_gain_is_refused_with_its_reasons(
    ddl: CommandLine, project: Path
) -> None:
    configure(project / "checkpoints" / "dreams", min_items=500)
    called = ddl("distill", "dreams", "--rank", "1", "--out", "student", "--quiet")
    assert called.code == 1, called.err
    assert f"have {NUM_FACTS} items; at least 500 are needed" in called.out
    assert "was refused as a student of" in called.out
    assert not (project / "student").exists()
    with Run.read(project / "checkpoints" / "dreams") as run:
        (kept,) = read_distillations(run.database)
        assert newest_student(run.database) is None
        assert any("at least 500 are needed" in one for one in kept.decision.reasons)
        assert kept.decision.candidate in {one.version for one in run.adapters()}


def test_a_student_on_a_smaller_base_is_trained_and_measured_beside_its_own_base(
    ddl: CommandLine, project: Path
) -> None:
    configure(
        project / "checkpoints" / "dreams",
        num_prompts=8,
        per_device_train_batch_size=4,
        max_new_tokens=12,
    )
    called = ddl("distill", "dreams", "--student", "small", "--json", "--quiet")
    assert called.code == 1, called.err  # two steps teach a small base nothing
    found = json.loads(called.out)
    assert found["base"] == "small"
    assert [part["adapters"] for part in found["evaluation"]] == [
        [BASE, found["teacher"]],
        [BASE, found["adapter"]],
    ]
    first, second = (list(part["items"]) for part in found["evaluation"])
    assert len(first) == len(second)
    assert (
        found["bought"]["student"]["base_parameters"]
        < found["bought"]["teacher"]["base_parameters"]
    )
    with Run.read(project / "checkpoints" / "dreams") as run:
        assert run.adapter(found["adapter"]).base == "small"
        assert not (run.dir / "distill" / "rank-4-on-policy").exists()


@pytest.mark.parametrize("method", [[], ["--offline"]])
def test_a_smaller_base_may_have_another_tokenizer(
    ddl: CommandLine, project: Path, method: list[str]
) -> None:
    tokenizer = make_tokenizer()
    assert tokenizer.add_tokens(["qqqq"]) == 1
    tokenizer.save_pretrained(project / "small")
    configure(
        project / "checkpoints" / "dreams",
        num_prompts=8,
        per_device_train_batch_size=4,
        max_new_tokens=12,
    )
    called = ddl("distill", "dreams", "--student", "small", *method, "--json", "--quiet")
    assert called.code == 1, called.err  # two steps teach a small base nothing
    assert json.loads(called.out)["base"] == "small"


def test_a_tokenizer_that_cannot_be_aligned_is_one_sentence(
    ddl: CommandLine, project: Path
) -> None:
    path = project / "small" / "tokenizer.json"
    values = json.loads(path.read_text())
    values["pre_tokenizer"], values["decoder"] = {"type": "Whitespace"}, None
    path.write_text(json.dumps(values))
    configure(project / "checkpoints" / "dreams", num_prompts=8)
    called = ddl("distill", "dreams", "--student", "small", "--quiet")
    assert (called.code, called.err.count("\n")) == (2, 1), called.err
    assert "small has another tokenizer than tiny" in called.err
    assert "--offline" in called.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--rank", "4"], "rank 4 is not below 4, the teacher's; expected --rank 1 to 3"),
        (["--student", "tiny"], "tiny is the teacher's own base"),
        (["--student", "./nowhere"], "./nowhere: no such folder"),
        (["--rank", "2", "--out", "small"], "small: exists already"),
    ],
)
def test_bad_input_is_one_sentence(
    ddl: CommandLine, project: Path, arguments: list[str], sentence: str
) -> None:
    configure(project / "checkpoints" / "dreams", num_prompts=8)
    called = ddl("distill", "dreams", *arguments, "--quiet")
    assert (called.code, called.err.count("\n")) == (2, 1), called.err
    assert sentence in called.err
    with Run.read(project / "checkpoints" / "dreams") as run:
        assert len(run.adapters()) == 1


def missing_truth(run_dir: Path) -> None:
    with Run.open(run_dir) as run:
        values = run.config.model_dump()
        values["evaluate"]["truth"] = ["truth.jsonl"]
        text = type(run.config).model_validate(values).model_dump_json()
        run.database.execute("UPDATE state SET value = ? WHERE key = 'config'", (text,))


def test_a_probe_file_that_is_missing_is_said_before_any_model_is_loaded(
    ddl: CommandLine, project: Path
) -> None:
    run_dir = project / "checkpoints" / "dreams"
    missing_truth(run_dir)
    shutil.rmtree(project / "tiny")
    before = fingerprint(run_dir)
    called = ddl("distill", "dreams", "--rank", "3", "--quiet")
    assert (called.code, is_one_sentence(called.err)) == (2, True), called.err
    assert "truth.jsonl: no such file; evaluate.truth names it" in called.err
    assert fingerprint(run_dir) == before


def test_the_library_too_reads_the_probe_files_before_it_trains(project: Path) -> None:
    run_dir = project / "checkpoints" / "dreams"
    missing_truth(run_dir)
    with Run.open(run_dir) as run, open_session(run) as session:
        with pytest.raises(ProbeError, match="no such file"):
            distill(session, Wanted(rank=3), progress=SilentProgress())
        assert len(run.adapters()) == 1
    assert not (run_dir / "distill").exists()


class FailsToMeasure:
    """Ends a call when the first measuring begins."""

    def stage(self, name: str, total: int | None) -> AbstractContextManager[StageProgress]:
        if name.startswith("evaluate"):
            raise ProbeError("changed meanwhile")
        return SilentProgress().stage(name, total)


def test_a_student_that_could_not_be_measured_is_no_adapter_and_needs_no_training_again(
    project: Path,
) -> None:
    run_dir = project / "checkpoints" / "dreams"
    wanted = Wanted(
        rank=3, config=DistillConfig(num_prompts=4, per_device_train_batch_size=4, max_new_tokens=4)
    )
    with Run.open(run_dir) as run, open_session(run) as session:
        with pytest.raises(ProbeError, match="changed meanwhile"):
            distill(session, wanted, progress=FailsToMeasure())
        assert len(run.adapters()) == len(list(run.adapters_dir.iterdir())) == 1
        assert not run.database.execute(
            "SELECT 1 FROM night_rows WHERE version != ?", (run.current,)
        ).fetchall()
        (marker,) = (run_dir / "distill").rglob("trained.json")
        trained_at = marker.stat().st_mtime_ns
        told = Told(marker)
        found = distill(session, wanted, progress=told)
        assert told.marked_at == {trained_at}
        assert found.adapter.version in {one.version for one in run.adapters()}
    assert not list((run_dir / "distill").iterdir())


class Told:
    """Keeps when the training was marked as done, seen from each stage."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker
        self.marked_at = set[int]()

    def stage(self, name: str, total: int | None) -> AbstractContextManager[StageProgress]:
        self.marked_at.add(self._marker.stat().st_mtime_ns)
        return SilentProgress().stage(name, total)


def test_keys_of_distill_are_set_for_one_student_and_kept_with_it(
    ddl: CommandLine, project: Path
) -> None:
    called = ddl("distill", "dreams", "distill.min_items=500", "--rank", "3", "--quiet")
    assert called.code == 1, called.err
    assert f"have {NUM_FACTS} items; at least 500 are needed" in called.out
    with Run.read(project / "checkpoints" / "dreams") as run:
        (kept,) = read_distillations(run.database)
        assert kept.facts["config"]["min_items"] == 500
        assert run.config.distill.min_items == NUM_FACTS


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("sleep.r=2", "'sleep.r=2': expected distill.KEY=VALUE"),
        ("distill.prompts=2", "distill has unknown key 'prompts'"),
        ("distill.num_prompts=-1", "distill.num_prompts"),
    ],
)
def test_another_key_is_one_sentence(
    ddl: CommandLine, project: Path, override: str, words: str
) -> None:
    called = ddl("distill", "dreams", override, "--quiet")
    assert (called.code, is_one_sentence(called.err)) == (2, True), called.err
    assert words in called.err


def test_nothing_promoted_is_nothing_to_distil(ddl: CommandLine, project: Path) -> None:
    with Run.open(project / "checkpoints" / "dreams") as run:
        run.rollback("to see")
    called = ddl("distill", "dreams", "--quiet")
    assert called.code == 2
    assert "no adapter is promoted, so there is nothing to distil" in called.err
