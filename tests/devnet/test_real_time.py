"""A day in real time on a network of four authorities, and whom that network lets in."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.commands.shell import PROJECT, Command, run
from support.devnet import ALIAS, Devnet, await_that, free_config, jumping_clock, tables
from web3 import HTTPProvider

from dem.devnet.node import Node

NETWORK = ("--network", "ethereum:devnet:node")
PACE = ("--period-length", "2", "--setup-time", "110")
SECONDS = 600.0
"""The day is over in real time; a busy machine is late with the steps after it."""


def test_a_day_ends_as_on_the_embedded_chain_whatever_the_drivers_clock_says(
    devnet, operator, scenario, embedded, tmp_path
):
    words = ("day", scenario, "--out", tmp_path, "--account", ALIAS, *PACE, *NETWORK)
    with Command(*words, prepare=jumping_clock) as driver:
        result = driver.result(timeout=SECONDS)
    assert result.code == 0, result
    assert tables(tmp_path) == tables(embedded)
    reconciled = run("reconcile", tmp_path, "--account", ALIAS, *NETWORK)
    assert reconciled.code == 0, reconciled
    assert all(node.ask("eth_getBalance", operator, "latest") == "0x0" for node in devnet.nodes)


def test_a_stranger_gets_no_peer_though_it_knows_the_genesis(devnet, tmp_path):
    config = free_config()
    stranger = Node(9, tmp_path / "stranger", config.http_port, config.p2p_port, peers=50)
    geth = PROJECT / ".geth" / "geth"
    stranger.make_keys(geth)
    stranger.start(geth, devnet.folder / "genesis.json", config.chain_id)
    try:
        for node in devnet.nodes:
            stranger.admit(node)
        time.sleep(5.0)
        assert stranger.ask("net_peerCount") == "0x0"
        assert all(node.ask("net_peerCount") == "0x3" for node in devnet.nodes)
    finally:
        stranger.kill()


def test_nodes_give_outsiders_no_orders(devnet):
    for method in ("admin_nodeInfo", "miner_stop", "clique_propose", "debug_setHead", "txpool_content"):
        answer = HTTPProvider(devnet.nodes[0].url).make_request(method, [])
        assert answer["error"]["code"] == -32601, (method, answer)


def test_the_network_is_shown_started_once_and_mended(devnet):
    def command(word: str) -> subprocess.CompletedProcess[str]:
        config = devnet.folder / "network.toml"
        lines = (f"{key} = {value}" for key, value in devnet.config.model_dump().items())
        config.write_text("\n".join(lines), encoding="utf-8")
        words = [sys.executable, "-m", "dem.devnet", "--config", str(config), "--folder", str(devnet.folder), word]
        return subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, timeout=SECONDS)

    assert command("status").returncode == 0
    processes = [node.pid for node in devnet.nodes]
    devnet.nodes[2].kill()
    status = command("status")
    assert status.returncode == 1
    assert "down" in status.stdout
    assert command("start").returncode == 0
    assert command("start").returncode == 0
    assert [node.pid for node in devnet.nodes][:2] == processes[:2]
    assert command("status").returncode == 0


def test_halves_that_were_apart_are_brought_together(devnet):
    """Clique does it where one half's chain is the heavier one; where both weigh the same, it waits for ever."""
    devnet.split(devnet.nodes[:2])
    await_that("a standstill", devnet.stands_still)
    devnet.connect()
    devnet.mend()
    assert devnet.height() > 0


def test_a_folder_of_another_network_is_refused(devnet):
    other = devnet.config.model_copy(update={"chain_id": 7})
    with pytest.raises(ValueError, match="is of a network with other numbers"):
        Devnet(other, Path(devnet.folder)).start()
