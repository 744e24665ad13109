"""Merged weights, for those who must serve without PEFT, and the check that an adapter answers."""

import json
import shutil
from pathlib import Path

from peft import PeftModel

from ddl_train.config import ModelConfig
from ddl_train.engines.loading import load_base
from ddl_train.engines.transformers_engine import TransformersEngine, load_engine
from ddl_train.errors import HubError
from ddl_train.records import Continuation, Sampling

MAX_SHARD_SIZE = "4GB"
NUM_TOKENS = 24
"""Of the answer that is compared."""
TOLERANCE = 0.05
"""Nats a token by which the local answer may be less or more likely under merged weights: merging
rounds them."""


def write_merged(config: ModelConfig, adapter_dir: Path, out_dir: Path) -> None:
    """Write base and adapter as one model in safetensors shards, with tokenizer and template.

    Raises:
        HubError: the base is loaded in 4 bits, in which nothing can be merged.
    """
    if config.load_in_4bit:
        raise HubError(
            "--merged needs the base in full precision and model.load_in_4bit is on; publish the "
            "adapter without --merged"
        )
    base = load_base(config)
    model = PeftModel.from_pretrained(base.model, str(adapter_dir)).merge_and_unload(
        safe_merge=True
    )
    model.save_pretrained(str(out_dir), max_shard_size=MAX_SHARD_SIZE)
    base.tokenizer.save_pretrained(str(out_dir))
    config_path = out_dir / "config.json"
    values = json.loads(config_path.read_text(encoding="utf-8"))
    values.pop("_name_or_path", None)
    config_path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    for path in out_dir.iterdir():
        if path.is_dir():
            shutil.rmtree(path)


def check_answer(
    config: ModelConfig, adapter_dir: Path, fetched: Path, prompt: str, *, is_merged: bool
) -> str:
    """Put one prompt to the local adapter and to what was fetched; the answer.

    Args:
        config: of the base.
        adapter_dir: the run's own adapter.
        fetched: folder as it came from the repository.
        prompt: user message.
        is_merged: `fetched` is a whole model.

    Raises:
        HubError: they do not answer alike.
        AdapterError: what was fetched cannot be loaded.
    """
    engine = load_engine(config)
    engine.load_adapter("local", adapter_dir)
    local = _answer(engine, prompt, "local")
    if is_merged:
        whole = load_engine(config.model_copy(update={"base": str(fetched), "revision": None}))
        asked = [Continuation(prompt=prompt, continuation=local or "yes")]
        ours = engine.loglikelihood(asked, adapter="local")[0][0].mean
        theirs = whole.loglikelihood(asked, adapter="base")[0][0].mean
        if not abs(ours - theirs) <= TOLERANCE:
            raise HubError(
                f"the merged model that was fetched back finds the local answer {theirs:.3f} nats a "
                f"token likely, the local adapter {ours:.3f}; they are not the same"
            )
        return local
    engine.load_adapter("fetched", fetched)
    remote = _answer(engine, prompt, "fetched")
    if remote != local:
        raise HubError(
            f"the adapter that was fetched back answers {remote[:60]!r} where the local one answers "
            f"{local[:60]!r}; they are not the same"
        )
    return local


def _answer(engine: TransformersEngine, prompt: str, adapter: str) -> str:
    sampling = Sampling(max_new_tokens=NUM_TOKENS)
    return engine.generate([prompt], sampling=sampling, adapter=adapter, seed=0)[0][0].text
