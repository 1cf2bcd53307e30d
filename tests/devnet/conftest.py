"""A network of four nodes for a test file, an account to act with, and what a day comes to on the embedded chain."""

import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account
from support.commands.hamlet import Hamlet, long_auctions
from support.commands.shell import EMBEDDED, run
from support.devnet import ALIAS, Devnet, free_config


@pytest.fixture(scope="session")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small scenario of one day with 24 periods."""
    return long_auctions(Hamlet().write(tmp_path_factory.mktemp("scenarios") / "hamlet"))


@pytest.fixture(scope="session")
def operator(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of an account that ape knows by its alias, in a folder of its own."""
    home, password = tmp_path_factory.mktemp("ape"), secrets.token_hex(16)
    account = Account.create()
    (home / "accounts").mkdir()
    keystore = Account.encrypt(account.key, password, iterations=4096)
    (home / "accounts" / f"{ALIAS}.json").write_text(json.dumps(keystore), encoding="utf-8")
    os.environ["APE_DATA_FOLDER"] = str(home)
    os.environ[f"APE_ACCOUNTS_{ALIAS}_PASSPHRASE"] = password
    return str(account.address)


@pytest.fixture(scope="session")
def devnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    """A running network. Session means a process of pytest here: what an environment says is read once in it."""
    devnet = Devnet(free_config(), tmp_path_factory.mktemp("devnet"))
    devnet.start()
    os.environ["DEM_NODES"] = ",".join(node.url for node in devnet.nodes)
    try:
        yield devnet
    finally:
        devnet.stop()


@pytest.fixture(scope="session")
def embedded(scenario: Path, operator: str, devnet: Devnet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the scenario's day on the chain inside the process."""
    out = tmp_path_factory.mktemp("out") / "embedded"
    result = run("day", scenario, "--out", out, *EMBEDDED)
    assert result.code == 0, result
    return out
