"""Standing limits: by what a member's browser signs, and what the page says became of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.gateway import CALENDAR, HOME, ROOF, RULES, Gateway, account_of, make_gateway, make_index, sheet

from dem.gateway.pages.figures import Market
from dem.gateway.pages.limits import ahead, coming, expected, last_signed, terms
from dem.gateway.state import State
from dem.messages.orders import order_sheets
from dem.messages.readings import Register, pack_registers
from dem.model.mechanisms import AUCTION
from dem.model.orders import Order, Side
from dem.model.rules import Tariff
from dem.model.strips import LANES, pack
from dem.model.units import Tick, UnitsPerWh, Wh

from .test_pages import logged_in


def another_day() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Day 2: the home feeds in 5 Wh a period, and the tariffs are narrower in the evening."""
    registers = pack_registers([Register(Wh(960), Wh(5 * n)) for n in range(97)])
    reading = {"id": HOME, "day": 2, "firstStrip": 0, "sequence": 1, "isCorrection": False, "registers": registers}
    yield "MeterReadings", "ReadingsAccepted", reading | {"leftOut": 0, "substituted": 0}
    usual, narrow = Tariff(UnitsPerWh(30_000), UnitsPerWh(8_000)), Tariff(UnitsPerWh(25_000), UnitsPerWh(9_000))
    words = [pack(2, [(usual if strip < 12 else narrow).lane(RULES.prices)] * LANES) for strip in range(16)]
    yield "FallbackSupply", "TariffsPublished", {"day": 2, "words": words}


def market_of(gateway: Gateway) -> Market:
    parts = gateway.parts
    return Market(parts.index, parts.calendar, parts.configuration.zone, parts.clock())


def test_what_is_expected_is_the_mean_of_days_that_are_read_in_full(tmp_path: Path) -> None:
    gateway = make_gateway(tmp_path, make_index(tmp_path / "index.sqlite", another_day()))
    gateway.now[0] = float(CALENDAR.metering_deadline(1))
    assert expected(market_of(gateway), HOME) == [10] * 96
    gateway.now[0] = float(CALENDAR.metering_deadline(2))
    assert expected(market_of(gateway), HOME) == [2] * 96  # (10 - 5) / 2, rounded down
    assert expected(market_of(gateway), ROOF) == [10] * 96
    assert expected(market_of(gateway), 5) is None
    gateway.store.close()


def test_tariffs_that_are_not_published_are_taken_at_their_safe_end(tmp_path: Path) -> None:
    gateway = make_gateway(tmp_path, make_index(tmp_path / "index.sqlite", another_day()))
    gateway.now[0] = CALENDAR.gate_closes_at(2) - 1.0
    market = market_of(gateway)
    assert coming(market) == range(2, 33)
    found = terms(gateway.parts, market, HOME, gateway.parts.index.participant(HOME))
    told = {one["day"]: found["tariffs"][one["tariffs"]] for one in found["days"]}
    assert [*told] == [*range(2, 33)]
    assert len(found["tariffs"]) == 2
    # Published: as they are. Later: the standing ones are 28,000 and 0.
    assert (told[2][0], told[2][95]) == ((30_000, 8_000, 1_200), (25_000, 9_000, 1_200))
    assert (told[3][0], told[3][95]) == ((28_000, 8_000, 1_200), (25_000, 9_000, 1_200))
    assert (found["import"], found["export"], found["least"]) == (5_000, 2_500, 5)
    gateway.now[0] += 1
    assert coming(market_of(gateway))[0] == 3
    gateway.store.close()


def test_the_page_says_of_each_day_what_was_signed_and_what_became_of_it(gateway: Gateway) -> None:
    gateway.now[0] = CALENDAR.opens_at(3) + 3_600.0
    home, market = gateway.client("home"), market_of(gateway)
    wanted = [Order(HOME, 0, 0, Side.BID, Tick(1_100), Wh(700)), Order(HOME, 0, 1, Side.BID, Tick(1_200), Wh(300)),
              Order(HOME, 0, 50, Side.ASK, Tick(1_090), Wh(400))]  # fmt: skip
    for day in (3, 5):
        for one in order_sheets(account_of("home"), day, wanted, 96):
            home.send(AUCTION, one)
    gateway.step()
    days = ahead(gateway.parts, market, HOME, account_of("home"))
    states = {one.day: one.state for one in days if one.state}
    assert states == {3: State.IN_BLOCK, 5: State.HELD}
    told = days[2]
    assert (told.buy_wh, told.buy_units, told.sell_wh, told.sell_units) == (1_000, 21_200, 400, 7_800)
    assert last_signed(gateway.parts, market, account_of("home")) == 5
    assert last_signed(gateway.parts, market, account_of("roof")) is None
    gateway.node.refusals[home.send(AUCTION, sheet(day=3, sequence=9))] = "Paused()"
    gateway.step()
    [refused] = [one for one in ahead(gateway.parts, market, HOME, account_of("home")) if one.day == 3]
    assert (refused.state, refused.refusal) == (State.REFUSED, "Paused()")


def test_limits_that_run_out_are_told(gateway: Gateway) -> None:
    gateway.now[0] = CALENDAR.opens_at(3) + 3_600.0
    home, browser = gateway.client("home"), logged_in(gateway, "home")
    path, words = f"/members/{HOME}/alerts", "and no longer. Sign them again"
    assert words not in browser.get(path).text
    home.send(AUCTION, sheet(day=7))
    assert words in browser.get(path).text
    home.send(AUCTION, sheet(day=8))
    assert words not in browser.get(path).text
