"""One of the processes of a night: `python -m ddl_train.training.rank NIGHT_DIR`, under torchrun.

Each loads the base itself and trains its share of every step; the first one saves. Launchers start
fewer processes than asked, and train otherwise than asked, without a word (`accelerate launch`
starts one on a CPU, and FSDP becomes DDP there), so both are checked here.

The parent holds the other end of standard input: when it is gone, so are these.
"""

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from ddl_train.config import ModelConfig
from ddl_train.engines.loading import LoadedBase, choose_device, choose_dtype, load_base
from ddl_train.errors import ModelError, ResourceError
from ddl_train.training.merge import add_deltas, merged_into
from ddl_train.training.rows_apart import rows_apart
from ddl_train.training.running import full_disk_is_said, train_from
from ddl_train.training.task import (
    FAILURE,
    OUTCOME,
    STEPS,
    TASK,
    Desk,
    Failure,
    Outcome,
    Steps,
    Task,
)
from ddl_train.training.trainer import make_trainer, quiet_libraries
from ddl_train.training.watcher import Watcher

RANK = int(os.environ.get("RANK", "0"))


def main(night_dir: Path) -> Any:
    """Train, and leave what came of it as files; the trainer, which is not to be taken apart."""
    desk = Desk(night_dir)
    with desk.manned(), _failures_told(desk):
        task = TASK.validate_json(desk.task.read_bytes())
        check_number(task, int(os.environ.get("WORLD_SIZE", "1")))
        outcome, trainer = _train(task, desk)
        if RANK == 0:
            tmp = desk.outcome.with_suffix(".tmp")
            tmp.write_bytes(OUTCOME.dump_json(outcome))
            tmp.replace(desk.outcome)
    return trainer


def check_number(task: Task, found: int) -> None:
    """Refuse to train in another number of processes than was asked for.

    Raises:
        ResourceError: says how many there are.
    """
    asked = task.config.num_processes
    if found != asked:
        raise ResourceError(
            f"sleep.num_processes is {asked}, and the launcher started {found}; set "
            "sleep.num_processes to the number of GPUs, or look at sleep.accelerate_config "
            f"({task.config.accelerate_config!r})"
        )


def check_is_sharded(task: Task, accelerator: Any) -> None:
    """Refuse to train with DDP what was to be trained with FSDP2, or the other way round.

    Raises:
        ResourceError: says what it is.
    """
    if task.is_sharded != accelerator.is_fsdp2:
        kind = str(accelerator.distributed_type).removeprefix("DistributedType.")
        wanted = "FSDP2" if task.is_sharded else "DDP"
        raise ResourceError(
            f"sleep.accelerate_config {task.config.accelerate_config!r} asks for {wanted}, and "
            f"accelerate made {kind} of it; FSDP2 needs GPUs and `fsdp_version: 2`"
        )


def _train(task: Task, desk: Desk) -> tuple[Outcome, Any]:
    config, out_dir = task.config, task.out_dir
    on_cpu = choose_device(task.model).type == "cpu"
    if not on_cpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    loaded = _load(task, on_cpu=on_cpu)
    watcher = Watcher(_teller(desk) if RANK == 0 else None, _listener(desk, on_cpu=on_cpu))
    merged = task.start_from if config.method == "merge" else None
    base = loaded.model
    with quiet_libraries(), merged_into(base, merged), rows_apart(base, config):
        trainer = make_trainer(
            base,
            loaded.tokenizer,
            task.encoded,
            config,
            out_dir=out_dir,
            seed=task.seed,
            start_from=None if merged else task.start_from,
            on_cpu=on_cpu,
        )
        check_number(task, trainer.accelerator.num_processes)
        check_is_sharded(task, trainer.accelerator)
        saved = train_from(
            task.resume_from, trainer, watcher, out_dir, base=task.base, revision=task.revision
        )
        if merged and saved:
            with full_disk_is_said(out_dir):
                add_deltas(merged, saved, saved)
        trainer.accelerator.wait_for_everyone()
    outcome = Outcome(
        saved=saved,
        was_stopped=watcher.was_stopped,
        failed_because=watcher.failed_because,
        metrics=watcher.metrics,
    )
    return outcome, trainer


def _load(task: Task, *, on_cpu: bool) -> LoadedBase:
    """The base, on this process's device; what will be shared out is first held by the host."""
    model: ModelConfig = task.model
    if task.is_sharded and not on_cpu:
        dtype = choose_dtype(model, torch.device("cuda"))
        name = "bfloat16" if dtype is torch.bfloat16 else "float32"
        model = model.model_copy(update={"device": "cpu", "dtype": name})
    loaded = load_base(model)
    if loaded.sha256 != task.base_sha256:
        raise ModelError(
            f"{model.base}: is another model than the run was begun with; restore its files"
        )
    return loaded


def _teller(desk: Desk) -> Callable[..., None]:
    def tell(num_new: int, total: int) -> None:
        with desk.steps.open("ab") as file:
            file.write(STEPS.dump_json(Steps(num_new=num_new, total=total)) + b"\n")

    return tell


def _listener(desk: Desk, *, on_cpu: bool) -> Callable[[], bool]:
    """Whether to stop: what the first process sees, in all of them after the same step."""
    device = "cpu" if on_cpu else "cuda"

    def should_stop() -> bool:
        wish = torch.tensor([RANK == 0 and desk.stop.exists()], dtype=torch.uint8, device=device)
        distributed.broadcast(wish, src=0)
        return bool(wish.item())

    return should_stop


def _end_with_parent() -> None:
    """Wait for the end of standard input, which is the end of the process that asked for this."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


@contextmanager
def _failures_told(desk: Desk) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        failure = Failure(
            kind=type(error).__name__,
            sentence=" ".join(str(error).split()),
            traceback=traceback.format_exc(),
            at=time.time(),
        )
        desk.failure(RANK).write_bytes(FAILURE.dump_json(failure))
        traceback.print_exc()
        raise


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    code = 1
    try:
        kept = main(Path(sys.argv[1]))
        if wandb := sys.modules.get("wandb"):
            wandb.finish()
        code = 0
    finally:
        # not by way of the interpreter's end: torch joins gloo's thread with Python's lock in hand,
        # and that thread may be waiting for the lock
        os._exit(code)
