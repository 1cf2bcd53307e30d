"""The gateway on a chain: what it is brought ends up in a block or refused in the contract's words, by and by final."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.contracts import Contracts
from support.signed import bid, domain
from support.village import Member, Village

from dem.deployment.market import Market
from dem.deployment.plan import Government
from dem.gateway.protocol import Envelope, check, seal
from dem.gateway.relaying import ChainPort, Relaying
from dem.gateway.state import NewJoint, NewOffer, State, Store
from dem.governance.elections import ElectionTerms
from dem.messages.contracts import Acceptance, Ending, Revocation
from dem.messages.members import Ballot, Nomination, Opening, Withdrawal
from dem.messages.orders import OrderSheet
from dem.messages.signing import Message, digest, message_hash, sign
from dem.model.orders import lines_of
from dem.model.strips import LANES, pack
from dem.relay.batches import Relay


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{tmp_path / 'state.sqlite'}")
    yield made
    made.close()


def bring(store: Store, market: Market, member: Member, contract: str, message: Message, **more: Any) -> str:
    """What the gateway does with a message that it is sent."""
    at = domain(market, contract)
    envelope = seal(at, message, sign(at, message, member.wallet.account_key))
    checked = check(Envelope.model_validate_json(envelope.model_dump_json()), market.chain.id, market.addresses)
    store.accept(checked.id, envelope.type, checked.sender, envelope.model_dump(), **more)
    return checked.id


def test_a_sheet_without_orders_takes_them_back(village: Village, market: Market, store: Store) -> None:
    """What the console's pause signs; and when elections are, as its pages are told."""
    village.open_auction()
    buyer, day = village.buyer, 1
    [(line, word)] = lines_of([bid(2, 100, 50)], day, market.calendar.periods_per_day).items()
    relaying = Relaying(store, ChainPort(Relay(market)), market.addresses, 2)
    ids = []
    for sequence, words in ((1, (word,)), (2, (pack(day, [0] * LANES),))):
        ids.append(bring(store, market, buyer, "CallAuction", OrderSheet(buyer.account, day, line, sequence, words)))
        relaying.step()
        assert (village.locked(buyer) > 0) is (sequence == 1)
    assert {store.message(id_).state for id_ in ids} == {State.IN_BLOCK}  # type: ignore[union-attr]
    terms = ElectionTerms(*market.contract("Elections").functions.terms().call())
    assert terms == ElectionTerms(*Government().terms(market.calendar.opening))


def test_an_accepted_offer_becomes_a_contract_and_a_withdrawn_one_none(
    village: Village, market: Market, store: Store
) -> None:
    contracts = Contracts(village)
    village.open_auction()
    relaying = Relaying(store, ChainPort(Relay(market)), market.addresses, 2)
    offers = [contracts.offer(salt=bytes([n] * 32)) for n in range(3)]

    def send(member: Member, message: Message, **more: Any) -> str:
        return bring(store, market, member, "BilateralContracts", message, **more)

    for offer in offers:
        hash_ = f"0x{message_hash(offer).hex()}"
        send(village.buyer, offer, offer=NewOffer(hash_, offer.counterparty, 2**40))
    kept, gone, open_ = (message_hash(offer) for offer in offers)
    withdrawn = send(village.buyer, Revocation(gone))
    good, late = (send(village.seller, Acceptance(one, offers[0].expiry)) for one in (kept, gone))
    relaying.step()
    states = {id_: store.message(id_).state for id_ in (withdrawn, good, late)}  # type: ignore[union-attr]
    assert states == {withdrawn: State.IN_BLOCK, good: State.IN_BLOCK, late: State.REFUSED}
    assert (store.message(late).refusal or "").startswith("ProposalUsed")  # type: ignore[union-attr]
    assert contracts.functions.contractOf(1).call()[:2] == [village.buyer.id, village.seller.id]
    assert contracts.functions.contractCount().call() == 1
    assert [contracts.functions.isUsed(one, village.buyer.account).call() for one in (kept, gone, open_)] == [
        True, True, False
    ]  # fmt: skip


