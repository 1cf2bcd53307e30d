from typing import Any

import pytest
from support.contracts import BUYERS_DAY, DAYS, ENERGY, LATER, PRICE, SELLERS_DAY, WINDOW, Contracts
from support.refusals import refused
from support.signed import high_s
from support.village import (
    CAPACITY,
    CEILING,
    DEPOSIT,
    FEES,
    NOBODY,
    PERIODS,
    RULES,
    SUSPENDED,
    Member,
    Village,
    events,
)

from dem.community.keys import wallet
from dem.messages.signing import message_hash
from dem.model.orders import MAX_ENERGY

TERMS = {
    "price": PRICE,
    "energy": ENERGY,
    "firstPeriod": 0,
    "endPeriod": DAYS * PERIODS,
    "slots": (1 << PERIODS) - 1,
    "weekdays": 127,
    "extra": FEES,
    "ceiling": CEILING,
    "fullest": PERIODS,
}
MONDAY_TO_FRIDAY, SATURDAY = 0b11111, 0b100000


def test_makes_a_contract_and_locks_the_days_ahead(
    village: Village, contracts: Contracts, buyer: Member, seller: Member
) -> None:
    proposal = contracts.offer()
    receipt = contracts.conclude(proposal)
    [event] = events(receipt, contracts.contract, "Concluded")
    assert event | {"terms": dict(event["terms"])} == {
        "number": 1,
        "buyer": buyer.id,
        "seller": seller.id,
        "proposal": message_hash(proposal),
        "terms": TERMS,
    }
    assert contracts.functions.contractOf(1).call() == [buyer.id, seller.id, tuple(TERMS.values())]
    assert contracts.functions.contractsOf(buyer.id).call() == contracts.functions.contractsOf(seller.id).call() == [1]
    assert contracts.functions.collateralOf(1).call() == [WINDOW * BUYERS_DAY, WINDOW * SELLERS_DAY]
    assert village.account(buyer) == (DEPOSIT - WINDOW * BUYERS_DAY, WINDOW * BUYERS_DAY, 0, 0)
    assert village.locked(seller) == WINDOW * SELLERS_DAY


def test_the_proposer_may_sell(village: Village, contracts: Contracts, buyer: Member, seller: Member) -> None:
    proposal = contracts.offer(proposer=seller.account, counterparty=buyer.account, is_sale=True)
    [event] = events(contracts.conclude(proposal, seller, buyer), contracts.contract, "Concluded")
    assert (event["buyer"], event["seller"]) == (buyer.id, seller.id)


def test_anyone_may_accept_an_open_proposal(
    village: Village, contracts: Contracts, seller: Member, rival: Member
) -> None:
    proposal = contracts.offer(proposer=seller.account, counterparty=NOBODY, is_sale=True)
    [event] = events(contracts.conclude(proposal, seller, rival), contracts.contract, "Concluded")
    assert event["buyer"] == rival.id


@pytest.mark.parametrize(
    ("changes", "periods", "days"),
    [
        ({"last_period": PERIODS - 1}, PERIODS, 1),
        ({"last_period": 2 * PERIODS - 1}, PERIODS, 2),
        ({"first_period": 4, "last_period": 6}, 3, 1),
        ({"first_period": PERIODS - 1, "last_period": PERIODS + 3}, 4, 2),
        ({"first_period": PERIODS - 1, "last_period": 2 * PERIODS}, PERIODS, 3),
        ({"weekdays": SATURDAY, "last_period": 14 * PERIODS - 1}, PERIODS, 2),
        ({"weekdays": MONDAY_TO_FRIDAY, "slots": 0b110, "last_period": 365 * PERIODS - 1}, 2, WINDOW),
        ({"first_period": 3, "slots": 0b110, "last_period": 2 * PERIODS - 1}, 2, 1),
    ],
    ids=[
        "a day",
        "two days",
        "three periods",
        "over midnight",
        "two ends",
        "two Saturdays",
        "a year's working days",
        "too late on day 1",
    ],
)
def test_locks_for_the_fullest_day_and_no_more_days_than_there_are(
    contracts: Contracts, changes: dict[str, Any], periods: int, days: int
) -> None:
    contracts.conclude(contracts.offer(**changes))
    assert contracts.functions.contractOf(1).call()[2][-1] == periods
    worth = days * ENERGY * periods
    assert contracts.functions.collateralOf(1).call() == [worth * (PRICE + FEES), worth * (CEILING - PRICE)]


def test_a_proposal_concludes_once(contracts: Contracts, buyer: Member) -> None:
    proposal = contracts.offer()
    contracts.conclude(proposal)
    assert contracts.functions.isUsed(message_hash(proposal), buyer.account).call()
    with refused("ProposalUsed", proposal=message_hash(proposal), account=buyer.account):
        contracts.conclude(proposal)
    contracts.conclude(contracts.offer(salt=b"another".ljust(32, b"\0")))
    assert contracts.functions.contractCount().call() == 2


