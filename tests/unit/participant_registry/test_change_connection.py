from ape.api import AccountAPI
from support.refusals import refused
from support.village import ADMITTED, CAPACITY, EXITED, Member, Village, events
from web3.contract import Contract

LARGEST = (1 << 33) - 1


def test_the_connection_carries_something_else_from_a_day_on(
    village: Village, registry: Contract, buyer: Member
) -> None:
    receipt = village.send("registrar", registry, "changeConnection", buyer.id, 3, 2 * CAPACITY, 4)
    assert events(receipt, registry, "ConnectionChanged") == [
        {"id": buyer.id, "importCapacity": 3, "exportCapacity": 2 * CAPACITY, "firstDay": 4}
    ]
    for day, carried in ((3, [CAPACITY, CAPACITY]), (4, [3, 2 * CAPACITY])):
        assert registry.functions.meterOn(buyer.id, day).call()[1:] == carried
        assert list(registry.functions.metered(buyer.meter, day).call()[1:3]) == carried
        assert registry.functions.requireTrader(buyer.account, day).call()[1:] == carried


def test_what_was_to_change_on_that_day_or_later_is_replaced(
    village: Village, registry: Contract, buyer: Member
) -> None:
    for capacity, day in ((3, 4), (4, 6), (5, 4), (6, 9)):
        village.send("registrar", registry, "changeConnection", buyer.id, capacity, capacity, day)
    carried = [registry.functions.meterOn(buyer.id, day).call()[1] for day in (3, 4, 7, 9)]
    assert carried == [CAPACITY, 5, 5, 6]


def test_reverts_for_a_day_whose_auction_has_opened(village: Village, registry: Contract, buyer: Member) -> None:
    village.open_auction(2)
    with refused("DayUnusable", day=2, first=3):
        village.send("registrar", registry, "changeConnection", buyer.id, 3, 3, 2)


def test_reverts_for_a_connection_too_large(village: Village, registry: Contract, buyer: Member) -> None:
    with refused("ConnectionTooLarge", capacity=LARGEST + 1, limit=LARGEST):
        village.send("registrar", registry, "changeConnection", buyer.id, LARGEST + 1, 3, 4)


def test_reverts_for_who_has_left(village: Village, registry: Contract, buyer: Member) -> None:
    village.send("registrar", registry, "exit", buyer.id)
    with refused("WrongStatus", account=buyer.account, status=EXITED):
        village.send("registrar", registry, "changeConnection", buyer.id, 3, 3, 4)


def test_reverts_for_the_markets_own_members(village: Village, registry: Contract) -> None:
    with refused("WrongStatus", account=village.grid_operator.account, status=ADMITTED):
        village.send("registrar", registry, "changeConnection", village.grid_operator.id, 3, 3, 4)


def test_reverts_when_the_caller_is_no_registrar(
    village: Village, registry: Contract, buyer: Member, stranger: AccountAPI
) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, registry, "changeConnection", buyer.id, 3, 3, 4)
