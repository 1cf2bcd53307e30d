"""The gate before a node: who is let through with what, and that everything else stays out."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from eth_account import Account
from support.gateway import account_of, key_of

from dem.errors import InputError
from dem.gateway.config import Limits
from dem.roles.gate import Gate
from dem.roles.http import Listener, Tls, make_app
from dem.roles.service import Metrics
from dem.roles.settings import METHODS, read
from dem.roles.settings import Gate as Settings

CLOSED = (
    *("eth_accounts", "eth_sign", "eth_sendTransaction", "eth_signTransaction", "eth_newFilter", "eth_subscribe"),
    *("debug_traceTransaction", "debug_storageRangeAt", "admin_addPeer", "admin_nodeInfo", "personal_listAccounts"),
    *("clique_propose", "txpool_content", "miner_start", "anvil_setBalance", "evm_mine", "hardhat_setCode", "x", ""),
)


class Node:
    """Stands for one: answers each question with its method, in any order."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_away = False

    def post(self, _url: str, json: list[dict[str, Any]], timeout: float) -> Any:
        if self.is_away:
            raise requests.ConnectionError("away")
        self.asked += [one["method"] for one in json]
        answers = [{"jsonrpc": "2.0", "id": one["id"], "result": one["method"]} for one in reversed(json)]
        return type("Answer", (), {"json": lambda self: answers})()


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def gate(node: Node) -> Gate:
    made = Gate("http://127.0.0.1:1", METHODS, [account_of("office")], 3)
    made._session = node  # type: ignore[assignment]
    return made


def ask(gate: Gate, *questions: Any) -> Any:
    return gate.answer(json.dumps(questions if len(questions) > 1 else questions[0]).encode())


def call(method: str, *parameters: Any, id_: Any = 7) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id_, "method": method, "params": list(parameters)}


def transaction(who: str) -> str:
    made = {"nonce": 0, "gasPrice": 0, "gas": 21_000, "to": account_of("roof"), "value": 0, "data": b"", "chainId": 5}
    return f"0x{Account.sign_transaction(made, key_of(who)).raw_transaction.hex().removeprefix('0x')}"


@pytest.mark.parametrize("method", [name for name in METHODS if name != "eth_sendRawTransaction"])
def test_what_is_on_the_list_passes(gate: Gate, method: str) -> None:
    assert ask(gate, call(method)) == {"jsonrpc": "2.0", "id": 7, "result": method}


@pytest.mark.parametrize("method", CLOSED)
def test_what_is_not_on_it_never_reaches_the_node(gate: Gate, node: Node, method: str) -> None:
    assert ask(gate, call(method))["error"]["code"] == -32601
    first, second, third = ask(gate, call("eth_chainId", id_="a"), call(method, id_=[1]), call("eth_call", id_=None))
    assert (first["result"], first["id"]) == ("eth_chainId", "a")
    assert (second["error"]["code"], second["id"]) == (-32601, [1])
    assert (third["result"], third["id"]) == ("eth_call", None)
    assert method not in node.asked


def test_transactions_of_those_who_are_known_pass_and_of_nobody_else(gate: Gate, node: Node) -> None:
    assert ask(gate, call("eth_sendRawTransaction", transaction("office")))["result"] == "eth_sendRawTransaction"
    node.asked.clear()
    for parameters in (
        [transaction("home")],
        ["0x"],
        ["rubbish"],
        [],
        [1],
        [transaction("office")] * 2,
        {"a": 1},
        None,
    ):
        told = ask(gate, call("eth_sendRawTransaction") | {"params": parameters})
        assert "do not pass here" in told["error"]["message"]
    assert account_of("home") in ask(gate, call("eth_sendRawTransaction", transaction("home")))["error"]["message"]
    assert node.asked == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"1", b'"x"', b"[" * 100_000, b"\xff", b"[1,2,3,4]", b'[{"method":1}]', b"{}"]
)
def test_rubbish_is_refused(gate: Gate, node: Node, body: bytes) -> None:
    told = gate.answer(body)
    assert (told[0] if isinstance(told, list) else told)["error"]["code"] == -32600
    assert node.asked == []


def test_a_node_that_is_away_is_told(gate: Gate, node: Node) -> None:
    node.is_away = True
    assert ask(gate, call("eth_chainId"))["error"]["message"] == "the node does not answer"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ('host = "0.0.0.0"', "listens on 127.0.0.1 alone"),
        ('clients = "ca.pem"', "belong together"),
        ('methods = ["debug_traceCall"]', "debug_traceCall is for nobody"),
        ('methods = ["eth_sign"]', "eth_sign is for nobody"),
        ('senders = ["0x1"]', "checksum"),
    ],
)
def test_settings_that_would_open_it_are_refused(tmp_path: Path, more: str, why: str) -> None:
    path = tmp_path / "gate.toml"
    path.write_text(f'node = "http://127.0.0.1:8545"\nport = 8600\n{more}\n')
    with pytest.raises(InputError, match=why):
        read(path, Settings)


def made_certificates(folder: Path) -> None:
    """Of an authority, and of a server, a client and a stranger, whose authority is another one."""
    for name, authority in (("ca", ""), ("server", "ca"), ("client", "ca"), ("other", ""), ("stranger", "other")):
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        command += ["-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "2", "-subj", f"/CN={name}"]
        command += ["-addext", "subjectAltName=IP:127.0.0.1"]
        command += ["-CA", f"{authority}.pem", "-CAkey", f"{authority}.key"] if authority else []
        subprocess.run(command, cwd=folder, check=True, capture_output=True)


@pytest.fixture
def address(tmp_path: Path, gate: Gate) -> Iterator[str]:
    made_certificates(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    tls = Tls(tmp_path / "server.pem", tmp_path / "server.key", tmp_path / "ca.pem")
    with Listener(make_app([], Metrics(), [gate.route()], Limits(requests_per_minute=10_000)), "127.0.0.1", port, tls):
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"https://127.0.0.1:{port}/"


def test_only_who_has_a_certificate_of_the_authority_gets_in(address: str, tmp_path: Path, node: Node) -> None:
    def post(name: str) -> requests.Response:
        certificate = (str(tmp_path / f"{name}.pem"), str(tmp_path / f"{name}.key")) if name else None
        session = requests.Session()
        session.trust_env = False
        return session.post(address, json=call("eth_chainId"), cert=certificate, verify=str(tmp_path / "ca.pem"))

    assert post("client").json()["result"] == "eth_chainId"
    node.asked.clear()
    for name in ("", "stranger"):
        with pytest.raises((requests.exceptions.SSLError, requests.ConnectionError)):
            post(name)
    assert node.asked == []
