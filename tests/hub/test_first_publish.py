"""What a repository holds after a publish, that PEFT loads it, and what a second one changes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from huggingface_hub import ModelCard, snapshot_download
from peft import PeftModel
from transformers import AutoModelForCausalLM

from ddl_train.memory.reading import read_insights
from ddl_train.storage.outbox import read_outbox
from ddl_train.storage.run import Run
from tests.cli.calling import Called, CommandLine
from tests.hub.server import WRITER, LocalHub

NAME = "ada/dreams"
BASE_ID = ("--base-id", "someone/tiny@" + "a" * 40)
ASKED = ("--repo-id", NAME, *BASE_ID)


@pytest.fixture
def published(ddl: CommandLine, hub: LocalHub, run_dir: Path) -> Called:
    return ddl("publish", run_dir, *ASKED)


def test_a_first_publish_is_one_commit_in_a_private_repository(
    published: Called, hub: LocalHub
) -> None:
    assert (published.code, published.err) == (0, "")
    assert hub.repo(NAME).num_commits == 1
    assert hub.repo(NAME).is_private


def test_the_repository_holds_what_was_asked_for_and_nothing_else(
    published: Called, hub: LocalHub
) -> None:
    assert set(hub.repo(NAME).files()) == {
        ".gitattributes",
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "chat_template.jinja",
        "evals/cycle-1-adapter.json",
        "evals/cycle-1-base.json",
        "lineage.json",
        "plots/kl-kept-md.png",
        "plots/loss-kept-md.png",
        "plots/suite-retention.png",
        "plots/suite-uptake.png",
        "tokenizer.json",
        "tokenizer_config.json",
        "training_config.yaml",
    }


def test_the_adapter_names_its_base_and_the_revision(published: Called, hub: LocalHub) -> None:
    values = json.loads(hub.repo(NAME).files()["adapter_config.json"])
    assert (values["base_model_name_or_path"], values["revision"]) == ("someone/tiny", "a" * 40)


def test_peft_loads_it_from_the_repository_and_it_says_what_the_local_one_says(
    published: Called, hub: LocalHub, run_dir: Path, made_once: Path, tmp_path: Path
) -> None:
    fetched = snapshot_download(
        NAME, endpoint=hub.url, token=WRITER, local_dir=tmp_path / "fetched"
    )
    with Run.read(run_dir) as run:
        local = run.adapter(run.current).path

    def logits(adapter: str | None) -> Any:
        model: Any = AutoModelForCausalLM.from_pretrained(made_once / "tiny")
        if adapter is not None:
            model = PeftModel.from_pretrained(model, adapter)
        with torch.no_grad():
            return model(torch.arange(3, 20)[None]).logits

    assert torch.equal(logits(fetched), logits(str(local)))
    assert not torch.allclose(logits(fetched), logits(None), atol=1e-3)


BY_NAME = """
import sys
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

def logits(base, adapter):
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)
    with torch.no_grad():
        return model(torch.arange(3, 20)[None]).logits

