"""A disk that does not wait, for tests that are not about durability."""

import os

import pytest

from ddl_train.storage import database


@pytest.fixture
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes are not forced to the disk: a busy machine takes minutes for that."""
    monkeypatch.setattr(database, "_SYNCHRONOUS", "OFF")
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
