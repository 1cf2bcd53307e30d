"""The file a network is made from."""

from pathlib import Path

import pytest
import yaml

from dem.devnet.config import read_network
from dem.errors import InputError

PROJECT = Path(__file__).resolve().parents[2]
FILE = PROJECT / "devnet" / "network.toml"
AUTHORITIES = ("0x" + "bb" * 20, "0x" + "aa" * 20)


def test_ape_config_says_the_same():
    network, ape = read_network(FILE), yaml.safe_load((PROJECT / "ape-config.yaml").read_text(encoding="utf-8"))
    [devnet] = ape["networks"]["custom"]
    urls = [f"http://127.0.0.1:{network.http_port + i}" for i in range(network.nodes)]
    assert devnet["chain_id"] == network.chain_id
    assert ape["ethereum"][devnet["name"]] == {"required_confirmations": network.finality_depth, "nodes": urls}
    assert ape["node"]["ethereum"][devnet["name"]]["uri"] == urls[0]


def test_the_genesis_names_the_authorities_in_order_and_has_no_fees():
    network = read_network(FILE)
    genesis = network.genesis(AUTHORITIES)
    assert genesis["extraData"] == "0x" + "00" * 32 + "aa" * 20 + "bb" * 20 + "00" * 65
    assert genesis["config"]["clique"]["period"] == network.period_seconds
    assert genesis["config"]["berlinBlock"] == 0
    assert "londonBlock" not in genesis["config"]
    assert genesis["alloc"] == {}


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("nodes = 4", "nodes = 0", "greater than or equal to 1"),
        ("period_seconds = 1", "period_seconds = 6", "less than or equal to 5"),
        ("gas_limit = 30_000_000", "gas_limit = 8_000_000", "greater than or equal to 30000000"),
        ("finality_depth = 3", "finality_depth = 2", "must be at least 3: so many of 4 are a majority"),
        ("p2p_port = 30601", "p2p_port = 8604", "each leave room for 4 ports"),
        ("http_port = 8601", "http_port = 65535", "each leave room for 4 ports"),
        ("http_port = 8601", "host = 'all'", "http_port: must be given"),
        ("chain_id = 20482", "chain_id = ", "is not TOML"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, old, new, why):
    text = FILE.read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "network.toml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=why):
        read_network(tmp_path / "network.toml")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"network\.toml: does not exist"):
        read_network(tmp_path / "network.toml")
