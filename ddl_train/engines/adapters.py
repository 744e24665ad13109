"""LoRA adapters on one long-lived base: load, switch, unload, lend the base out and take it back.

PEFT changes the base in place, leaves gradients switched on after `disable_adapter`, and drifts
when merging; TRL replaces the `forward` of the model it trains. None of this may outlive its use
here: the base is frozen, in evaluation mode and bitwise the same before and after.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError, safe_open

from ddl_train.errors import AdapterError
from ddl_train.records import BASE

WEIGHTS = "adapter_model.safetensors"
_PREFIX = "base_model.model."


class Adapters:
    """The adapters that a base knows, at most one of them active."""

    def __init__(self, base: Any, sha256: str) -> None:
        self._base = base
        self._sha256 = sha256
        self._peft: Any = None
        self._paths: dict[str, Path] = {}
        self._is_lent = False

    def __contains__(self, version: object) -> bool:
        return version in self._paths

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._paths))

    def load(self, version: str, path: Path, *, base_sha256: str | None = None) -> None:
        """Make an adapter known. Its weights are put on the base when it is first used.

        Args:
            version: the name it gets.
            path: its folder.
            base_sha256: fingerprint of the base it was trained on, where that is known.

        Raises:
            AdapterError: damaged, of another kind, or made for another base.
        """
        if version == BASE:
            raise AdapterError(f"{path}: an adapter cannot be named {BASE!r}")
        if base_sha256 is not None and base_sha256 != self._sha256:
            raise AdapterError(
                f"{path}: the adapter was made for another base (fingerprint {base_sha256[:12]}, "
                f"this base has {self._sha256[:12]}); load the base that it was trained on"
            )
        check_adapter(path, self._base)
        if version in self._paths:
            self.unload(version)
        self._paths[version] = path

    def unload(self, version: str) -> None:
        """Forget an adapter and free its weights."""
        self.path_of(version)
        del self._paths[version]
        slot = _slot(version)
        if self._peft is None or slot not in self._peft.peft_config:
            return
        others = [name for name in self._peft.peft_config if name != slot]
        if not others:
            self._detach()
            return
        if slot in self._peft.active_adapters:
            self._peft.set_adapter(others[0], inference_mode=True)
        self._peft.delete_adapter(slot)

    @contextmanager
    def active(self, version: str) -> Iterator[Any]:
        """The model under one adapter, or under none for `base`."""
        if self._is_lent:
            raise RuntimeError("the base is lent out for training; it cannot be run meanwhile")
        if version == BASE:
            if self._peft is None:
                yield self._base
                return
            try:
                with self._peft.disable_adapter():
                    yield self._peft
            finally:
                self._peft.requires_grad_(False)  # which leaving disable_adapter switches on
            return
        yield self._with_adapter(version)

    @contextmanager
    def lent(self) -> Iterator[Any]:
        """The plain base for training; afterwards it is stripped, frozen and as it was."""
        if self._is_lent:
            raise RuntimeError("the base is lent out already")
        self._detach()
        use_cache = self._base.config.use_cache
        generation_config = self._base.generation_config
        self._is_lent = True
        try:
            yield self._base
        finally:
            reclaim(self._base)
            self._base.config.use_cache = use_cache
            self._base.generation_config = generation_config
            self._is_lent = False

    def path_of(self, version: str) -> Path:
        """Folder of an adapter that is known."""
        if version not in self._paths:
            known = ", ".join(self._paths) or "none"
            raise AdapterError(f"adapter {version!r} is not loaded; loaded are: {known}")
        return self._paths[version]

    def _with_adapter(self, version: str) -> Any:
        path, slot = str(self.path_of(version)), _slot(version)
        try:
            if self._peft is None:
                self._peft = PeftModel.from_pretrained(
                    self._base, path, adapter_name=slot, is_trainable=False
                )
            elif slot not in self._peft.peft_config:
                self._peft.load_adapter(path, adapter_name=slot, is_trainable=False)
        except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
            self._detach()
            reason = " ".join(str(error).split())[:300]
            raise AdapterError(f"{path}: the adapter cannot be loaded: {reason}") from error
        self._peft.set_adapter(slot, inference_mode=True)
        self._peft.requires_grad_(False).eval()
        return self._peft

    def _detach(self) -> None:
        """Take all adapters off the base; they are put on again when next used."""
        if self._peft is not None:
            self._peft = None
            reclaim(self._base)


def _slot(version: str) -> str:
    """PEFT's name for it, which becomes an attribute of modules: no path, no `half`, no dot."""
    return f"adapter_{hashlib.sha256(version.encode()).hexdigest()[:16]}"


