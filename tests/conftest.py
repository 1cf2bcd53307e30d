"""What holds for all tests."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before xdist reads what is marked
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file stay together on one worker where they share what they have played (`--dist loadgroup`).

    Those on ape's chain do not: its isolation goes by all tests that were collected, and loses what the fixtures of a
    folder have done that is run apart from them.
    """
    for item in items:
        part = item.path.relative_to(HERE).parts[0]
        if part in ("scripts", "devnet") and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