def test_a_ballot_is_opened_without_its_signature_and_once(village: Village, market: Market, store: Store) -> None:
    elections, buyer, seller = market.contract("Elections"), village.buyer, village.seller
    times = ElectionTerms(*elections.functions.terms().call()).times(1)
    relaying = Relaying(store, ChainPort(Relay(market)), market.addresses, 2)

    def send(member: Member, message: Message) -> str:
        id_ = bring(store, market, member, "Elections", message)
        relaying.step()
        return id_

    def state(id_: str) -> tuple[State, str | None]:
        record = store.message(id_)
        assert record is not None
        return record.state, record.transaction

    village.wait_until(times.begins)
    send(seller, Nomination(seller.account, 1))
    village.wait_until(times.voting)
    said = Opening(1, buyer.id, seller.account, bytes(range(32)), 7)
    commitment = digest(domain(market, "Elections"), said)
    send(buyer, Ballot(buyer.account, 1, commitment, 7))
    assert elections.functions.ballotOf(1, buyer.id).call() == [commitment, 7, False]
    village.wait_until(times.counting)
    opened = send(buyer, said)
    assert opened == f"0x{commitment.hex()}"
    assert elections.functions.nominees(1).call() == [(seller.account, 1)]
    before = state(opened)
    assert before[0] is State.IN_BLOCK

    # As if the gateway had been killed before it noted what landed.
    record = store.message(opened)
    assert record is not None
    store.move(record, State.QUEUED)
    relaying.step()
    assert state(opened) == before


def test_messages_end_in_a_block_or_refused_in_words(village: Village, market: Market, store: Store) -> None:
    village.open_auction()
    buyer, day = village.buyer, 1
    [(line, word)] = lines_of([bid(2, 100, 50)], day, market.calendar.periods_per_day).items()

    def orders(sequence: int) -> OrderSheet:
        return OrderSheet(buyer.account, day, line, sequence, (word,))

    good = bring(store, market, buyer, "CallAuction", orders(2))
    paid = bring(store, market, buyer, "Accounts", Withdrawal(buyer.account, 100, False, 1))
    stale = bring(store, market, buyer, "CallAuction", orders(1))
    much = bring(store, market, buyer, "Accounts", Withdrawal(buyer.account, 10**20, False, 2))
    port = ChainPort(Relay(market))
    relaying = Relaying(store, port, market.addresses, 2)
    assert relaying.step()
    found = {id_: store.message(id_) for id_ in (good, paid, stale, much)}
    for id_ in (good, paid):
        record = found[id_]
        assert record is not None
        assert record.state is State.IN_BLOCK
        assert record.transaction is not None
        assert port.blocks_of([record.transaction]) == [record.block]
    assert village.locked(buyer) > 0
    for id_, words in ((stale, "StaleSheet"), (much, "InsufficientFunds")):
        record = found[id_]
        assert record is not None
        assert record.state is State.REFUSED
        assert (record.refusal or "").startswith(words)

    # As if the gateway had been killed before it noted what landed: it looks, and brings nothing twice.
    record = found[paid]
    assert record is not None
    store.move(record, State.QUEUED)
    relaying.step()
    again = store.message(paid)
    assert again is not None
    assert (again.state, again.block, again.transaction) == (State.IN_BLOCK, record.block, record.transaction)

    market.chain.wait_until(market.chain.now() + 1)
    market.chain.wait_until(market.chain.now() + 1)
    relaying.step()
    assert {store.message(id_).state for id_ in (good, paid)} == {State.FINAL}  # type: ignore[union-attr]


def test_a_contract_that_both_want_to_end_ends(village: Village, market: Market, store: Store) -> None:
    contracts = Contracts(village)
    village.open_auction()
    relaying = Relaying(store, ChainPort(Relay(market)), market.addresses, 2)
    offer, last = contracts.offer(), 2  # of five days
    hash_ = message_hash(offer)
    for member, message, more in (
        (village.buyer, offer, {"offer": NewOffer(f"0x{hash_.hex()}", offer.counterparty, 2**40)}),
        (village.seller, Acceptance(hash_, offer.expiry), {}),
    ):
        bring(store, market, member, "BilateralContracts", message, **more)
    relaying.step()
    ending = Ending(1, last, offer.expiry)
    proposed = NewJoint(2**40, village.buyer.account, "ending", {"contract": 1}, is_first=False)
    id_ = bring(store, market, village.seller, "BilateralContracts", ending, joint=proposed)
    relaying.step()
    assert store.message(id_).state is State.OFFERED  # type: ignore[union-attr]
    at = domain(market, "BilateralContracts")
    store.countersign(id_, f"0x{sign(at, ending, village.buyer.wallet.account_key).hex()}")
    relaying.step()
    record = store.message(id_)
    assert record is not None
    assert (record.state, record.refusal) == (State.IN_BLOCK, None)
    assert contracts.functions.contractOf(1).call()[2][3] == last * market.calendar.periods_per_day
