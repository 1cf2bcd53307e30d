"""A member's proof of its own day: made beside a node, checked by `ape run prove` with nothing but the file."""

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import requests
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from support.commands.hamlet import MIXED
from support.commands.node import anvil
from support.commands.own import OwnHamlet
from support.commands.shell import Command, run, without_pictures

from dem.chain.abi import FunctionCodec
from dem.chain.artifacts import shipped
from dem.community.keys import wallet
from dem.deployment.market import Manifest
from dem.errors import ChainError, InputError, RequestError
from dem.gateway.approvals import GAS
from dem.gateway.client import Client
from dem.gateway.evidence import Proofs
from dem.gateway.pages.figures import units
from dem.gateway.protocol import seal
from dem.gateway.reads import Index
from dem.messages.contracts import Proposal
from dem.messages.members import Withdrawal
from dem.messages.signing import Domain, sign
from dem.model.ledger import GRID_OPERATOR
from dem.model.units import Wh
from dem.replay.evidence import Evidence, check, write
from dem.roles.sources import payments

WORDS = "test test test test test test test test test test test junk"
APPROVE = FunctionCodec(next(one for one in shipped()["Council"].abi if one.get("name") == "approve"))
ACCOUNT_OF = FunctionCodec(next(one for one in shipped()["Accounts"].abi if one.get("name") == "accountOf"))


@dataclass
class Played:
    """A market on a node, its index, and who makes proofs beside it."""

    url: str
    out: Path
    index: Index
    proofs: Proofs

    def ask(self, method: str, parameters: list[Any]) -> Any:
        told = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        return requests.post(self.url, json=told, timeout=60).json()["result"]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    folder = tmp_path_factory.mktemp("prove")
    with anvil() as url:
        network = ("--network", f"ethereum:local:{url}")
        hamlet = OwnHamlet(tuple(name for name in MIXED if name != "pools")).write(folder / "hamlet")
        for words in (
            ("day", hamlet, "--out", folder / "out"),
            ("index", folder / "out"),
        ):
            done = run(*words, *network, prepare=without_pictures)
            assert done.code == 0, done
        manifest = Manifest.load(folder / "out" / "manifest.json")
        contracts = {name: entry["address"] for name, entry in manifest.contracts.items()}
        made = Played(url, folder / "out", Index(folder / "out" / "index.sqlite"), None)  # type: ignore[arg-type]
        made.proofs = Proofs(made.index, manifest.calendar, manifest.chain_id, contracts, made.ask)
        yield made
        made.index.close()


def seat_of(played: Played) -> bytes:
    """The key of the council's seat: one of the test accounts that a node and ape have in common."""
    [row] = played.index.rows("SELECT holder FROM council_seat_taken")
    Account.enable_unaudited_hdwallet_features()
    made = (
        Account.from_mnemonic(WORDS, account_path=f"m/44'/60'/0'/{path}")
        for n in range(20)
        for path in (f"{n}", f"0/{n}")
    )
    return next(bytes(one.key) for one in made if one.address == row["holder"])


