"""A run on disk: one directory, one database, one writer.

    <run_dir>/run.sqlite        the only truth        config.yaml     the config, for people
              adapters/<version>/                     prompts/        the prompt pack in use
              nights/<cycle>/   trainer checkpoints of a night under way
              index.faiss, index.json                 a cache          metrics.jsonl   for plots

`Run.create` begins a run or takes it up again, `Run.open` takes up one that exists, `Run.read`
looks at one without a lock. All three are context managers.
"""

import shutil
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from ddl_train.config import Config, dump_yaml
from ddl_train.errors import RunError
from ddl_train.records import BASE, AdapterVersion, Promotion
from ddl_train.storage import history
from ddl_train.storage.adapters import (
    install_adapter,
    keep_adapter,
    verify_adapter,
)
from ddl_train.storage.changing import Proposed, keep, propose
from ddl_train.storage.create import (
    CONFIG_NAME,
    DATABASE_NAME,
    PROMPTS_NAME,
    Change,
    existing_run,
    is_run,
    make_run,
    read_config,
    read_ingested,
    with_sources,
    write_config,
    write_ingested,
)
from ddl_train.storage.database import finish_scrub, is_older, open_database, transaction
from ddl_train.storage.files import explained, leftovers, remove, write_text
from ddl_train.storage.journal import Journal
from ddl_train.storage.lock import WriterLock


