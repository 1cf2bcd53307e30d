"""A market counts up to a day, locks nothing more when that is over, and leaves when it is final."""

from ape.api import AccountAPI
from support.contracts import BUYERS_DAY, DAYS, SELLERS_DAY, Contracts
from support.refusals import refused
from support.signed import ask, bid
from support.village import DEPOSIT, PERIODS, RULES, Member, Village, events
from web3.contract import Contract

from .conftest import order_in

STAYS = 2**32 - 1
LAST_DAY = 2


def make_final(village: Village, *days: int) -> None:
    """Days in which nobody else does anything."""
    for day in days:
        if not village.market.auction.functions.isCleared(day).call():
            village.clear_day(day)
        village.close_metering(day)
        village.settle(day)
        village.wait_until(village.calendar.corrections_close_at(day))
        village.relay(village.market.settlement, "finalize", day)


def test_counts_up_to_its_last_day(
    village: Village, schedule: Contract, auction: Contract, second_auction: str, buyer: Member, seller: Member
) -> None:
    village.send("council", schedule, "addMarket", second_auction, 1)
    receipt = village.send("council", schedule, "retireMarket", second_auction, LAST_DAY)
    assert events(receipt, schedule, "MarketRetired") == [{"market": second_auction, "lastDay": LAST_DAY}]
    until = village.calendar.start_of(LAST_DAY + 1)
    accounts = village.market.accounts
    assert events(receipt, accounts, "MarketDismissed") == [{"market": second_auction, "until": until}]
    assert accounts.functions.lockableUntil(second_auction).call() == until
    assert schedule.functions.markets().call() == [(auction.address, 1, STAYS), (second_auction, 1, LAST_DAY)]
    village.open_auction(LAST_DAY)
    order_in(village, second_auction, buyer, bid(0, 200, 1_000), day=LAST_DAY)
    order_in(village, second_auction, seller, ask(0, 100, 1_000), day=LAST_DAY)
    village.open_auction(LAST_DAY + 1)
    with refused("DayDoesNotCount", market=second_auction, day=LAST_DAY + 1):
        order_in(village, second_auction, buyer, bid(0, 200, 1_000), day=LAST_DAY + 1)
    village.place(buyer, bid(0, 200, 1_000), day=LAST_DAY + 1)


def test_releases_what_it_holds_and_leaves_when_its_last_day_is_final(
    village: Village, schedule: Contract, auction: Contract, second_auction: str, buyer: Member
) -> None:
    village.send("council", schedule, "addMarket", second_auction, 1)
    village.send("council", schedule, "retireMarket", second_auction, LAST_DAY)
    village.open_auction(LAST_DAY)
    order_in(village, second_auction, buyer, bid(0, 200, 1_000), day=LAST_DAY)
    assert village.locked(buyer) > 0
    make_final(village, 1)
    with refused("MarketStillCounts", market=second_auction, lastDay=LAST_DAY, lastFinalDay=1):
        village.relay(schedule, "removeMarket", second_auction)
    second = village.market.chain.contract("CallAuction", second_auction)
    for strip in range(2):
        village.relay(second, "clear", LAST_DAY, strip, [200 if strip == 0 else 0] + [0] * 5, 1)
    make_final(village, LAST_DAY)
    assert village.locked(buyer) == 0
    receipt = village.relay(schedule, "removeMarket", second_auction)
    assert events(receipt, schedule, "MarketRemoved") == [{"market": second_auction}]
    assert schedule.functions.markets().call() == [(auction.address, 1, STAYS)]
    with refused("MarketUnknown", market=second_auction):
        village.relay(schedule, "removeMarket", second_auction)
    with refused("MarketKnown", market=second_auction):
        village.send("council", schedule, "addMarket", second_auction, 9)
    make_final(village, LAST_DAY + 1)


def test_locks_no_more_when_its_last_day_is_over(
    village: Village, schedule: Contract, ledger: Contract, stranger: AccountAPI, buyer: Member
) -> None:
    """Whatever its code does; what it holds it still releases."""
    chain = village.market.chain
    village.send("council", schedule, "addMarket", stranger.address, 1)
    village.send("council", schedule, "retireMarket", stranger.address, 1)
    until = village.calendar.start_of(2)
    village.wait_until(until - 10)
    chain.send(stranger, ledger, "lockCollateral", buyer.id, 3)
    village.wait_until(until)
    with refused("MarketIsRetired", market=stranger.address, until=until):
        chain.send(stranger, ledger, "lockCollateral", buyer.id, 1)
    chain.send(stranger, ledger, "releaseCollateral", buyer.id, 3)
    assert village.account(buyer)[:2] == (DEPOSIT, 0)


