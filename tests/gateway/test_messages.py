"""Messages: taken once, brought in their order, followed until they are final, refused in the contract's words."""

from pathlib import Path

import pytest
from support.gateway import CALENDAR, CHAIN, CONTRACTS, Gateway, account_of, key_of, make_gateway, sheet

from dem.errors import ChainError, RequestError
from dem.gateway.protocol import KINDS, Envelope, check, parse, seal
from dem.gateway.state import State
from dem.messages.signing import Domain, sign
from dem.model.mechanisms import AUCTION


def test_a_message_goes_from_received_to_final(gateway: Gateway) -> None:
    home = gateway.client("home")
    id_ = home.send(AUCTION, sheet())
    assert home.status(id_)["state"] == "queued"
    gateway.step()
    assert home.status(id_) == {
        "id": id_, "type": "OrderSheet", "state": "in_block", "block": 1, "transaction": id_, "refusal": None
    }  # fmt: skip
    gateway.node.blocks += [[]] * 3
    gateway.step()
    assert home.status(id_)["state"] == "in_block"
    gateway.node.blocks.append([])
    gateway.step()
    assert home.status(id_)["state"] == "final"
    told = [entry.data["state"] for entry in gateway.store.journal(0, 100, account_of("home")) if entry.owner]
    assert told == ["received", "checked", "queued", "in_block", "final"]


def test_the_same_message_again_changes_nothing(gateway: Gateway) -> None:
    home = gateway.client("home")
    envelope = home.envelope(AUCTION, sheet())
    first = home.bring(envelope)
    gateway.step()
    before = gateway.store.newest()
    assert home.bring(envelope)["state"] == "in_block"
    assert [result["status"]["id"] for result in home.bring_all([envelope] * 3)] == [first["id"]] * 3
    gateway.step()
    assert gateway.node.brought == [first["id"]]
    assert [entry.kind for entry in gateway.store.journal(before, 10, everything=True)] == ["block"]


def test_a_refusal_is_in_the_words_of_the_contract(gateway: Gateway) -> None:
    home = gateway.client("home")
    good, bad = (home.send(AUCTION, sheet(sequence=n)) for n in (1, 2))
    gateway.node.refusals[bad] = "GateClosed(day=2, gate=1700000000)"
    gateway.step()
    assert home.status(good)["state"] == "in_block"
    assert home.status(bad)["refusal"] == "GateClosed(day=2, gate=1700000000)"
    assert home.status(bad)["state"] == "refused"
    gateway.step()
    assert gateway.node.brought == [good, bad]


def test_what_a_reorganisation_takes_back_is_brought_again(gateway: Gateway) -> None:
    home = gateway.client("home")
    id_ = home.send(AUCTION, sheet())
    gateway.step()
    gateway.node.blocks[1:] = [[], []]
    gateway.step()
    assert gateway.node.brought == [id_, id_]
    told = [(e.kind, e.data["state"]) for e in gateway.store.journal(0, 100, account_of("home")) if e.owner]
    assert told[3:] == [("message", "in_block"), ("retract", "queued"), ("message", "in_block")]


def test_what_stays_in_its_block_is_asked_about_once(gateway: Gateway) -> None:
    home = gateway.client("home")
    ids = [home.send(AUCTION, sheet(sequence=n)) for n in (1, 2, 3)]
    gateway.step()
    for _ in range(4):
        gateway.node.blocks.append([])
        gateway.step()
    assert gateway.node.looked_for == ids
    assert gateway.store.counts()["final"] == 3


def test_a_gateway_that_was_away_looks_for_what_it_left_in_blocks(
    gateway: Gateway, tmp_path: Path, index: Path, state: str
) -> None:
    home = gateway.client("home")
    kept, lost = (home.send(AUCTION, sheet(sequence=n)) for n in (1, 2))
    gateway.step()
    again = make_gateway(tmp_path, index, state)
    again.node.blocks = [[], [], [kept], *[[]] * 9]
    again.step()
    record = again.store.message(kept)
    assert record is not None
    assert (record.state, record.block) == (State.FINAL, 2)
    assert again.node.brought == [lost]
    again.store.close()


def test_a_gateway_that_was_killed_while_bringing_looks_before_it_brings_again(
    gateway: Gateway, tmp_path: Path, index: Path, state: str
) -> None:
    home = gateway.client("home")
    id_ = home.send(AUCTION, sheet())
    gateway.store.begin([id_], 0)
    gateway.node.blocks.append([id_])  # it landed, and nobody noted it
    again = make_gateway(tmp_path, index, state)
    again.node.blocks = gateway.node.blocks
    again.step()
    assert again.node.brought == []
    record = again.store.message(id_)
    assert record is not None
    assert (record.state, record.block) == (State.IN_BLOCK, 1)
    again.store.close()