class Run(Journal):
    """A run directory that is open. Made by `create`, `open` or `read`."""

    def __init__(self, run_dir: Path, lock: WriterLock | None) -> None:
        self._lock = lock
        self.changes: list[Change] = []
        """What the config of this opening changed: dotted key, old value, new value."""
        self._proposed: Proposed | None = None
        try:
            super().__init__(
                run_dir, open_database(run_dir / DATABASE_NAME, is_read_only=lock is None)
            )
            self.config: Config = read_config(self.database, run_dir)
            self._seen_current = self.current
        except BaseException:
            if lock is not None:
                lock.release()
            raise

    @classmethod
    def create(cls, config: Config, *, pack_dir: Path) -> Self:
        """Begin the run that a config describes, or take it up again.

        A run that exists takes over the changes a run may make (`run.changes` lists them), keeps
        the sources that were ingested by command beside the config's, and keeps its own prompts
        unless `wake.prompts` names others.

        Raises:
            RunError: it is another run's directory, in use, or of a newer version.
            ResourceError: the disk is full.
        """
        with ExitStack() as opened:
            run = cls.propose(config, pack_dir=pack_dir)
            opened.callback(run.close)
            run.keep_changes()
            opened.pop_all()
        return run

    @classmethod
    def propose(cls, config: Config, *, pack_dir: Path) -> Self:
        """Like `create`, but changes to a run that exists are not stored before `keep_changes`."""
        run_dir = config.run_dir
        if not is_run(run_dir):
            return cls(run_dir, make_run(config, pack_dir=pack_dir))
        with ExitStack() as opened:
            run = cls.open(run_dir)
            opened.callback(run.close)
            run._proposed = propose(run.config, with_sources(config, run.ingested), pack_dir)
            run.config, run.changes = run._proposed.config, list(run._proposed.changes)
            opened.pop_all()
        return run

    def keep_changes(self) -> None:
        """Store what `propose` has held back, if anything."""
        if self._proposed is not None:
            keep(self.database, self._proposed, self.dir, cycle=self.next_cycle)
            self._proposed = None

    @classmethod
    def open(cls, run_dir: str | Path) -> Self:
        """Take up a run as its only writer.

        Raises:
            RunError: there is no run, another process writes it, or a newer version wrote it.
        """
        run_dir = existing_run(run_dir)
        run = cls(run_dir, WriterLock(run_dir))
        run._sweep()
        return run

    @classmethod
    def read(cls, run_dir: str | Path) -> Self:
        """Look at a run, also while another process works on it. Nothing can be written.

        A run of an older version is brought to this one first, which needs it to be nobody else's.
        """
        run_dir = existing_run(run_dir)
        if is_older(run_dir / DATABASE_NAME):
            cls.open(run_dir).close()
        return cls(run_dir, None)

    def close(self) -> None:
        self.database.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_read_only(self) -> bool:
        return self._lock is None

    @property
    def prompts_dir(self) -> Path:
        """The pack in use; one that is proposed lies where it came from until it is kept."""
        proposed = self._proposed.pack_dir if self._proposed is not None else None
        return proposed or self.dir / PROMPTS_NAME

    @property
    def index_path(self) -> Path:
        return self.dir / "index.faiss"

    # Cycles and their stages.

    def finish_stage(self, cycle: int, stage: str, **facts: object) -> None:
        """Go to the next stage and keep `facts` (JSON). Checkpoints of a done cycle are removed."""
        history.start_cycle(self.database, cycle)
        history.finish_stage(self.database, cycle, stage, facts)
        if self.stage(cycle) == "done":
            self.drop_night(cycle)

    def night_dir(self, cycle: int) -> Path:
        """Folder for the trainer's checkpoints of a night; it goes when the cycle is done."""
        path = self.dir / "nights" / str(cycle)
        with explained(path):
            path.mkdir(parents=True, exist_ok=True)
        return path

    def drop_night(self, cycle: int) -> None:
        """Remove the checkpoints of a night; if it is not over, it begins anew."""
        shutil.rmtree(self.dir / "nights" / str(cycle), ignore_errors=True)

    # Adapters and the current pointer.

    def add_adapter(
        self,
        tmp_dir: Path,
        *,
        cycle: int,
        base: str,
        base_sha256: str,
        parent: str | None,
        num_rows: int,
        num_insights: int,
        insight_ids: Iterable[int] = (),
        concept_ids: Iterable[int] = (),
    ) -> AdapterVersion:
        """Install a trained adapter: its files first, then its row.

        Args:
            tmp_dir: holds the adapter's files and nothing else, on the disk of the run.
            cycle: night that made it.
            base: name or path of the base model.
            base_sha256: fingerprint of the base.
            parent: version it was continued from.
            num_rows: training rows.
            num_insights: insights among them.
            insight_ids: insights it was trained on; `forget` finds it by them.
            concept_ids: concepts whose text it saw otherwise (no-link rows).
        """
        version, path = install_adapter(tmp_dir, self.adapters_dir)
        adapter = AdapterVersion(
            version=version,
            path=path,
            cycle=cycle,
            base=base,
            base_sha256=base_sha256,
            parent=parent,
            num_rows=num_rows,
            num_insights=num_insights,
        )
        seen = [("insight", number) for number in insight_ids]
        seen += [("concept", number) for number in concept_ids]
        keep_adapter(self.database, adapter, seen)
        return self.adapter(version)

    def record_promotion(self, cycle: int, promotion: Promotion) -> None:
        """Keep a decision and move the current pointer, in one transaction.

        The gate's decision also ends the cycle's promote stage. The pointer moves only from what
        this run has seen as current (compare and swap).

        Raises:
            AdapterError: the candidate to promote is missing or damaged.
            RunError: the current adapter was changed meanwhile, or the gate decided otherwise.
        """
        self._decide(cycle, promotion)

    def rollback(self, why: str) -> str:
        """Make what was current before the current adapter current again, and return it.

        Raises:
            RunError: the base is current, so there is nothing to go back to.
        """
        target = history.predecessor(self.database, self.current)
        if target is None:
            raise RunError(
                f"{self.dir}: the untouched base is in use already, so there is nothing to go "
                "back to"
            )
        promotion = Promotion(
            candidate=target, promoted=True, reasons=(f"ok: rollback, {why}",), decided_by="person"
        )
        self._decide(max(self.next_cycle - 1, 0), promotion, is_rollback=True)
        return target

    def _decide(self, cycle: int, promotion: Promotion, *, is_rollback: bool = False) -> None:
        if promotion.promoted and promotion.candidate != BASE:
            verify_adapter(self.adapter(promotion.candidate).path)
        history.record_promotion(
            self.database,
            cycle,
            promotion,
            expected=self._seen_current,
            is_rollback=is_rollback,
        )
        self._seen_current = self.current
        if self.stage(cycle) == "done":
            self.drop_night(cycle)

    # Sources that were added by command; they stay when the config does not name them.

    @property
    def ingested(self) -> list[str]:
        return read_ingested(self.database)

    def ingest(self, sources: Sequence[str]) -> None:
        """Make sources a part of this run, whatever its config file names."""
        self._keep_ingested([*self.ingested, *sources], with_sources(self.config, sources))

    def drop_ingested(self, sources: Sequence[str]) -> None:
        """Take back what `ingest` added; sources of the config file are left alone."""
        dropped = set(sources) & set(self.ingested)
        kept = [one for one in self.config.memory.sources if one not in dropped]
        if dropped and kept:
            memory = self.config.memory.model_copy(update={"sources": kept})
            config = self.config.model_copy(update={"memory": memory})
            self._keep_ingested([one for one in self.ingested if one not in dropped], config)

    def _keep_ingested(self, ingested: Sequence[str], config: Config) -> None:
        with transaction(self.database):
            write_ingested(self.database, list(dict.fromkeys(ingested)))
            write_config(self.database, config)
        self.config = config
        write_text(self.dir / CONFIG_NAME, dump_yaml(config))

    def _sweep(self) -> None:
        """Remove what a crash left behind; the lock is held, so nobody is writing it."""
        with explained(self.dir):
            for path in leftovers(self.dir) + leftovers(self.adapters_dir):
                remove(path)
            nights = self.dir / "nights"
            for path in nights.iterdir() if nights.is_dir() else ():
                if path.name.isdigit() and self.stage(int(path.name)) == "done":
                    remove(path)
        with suppress(RunError):  # a reader is in the way: it stays owed, and fsck says so
            finish_scrub(self.database)
