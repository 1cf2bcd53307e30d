from support.signed import NO_ENERGY
from support.village import PERIOD, Member, Village
from web3.contract import Contract

from .conftest import Send


def test_nothing_is_known_of_a_day_without_orders(village: Village, intraday: Contract, buyer: Member) -> None:
    assert intraday.functions.accountOf(buyer.id, 1).call() == (0, 0, 0, 0, 0)
    assert intraday.functions.netOf(buyer.id, 1, 0).call() == NO_ENERGY
    assert intraday.functions.prices(1, 7, True).call() == []
    assert intraday.functions.ordersAt(1, 7, True, 100).call() == []
    assert intraday.functions.intradayLead().call() == 0
    assert intraday.functions.intradayGateAt(2, 3).call() == village.calendar.start_of(2) + 3 * PERIOD


def test_a_day_does_not_show_the_orders_of_the_day_that_used_its_storage_before(
    intraday: Contract, buyer: Member, by: Send, funded: None
) -> None:
    by(buyer, "place", 1, 7, False, 100, 100, 0)
    assert intraday.functions.prices(9, 7, False).call() == []
    assert intraday.functions.ordersAt(9, 7, False, 100).call() == []
    assert intraday.functions.accountOf(buyer.id, 9).call() == (0, 0, 0, 0, 0)


def test_prices_are_listed_best_first(
    intraday: Contract, buyer: Member, seller: Member, by: Send, funded: None
) -> None:
    for tick in (0, 100, 99):
        by(buyer, "place", 1, 7, False, tick, 10, 0)
    for tick in (4_095, 3_000, 3_001):
        by(seller, "place", 1, 7, True, tick, 10, 0)
    assert intraday.functions.prices(1, 7, False).call() == [100, 99, 0]
    assert intraday.functions.prices(1, 7, True).call() == [3_000, 3_001, 4_095]
