"""A night in several processes: started, watched, stopped and mourned by the one that runs the run.

On GPUs `accelerate launch` starts them, with the user's file or one of those in
`configs/accelerate/`; on a CPU `torchrun` does, with gloo, since what `accelerate config` writes
for a CPU starts one process there and says nothing. Ctrl-C reaches only this process, which asks
the others to stop. When it is killed they end by themselves.

Not covered: several machines; DeepSpeed; FSDP2 on a CPU, or of a quantised base.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from accelerate.commands.config.config_args import load_config_from_file

import ddl_train
from ddl_train import errors
from ddl_train.config import ModelConfig, SleepConfig
from ddl_train.engines.loading import choose_device
from ddl_train.errors import ConfigError, DdlTrainError, ResourceError
from ddl_train.training.checkpoints import complete_with, newest_complete
from ddl_train.training.task import FAILURE, OUTCOME, STEPS, TASK, Desk, Failure, Outcome, Task

CONFIG_DIRS = (
    Path(__file__).resolve().parent / "accelerate",
    Path(__file__).resolve().parents[2] / "configs" / "accelerate",
)
"""Where `ddp` and `fsdp2` are found: beside this file in a wheel, in `configs/` in a checkout."""
POLL_S = 0.1
PATIENCE_S = 10.0
"""How long processes that are done, or not wanted any more, may take to end."""
KILLED = re.compile(r"Signal \d+ \((SIG(?!TERM)\w+)\) received by PID")


def check_launch(config: SleepConfig, model: ModelConfig) -> None:
    """Refuse, before anything is dreamt, what could not be trained so.

    Raises:
        ConfigError: the run itself is one of several processes, or the accelerate config is wrong.
        ResourceError: there are fewer GPUs than processes.
    """
    if (number := int(os.environ.get("WORLD_SIZE", "1"))) > 1:
        raise ConfigError(
            f"the run was started as one of {number} processes; start it without a launcher and set "
            f"sleep.num_processes to {number}: only sleep takes several"
        )
    if config.num_processes > 1:
        is_sharded(config, model)


def is_sharded(config: SleepConfig, model: ModelConfig) -> bool:
    """Whether the base is to be shared out with FSDP2, after checking that it can be.

    Raises:
        ConfigError: the accelerate config is not found, or asks for what is not covered.
        ResourceError: there are fewer GPUs than processes.
    """
    named = f"sleep.accelerate_config {config.accelerate_config!r}"
    path = accelerate_file(config.accelerate_config)
    try:
        values: Any = load_config_from_file(str(path))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"{named}: {path} is no file of `accelerate config`: {reason}") from None
    kind = str(values.distributed_type).removeprefix("DistributedType.")
    version = int((getattr(values, "fsdp_config", None) or {}).get("fsdp_version", 1))
    if kind not in ("MULTI_GPU", "FSDP") or (kind == "FSDP" and version != 2):
        found = f"FSDP version {version}" if kind == "FSDP" else kind
        raise ConfigError(f"{named} asks for {found}; expected MULTI_GPU or FSDP version 2")
    if (getattr(values, "num_machines", 1) or 1) > 1:
        raise ConfigError(f"{named} asks for several machines; a run sleeps on one")
    on_cpu = choose_device(model).type == "cpu"
    if kind == "FSDP" and (on_cpu or model.load_in_4bit):
        what = "a CPU, where it would silently be DDP" if on_cpu else "model.load_in_4bit"
        raise ConfigError(f"{named}: FSDP2 does not go with {what}; set it to ddp")
    if not on_cpu and torch.cuda.device_count() < config.num_processes:
        raise ResourceError(
            f"sleep.num_processes is {config.num_processes}, and torch sees "
            f"{torch.cuda.device_count()} GPUs; one process needs one GPU"
        )
    return kind == "FSDP"


def accelerate_file(name: str) -> Path:
    """The file that `sleep.accelerate_config` names.

    Raises:
        ConfigError: there is none.
    """
    for path in (Path(name), *(folder / f"{name}.yaml" for folder in CONFIG_DIRS)):
        if path.is_file():
            return path
    raise ConfigError(
        f"sleep.accelerate_config is {name!r}; expected ddp, fsdp2, or a file of `accelerate config`"
    )


@contextmanager
def aside(base: Any) -> Iterator[None]:
    """Within, the base lies in host memory, and its GPU is free for others."""
    device = base.device
    if device.type == "cpu":
        yield
        return
    base.to("cpu")
    torch.cuda.empty_cache()
    try:
        yield
    finally:
        base.to(device)


def train_apart(
    task: Task, *, progress: Callable[..., None] | None, should_stop: Callable[[], bool] | None
) -> Outcome:
    """Train in processes of their own, on from the newest checkpoint, and wait for them.

    Args:
        task: of the night; where it is resumed is found here.
        progress: told "n more optimizer steps done" and the `total` of the night.
        should_stop: asked all the while; True stops the night after its next step.

    Raises:
        DdlTrainError: as one of them raised it.
        ResourceError: one of them was killed; what was trained up to a checkpoint is saved.
        RuntimeError: one of them failed, with its traceback.
    """
    desk = Desk(task.out_dir)
    desk.wait_until_left()
    shutil.rmtree(desk.folder, ignore_errors=True)
    desk.folder.mkdir(parents=True)
    desk.task.write_bytes(TASK.dump_json(task))
    with desk.log.open("wb") as log:
        child = subprocess.Popen(
            _command(task),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=_environment(),
        )
        try:
            _wait(child, desk, progress, should_stop)
        finally:
            _end(child, are_done=desk.outcome.exists())
    if not desk.outcome.exists():
        raise _error(task, desk, child.returncode)
    outcome = OUTCOME.validate_json(desk.outcome.read_bytes())
    shutil.rmtree(desk.folder, ignore_errors=True)
    return outcome


def resume_point(out_dir: Path, config: SleepConfig, *, sharded: bool) -> Path | None:
    """The newest checkpoint that this number of processes can go on from."""
    Desk(out_dir).wait_until_left()
    return newest_complete(out_dir, complete_with(config.num_processes, is_sharded=sharded))


def _command(task: Task) -> list[str]:
    number, port = str(task.config.num_processes), str(_free_port())
    rank = ["-m", "ddl_train.training.rank", str(task.out_dir)]
    if choose_device(task.model).type == "cpu":
        place = ["--master-addr", "127.0.0.1", "--master-port", port]
        run = ["-m", "torch.distributed.run", "--nproc-per-node", number, *place]
    else:
        file = str(accelerate_file(task.config.accelerate_config))
        run = ["-m", "accelerate.commands.launch", "--config_file", file]
        run += ["--num_processes", number, "--main_process_port", port]
    return [sys.executable, *run, *rank]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment() -> dict[str, str]:
    """This one's, so that the same code is found whatever the folder it was started in."""
    code = str(Path(ddl_train.__file__).resolve().parents[1])
    known = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([code, known] if known else [code])}