def test_a_counter_proposal_uses_up_what_it_answers(contracts: Contracts, buyer: Member, seller: Member) -> None:
    opened = message_hash(contracts.offer())
    answer = contracts.offer(
        proposer=seller.account, counterparty=buyer.account, is_sale=True, price=PRICE + 1, answers=opened
    )
    contracts.conclude(answer, seller, buyer)
    with refused("ProposalUsed", proposal=opened, account=buyer.account):
        contracts.conclude(contracts.offer())


def test_of_a_negotiation_one_proposal_concludes(contracts: Contracts, buyer: Member, seller: Member) -> None:
    opened = message_hash(contracts.offer())
    answer = contracts.offer(proposer=seller.account, counterparty=buyer.account, is_sale=True, answers=opened)
    reply = contracts.offer(price=PRICE - 1, answers=opened)
    contracts.conclude(reply)
    with refused("ProposalUsed", proposal=opened, account=seller.account):
        contracts.conclude(answer, seller, buyer)
    with refused("ProposalUsed", proposal=opened, account=buyer.account):
        contracts.conclude(contracts.offer())


def test_nobody_uses_up_what_others_proposed(
    contracts: Contracts, buyer: Member, seller: Member, rival: Member
) -> None:
    opened = message_hash(contracts.offer())
    meddling = contracts.offer(proposer=rival.account, answers=opened)
    contracts.conclude(meddling, rival, seller)
    contracts.conclude(contracts.offer())
    assert contracts.functions.contractCount().call() == 2


def test_reverts_while_paused(village: Village, contracts: Contracts) -> None:
    village.send("node", village.market.accounts, "pause", contracts.contract.address)
    with refused("MarketIsPaused", market=contracts.contract.address):
        contracts.conclude(contracts.offer())


def test_reverts_when_proposed_by_somebody_else(contracts: Contracts, buyer: Member, rival: Member) -> None:
    with refused("NotSignedBy", account=buyer.account, signer=rival.account):
        contracts.conclude(contracts.offer(), proposer=rival)


def test_reverts_when_accepted_by_somebody_else(
    village: Village, contracts: Contracts, seller: Member, rival: Member
) -> None:
    *rest, _ = contracts.signed(contracts.offer())
    *_, acceptance = contracts.signed(contracts.offer(), accepter=rival)
    with refused("NotSignedBy", account=seller.account, signer=rival.account):
        village.relay(contracts.contract, "conclude", *rest, acceptance)


def test_reverts_when_the_signature_is_the_other_one_of_the_key(village: Village, contracts: Contracts) -> None:
    proposal, signature, *rest = contracts.signed(contracts.offer())
    other = high_s(signature)
    with refused("ECDSAInvalidSignatureS", s=other[32:64]):
        village.relay(contracts.contract, "conclude", proposal, other, *rest)


def test_reverts_when_accepted_by_another_than_named(contracts: Contracts, seller: Member, rival: Member) -> None:
    with refused("NotTheCounterparty", accepter=rival.account, counterparty=seller.account):
        contracts.conclude(contracts.offer(), accepter=rival)


def test_reverts_when_expired(village: Village, contracts: Contracts) -> None:
    expiry = village.now
    with refused("Expired", expiry=expiry, time=village.now):
        contracts.conclude(contracts.offer(expiry=expiry))


@pytest.mark.parametrize("proposed", [LATER, 0])
def test_reverts_when_the_acceptance_has_expired(village: Village, contracts: Contracts, proposed: int) -> None:
    """A proposer cannot wait with an acceptance longer than was meant; the earlier of the two counts."""
    expiry = village.now
    proposal = contracts.offer(expiry=proposed or expiry - 1)
    with refused("Expired", expiry=min(expiry, proposal.expiry), time=expiry):
        village.relay(contracts.contract, "conclude", *contracts.signed(proposal, expiry=expiry))


def test_reverts_when_a_counter_proposal_names_nobody(contracts: Contracts) -> None:
    with refused("AnswerToNobody", answers=b"\1" * 32):
        contracts.conclude(contracts.offer(counterparty=NOBODY, answers=b"\1" * 32))


@pytest.mark.parametrize(
    ("changes", "term", "value", "limit"),
    [
        ({"first_period": 30, "last_period": 29}, "lastPeriod", 29, 30),
        ({"slots": 1 << PERIODS}, "slots", 1 << PERIODS, (1 << PERIODS) - 1),
        ({"weekdays": 128}, "weekdays", 128, 127),
        ({"energy": RULES.min_order_energy - 1}, "energy", RULES.min_order_energy - 1, RULES.min_order_energy),
        ({"energy": MAX_ENERGY + 1}, "energy", MAX_ENERGY + 1, MAX_ENERGY),
    ],
)
def test_reverts_when_a_term_cannot_be(
    contracts: Contracts, changes: dict[str, Any], term: str, value: int, limit: int
) -> None:
    with refused("BadTerm", term=term, value=value, limit=limit):
        contracts.conclude(contracts.offer(**changes))


