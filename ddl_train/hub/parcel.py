"""What was asked to be published, and the folder that came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ddl_train.hub.scan import Finding
from ddl_train.records import JsonObject
from ddl_train.storage.outbox import RepoType


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What was asked for."""

    repo_id: str
    is_public: bool = False
    is_pr: bool = False
    is_merged: bool = False
    base_id: str | None = None
    """`ID` or `ID@REVISION` of a base that the run knows as a local folder only."""
    licenses: tuple[str, ...] = ()
    allow_quotes: bool = False
    accepted: frozenset[str] = frozenset()
    """Findings that somebody has looked at."""

    @property
    def terms(self) -> JsonObject:
        return {
            "is_public": self.is_public,
            "is_pr": self.is_pr,
            "is_merged": self.is_merged,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Parcel:
    """A folder that is ready for a repository."""

    repo_type: RepoType
    repo_id: str
    folder: Path
    manifest: Mapping[str, str]
    findings: tuple[Finding, ...]
    """What stands in the way."""
