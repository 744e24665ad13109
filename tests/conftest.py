"""Libraries read their environment when they are imported, so it is set before any test is."""

import pytest

from ddl_train.cli.environment import set_up

set_up()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: the quick ones even out what the workers have left to do."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