def test_a_node_that_is_away_costs_no_message(gateway: Gateway) -> None:
    home = gateway.client("home")
    id_ = home.send(AUCTION, sheet())
    gateway.node.failing = ChainError("the node is away")
    with pytest.raises(ChainError):
        gateway.step()
    gateway.node.failing = None
    gateway.step()
    assert home.status(id_)["state"] == "in_block"


def test_a_batch_takes_what_is_right_and_refuses_the_rest_line_by_line(gateway: Gateway) -> None:
    home = gateway.client("home")
    right, wrong = (home.envelope(AUCTION, sheet(sequence=n)) for n in (1, 2))
    wrong = wrong.model_copy(update={"signature": right.signature})
    body = "\n".join([right.model_dump_json(), "", "{", wrong.model_dump_json()])
    answer = gateway.web.post("/v1/messages:batch", content=body, headers={"content-type": "application/x-ndjson"})
    assert answer.status_code == 202
    assert [(one["line"], (one["problem"] or {}).get("title")) for one in answer.json()] == [
        (1, None), (3, "MalformedRequest"), (4, "NotSignedBySender")
    ]  # fmt: skip
    assert gateway.store.counts() == {
        "held": 0, "offered": 0, "queued": 1, "payout": 0, "in_block": 0, "final": 0, "refused": 0, "replaced": 0
    }  # fmt: skip


def test_every_type_of_message_comes_through_its_envelope_unchanged() -> None:
    sample = {"address": account_of("home"), "bool": True, "bytes32": f"0x{5:064x}", "bytes": "0x00ff"}
    for type_, kind in KINDS.items():
        values = {name: [f"0x{1:064x}"] if of == "bytes32[]" else sample.get(of, "7") for name, of in type_.TYPE}
        message = parse(type_.__name__, values)
        domain = Domain(CHAIN, CONTRACTS[kind.contract])
        envelope = seal(domain, message, sign(domain, message, key_of("home")))
        assert envelope.message == values
        again = check(Envelope.model_validate_json(envelope.model_dump_json()), CHAIN, CONTRACTS)
        assert (again.message, again.contract, again.sender) == (message, kind.contract, account_of("home"))


def test_a_pool_takes_order_sheets_of_its_own() -> None:
    contracts = CONTRACTS | {"CallAuction:roofs": f"0x{9:040x}"}
    domain = Domain(CHAIN, contracts["CallAuction:roofs"])
    envelope = seal(domain, sheet(), sign(domain, sheet(), key_of("home")))
    assert check(envelope, CHAIN, contracts).contract == "CallAuction:roofs"
    with pytest.raises(RequestError, match="WrongContract"):
        check(envelope, CHAIN, CONTRACTS)


def test_a_sheet_for_a_day_that_is_not_open_waits_and_the_last_one_has_its_place(gateway: Gateway) -> None:
    gateway.now[0] = CALENDAR.opens_at(2) + 3_600.0
    home = gateway.client("home")
    first, other, second, late = (
        home.send(AUCTION, sheet(day=day, sequence=sequence)) for day, sequence in ((4, 1), (5, 1), (4, 3), (4, 2))
    )
    gateway.step()
    states = [home.status(id_)["state"] for id_ in (first, other, second, late)]
    assert states == ["replaced", "held", "held", "replaced"]
    assert gateway.node.brought == []
    gateway.now[0] = CALENDAR.opens_at(4) + 29.0
    gateway.step()
    assert gateway.node.brought == []
    gateway.now[0] += 1
    gateway.step()
    assert gateway.node.brought == [second]
    # What comes while the auction is open is brought at once, and a chain that takes it back says so.
    home.log_in()
    change = home.send(AUCTION, sheet(day=4, sequence=4))
    gateway.step()
    assert gateway.node.brought == [second, change]
    assert [one.id for one in gateway.store.in_places(account_of("home"), 10)] == [other, change]
    told = [(e.kind, e.data["state"]) for e in gateway.store.journal(0, 100, account_of("home")) if e.owner]
    assert ("retract", "queued") not in told
    assert told.count(("message", "held")) == 3


def test_sheets_are_held_for_members_and_for_some_days_alone(gateway: Gateway) -> None:
    gateway.now[0] = CALENDAR.opens_at(2) + 3_600.0
    home = gateway.client("home")
    assert home.status(home.send(AUCTION, sheet(day=42)))["state"] == "held"
    with pytest.raises(
        RequestError, match="TooEarly: day 43 opens in more than 40 days: the last one that is held is 42"
    ):
        home.send(AUCTION, sheet(day=43))
    stranger = gateway.client("nobody", log_in=False)
    with pytest.raises(RequestError, match="NotAMember: day 3 is not open yet: sheets are held for members alone"):
        stranger.send(AUCTION, sheet("nobody", day=3))
    assert gateway.store.counts()["held"] == 1
