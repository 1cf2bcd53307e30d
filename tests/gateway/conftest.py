"""A gateway for each test, over one index."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.gateway import Gateway, make_gateway, make_index


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_index(tmp_path_factory.mktemp("index") / "index.sqlite")


@pytest.fixture
def gateway(tmp_path: Path, index: Path) -> Iterator[Gateway]:
    made = make_gateway(tmp_path, index)
    yield made
    made.parts.index.close()
    made.store.close()
