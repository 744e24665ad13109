"""What changes when a run is taken up again with another config: proposed first, kept later."""

import os
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from ddl_train.config import Config, changed_keys, dump_yaml, is_changeable
from ddl_train.errors import RunError
from ddl_train.storage.create import CONFIG_NAME, PROMPTS_NAME, Change, write_config
from ddl_train.storage.database import transaction
from ddl_train.storage.files import copy_tree, explained, fsync_dir, write_text

_PLACE_KEYS = ("checkpoints_dir",)
"""Where a run lies is no part of what it is: a folder may be moved."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposed:
    """A config for a run that exists, compared with its own and not stored yet."""

    config: Config
    pack_dir: Path | None
    """Prompts in place of its own; None keeps those."""
    changes: tuple[Change, ...]


def propose(old: Config, new: Config, pack_dir: Path) -> Proposed:
    """Compare a run's config with another.

    Raises:
        RunError: something changed that makes it another run.
    """
    run_dir = new.run_dir
    changes = _changes_between(old, new, run_dir)
    keys = {key for key, _, _ in changes}
    has_prompts = (run_dir / PROMPTS_NAME).is_dir()
    is_other = "wake.prompts" in keys or not has_prompts
    return Proposed(config=new, pack_dir=pack_dir if is_other else None, changes=tuple(changes))


def keep(connection: sqlite3.Connection, proposed: Proposed, run_dir: Path, *, cycle: int) -> None:
    """Store a proposed config and its prompts; the database is the truth, the YAML for people."""
    if proposed.pack_dir is not None:
        _replace_prompts(run_dir, proposed.pack_dir, cycle=cycle)
    with transaction(connection):
        write_config(connection, proposed.config)
    write_text(run_dir / CONFIG_NAME, dump_yaml(proposed.config))


def _changes_between(old: Config, new: Config, run_dir: Path) -> list[Change]:
    """What a resumed run changes.

    Raises:
        RunError: something changed that makes it another run.
    """
    changes = [change for change in changed_keys(old, new) if change[0] not in _PLACE_KEYS]
    refused = [change for change in changes if not is_changeable(change[0])]
    if refused:
        listed = "; ".join(f"{key}: {before!r} -> {after!r}" for key, before, after in refused)
        raise RunError(
            f"{run_dir}: the config differs from this run's in what cannot change ({listed}); "
            "put it back, or give the new run another name"
        )
    return changes


def _replace_prompts(run_dir: Path, pack_dir: Path, *, cycle: int) -> None:
    """Take another prompt pack; the one used so far stays beside it."""
    prompts = run_dir / PROMPTS_NAME
    with explained(run_dir):
        fresh = run_dir / f"{PROMPTS_NAME}-new"
        shutil.rmtree(fresh, ignore_errors=True)
        copy_tree(pack_dir, fresh)
        if prompts.exists():
            number = 1 + len(list(run_dir.glob(f"{PROMPTS_NAME}-before-*")))
            os.replace(prompts, run_dir / f"{PROMPTS_NAME}-before-{number}-cycle-{cycle}")
        os.replace(fresh, prompts)
        fsync_dir(run_dir)
