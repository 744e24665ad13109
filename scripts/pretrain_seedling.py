"""Raise a seedling: a small Llama trained from scratch in the invented world.

    python scripts/pretrain_seedling.py --size base --minutes 85 --work /tmp/seedling
    python scripts/pretrain_seedling.py --size base --work /tmp/seedling --export checkpoints/seedling

Rows packed with attention inside each row, the loss where `seedling_batches.py` puts it. Warm-up,
constant rate, then a linear decay over the last part of the minutes. Stopped and started again with
the same `--work`, it goes on where it was; with more `--minutes`, it goes on longer. The decay goes
by the clock, so that two runs of a seed are alike and not the same. Skills are measured on unseen
scenes as it trains and appended to `skills.jsonl`. `--device cuda` was never tried.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads sleep, not spin

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from seedling_batches import Packer
from seedling_exam import exam_rows, measure
from seedling_replay import write_replay
from seedling_team import Team
from seedling_tokenizer import build_tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from ddl_train.bench.speaker import Speaker

SIZES = {
    "base": {"hidden_size": 256, "num_hidden_layers": 4, "intermediate_size": 768, "heads": 8},
    "small": {"hidden_size": 128, "num_hidden_layers": 3, "intermediate_size": 384, "heads": 4},
}
PLACES = 256
"""Taught places are padded to a multiple of this."""


# ---- training -----------------------------------------------------------------------------


def make_model(size: str, vocab_size: int, seed: int) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    shape = dict(SIZES[size])
    heads = shape.pop("heads")
    config = LlamaConfig(
        vocab_size=vocab_size,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=1,
        **shape,
    )
    return LlamaForCausalLM(config)


def save_state(path: Path, model: Any, optimizer: Any, meta: dict[str, Any]) -> None:
    """Write weights, optimizer moments and counters in one file, replaced whole."""
    tensors = {f"model.{n}": p.detach().contiguous() for n, p in model.named_parameters()}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state[parameter].items():
            tensors[f"{key}.{name}"] = value.detach().contiguous()
    save_file(tensors, path.with_suffix(".tmp"), metadata={"meta": json.dumps(meta)})
    os.replace(path.with_suffix(".tmp"), path)


def load_state(path: Path, model: Any, optimizer: Any | None) -> dict[str, Any]:
    with safe_open(path, "pt") as file, torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(file.get_tensor(f"model.{name}"))
            if optimizer is not None:
                keys = ("step", "exp_avg", "exp_avg_sq")
                optimizer.state[parameter] = {
                    k: file.get_tensor(f"{k}.{name}").to(parameter.device) for k in keys
                }
        meta: dict[str, Any] = json.loads(file.metadata()["meta"])
    return meta


def decay_at(seconds: float, args: argparse.Namespace) -> float:
    """Share of the rate that is left: all of it, then linearly less by time."""
    left = (args.minutes * 60 - seconds) / (args.minutes * 60 * args.decay)
    return max(0.02, min(1.0, left))


def rate_at(step: int, seconds: float, args: argparse.Namespace) -> float:
    """Warm up by steps, stay, then decay."""
    return float(args.lr * min(1.0, (step + 1) / 100) * decay_at(seconds, args))


def step_loss(body: Any, head: Any, batch: dict[str, torch.Tensor], dtype: Any) -> torch.Tensor:
    """Weighted cross-entropy; each row sees only itself."""
    segments = batch["segments"]
    length = segments.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=segments.device).tril()
    mask = (segments[:, None, :, None] == segments[:, None, None, :]) & causal
    with torch.autocast(segments.device.type, dtype=dtype, enabled=dtype is torch.bfloat16):
        hidden = body(
            input_ids=batch["ids"],
            attention_mask=mask,
            position_ids=batch["positions"],
            use_cache=False,
        ).last_hidden_state
        weights, targets = batch["weights"][:, 1:].flatten(), batch["ids"][:, 1:].flatten()
        taught = pad_places(weights.nonzero()[:, 0], PLACES)
        logits = head(hidden[:, :-1].flatten(0, 1)[taught])
    losses = torch.nn.functional.cross_entropy(logits.float(), targets[taught], reduction="none")
    counted = weights[taught] * (
        torch.arange(len(taught), device=taught.device) < (weights > 0).sum()
    )
    return (losses * counted).sum() / counted.sum()


def fastest_dtype(device: str) -> torch.dtype:
    """bfloat16, but on a processor without instructions for it, where it is far slower."""
    if device != "cpu":
        return torch.bfloat16
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        matrix = torch.ones(512, 512, dtype=dtype, device=device)
        for _ in range(2):  # the first one prepares
            began = time.perf_counter()
            (matrix @ matrix).sum().item()
            seconds[dtype] = time.perf_counter() - began
    return min(seconds, key=seconds.__getitem__)


def pad_places(places: torch.Tensor, multiple: int) -> torch.Tensor:
    """Repeat the first place up to a round length: few shapes, so few kernels are made and kept."""
    missing = -len(places) % multiple
    return torch.cat([places, places[:1].expand(missing)])


def make_optimizer(model: Any, rate: float) -> torch.optim.AdamW:
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.97), fused=True)


class Diary:
    """Says how training goes, measures the skills now and then, and keeps the state."""

    def __init__(self, args: argparse.Namespace, speaker: Speaker, now: dict[str, Any]) -> None:
        self.args, self.speaker = args, speaker
        self.exam = exam_rows(args.seed, args.exam)
        self.measured_at = self.saved_at = now["seconds"]
        self.clock, self.losses = time.monotonic(), 0.0

    def enter(self, now: dict[str, Any], optimizer: torch.optim.Optimizer, loss: float) -> None:
        args, minutes = self.args, now["seconds"] / 60
        done = minutes >= args.minutes
        self.losses += loss
        if now["step"] % 100 == 0:
            pace = 100 * args.sequences * args.length / (time.monotonic() - self.clock)
            rate = optimizer.param_groups[0]["lr"]
            say(
                f"{now['step']} {minutes:.1f}min loss {self.losses / 100:.4f} "
                f"lr {rate:.1e} {pace:.0f} tok/s"
            )
            self.clock, self.losses = time.monotonic(), 0.0
        if done or now["seconds"] - self.measured_at > args.measure_minutes * 60:
            self.measured_at = now["seconds"]
            torch.set_num_threads(args.threads * args.workers)  # the others wait
            self.speaker.model.eval()
            table = now | {"minutes": round(minutes, 1)} | measure(self.speaker, self.exam)
            self.speaker.model.train()
            torch.set_num_threads(args.threads)
            say(json.dumps(table))
            with (args.work / "skills.jsonl").open("a") as file:
                file.write(json.dumps(table) + "\n")
        if done or now["seconds"] - self.saved_at > 120:
            self.saved_at = now["seconds"]
            save_state(args.work / "state.safetensors", self.speaker.model, optimizer, now)


def say(text: str) -> None:
    print(text, flush=True)


def train(rank: int, args: argparse.Namespace) -> None:
    torch.set_num_threads(args.threads)
    team = Team(rank, args.workers, args.work)
    packer = Packer(args.seed, args.sequences // args.workers, args.length)
    model = make_model(args.size, len(packer.tokenizer), args.seed).to(args.device)
    if args.start:
        given = LlamaForCausalLM.from_pretrained(args.start, dtype=torch.float32)
        model.load_state_dict(given.state_dict())
    optimizer = make_optimizer(model, args.lr)
    now: dict[str, Any] = {"step": 0, "seconds": 0.0, "tokens": 0}
    if (args.work / "state.safetensors").exists():
        now = load_state(args.work / "state.safetensors", model, optimizer)
    body = torch.compile(model.model) if args.compile else model.model
    diary = Diary(args, Speaker(model, packer.tokenizer), now)
    began = time.monotonic() - now["seconds"]
    while now["seconds"] < args.minutes * 60:
        # each worker its own share of the batch
        step = now["step"]
        number = step * args.workers + rank
        batch = packer.batch(number, step, passing=decay_at(now["seconds"], args))
        arrays = {key: torch.from_numpy(value).to(args.device) for key, value in batch.items()}
        loss = step_loss(body, model.lm_head, arrays, args.dtype)
        loss.backward()
        seconds = team.agree(model, time.monotonic() - began)

        # the same step everywhere
        for group in optimizer.param_groups:
            group["lr"] = rate_at(now["step"], seconds, args)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        tokens = now["tokens"] + int((batch["segments"] >= 0).sum()) * args.workers
        now = {"step": now["step"] + 1, "seconds": seconds, "tokens": tokens}
        if rank == 0:
            diary.enter(now, optimizer, loss.item())


# ---- export -------------------------------------------------------------------------------


def export(args: argparse.Namespace) -> None:
    tokenizer = build_tokenizer()
    model = make_model(args.size, len(tokenizer), args.seed)
    meta = load_state(args.work / "state.safetensors", model, None)
    args.export.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(args.export)
    tokenizer.save_pretrained(args.export)
    if args.size == "base":
        write_replay(args.export, args.seed)
    print(json.dumps(meta))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=SIZES, default="base", help="small is the sibling")
    parser.add_argument(
        "--work", type=Path, required=True, help="folder for state and skills.jsonl"
    )
    parser.add_argument(
        "--start", type=Path, help="folder of a seedling of this size to go on from; not at random"
    )
    parser.add_argument("--minutes", type=float, default=85, help="total training time")
    parser.add_argument(
        "--decay", type=float, default=0.25, help="last share of the time: rate falls"
    )
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--sequences", type=int, default=24, help="packed sequences in a step")
    parser.add_argument("--length", type=int, default=192, help="tokens in a packed sequence")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--workers", type=int, help="processes that share a step; 2, and 1 on a GPU (no more there)"
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of each worker")
    parser.add_argument("--exam", type=int, default=96, help="rows of each skill in a quick exam")
    parser.add_argument("--measure-minutes", type=float, default=4)
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    parser.add_argument("--export", type=Path, help="write a model folder from the state, and stop")
    args = parser.parse_args()
    is_cpu = args.device == "cpu"
    args.workers = args.workers or (2 if is_cpu else 1)
    if args.workers > 1 and not is_cpu:
        parser.error(
            f"--workers {args.workers}: got {args.device}, and only a CPU is shared; give 1"
        )
    if args.sequences % args.workers:
        parser.error(f"--sequences {args.sequences}: cannot be shared by {args.workers} workers")
    if not 0 < args.decay <= 1:
        parser.error(f"--decay {args.decay}: expected more than 0 and at most 1")
    if args.start and not (args.start / "config.json").is_file():
        parser.error(f"--start {args.start}: holds no model")
    if args.export and not (args.work / "state.safetensors").is_file():
        parser.error(f"{args.work}: holds no state to export; train first")
    if args.export:
        export(args)
    else:
        args.dtype = fastest_dtype(args.device)
        say(f"products in {args.dtype}")
        args.work.mkdir(parents=True, exist_ok=True)
        (args.work / "meeting").unlink(missing_ok=True)
        if args.workers == 1:
            train(0, args)
        else:
            torch.multiprocessing.spawn(train, args=(args,), nprocs=args.workers)


if __name__ == "__main__":
    main()
