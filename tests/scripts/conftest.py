"""One day of a hamlet, run once for all tests that look at its results."""

from pathlib import Path

import pytest
from support.commands.hamlet import DEBTOR, POOR, Hamlet
from support.commands.shell import EMBEDDED, run


@pytest.fixture(scope="session")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small scenario of one day with 24 periods."""
    return Hamlet(more=(POOR, DEBTOR)).write(tmp_path_factory.mktemp("scenarios") / "hamlet")


@pytest.fixture(scope="session")
def day(scenario: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of it."""
    folder = tmp_path_factory.mktemp("out") / "hamlet"
    result = run("day", scenario, "--out", folder, *EMBEDDED)
    assert result.code == 0, result.out + result.err
    return folder
