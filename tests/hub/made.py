"""A run with a promoted adapter on a tiny random base: the files are real, the figures made up."""

import json
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from ddl_train.config import Config, parse_config
from ddl_train.engines.loading import fingerprint
from ddl_train.probes.files import read_probes
from ddl_train.probes.suites import identified
from ddl_train.records import BASE, EvalReport, ItemResult, Promotion, StudyItem
from ddl_train.roles.prompts import BUILT_IN
from ddl_train.storage.run import Run
from tests.storage.made import a_memory, dream, idea
from tests.tiny import make_tiny

NUM_PROBES = 8


def publishable_run(folder: Path, **values: object) -> Path:
    """Two cycles of dreams and one promoted night; its directory."""
    make_tiny(folder / "tiny")
    write_probes(folder / "retention.jsonl")
    with Run.create(a_config(folder, **values), pack_dir=BUILT_IN / "default") as run:
        memory = a_memory(run)
        run.start_cycle(0)
        insights = dream(memory, 0, 0, idea)
        ids = [one.insight_id for one in insights]
        memory.save_study_items(
            [
                StudyItem(insight_id=ids[0], kind="forward", question="what of it?", answer="so"),
            ]
        )
        run.finish_stage(0, "wake")
        version = add_lora(run, folder / "tiny", insight_ids=ids)
        run.finish_stage(0, "sleep", candidate=version)
        for name in (version, BASE):
            run.save_report(report(folder, name))
        run.finish_stage(0, "evaluate")
        decision = Promotion(
            candidate=version, promoted=True, reasons=("ok: uptake rose by 0.500",)
        )
        run.record_promotion(0, decision)
        memory.close()
    return run.dir


def a_config(folder: Path, **values: object) -> Config:
    whole: dict[str, object] = {
        "name": "dreams",
        "checkpoints_dir": str(folder / "checkpoints"),
        "num_cycles": 1,
        "model": {
            "base": str(folder / "tiny"),
            "device": "cpu",
            "max_length": 2000,
            "license": "apache-2.0",
        },
        "memory": {
            "sources": [str(folder / "docs")],
            "held_out_share": 0.0,
            "license": "apache-2.0",
        },
        "evaluate": {"retention": [str(folder / "retention.jsonl")]},
    }
    return parse_config(whole | values, where="test")


def write_probes(path: Path, *, answer: str = "zorol") -> None:
    lines = [
        {"id": f"r{n}", "prompt": f"who is {n}?", "answers": [answer], "choices": ["miritis"]}
        for n in range(NUM_PROBES)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def add_lora(run: Run, base: Path, *, seed: int = 0, insight_ids: list[int]) -> str:
    """A LoRA adapter of random weights that changes what the base says; its version."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(base)
    config = LoraConfig(
        r=2, lora_alpha=4, target_modules=["q_proj"], init_lora_weights=False, task_type="CAUSAL_LM"
    )
    out = run.night_dir(0) / f"candidate-{seed}"
    get_peft_model(model, config).save_pretrained(str(out), save_embedding_layers=False)
    (out / "README.md").unlink(missing_ok=True)
    path = out / "adapter_config.json"
    values = json.loads(path.read_text()) | {"base_model_name_or_path": str(base)}
    path.write_text(json.dumps(values, sort_keys=True))
    return run.add_adapter(
        out,
        cycle=0,
        base=str(base),
        base_sha256=fingerprint(base),
        parent=None,
        num_rows=12,
        num_insights=len(insight_ids),
        insight_ids=insight_ids,
    ).version


def report(folder: Path, adapter: str) -> EvalReport:
    """Uptake is learned, one of the retention questions is lost."""
    has_slept = adapter != BASE
    items = [
        _item("uptake", f"u{n}", is_correct=has_slept and n % 4 > 0, chance=0.2) for n in range(12)
    ]
    probes = identified(read_probes(folder / "retention.jsonl"))
    items += [
        _item("retention", probe.probe_id, is_correct=not (has_slept and n == 0), chance=0.5)
        for n, probe in enumerate(probes)
    ]
    losses = {str(folder / "kept.md"): (2.0, 2.2 if has_slept else 2.1, 1.9)}
    apart = dict.fromkeys(losses, (0.2 if has_slept else 0.0,) * 3)
    return EvalReport(
        adapter=adapter, cycle=0, items=tuple(items), losses=losses, divergences=apart
    )


def _item(suite: str, probe_id: str, *, is_correct: bool, chance: float) -> ItemResult:
    return ItemResult(
        probe_id=probe_id,
        suite=suite,
        kind="forward",
        is_correct=is_correct,
        margin=0.5 if is_correct else -0.5,
        chance=chance,
        answer="a private answer",
        cluster=probe_id,
    )
