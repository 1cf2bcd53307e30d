"""bar: the registry tells whose standing changed."""

from ape.api import AccountAPI
from support.refusals import refused
from support.village import PERIODS, Member, Village
from web3.contract import Contract

from .conftest import FUNDS, Send


def test_bars_in_every_day_that_is_funded(
    village: Village, registry: Contract, buyer: Member, seller: Member, by: Send, funded: None
) -> None:
    village.wait_until(village.calendar.gate_closes_at(2))
    by(buyer, "fund", 2, 5)
    village.send("registrar", registry, "suspend", buyer.id)
    for day in (1, 2):
        with refused("MemberBarred", id=buyer.id):
            by(buyer, "place", day, PERIODS - 1, False, 100, 100, 0)
    by(seller, "place", 1, PERIODS - 1, False, 100, 100, 0)


def test_leaves_the_account_as_it_is(
    village: Village, registry: Contract, intraday: Contract, buyer: Member, by: Send, funded: None
) -> None:
    by(buyer, "place", 1, 7, False, 100, 100, 0)
    before = intraday.functions.accountOf(buyer.id, 1).call()
    for change in ("suspend", "reinstate", "exit"):
        village.send("registrar", registry, change, buyer.id)
        assert intraday.functions.accountOf(buyer.id, 1).call() == before
    by(buyer, "defund", 1, before[1])
    assert village.locked(buyer) == FUNDS - before[1]


def test_reverts_when_the_caller_is_not_the_registry(
    village: Village, intraday: Contract, buyer: Member, stranger: AccountAPI
) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, intraday, "bar", buyer.account, True)
