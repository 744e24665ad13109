"""The commands about worlds: what they write and what they say."""

import errno
import os
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ddl_train.bench.world import run as run_bench
from ddl_train.cli.bench import seedling as bench_seedling
from ddl_train.cli.bench_world import world as bench_world
from ddl_train.cli.world import world
from ddl_train.errors import ConfigError, DdlTrainError, ModelError
from ddl_train.records import SilentProgress

RUNNER = CliRunner()


def app_of(*commands: object) -> typer.Typer:
    app = typer.Typer()
    for command in commands:
        app.command()(command)  # type: ignore[type-var]
    return app


def test_world_writes_documents_probes_and_the_truth(tmp_path: Path) -> None:
    out = tmp_path / "w"
    done = RUNNER.invoke(app_of(world), [str(out), "--seed", "2", "--preset", "small"])
    assert done.exit_code == 0
    assert "wrote" in done.stdout
    assert sorted(path.name for path in out.iterdir()) == ["docs", "probes", "world.json"]
    assert sorted(path.stem for path in (out / "probes").iterdir()) == [
        "false_memory",
        "retention",
        "retention_replayed",
        "skill",
        "truth",
    ]
    again = RUNNER.invoke(app_of(world), [str(out), "--seed", "2", "--preset", "small"])
    assert again.exit_code == 0
    assert "holds" in again.stdout
    next((out / "docs").rglob("*.md")).unlink()
    broken = RUNNER.invoke(app_of(world), [str(out), "--seed", "2", "--preset", "small"])
    assert "or not all of it" in str(broken.exception)


def test_the_bench_names_its_arms_without_a_model() -> None:
    done = RUNNER.invoke(app_of(bench_world), ["--list"])
    assert done.exit_code == 0
    assert "placebo" in done.stdout


@pytest.mark.parametrize("seeds", ["", "1,x", "-1", "²"])
def test_seeds_are_whole_numbers(tmp_path: Path, seeds: str) -> None:
    done = RUNNER.invoke(app_of(bench_world), ["--out", str(tmp_path), f"--seeds={seeds}"])
    assert isinstance(done.exception, ConfigError)
    assert "whole numbers" in str(done.exception)


def test_a_folder_that_cannot_be_one_or_is_damaged_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "bench.json").write_text("[1]")
    (tmp_path / "taken" / "bench.json").mkdir(parents=True)
    for out, said in (
        ("taken", "bench.json: is damaged"),
        ("file", "the folder cannot be made"),
        ("file/below", "the folder cannot be made"),
        ("damaged", "bench.json: is damaged"),
    ):
        with pytest.raises(DdlTrainError, match=said):
            run_bench(tmp_path / out, progress=SilentProgress())


@pytest.mark.parametrize("name", ["tables.md", "goals.json", "plot.png"])
def test_a_folder_in_place_of_a_result_is_said_before_anything_is_run(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(ConfigError, match=f"{name}: is a folder"):
        run_bench(tmp_path, progress=SilentProgress())
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["bench.json", name])


def test_what_the_bench_gives_every_cell_cannot_be_given_by_hand(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="its own seed; leave it out"):
        run_bench(tmp_path, overrides=["seed=5"], progress=SilentProgress())
    assert not any(tmp_path.iterdir())


def test_a_model_folder_that_may_not_be_searched_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = Path.stat

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.parent == tmp_path:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return look(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", stat)
    done = RUNNER.invoke(app_of(bench_seedling), [str(tmp_path)])
    assert isinstance(done.exception, ModelError)
    assert f"{tmp_path}: the folder may not be searched" in str(done.exception)
