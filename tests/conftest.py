"""What holds for all tests."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A folder's tests stay together on one core (`--dist loadgroup`): they share the market that it deploys."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(str(item.path.parent)))