base, named, local = sys.argv[1:]
print(torch.equal(logits(base, named), logits(base, local)))
"""


def test_a_stranger_loads_it_by_its_name_alone(
    published: Called, hub: LocalHub, run_dir: Path, made_once: Path, tmp_path: Path
) -> None:
    with Run.read(run_dir) as run:
        local = run.adapter(run.current).path
    done = subprocess.run(
        [sys.executable, "-c", BY_NAME, str(made_once / "tiny"), NAME, str(local)],
        env=os.environ
        | {"HF_ENDPOINT": hub.url, "HF_TOKEN": WRITER, "HF_HOME": str(tmp_path / "stranger")}
        | {"HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "True"


def test_the_card_has_every_suite_with_its_interval(published: Called, hub: LocalHub) -> None:
    card: Any = ModelCard(hub.repo(NAME).files()["README.md"].decode())
    data = card.data.to_dict()
    results = data["model-index"][0]["results"]
    assert [one["dataset"]["type"] for one in results] == ["held-out/uptake", "held-out/retention"]
    uptake = results[0]["metrics"][0]
    assert uptake["value"] == 0.75  # 9 of 12, as the run's report has it
    assert (uptake["args"]["low"], uptake["args"]["high"]) == (0.4677, 0.9111)  # Wilson's
    assert uptake["args"]["command"].startswith("ddl-train eval RUN --adapter ")
    assert uptake["args"]["command"].endswith(" --suite uptake")
    assert data["base_model"] == "someone/tiny"
    assert {"peft", "lora", "trl", "ddl-train"} <= set(data["tags"])


def test_the_card_says_what_was_forgotten_and_what_it_lacks(
    published: Called, hub: LocalHub
) -> None:
    text = hub.repo(NAME).files()["README.md"].decode()
    assert "1 of 8 questions were answered right by the base and are not any more" in text
    assert "was not compared" in text


def test_intervals_can_be_recomputed_from_the_published_items(
    published: Called, hub: LocalHub
) -> None:
    files = hub.repo(NAME).files()
    of_adapter, of_base = (
        {one["item"]: one for one in json.loads(files[f"evals/cycle-1-{name}.json"])["items"]}
        for name in ("adapter", "base")
    )
    assert of_adapter.keys() == of_base.keys()
    uptake = [one["is_correct"] for one in of_adapter.values() if one["suite"] == "uptake"]
    assert sum(uptake) / len(uptake) == 0.75


def test_no_folder_answer_or_token_of_this_machine_is_published(
    published: Called, hub: LocalHub, made_once: Path
) -> None:
    for path, content in hub.repo(NAME).files().items():
        for private in (str(made_once), "a private answer", WRITER):
            assert private.encode() not in content, (path, private)


def test_the_token_is_in_no_file_of_the_run(published: Called, run_dir: Path) -> None:
    assert WRITER not in published.out
    for path in run_dir.rglob("*"):
        assert path.is_dir() or WRITER.encode() not in path.read_bytes(), path


def test_the_published_config_is_one_that_loads(published: Called, hub: LocalHub) -> None:
    values = yaml.safe_load(hub.repo(NAME).files()["training_config.yaml"])
    assert values["memory"]["sources"] == ["docs"]
    assert values["model"]["base"] == "someone/tiny"


def test_a_repeat_commits_nothing(
    published: Called, ddl: CommandLine, hub: LocalHub, run_dir: Path
) -> None:
    called = ddl("publish", run_dir, *ASKED)
    assert (called.code, hub.repo(NAME).num_commits) == (0, 1)
    assert "holds all of it already" in called.out


def test_a_second_publish_changes_the_one_file_that_differs(
    published: Called, ddl: CommandLine, hub: LocalHub, run_dir: Path
) -> None:
    before = hub.repo(NAME).files()
    hub.asked.clear()
    assert ddl("publish", run_dir, *ASKED, "--license", "mit").code == 0
    after = hub.repo(NAME).files()
    assert hub.repo(NAME).num_commits == 2
    assert {path for path in after if after[path] != before.get(path)} == {"README.md"}
    assert not any("/lfs/" in one or "info/lfs" in one for one in hub.asked)


def test_files_of_others_stay(
    published: Called, ddl: CommandLine, hub: LocalHub, run_dir: Path
) -> None:
    repo = hub.repo(NAME)
    repo.add("main", "a note", repo.files() | {"NOTES.md": b"mine\n"})
    assert ddl("publish", run_dir, *ASKED, "--license", "mit").code == 0
    assert repo.files()["NOTES.md"] == b"mine\n"


def test_the_folder_is_gone_when_all_of_it_has_arrived(published: Called, run_dir: Path) -> None:
    with Run.read(run_dir) as run:
        assert [row.state for row in read_outbox(run.database)] == ["done"]
    assert list((run_dir / "outbox").iterdir()) == []


def test_a_dry_run_writes_the_folder_and_leaves_the_hub_alone(
    ddl: CommandLine, hub: LocalHub, run_dir: Path
) -> None:
    called = ddl("publish", run_dir, *ASKED, "--dry-run")
    assert called.code == 0, called.err
    assert hub.repos == {}
    assert "+ adapter_model.safetensors" in called.out
    (folder,) = (run_dir / "outbox").iterdir()
    assert (folder / "README.md").is_file()
    with Run.read(run_dir) as run:
        assert read_outbox(run.database) == []


def test_what_a_dry_run_wrote_is_what_is_published(
    ddl: CommandLine, hub: LocalHub, run_dir: Path
) -> None:
    ddl("publish", run_dir, *ASKED, "--dry-run")
    (folder,) = (run_dir / "outbox").iterdir()
    written = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    ddl("publish", run_dir, *ASKED)
    assert hub.repo(NAME).files() == written | {
        ".gitattributes": hub.repo(NAME).files()[".gitattributes"]
    }


def test_a_dry_run_prints_what_would_change(
    published: Called, ddl: CommandLine, run_dir: Path
) -> None:
    called = ddl("publish", run_dir, *ASKED, "--license", "mit", "--dry-run")
    assert "~ README.md" in called.out
    assert "= adapter_model.safetensors" in called.out
    assert "-license: apache-2.0" in called.out
    assert "+license: mit" in called.out


def test_public_is_public_only_when_typed(ddl: CommandLine, hub: LocalHub, run_dir: Path) -> None:
    assert ddl("publish", run_dir, *ASKED, "--public").code == 0
    assert not hub.repo(NAME).is_private


def test_the_insights_go_into_a_dataset_repository_without_the_sources(
    ddl: CommandLine, hub: LocalHub, run_dir: Path, tmp_path: Path
) -> None:
    from datasets import load_dataset

    called = ddl("publish", run_dir, *ASKED, "--dataset")
    assert called.code == 0, called.err
    files = hub.repo(f"{NAME}-insights", "dataset").files()
    assert set(files) == {".gitattributes", "README.md", "data/insights.parquet"}
    (tmp_path / "insights.parquet").write_bytes(files["data/insights.parquet"])
    rows = load_dataset(
        "parquet",
        data_files=str(tmp_path / "insights.parquet"),
        split="train",
        cache_dir=str(tmp_path / "read"),
    )
    assert len(rows) == 4
    assert set(rows["provenance"]) == {"document+document"}
    with Run.read(run_dir) as run:
        insights = read_insights(run.database, cycle=None, ids=None)
    assert [(row["support"], row["rederived"]) for row in rows] == [
        (pytest.approx(one.scores.support), pytest.approx(one.scores.rederived)) for one in insights
    ]
    assert b"of the matter" not in files["data/insights.parquet"]
    assert "parent_a" not in rows.column_names


def test_merged_weights_are_a_model_of_their_own(
    ddl: CommandLine, hub: LocalHub, run_dir: Path, made_once: Path, tmp_path: Path
) -> None:
    called = ddl("publish", run_dir, *ASKED, "--merged")
    assert called.code == 0, called.err
    files = hub.repo(NAME).files()
    assert "model.safetensors" in files
    assert "adapter_model.safetensors" not in files
    for name in ("model.safetensors", "config.json"):
        (tmp_path / name).write_bytes(files[name])
    with Run.read(run_dir) as run:
        local = run.adapter(run.current).path
    base = AutoModelForCausalLM.from_pretrained(made_once / "tiny")
    ids = torch.arange(3, 20)[None]
    with torch.no_grad():
        merged = AutoModelForCausalLM.from_pretrained(tmp_path)(ids).logits
        adapted = PeftModel.from_pretrained(base, str(local))(ids).logits
    assert torch.allclose(merged, adapted, atol=1e-4)


def test_a_pull_request_leaves_main_as_it_is_and_is_opened_once(
    ddl: CommandLine, hub: LocalHub, run_dir: Path
) -> None:
    repo = hub.make(NAME)
    before = repo.files()
    for _ in range(2):
        assert ddl("publish", run_dir, *ASKED, "--pr").code == 0
    assert repo.files() == before
    assert list(repo.titles) == ["refs/pr/1"]
    assert "adapter_model.safetensors" in repo.files("refs/pr/1")
