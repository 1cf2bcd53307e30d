"""addWatcher and removeWatcher: who is told of changed standings, and what becomes of those who fail."""

import pytest
from ape.api import AccountAPI
from support.refusals import refused
from support.village import ADMITTED, EXITED, SUSPENDED, Member, Village, events
from web3.contract import Contract

from dem.errors import RefusedError

MAX_WATCHERS = 8
REVERTS = "0x60006000fd"
SPINS = "0x5b600056"
SAYS_MUCH = "0x6203e8006000fd"


def of_code(village: Village, code: str) -> str:
    """Address of a contract with this runtime code."""
    length = len(code) // 2 - 1
    creation = f"0x60{length:02x}600c60003960{length:02x}6000f3{code[2:]}"
    web3, sender = village.market.chain.web3, village.stranger
    receipt = web3.eth.wait_for_transaction_receipt(
        web3.eth.send_transaction({"from": sender.address, "data": creation, "gas": 500_000})
    )
    return receipt["contractAddress"]


def watchers(village: Village, code: str, count: int = 1) -> list[str]:
    """Further ones, all with that code."""
    added = [of_code(village, code) for _ in range(count)]
    for each in added:
        village.send("council", village.market.registry, "addWatcher", each)
    return added


def test_the_intraday_market_is_told_from_the_start(registry: Contract, intraday: Contract) -> None:
    assert registry.functions.isWatcher(intraday.address).call()


@pytest.mark.parametrize(
    "code", [REVERTS, SPINS, SAYS_MUCH], ids=["reverts", "runs out of gas", "reverts with much data"]
)
def test_one_that_fails_hinders_nobody(
    village: Village, registry: Contract, intraday: Contract, buyer: Member, code: str
) -> None:
    """Suspended, reinstated, gone: whatever the market does."""
    [faulty] = watchers(village, code)
    for function, status in (("suspend", SUSPENDED), ("reinstate", ADMITTED), ("exit", EXITED)):
        receipt = village.send("registrar", registry, function, buyer.id)
        assert events(receipt, registry, "WatcherFailed") == [{"market": faulty, "id": buyer.id}]
        assert registry.functions.statusOf(buyer.account).call() == status
    assert registry.functions.isWatcher(intraday.address).call()


def test_those_beside_it_are_told(village: Village, registry: Contract, intraday: Contract, buyer: Member) -> None:
    village.send("council", registry, "removeWatcher", intraday.address)
    watchers(village, SPINS)
    village.send("council", registry, "addWatcher", intraday.address)
    village.send("council", village.market.contract("Schedule"), "addMarket", intraday.address, 1)
    village.wait_until(village.calendar.gate_closes_at(1))
    village.market.chain.send(buyer.sender, intraday, "fund", 1, 10**8)
    village.send("registrar", registry, "suspend", buyer.id)
    with refused("MemberBarred", id=buyer.id):
        village.market.chain.send(buyer.sender, intraday, "place", 1, 7, False, 100, 100, 0)


def test_a_faulty_one_is_removed(village: Village, registry: Contract, buyer: Member) -> None:
    [faulty] = watchers(village, REVERTS)
    receipt = village.send("council", registry, "removeWatcher", faulty)
    assert events(receipt, registry, "WatcherRemoved") == [{"market": faulty}]
    assert events(village.send("registrar", registry, "suspend", buyer.id), registry, "WatcherFailed") == []


def test_whoever_changes_a_standing_does_not_make_one_fail_by_little_gas(
    village: Village, registry: Contract, buyer: Member
) -> None:
    with pytest.raises(RefusedError, match="TooLittleGas"):
        village.send_with(200_000, "registrar", registry, "suspend", buyer.id)
    village.send_with(400_000, "registrar", registry, "suspend", buyer.id)


def test_the_most_there_can_be_fit_a_transaction(village: Village, registry: Contract, buyer: Member) -> None:
    watchers(village, SAYS_MUCH, MAX_WATCHERS - 1)
    one_more = of_code(village, REVERTS)
    with refused("TooManyWatchers", limit=MAX_WATCHERS):
        village.send("council", registry, "addWatcher", one_more)
    assert village.send("registrar", registry, "suspend", buyer.id)["gasUsed"] < 1 << 22


def test_an_untold_market_funds_no_day(village: Village, registry: Contract, intraday: Contract, buyer: Member) -> None:
    village.send("council", village.market.contract("Schedule"), "addMarket", intraday.address, 1)
    village.send("council", registry, "removeWatcher", intraday.address)
    village.wait_until(village.calendar.gate_closes_at(1))
    with refused("NotTold"):
        village.market.chain.send(buyer.sender, intraday, "fund", 1, 10**8)


def test_reverts_for_what_is_no_contract_or_told_already_or_not_told(
    village: Village, registry: Contract, intraday: Contract, stranger: AccountAPI
) -> None:
    for function, market in (
        ("addWatcher", stranger.address),
        ("addWatcher", intraday.address),
        ("removeWatcher", stranger.address),
    ):
        with refused("WatcherUnusable", market=market):
            village.send("council", registry, function, market)


def test_reverts_when_the_caller_has_no_role(village: Village, registry: Contract, stranger: AccountAPI) -> None:
    for function in ("addWatcher", "removeWatcher"):
        with refused("AccessManagedUnauthorized", caller=stranger.address):
            village.market.chain.send(stranger, registry, function, stranger.address)