def test_notes_no_orders_for_a_day_that_has_not_opened(
    village: Village, schedule: Contract, stranger: AccountAPI
) -> None:
    """Retired now, it would be asked about that day, for which it does not count."""
    chain, last = village.market.chain, LAST_DAY
    village.send("council", schedule, "addMarket", stranger.address, 1)
    village.open_auction(last)
    with refused("DayDoesNotCount", market=stranger.address, day=last + 1):
        chain.send(stranger, schedule, "noteOrders", last + 1)
    chain.send(stranger, schedule, "noteOrders", last)
    village.send("council", schedule, "retireMarket", stranger.address, last)


def test_may_be_decided_anew_until_the_next_day_has_opened(
    village: Village, schedule: Contract, second_auction: str
) -> None:
    village.send("council", schedule, "addMarket", second_auction, 1)
    village.send("council", schedule, "retireMarket", second_auction, 1)
    village.send("council", schedule, "retireMarket", second_auction, STAYS)
    assert village.market.accounts.functions.lockableUntil(second_auction).call() == 2**64 - 1
    village.send("council", schedule, "retireMarket", second_auction, 1)
    village.open_auction(2)
    with refused("TooLateToRetire", lastDay=1, earliest=2):
        village.send("council", schedule, "retireMarket", second_auction, STAYS)


def test_reverts_for_a_day_that_may_have_orders(village: Village, schedule: Contract, second_auction: str) -> None:
    village.send("council", schedule, "addMarket", second_auction, 1)
    village.open_auction(2)
    with refused("TooLateToRetire", lastDay=1, earliest=2):
        village.send("council", schedule, "retireMarket", second_auction, 1)


def test_reverts_when_the_market_is_unknown(village: Village, schedule: Contract, second_auction: str) -> None:
    with refused("MarketUnknown", market=second_auction):
        village.send("council", schedule, "retireMarket", second_auction, 3)


def test_reverts_when_the_caller_is_not_the_council(
    village: Village, schedule: Contract, auction: Contract, stranger: AccountAPI
) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, schedule, "retireMarket", auction.address, 3)


def test_only_so_many_are_plugged_in_at_once(village: Village, schedule: Contract) -> None:
    for n in range(15):
        village.send("council", schedule, "addMarket", f"0x{n + 1:040x}", 1)
    with refused("TooManyMarkets", most=16):
        village.send("council", schedule, "addMarket", f"0x{16:040x}", 1)


def test_contracts_that_go_beyond_it_end_with_it(village: Village, buyer: Member, seller: Member) -> None:
    """Whoever brings it about, and however late: each side has its collateral again, and nobody forfeits any."""
    contracts = Contracts(village)
    village.open_auction()
    contracts.conclude(contracts.offer())
    schedule, last = village.market.contract("Schedule"), DAYS - 2
    with refused("NobodyLeft", number=1):
        village.relay(contracts.contract, "terminate", 1)
    village.send("council", schedule, "retireMarket", contracts.contract.address, last)
    with refused("BadTerm", term="lastPeriod", value=DAYS * PERIODS - 1, limit=last * PERIODS):
        contracts.conclude(contracts.offer(salt=b"\1" * 32))
    make_final(village, *range(1, DAYS + 1))
    village.relay(schedule, "removeMarket", contracts.contract.address)
    assert contracts.functions.collateralOf(1).call() == [2 * BUYERS_DAY, 2 * SELLERS_DAY]
    assert (village.locked(buyer), village.locked(seller)) == (2 * BUYERS_DAY, 2 * SELLERS_DAY)
    receipt = village.relay(contracts.contract, "terminate", 1)
    assert events(receipt, contracts.contract, "Ended") == [
        {"number": 1, "lastDay": last, "defaulter": 0, "forfeited": 0}
    ]
    assert (village.locked(buyer), village.locked(seller)) == (0, 0)
    with refused("NotEarlier", number=1, lastDay=last, present=last):
        village.relay(contracts.contract, "terminate", 1)


def test_days_are_settled_when_no_market_is_left(
    village: Village, schedule: Contract, auction: Contract, buyer: Member
) -> None:
    village.send("council", schedule, "retireMarket", auction.address, 1)
    make_final(village, 1)
    village.relay(schedule, "removeMarket", auction.address)
    assert schedule.functions.markets().call() == []
    village.wait_until(village.calendar.start_of(LAST_DAY + 1))
    village.read(buyer, [1_000] + [0] * (PERIODS - 1), day=LAST_DAY)
    village.close_metering(LAST_DAY)
    village.settle(LAST_DAY)
    assert village.free(buyer) == DEPOSIT - 1_000 * RULES.standing_buy
