"""A gateway for each test, over one index, with its own state in each kind of database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.databases import KINDS, database
from support.gateway import Gateway, make_gateway, make_index


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_index(tmp_path_factory.mktemp("index") / "index.sqlite")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest.fixture(params=KINDS)
def state(request: pytest.FixtureRequest, tmp_path: Path, shared: Path) -> Iterator[str]:
    """The URL of an empty database."""
    with database(request.param, tmp_path, shared) as url:
        yield url


@pytest.fixture
def gateway(tmp_path: Path, index: Path, state: str) -> Iterator[Gateway]:
    made = make_gateway(tmp_path, index, state)
    yield made
    made.parts.index.close()
    made.store.close()
