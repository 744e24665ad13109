"""`ddl-train eval` on adapters and bases of no run, and what can go wrong with them."""

import json
import shutil
import sys
from pathlib import Path

import datasets
import pyarrow
import pyarrow.parquet
import pytest
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from tests.cli.calling import CommandLine, is_one_sentence
from tests.harness_task import make_task
from tests.report.made import made_run
from tests.tiny import make_tiny, make_tokenizer

RUN = """
model: {base: tiny, device: cpu}
memory: {sources: [notes], unit: sentence, held_out_share: 0}
"""


def make_adapter(base: Path, folder: Path, *, seed: int = 0) -> Path:
    import torch

    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(base)
    config = LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False)
    get_peft_model(model, config).save_pretrained(str(folder))
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two bases of one shape and two adapters, and a wider base with its adapter."""
    folder = tmp_path_factory.mktemp("models")
    make_tiny(folder / "tiny")
    make_tiny(folder / "wide", hidden_size=64)
    for seed in (1, 2):
        make_adapter(folder / "tiny", folder / f"adapter{seed}", seed=seed)
    make_adapter(folder / "wide", folder / "of_wide")
    return folder


@pytest.fixture
def place(tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for path in models.iterdir():
        (tmp_path / path.name).symlink_to(path)
    lines = [
        {"id": f"q{n}", "prompt": f"what is number {n}?", "answers": [f"red {n}"], "choices": ["a"]}
        for n in range(40)
    ]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path


def test_a_base_is_measured_by_itself(ddl: CommandLine, place: Path) -> None:
    called = ddl("eval", "tiny", "--probes", "truth=q.jsonl", "--json", "--quiet")
    assert called.code == 0, called.err
    found = json.loads(called.out)
    assert found["adapters"] == ["base"]
    num_open = found["suites"]["truth"]["base"]["n"]
    low, high = found["intervals"]["base"]["truth"]
    assert low - 1e-9 <= found["suites"]["truth"]["base"]["accuracy"] <= high + 1e-9
    sealed = ddl("eval", "tiny", "--probes", "truth=q.jsonl", "--sealed", "--json", "--quiet")
    assert json.loads(sealed.out)["suites"]["truth"]["base"]["n"] == 40 - num_open
    assert 0 < num_open < 40


def test_adapters_stand_side_by_side_and_items_are_written(ddl: CommandLine, place: Path) -> None:
    called = ddl(
        *("eval", "adapter1", "--base", "tiny", "--against", "adapter2"),
        *("--probes", "truth=q.jsonl", "--suite", "truth", "--out", "out"),
    )
    assert called.code == 0, called.err
    for words in ("adapter1 less", "adapter2 less", "[95 %]", "cost: "):
        assert words in called.out
    rows = pyarrow.parquet.read_table("out/items.parquet").to_pylist()
    assert {row["adapter"] for row in rows} == {"base", "adapter1", "adapter2"}
    by_id: dict[str, set[float]] = {}
    for row in rows:
        by_id.setdefault(row["probe_id"], set()).add(row["margin"])
    assert all(len(margins) == 3 for margins in by_id.values())
    pairs = json.loads(Path("out/eval.json").read_text())["differences"]
    assert [pair["against"] for pair in pairs] == ["base", "base"]


def test_without_a_memory_nothing_is_said_to_be_dreamt_or_not(
    ddl: CommandLine, place: Path
) -> None:
    line = {"id": "a", "prompt": "what is it?", "answers": ["red"], "choices": ["blue"]}
    (place / "about.jsonl").write_text(json.dumps(line | {"about": "it is red"}) + "\n")
    called = ddl("eval", "tiny", "--probes", "truth=about.jsonl", "--json", "--quiet")
    found = json.loads(called.out)
    assert [item["is_dreamt"] for item in found["items"]] == [None]
    assert list(found["suites"]) == ["truth"]


def test_an_adapter_of_any_name_is_told_apart_from_its_base_on_texts(
    ddl: CommandLine, place: Path
) -> None:
    (place / "my.adapter-0.6B").symlink_to(place / "adapter1")
    (place / "book.txt").write_text("It was a dark night.\n\nThe bees slept in the hive.\n")
    called = ddl(
        *("eval", "my.adapter-0.6B", "--base", "tiny", "--probes", "retention=book.txt"),
        *("--suite", "retention", "--json", "--quiet"),
    )
    assert called.code == 0, called.err
    (apart,) = json.loads(called.out)["divergences"].values()
    assert apart["base"] == 0 < apart["my.adapter-0.6B"]


def test_the_base_that_an_adapter_names_is_taken(ddl: CommandLine, place: Path) -> None:
    called = ddl("eval", "adapter1", "--probes", "truth=q.jsonl", "--json", "--quiet")
    assert called.code == 0, called.err
    assert json.loads(called.out)["adapters"] == ["base", "adapter1"]


def test_a_cap_on_tokens_asks_less_and_says_so(ddl: CommandLine, place: Path) -> None:
    called = ddl("eval", "tiny", "--probes", "truth=q.jsonl", "--max-tokens", "600", "--json")
    found = json.loads(called.out)
    assert 0 < found["suites"]["truth"]["base"]["n"] < 20
    assert "would take about" in called.err
    usage = found["usage"]["base"]
    assert usage["num_prompt_tokens"] + usage["num_completion_tokens"] <= 600


def test_puzzles_need_no_file(ddl: CommandLine, place: Path) -> None:
    called = ddl("eval", "tiny", "--suite", "iteration", "--max-tokens", "4000", "--json")
    assert called.code == 0, called.err
    kinds = {item["kind"] for item in json.loads(called.out)["items"]}
    assert all(kind.startswith(("grid", "rule", "life")) for kind in kinds)
    assert kinds


def test_a_table_is_asked_like_lines(ddl: CommandLine, place: Path) -> None:
    rows = [json.loads(line) for line in (place / "q.jsonl").read_text().splitlines()]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), "q.parquet")
    items = []
    datasets.Dataset.from_list(rows).save_to_disk("folder")
    for name in ("q.jsonl", "q.parquet", "folder"):
        called = ddl("eval", "tiny", "--probes", f"truth={name}", "--json", "--quiet")
        items.append(json.loads(called.out)["items"])
    assert items[0] == items[1] == items[2] != []
    pyarrow.parquet.write_table(pyarrow.table({"id": ["a"], "prompt": ["x?"]}), "bad.parquet")
    refused(
        ddl("eval", "tiny", "--probes", "truth=bad.parquet", "-q"), "bad.parquet: row 0", "answers"
    )


def test_of_a_long_path_the_table_shows_the_folder(ddl: CommandLine, place: Path) -> None:
    paths = [place / "runs" / name / "night" for name in ("one", "other")]
    for number, path in enumerate(paths, start=1):
        path.parent.mkdir(parents=True)
        path.symlink_to(place / f"adapter{number}")
    called = ddl(
        *("eval", paths[0], "--base", "tiny", "--against", paths[1], "--probes", "truth=q.jsonl")
    )
    assert called.code == 0, called.err
    table, _, below = called.out.partition("\nnight is ")
    assert str(place) not in table
    assert "night (2) less base" in table
    assert below.split("\n")[:2] == [str(paths[0]), f"night (2) is {paths[1]}"]


def test_a_task_of_the_harness_is_asked_of_every_adapter(ddl: CommandLine, place: Path) -> None:
    pytest.importorskip("lm_eval", reason="lm-evaluation-harness is not installed")
    task = make_task(place, "choose")
    called = ddl(
        *("eval", "adapter1", "--base", "tiny", "--suite", f"lm_eval:{task}", "--json"),
        *("--max-items", "4", "--quiet"),
    )
    assert called.code == 0, called.err
    found = json.loads(called.out)
    assert {one: found["suites"]["lm_eval:choose"][one]["n"] for one in found["adapters"]} == {
        "base": 4,
        "adapter1": 4,
    }
    assert found["usage"]["base"]["num_prompt_tokens"] > 0


def test_without_the_harness_its_extra_is_named(
    ddl: CommandLine, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    refused(ddl("eval", "tiny", "--suite", "lm_eval:arc_easy"), "ddl-train[lm-eval]")


def test_a_bare_harness_wants_a_task(ddl: CommandLine, place: Path) -> None:
    refused(ddl("eval", "tiny", "--suite", "lm_eval"), "no task is named", "lm_eval:TASK")


def test_a_file_that_leaks_into_a_runs_memory_is_refused(ddl: CommandLine, place: Path) -> None:
    (place / "notes").mkdir()
    for number in range(4):
        (place / "notes" / f"{number}.md").write_text(f"Note {number}: what is number {number}?\n")
    (place / "mine.yaml").write_text(RUN)
    assert ddl("init", "mine.yaml").code == 0
    called = ddl("eval", "mine", "--probes", "truth=q.jsonl", "--quiet")
    refused(called, "q.jsonl q0", "stands in memory", "3 more")


def bad_adapter(place: Path, name: str) -> Path:
    folder = place / name
    shutil.copytree(place / "adapter1", folder)
    return folder


def refused(called: object, *words: str) -> None:
    code, err = getattr(called, "code"), getattr(called, "err")  # noqa: B009
    assert code == 2, err
    assert is_one_sentence(err), err
    for word in words:
        assert word in err


def test_an_unknown_suite_is_named_with_those_there_are(ddl: CommandLine, place: Path) -> None:
    refused(ddl("eval", "tiny", "--suite", "wisdom"), "'wisdom'", "uptake", "critic")


def test_a_malformed_line_is_named_by_file_and_line(ddl: CommandLine, place: Path) -> None:
    (place / "bad.jsonl").write_text('{"id": "q", "prompt": "x?", "answers": ["y"]}\n{"id": \n')
    refused(ddl("eval", "tiny", "--probes", "truth=bad.jsonl", "-q"), "bad.jsonl:2", "not JSON")


def test_an_adapter_of_another_base_is_refused(ddl: CommandLine, place: Path) -> None:
    called = ddl("eval", "of_wide", "--base", "tiny", "--probes", "truth=q.jsonl", "-q")
    refused(called, "of_wide", "another base")


def test_weights_that_are_cut_short_are_refused(ddl: CommandLine, place: Path) -> None:
    weights = bad_adapter(place, "cut") / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-40])
    called = ddl("eval", "cut", "--base", "tiny", "--probes", "truth=q.jsonl", "-q")
    refused(called, "cut short")


def test_an_adapter_with_other_tokens_is_refused(ddl: CommandLine, place: Path) -> None:
    folder = bad_adapter(place, "foreign")
    tokenizer = make_tokenizer()
    tokenizer.add_tokens(["<foreign>"])
    tokenizer.save_pretrained(folder)
    called = ddl("eval", "foreign", "--base", "tiny", "--probes", "truth=q.jsonl", "-q")
    refused(called, "tokenizer", "<foreign>")


def test_an_adapter_that_brings_the_same_tokens_is_welcome(ddl: CommandLine, place: Path) -> None:
    folder = bad_adapter(place, "own")
    make_tokenizer().save_pretrained(folder)
    called = ddl("eval", "own", "--base", "tiny", "--probes", "truth=q.jsonl", "--json", "-q")
    assert called.code == 0, called.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nobody/nothing", "--base", "tiny"], "Hugging Face Hub"),
        (["tiny", "--base", "tiny"], "no adapter"),
        (["./nowhere"], "no such run"),
        (["tiny"], "nothing is left to ask"),
        (["tiny", "--probes", "q.jsonl"], "SUITE=FILE"),
        (["tiny", "--probes", "truth=none.jsonl"], "none.jsonl"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(
    ddl: CommandLine, place: Path, arguments: list[str], words: str
) -> None:
    refused(ddl("eval", *arguments, "-q"), words)


def test_history_of_a_run_needs_no_model(ddl: CommandLine, tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    called = ddl("eval", run_dir, "--history", "--json", "--out", tmp_path / "out")
    assert called.code == 0, called.err
    found = json.loads(called.out)
    assert len(found["adapters"]) == len(found["cycles"]) > 0
    for row in found["suites"].values():
        for low, share, high in zip(row["low"], row["share"], row["high"], strict=True):
            assert low <= share <= high
    assert set(found["transfer"]) == {"backward_transfer", "forward_transfer", "forgetting"}
    assert [path for path in (tmp_path / "out").iterdir() if path.stat().st_size > 1000]
    assert found["divergences"]["held-out documents"]["nats"] == pytest.approx([0.2, 0.2])
    shown = ddl("eval", run_dir, "--history").out
    rows = [line.split("  ")[0] for line in shown.splitlines()]
    place = rows.index("truth")
    assert rows[place : place + 3] == ["truth", "truth (dreamt)", "truth (not dreamt)"]
    assert "KL, held-out documents" in rows
    assert "below 0 is better than ever" in shown
