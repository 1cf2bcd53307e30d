import pytest
from ape.api import AccountAPI
from support.refusals import refused
from support.village import PERIODS, RULES, STRIPS, Village, events
from web3.contract import Contract

from dem.model.rules import Tariff
from dem.model.strips import LANES, pack


def words(*tariffs: Tariff, day: int = 1) -> list[int]:
    """A day's tariffs as strip words."""
    lanes = [tariff.lane(RULES.prices) for tariff in tariffs]
    return [pack(day, lanes[at : at + LANES]) for at in range(0, len(lanes), LANES)]


TARIFFS = [Tariff(30_000 + slot, 7_000 + slot) for slot in range(PERIODS)]


def with_lane(slot: int, buy: int, sell: int) -> list[int]:
    """A day's tariffs, one of them such as the reference model would not let pass."""
    lanes = [tariff.lane(RULES.prices) for tariff in TARIFFS]
    lanes[slot] = buy << 20 | sell
    return [pack(1, lanes[at : at + LANES]) for at in range(0, PERIODS, LANES)]


def test_publishes_the_tariffs_of_a_day(village: Village, fallback: Contract) -> None:
    receipt = village.send("supplier", fallback, "publish", 1, words(*TARIFFS))
    assert events(receipt, fallback, "TariffsPublished") == [{"day": 1, "words": words(*TARIFFS)}]
    assert fallback.functions.tariffsOf(1).call() == words(*TARIFFS)


def test_replaces_what_was_published(village: Village, fallback: Contract) -> None:
    village.send("supplier", fallback, "publish", 1, words(*TARIFFS))
    village.send("supplier", fallback, "publish", 1, words(*[Tariff(1, 0)] * PERIODS))
    assert fallback.functions.tariffsOf(1).call() == words(*[Tariff(1, 0)] * PERIODS)


def test_takes_the_authoritys_limit(village: Village, fallback: Contract) -> None:
    village.send("supplier", fallback, "publish", 1, with_lane(0, RULES.max_buy, RULES.max_buy))


def test_reverts_when_the_auction_has_opened(village: Village, fallback: Contract) -> None:
    village.open_auction(1)
    due = village.calendar.opens_at(1)
    with refused("TooLateToPublish", day=1, dueAt=due, time=village.now):
        village.send("supplier", fallback, "publish", 1, words(*TARIFFS))


def test_reverts_while_the_rules_of_the_day_can_change(village: Village, fallback: Contract) -> None:
    with refused("TooEarlyToPublish", day=2, latest=1):
        village.send("supplier", fallback, "publish", 2, words(*TARIFFS, day=2))


@pytest.mark.parametrize("count", [0, STRIPS - 1, STRIPS + 1])
def test_reverts_when_strips_are_missing_or_too_many(village: Village, fallback: Contract, count: int) -> None:
    with refused("WrongStripCount", given=count, expected=STRIPS):
        village.send("supplier", fallback, "publish", 1, (words(*TARIFFS) * 2)[:count])


def test_reverts_when_a_strip_is_of_another_day(village: Village, fallback: Contract) -> None:
    mixed = [words(*TARIFFS)[0], words(*TARIFFS, day=2)[1]]
    with refused("WrongTariffDay", strip=1, day=2, expected=1):
        village.send("supplier", fallback, "publish", 1, mixed)


@pytest.mark.parametrize(
    ("slot", "buy", "sell"),
    [(0, RULES.max_buy + 1, 0), (7, 8_000, 8_001), (11, (1 << 20) - 1, (1 << 20) - 1)],
    ids=["buy above the limit", "sell above buy", "both above the limit"],
)
def test_reverts_when_a_tariff_is_out_of_range(
    village: Village, fallback: Contract, slot: int, buy: int, sell: int
) -> None:
    with refused("TariffOutOfRange", slot=slot, buy=buy, sell=sell, minSell=RULES.min_sell, maxBuy=RULES.max_buy):
        village.send("supplier", fallback, "publish", 1, with_lane(slot, buy, sell))


def test_reverts_when_the_storage_is_still_in_use(village: Village, fallback: Contract) -> None:
    village.open_auction(8)
    with refused("DayStillOpen", day=1, lastFinal=0):
        village.send("supplier", fallback, "publish", 9, words(*TARIFFS, day=9))


def test_reverts_when_there_is_no_such_day(village: Village, fallback: Contract) -> None:
    with refused("NoSuchDay", day=0):
        village.send("supplier", fallback, "publish", 0, words(*TARIFFS))


def test_reverts_when_the_caller_is_not_the_supplier(
    village: Village, fallback: Contract, stranger: AccountAPI
) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, fallback, "publish", 1, words(*TARIFFS))
