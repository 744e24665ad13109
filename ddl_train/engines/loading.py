"""Load a base model and its tokenizer the safe way: safetensors, no remote code, no kernels."""

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import constants
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, GenerationConfig
from transformers.utils.hub import cached_file
from transformers.utils.logging import disable_progress_bar

from ddl_train.config import ModelConfig
from ddl_train.errors import ModelError, ResourceError

_SAMPLED = 64
_BLOCK = 1 << 16


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedBase:
    """A frozen base in evaluation mode, with what identifies it."""

    model: Any
    tokenizer: Any
    device: torch.device
    sha256: str
    revision: str | None
    """Commit that was loaded from the Hub; None for a folder."""


def load_base(config: ModelConfig) -> LoadedBase:
    """Load what `config` names.

    Raises:
        ModelError: there is no such model, or its files cannot be used.
        ResourceError: the machine lacks the GPU or the package that was asked for.
    """
    device = choose_device(config)
    options: dict[str, Any] = {"trust_remote_code": False, "revision": config.revision}
    _check_searchable(config.base)
    if Path(config.base).is_dir():
        options |= {"local_files_only": True, "revision": None}
    elif config.base.startswith((".", "/", "~")) or config.base.count("/") > 1:
        raise ModelError(
            f"{config.base}: no such folder; model.base is a folder or a Hub id like 'owner/name'"
        )
    disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(config.base, use_fast=True, **options)
        model: Any = AutoModelForCausalLM.from_pretrained(
            config.base,
            dtype=choose_dtype(config, device),
            use_safetensors=True,
            attn_implementation="sdpa",
            **_quantization(config, device),
            **options,
        )
    except torch.OutOfMemoryError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelError(_explain(config, error)) from error
    if not config.load_in_4bit:
        model = model.to(device)
    model.requires_grad_(False).eval()
    model.generation_config = GenerationConfig(eos_token_id=model.generation_config.eos_token_id)
    folder = _folder_of(config, options)
    return LoadedBase(
        model=model,
        tokenizer=tokenizer,
        device=device,
        sha256=fingerprint(folder),
        revision=None if Path(config.base).is_dir() else folder.name,
    )


def _check_searchable(base: str) -> None:
    """Refuse a folder that may not be looked into; what is no folder passes."""
    try:
        (Path(base) / "config.json").stat()
    except PermissionError:
        raise ModelError(
            f"{base}: the folder may not be searched; check its owner and mode, and those of the "
            "folders above it"
        ) from None
    except (OSError, ValueError):
        pass


def choose_device(config: ModelConfig) -> torch.device:
    """Where the base goes; a GPU that is asked for and absent is an error."""
    has_gpu = torch.cuda.is_available()
    if config.device == "cuda" and not has_gpu:
        raise ResourceError(
            "model.device is cuda, but torch sees no GPU here; set `model.device: auto`, or "
            "install a torch built for this machine's CUDA"
        )
    if config.load_in_4bit and (config.device == "cpu" or not has_gpu):
        raise ResourceError(
            "model.load_in_4bit needs a CUDA GPU, and none is used here; set it to false"
        )
    return torch.device("cuda" if has_gpu and config.device != "cpu" else "cpu")


def choose_dtype(config: ModelConfig, device: torch.device) -> torch.dtype:
    """Of the base weights: `auto` is bfloat16 on a GPU and float32 on a CPU."""
    if config.dtype == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return torch.bfloat16 if config.dtype == "bfloat16" else torch.float32


def fingerprint(folder: Path) -> str:
    """Tells one base from another, cheaply: its config, and its weights.

    Files up to 4 MiB are hashed whole; of larger ones the size, the header and 64 blocks spread
    evenly. Two trainings of one architecture differ in nearly every block.
    """
    digest = hashlib.sha256()
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for key in ("transformers_version", "_name_or_path"):
        config.pop(key, None)
    digest.update(json.dumps(config, sort_keys=True).encode())
    for path in sorted(folder.glob("*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.name}:{size};".encode())
        with path.open("rb") as file:
            if size <= _SAMPLED * _BLOCK:
                digest.update(file.read())
                continue
            for number in range(_SAMPLED):
                file.seek(number * (size - _BLOCK) // (_SAMPLED - 1))
                digest.update(file.read(_BLOCK))
    return digest.hexdigest()


def _quantization(config: ModelConfig, device: torch.device) -> dict[str, Any]:
    if not config.load_in_4bit:
        return {}
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ResourceError(
            "model.load_in_4bit needs the package bitsandbytes; install `ddl-train[qlora]`"
        )
    return {
        "quantization_config": BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=choose_dtype(config, device),
        ),
        "device_map": {"": torch.cuda.current_device()},
    }


def _folder_of(config: ModelConfig, options: dict[str, Any]) -> Path:
    """The folder that holds the files of the base: the user's, or the Hub cache's snapshot."""
    if Path(config.base).is_dir():
        return Path(config.base)
    found = cached_file(config.base, "config.json", revision=options["revision"])
    assert found is not None, "the model was just loaded, so its config is in the cache"
    return Path(found).parent


def _explain(config: ModelConfig, error: Exception) -> str:
    """One sentence on why a base cannot be loaded."""
    reason = " ".join(str(error).split())[:300]
    if not Path(config.base).is_dir():
        offline = " (this machine is set offline)" if constants.HF_HUB_OFFLINE else ""
        return (
            f"{config.base}: cannot be loaded from the Hugging Face Hub{offline}, and no folder "
            f"has that name: {reason}"
        )
    if not (Path(config.base) / "config.json").is_file():
        return f"{config.base}: the folder holds no config.json, so it is not a model"
    if not any(Path(config.base).glob("*.safetensors")):
        return f"{config.base}: the folder holds no *.safetensors weights; convert the model first"
    if "ignore_mismatched_sizes" in reason:  # points to a report on the screen
        reason = "its weights are of another shape than its config.json says"
    return f"{config.base}: cannot be loaded as a causal language model: {reason}"
