"""What a publish would change in the repositories, file by file and line by line."""

import difflib
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ddl_train.cli.arguments import output
from ddl_train.cli.boundary import say

if TYPE_CHECKING:
    from ddl_train.hub.client import Hub
    from ddl_train.hub.parcel import Parcel, Request
    from ddl_train.hub.remote import Change
    from ddl_train.storage.run import Run

SHOWN = ("README.md", "adapter_config.json", "training_config.yaml")
"""Files whose changes are printed line by line."""
MAX_LINES = 60
MARKS = {"added": "+", "changed": "~", "removed": "-", "same": "="}


def show_plans(
    run: "Run", hub: "Hub", parcels: Sequence["Parcel"], request: "Request"
) -> list[str]:
    """What would change, where the Hub can be asked; what there is, where it cannot.

    Returns:
        Why a repository would be refused, in sentences.
    """
    from ddl_train.deliver import plan
    from ddl_train.errors import HubError

    console = output()
    refusals: list[str] = []
    for parcel in parcels:
        local = {name: parcel.folder / name for name in parcel.manifest}
        console.print(f"{parcel.repo_id} ({parcel.repo_type}): {parcel.folder}", soft_wrap=True)
        try:
            remote, changes, refusal = plan(
                run, hub, parcel.repo_id, parcel.repo_type, local, request.terms
            )
        except HubError as error:
            say(f"{error}; what the repository holds now is not known")
            for name, path in local.items():
                console.print(f"  ? {name}  {path.stat().st_size:,} bytes", soft_wrap=True)
            continue
        if refusal is not None:
            refusals.append(refusal)
        elif remote is None:
            console.print("  there is no such repository that you can see; it would be made")
        for change in changes:
            console.print(
                f"  {MARKS[change.state]} {change.path}  {_sizes(change)}", soft_wrap=True
            )
        for name in sorted(set(remote.files) - {one.path for one in changes} if remote else ()):
            console.print(f"    {name}  not ours, stays", soft_wrap=True)
        if remote is not None:
            _show_lines(run, hub, parcel, changes, remote.commit)
    return refusals


def _show_lines(
    run: "Run", hub: "Hub", parcel: "Parcel", changes: Sequence["Change"], commit: str
) -> None:
    """Line by line what changes in the texts that people read."""
    from ddl_train.storage.files import tmp_path

    names = [one.path for one in changes if one.state == "changed" and one.path in SHOWN]
    if not names:
        return
    into = tmp_path(run.dir)
    try:
        hub.fetch(parcel.repo_id, parcel.repo_type, commit, names, into)
        for name in names:
            before, after = (
                (folder / name).read_text(encoding="utf-8", errors="replace").splitlines()
                for folder in (into, parcel.folder)
            )
            lines = list(difflib.unified_diff(before, after, f"now/{name}", name, lineterm="", n=1))
            for line in lines[:MAX_LINES]:
                output().print(line, soft_wrap=True)
            if len(lines) > MAX_LINES:
                output().print(f"... {len(lines) - MAX_LINES} more lines")
    finally:
        shutil.rmtree(into, ignore_errors=True)


def _sizes(change: "Change") -> str:
    if change.before is None:
        return f"{change.after or 0:,} bytes, new"
    if change.after is None:
        return f"{change.before:,} bytes, removed"
    if change.state == "same":
        return f"{change.after:,} bytes"
    return f"{change.before:,} -> {change.after:,} bytes"