@pytest.mark.parametrize("price", [RULES.max_buy + 1, RULES.prices.lowest - 1])
def test_reverts_when_the_price_is_out_of_range(contracts: Contracts, price: int) -> None:
    with refused("PriceOutOfRange", price=price, lowest=RULES.prices.lowest, highest=RULES.max_buy):
        contracts.conclude(contracts.offer(price=price))


@pytest.mark.parametrize("changes", [{"slots": 0}, {"weekdays": 0}, {"last_period": 0, "slots": 0b10}])
def test_reverts_when_nothing_is_delivered(contracts: Contracts, changes: dict[str, int]) -> None:
    proposal = contracts.offer(**changes)
    with refused("NothingToDeliver", firstPeriod=0, lastPeriod=proposal.last_period):
        contracts.conclude(proposal)


def test_reverts_when_there_is_no_such_day(contracts: Contracts) -> None:
    with refused("NoSuchDay", day=65_536):
        contracts.conclude(contracts.offer(last_period=65_535 * PERIODS))


def test_reverts_when_the_gate_of_the_first_day_has_closed(village: Village, contracts: Contracts) -> None:
    closed_at = village.calendar.gate_closes_at(1)
    village.wait_until(closed_at)
    with refused("GateClosed", day=1, closedAt=closed_at, time=village.now):
        contracts.conclude(contracts.offer())
    contracts.conclude(contracts.offer(first_period=PERIODS))


@pytest.mark.parametrize("side", ["buyer", "seller"])
def test_reverts_when_a_side_is_suspended(village: Village, contracts: Contracts, side: str) -> None:
    member = getattr(village, side)
    village.send("registrar", village.market.registry, "suspend", member.id)
    with refused("WrongStatus", account=member.account, status=SUSPENDED):
        contracts.conclude(contracts.offer())


def test_reverts_when_a_side_is_no_member(contracts: Contracts) -> None:
    nobody = Member(0, wallet("village", 1, "nobody"))
    with refused("UnknownAccount", account=nobody.account):
        contracts.conclude(contracts.offer(counterparty=NOBODY), accepter=nobody)


@pytest.mark.parametrize("side", ["buyer", "seller"])
def test_reverts_when_a_connection_does_not_carry_it(village: Village, contracts: Contracts, side: str) -> None:
    """The fallback supplier's has no limit."""
    member, supplier = getattr(village, side), village.supplier
    proposal = contracts.offer(
        proposer=member.account,
        counterparty=supplier.account,
        is_sale=side == "seller",
        energy=CAPACITY + 1,
        last_period=0,
    )
    with refused("ExceedsCapacity", id=member.id, asked=CAPACITY + 1, allowed=CAPACITY):
        contracts.conclude(proposal, member, supplier)


def test_reverts_when_both_sides_are_one(contracts: Contracts, buyer: Member) -> None:
    with refused("ContractWithItself", id=buyer.id):
        contracts.conclude(contracts.offer(counterparty=buyer.account), accepter=buyer)


def test_reverts_without_the_money_for_the_collateral(contracts: Contracts, buyer: Member) -> None:
    energy = DEPOSIT // (PERIODS * PRICE)
    needed = energy * PERIODS * (PRICE + FEES)
    with refused("InsufficientFunds", id=buyer.id, needed=needed, available=DEPOSIT):
        contracts.conclude(contracts.offer(energy=energy, last_period=PERIODS - 1))


def test_reverts_when_a_side_is_in_arrears(village: Village, contracts: Contracts, rival: Member) -> None:
    village.clear_day()
    village.wait_until(village.calendar.start_of(2))
    village.read(rival, [CAPACITY] * PERIODS)
    village.close_metering()
    village.settle()
    arrears = village.account(rival)[2]
    assert arrears > 0
    proposal = contracts.offer(
        proposer=rival.account,
        is_sale=True,
        first_period=4 * PERIODS,
        counterparty=village.buyer.account,
    )
    with refused("InArrears", id=rival.id, arrears=arrears):
        contracts.conclude(proposal, rival, village.buyer)


def test_reverts_before_the_schedule_asks_for_its_days(village: Village) -> None:
    early = Contracts(village)
    from_ = village.calendar.opens_at(1)
    with refused("NotAMarket", caller=early.contract.address, **{"from": from_}):
        early.conclude(early.offer())