def reclaim(base: Any) -> None:
    """Bring a base back from PEFT and TRL: no adapter layers, own `forward`, frozen, evaluating."""
    for module in list(base.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, BaseTunerLayer):
                assert not child.merged, "adapters are never merged into the long-lived base"
                setattr(module, name, child.get_base_layer())
    assert not any(isinstance(module, BaseTunerLayer) for module in base.modules())
    for name in ("forward", "_original_forward", "peft_config", "_hf_peft_config_loaded"):
        base.__dict__.pop(name, None)
    for module in base.modules():
        if getattr(module, "gradient_checkpointing", False):
            module.gradient_checkpointing = False
    # enable_input_require_grads loses its earlier handle when it is called twice, and NEFTune's
    # stays where training breaks off
    base.get_input_embeddings()._forward_hooks.clear()
    base.requires_grad_(False).eval()
    for parameter in base.parameters():
        parameter.grad = None


def check_adapter(path: Path, base: Any) -> None:
    """Refuse an adapter that is damaged or not made for this base, before anything is changed.

    Raises:
        AdapterError: says which file and what about it.
    """
    config = _read_json(path / "adapter_config.json")
    if config.get("peft_type") != "LORA":
        raise AdapterError(
            f"{path}: adapter_config.json is of type {config.get('peft_type')!r}; expected LORA"
        )
    if not (path / WEIGHTS).is_file():
        raise AdapterError(f"{path}: holds no {WEIGHTS}; only safetensors adapters are loaded")
    _check_tensors(path / WEIGHTS, base)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AdapterError(f"{path.parent}: holds no {path.name}, so it is no adapter") from None
    except (OSError, ValueError) as error:
        raise AdapterError(f"{path}: cannot be read as JSON ({error})") from None
    if not isinstance(values, dict):
        raise AdapterError(f"{path}: holds {type(values).__name__}; expected a JSON object")
    return values


def _check_tensors(path: Path, base: Any) -> None:
    """Every LoRA matrix fits a module of the base and holds numbers."""
    modules = dict(base.named_modules())
    seen = 0
    try:
        with safe_open(path, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118 - not a dict
                where, _, matrix = key.removeprefix(_PREFIX).partition(".lora_")
                if not matrix:
                    continue
                seen += 1
                module = modules.get(where)
                tensor = file.get_tensor(key)
                if module is None or not _fits(module, matrix, tuple(tensor.shape)):
                    raise AdapterError(
                        f"{path}: {key} has shape {tuple(tensor.shape)}, which no module of this "
                        "base takes; the adapter was made for another base"
                    )
                if not torch.isfinite(tensor).all():
                    raise AdapterError(f"{path}: {key} holds NaN or infinite numbers")
    except (SafetensorError, OSError) as error:
        raise AdapterError(
            f"{path}: damaged or cut short ({error}); restore it or train again"
        ) from None
    if seen == 0:
        raise AdapterError(f"{path}: holds no LoRA matrices")


def _fits(module: Any, matrix: str, shape: tuple[int, ...]) -> bool:
    layer = module.get_base_layer() if isinstance(module, BaseTunerLayer) else module
    if matrix.startswith("A.") and hasattr(layer, "in_features"):
        return shape[-1] == layer.in_features
    if matrix.startswith("B.") and hasattr(layer, "out_features"):
        return shape[0] == layer.out_features
    return True
