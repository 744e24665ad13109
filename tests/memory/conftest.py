"""Tests of memory do not wait for the disk."""

import pytest

from tests.storage.conftest import quick_disk

__all__ = ["quick_disk"]


@pytest.fixture(autouse=True)
def _quick(quick_disk: None) -> None:
    pass