def _wait(
    child: subprocess.Popen[bytes],
    desk: Desk,
    progress: Callable[..., None] | None,
    should_stop: Callable[[], bool] | None,
) -> None:
    num_read = 0
    is_over = False
    while not is_over:
        is_over = child.poll() is not None or desk.outcome.exists()
        told = desk.steps.read_bytes() if desk.steps.exists() else b""
        for line in told[num_read : told.rfind(b"\n") + 1].splitlines():
            steps = STEPS.validate_json(line)
            if progress:
                progress(steps.num_new, total=steps.total)
        num_read = told.rfind(b"\n") + 1
        if should_stop and should_stop():
            desk.stop.touch()
        if not is_over:
            time.sleep(POLL_S)


def _end(child: subprocess.Popen[bytes], *, are_done: bool) -> None:
    """Wait for the processes, or else close what they listen to, upon which they end.

    A launcher that is told to end kills the processes that it still has.
    """
    assert child.stdin is not None
    ends = [child.stdin.close, child.terminate, child.kill]
    for end in [lambda: None, *ends] if are_done else ends:
        if child.poll() is None:
            end()
            with suppress(subprocess.TimeoutExpired):
                child.wait(PATIENCE_S)
    child.stdin.close()


def _error(task: Task, desk: Desk, code: int) -> Exception:
    """Why there is no outcome: killed first, since that makes the others fail too."""
    log = desk.log.read_text(encoding="utf-8", errors="replace")
    files = sorted(desk.folder.glob("failed-*.json"))
    failures = [FAILURE.validate_json(path.read_bytes()) for path in files]
    killed = KILLED.search(log)
    if killed or not failures:
        how = f"was killed by {killed[1]}" if killed else f"ended with exit code {code}"
        done = newest_complete(
            desk.night_dir, complete_with(task.config.num_processes, is_sharded=task.is_sharded)
        )
        step = done.name.removeprefix("checkpoint-") if done else None
        saved = f"the night is saved up to step {step}" if step else "the night begins anew"
        return ResourceError(
            f"sleep: one of {task.config.num_processes} processes {how} (a full memory does that "
            f"too); {saved}, give the same command again; what they said is in {desk.log}"
        )
    return _raised(min(failures, key=lambda failure: failure.at))


def _raised(failure: Failure) -> Exception:
    kind = getattr(errors, failure.kind, None)
    if isinstance(kind, type) and issubclass(kind, DdlTrainError):
        return kind(failure.sentence)
    if failure.kind == "OutOfMemoryError":
        return ResourceError(
            "the device's memory is full; lower sleep.per_device_train_batch_size and give the "
            "same command again, it goes on"
        )
    return RuntimeError(f"in a process of the night:\n{failure.traceback}")