def approval(played: Played, council: str, key: bytes) -> str:
    """Of a proposal that there is not."""
    fields = {"type": 2, "chainId": int(played.ask("eth_chainId", []), 16), "nonce": 0, "gas": GAS, "value": 0}
    fields |= {"to": council, "data": APPROVE.encode([99]), "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 0}
    return f"0x{bytes(Account.sign_transaction(fields, key).raw_transaction).hex()}"


def test_every_member_and_day_is_proven_to_the_unit(played: Played) -> None:
    days = played.proofs.days_of(1, 100)
    members = [row["participant"] for row in played.index.participants(0, 100)]
    desks = {row["participant"] for row in played.index.participants(0, 100) if row["kind"] == "wholesale_desk"}
    assert len(days) > 2
    assert len(desks) == 1
    for day, member in product(days, members):
        evidence = played.proofs.of(member, day)
        shown = check(evidence)
        assert shown.hash == played.ask("eth_getBlockByNumber", [hex(shown.block), False])["hash"]
        call = {"to": evidence.accounts.contract, "data": f"0x{ACCOUNT_OF.encode([member]).hex()}"}
        free, locked, arrears, _ = ACCOUNT_OF.decode(
            bytes.fromhex(played.ask("eth_call", [call, hex(shown.block)])[2:])
        )
        assert (shown.free, shown.arrears) == (free, arrears)
        assert shown.locked <= locked  # the rest is locked by other markets than the first
        [settled] = played.index.settlements(member, day, day)
        assert units(settled["imbalance"]) == shown.beyond
        energy = played.index.energy(member, day, day)
        assert sum(row["contracted_wh"] for row in energy) == shown.contracted.sum()
        if member not in {GRID_OPERATOR, *desks}:  # what counts of these is losses, and what it nominated
            known = {row["slot"]: (row["metered_wh"], row["is_estimated"]) for row in energy}
            both = zip(shown.metered.tolist(), shown.estimated.tolist(), strict=True)
            assert [known.get(slot, (0, False)) for slot in range(len(shown.metered))] == [*both]


def test_a_gateway_gives_a_member_its_own_proof_and_nobody_elses(played: Played, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path / "gateway.toml"
    config.write_text(f'folder = "{played.out}"\nport = {port}\nstate = "sqlite:///{tmp_path}/state.sqlite"\n')
    with Command("gateway", "--config", config, "--network", f"ethereum:local:{played.url}") as command:
        client = Client(f"http://127.0.0.1:{port}", wallet("hamlet", 7, "home-1").account_key)
        while True:
            try:
                client.log_in()
                break
            except (ChainError, requests.ConnectionError):
                assert command.process.exitcode is None, command.result()
                time.sleep(0.2)
        day = played.proofs.days_of(1, 100)[0]
        evidence = Evidence.model_validate(client.get(f"/v1/members/{client.participant}/proof", day=day))
        assert (check(evidence).metered == check(played.proofs.of(client.participant, day)).metered).all()
        with pytest.raises(RequestError, match="Denied"):
            client.get(f"/v1/members/{client.participant + 1}/proof", day=day)
        # It knows that contracts between two are one of the market's mechanisms.
        terms = (False, 1, Wh(100), 10**6, 10**6, 1, 127, 2**40, bytes(32), bytes(32))
        offer = Proposal(client.account, wallet("hamlet", 7, "home-2").account, *terms)
        assert client.status(client.send("BilateralContracts", offer))["state"] == "offered"
        # It passes approvals of the council on: it asks the chain who has a seat, and the node what it would say.
        for key, told in (
            (wallet("hamlet", 7, "home-1").account_key, "NotASeat"),
            (seat_of(played), "WrongState(id=99"),
        ):
            sent = {"transaction": approval(played, client.market["contracts"]["Council"], key)}
            answer = requests.post(f"http://127.0.0.1:{port}/v1/council/approvals", json=sent, timeout=60)
            assert told in answer.text


def test_the_command_says_what_is_proven_and_what_is_trusted(played: Played, tmp_path: Path) -> None:
    day, file = max(played.proofs.days_of(1, 100)), tmp_path / "proof.json"
    evidence = played.proofs.of(6, day)
    write(file, evidence)
    hash_ = check(evidence).hash
    done = run("prove", file)
    assert done.code == 0, done
    assert f"Day {day} of member 6, by block {int(evidence.header['number'], 16)}" in done.out
    assert hash_ in done.out
    assert "trusted: that this block is one of the chain" in " ".join(done.out.split())
    known = ("--block", hash_, "--manifest", played.out / "manifest.json")
    done = run("prove", file, *known)
    assert done.code == 0, done
    assert "one of the chain" not in " ".join(done.out.split())
    refused = run("prove", file, "--block", f"0x{1:064x}")
    assert refused.code == 2, refused
    assert "is not the block of the proof" in " ".join(refused.err.split())
    other = evidence.model_copy(update={"accounts": evidence.accounts.model_copy(update={"contract": f"0x{1:040x}"})})
    write(file, other)
    refused = run("prove", file, *known)
    assert refused.code == 2, refused
    assert "account proof" in refused.err
    file.write_text("{")
    refused = run("prove", file)
    assert refused.code == 2, refused
    assert "Traceback" not in refused.err


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a proof has a text."""
    if isinstance(value, str):
        yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*at, key))


@settings(max_examples=200, deadline=None, database=None)
@given(data=st.data())
def test_whatever_is_changed_in_a_proof_shows(played: Played, data: st.DataObject) -> None:
    """Another header is one of another block, whose hash nobody else tells."""
    right = played.proofs.of(6, played.proofs.days_of(1, 100)[0])
    record = json.loads(right.model_dump_json())
    *way, last = data.draw(st.sampled_from([at for at in places(record) if at != ("v",)]))
    inside = record
    for key in way:
        inside = inside[key]
    text = inside[last]
    n = data.draw(st.integers(2, max(2, len(text) - 1)))
    inside[last] = text[:n] + data.draw(st.sampled_from("0123456789abcdef")) + text[n + 1 :]
    if data.draw(st.booleans()):
        inside[last] = inside[last][: data.draw(st.integers(2, len(text)))]
    # A number is the same with zeros before it.
    if inside[last] == text or (way == ["header"] and int(inside[last] + "0", 16) == int(text + "0", 16)):
        return
    try:
        shown = check(Evidence.model_validate(record))
    except (InputError, ValidationError):
        return
    assert way[:1] == ["header"]
    assert shown.hash != check(right).hash


def test_a_day_that_is_not_settled_has_no_proof(played: Played) -> None:
    with pytest.raises(RequestError, match="NotFound: day 99 is not settled yet"):
        played.proofs.of(6, 99)
    with pytest.raises(RequestError, match="settled without member 999"):
        played.proofs.of(999, played.proofs.days_of(1, 100)[0])


def test_what_members_have_signed_is_paid_out_once(played: Played, tmp_path: Path) -> None:
    """By `ape run payout`: for a bank, or the market's next epoch."""
    manifest = Manifest.load(played.out / "manifest.json")
    domain = Domain(manifest.chain_id, manifest.contracts["Accounts"]["address"])
    own, signed, table = wallet("hamlet", 7, "home-1"), tmp_path / "signed.jsonl", tmp_path / "payments.csv"

    def line(amount: int, to_bank: bool = True) -> str:
        message = Withdrawal(own.account, amount, to_bank, 10 + to_bank)
        return seal(domain, message, sign(domain, message, own.account_key)).model_dump_json() + "\n"

    command = ("payout", played.out, signed, "--out", table, "--network", f"ethereum:local:{played.url}")
    signed.write_text(line(10**15) + line(123_456_789))
    done = run(*command)
    assert done.code == 0, done
    assert f"refused: {own.account}: InsufficientFunds" in done.out
    assert "1 of 2 are out" in done.out
    [payment] = payments(table)()
    assert (payment.account, payment.amount) == (own.account, 123_456_789)
    before = table.read_text()
    signed.write_text(line(123_456_789))
    again = run(*command)
    assert again.code == 0, again
    assert "1 of 1 are out" in again.out
    assert table.read_text() == before
    for text, why in ((line(5, to_bank=False), "is no withdrawal to a bank"), ("{}\n", "line 1"), ("\n{", "line 2")):
        signed.write_text(text)
        refused = run(*command)
        assert refused.code == 2, refused
        assert why in " ".join(refused.err.split())
