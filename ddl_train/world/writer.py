"""`ddl-train world`: a seed and a preset become documents, probe files and the truth.

Everything is written to a folder beside the target and moved there whole, so a world is complete
or not there at all. The same seed and preset give the same bytes.
"""

import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ddl_train.errors import ConfigError, ResourceError
from ddl_train.records import JsonObject, Probe
from ddl_train.world.documents import WORLD_FILE, Document, grow, tell, world_json, write_documents
from ddl_train.world.oracle import Oracle
from ddl_train.world.presets import Preset, load_preset
from ddl_train.world.probes import false_memory_probes, truth_probes
from ddl_train.world.upbringing import retention_probes, skill_probes

DOCS, PROBES = "docs", "probes"


@dataclass(frozen=True, kw_only=True, slots=True)
class WorldFiles:
    """What was written, in numbers."""

    out: Path
    num_facts: int
    """Statements that can compose."""
    num_documents: int
    num_probes: dict[str, int]
    """By suite: the stem of the file."""
    is_new: bool
    """False when this very world was there already."""


def write_world(out: str | Path, *, seed: int, preset: str | Preset) -> WorldFiles:
    """Write a world to a folder that does not exist yet, is empty, or holds this very world.

    Raises:
        ConfigError: there is no such preset, the folder holds something else, or it is the one that
            this process stands in.
        ResourceError: the folder cannot be made or written; nothing is left of it then.
    """
    out = Path(out)
    chosen = load_preset(preset) if isinstance(preset, str) else preset
    world = grow(seed, chosen.world)
    truth = world_json(world, chosen.name)
    suites = make_probes(Oracle.of(world), chosen, seed)

    def is_there() -> bool:
        return _holds(out, truth, suites, tell(world, chosen.documents))

    with _said(out):
        is_new = not is_there()
        if is_new:
            # what the name leads to, such as the target of a link, is what is replaced
            place = out.resolve()
            if place == Path.cwd():
                raise ConfigError(
                    f"{out}: is the current folder, and a world's folder is put in place whole; "
                    "give a folder inside it or beside it"
                )
            with _beside(place) as folder:
                write_documents(tell(world, chosen.documents), folder / DOCS)
                (folder / PROBES).mkdir()
                for suite, probes in suites.items():
                    text = probe_lines(probes)
                    (folder / PROBES / f"{suite}.jsonl").write_text(text, encoding="utf-8")
                (folder / WORLD_FILE).write_text(truth, encoding="utf-8")
                try:
                    os.replace(folder, place)
                except OSError:
                    # another process may have put the same world there meanwhile
                    if not is_there():
                        raise
        num_documents = sum(1 for _ in (out / DOCS).rglob("*.md"))
    return WorldFiles(
        out=out,
        num_facts=sum(fact.composes for fact in world.facts),
        num_documents=num_documents,
        num_probes={suite: len(probes) for suite, probes in suites.items()},
        is_new=is_new,
    )


@contextmanager
def _said(out: Path) -> Iterator[None]:
    """Say in one sentence why a world cannot be written."""
    try:
        yield
    except OSError as error:
        raise ResourceError(
            f"{out}: the folder of the world cannot be made or written ({error.strerror}); mend "
            "that or give another folder"
        ) from error


@contextmanager
def _beside(place: Path) -> Iterator[Path]:
    """A new folder beside a place, of which nothing stays but what was moved away."""
    folder = place.with_name(f".{place.name}.{uuid.uuid4().hex[:8]}")
    try:
        folder.mkdir(parents=True)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_probes(oracle: Oracle, preset: Preset, seed: int) -> dict[str, list[Probe]]:
    """All suites of a world, by the stem of their files."""
    return {
        "truth": truth_probes(oracle, preset.probes, seed),
        "retention": retention_probes(preset.probes, seed),
        "retention_replayed": retention_probes(preset.probes, seed, is_replayed=True),
        "skill": skill_probes(preset.probes, seed),
        "false_memory": false_memory_probes(oracle, preset.probes, seed),
    }


def _holds(
    out: Path, truth: str, suites: dict[str, list[Probe]], documents: Iterable[Document]
) -> bool:
    """Whether this very world is there; refuses to write over anything else."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    files = {out / WORLD_FILE: truth}
    files |= {
        out / PROBES / f"{suite}.jsonl": probe_lines(found) for suite, found in suites.items()
    }
    texts = {out / DOCS / told.path: told.text for told in documents}
    files |= texts
    if set((out / DOCS).rglob("*.md")) == texts.keys() and all(
        path.is_file() and path.read_bytes() == text.encode() for path, text in files.items()
    ):
        return True
    raise ConfigError(
        f"{out}: holds something other than this world, or not all of it; give a folder of its own, "
        f"or delete this one"
    )


def probe_lines(probes: Sequence[Probe]) -> str:
    """A probe file."""
    return "".join(json.dumps(_line(probe)) + "\n" for probe in probes)


def _line(probe: Probe) -> JsonObject:
    line: JsonObject = {
        "id": probe.probe_id,
        "prompt": probe.prompt,
        "answers": list(probe.answers),
        "kind": probe.kind,
    }
    if probe.choices:
        line["choices"] = list(probe.choices)
    if probe.about is not None:
        line["about"] = probe.about
    if probe.is_raw:
        line["raw"] = True
    return line
