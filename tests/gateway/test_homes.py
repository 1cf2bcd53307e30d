"""A household's autopilot and a meter, which know one gateway: what they send, when, and once."""

from collections.abc import Sequence

import pytest
from support.gateway import CALENDAR, CHAIN, CONTRACTS, HOME, Gateway, account_of

from dem.gateway.protocol import Envelope, check
from dem.messages.members import Application
from dem.messages.orders import OrderSheet
from dem.messages.readings import ReadingSheet, net_consumption
from dem.model.orders import Order, Side, orders_of
from dem.model.units import Tick, Wh
from dem.roles.home import GRACE_SECONDS, Autopilot, Meter, Standing
from dem.roles.service import Service
from dem.roles.step import Day, Role

DAY = 2
OPEN, SHUT = CALENDAR.opens_at(DAY) + GRACE_SECONDS, CALENDAR.gate_closes_at(DAY) + GRACE_SECONDS
OVER = CALENDAR.start_of(DAY + 1) + GRACE_SECONDS
EXPECTED = [Wh(700), Wh(-300), Wh(3), *[Wh(0)] * 93]
"""Of each day: consumption, generation, too little to order."""


FALLBACK = Standing()


def expected(_day: Day) -> Sequence[Wh]:
    return EXPECTED


def home(gateway: Gateway, at: float, standing: Standing = FALLBACK, name: str = "home", expects: object = expected):
    application = Application(
        account_of(name), account_of(f"{name} meter"), 6, Wh(5_000), Wh(2_500), bytes(32), bytes(32)
    )
    return Autopilot(gateway.client(name, log_in=False), application, standing, expects, clock=lambda: at)


def look(role: Role) -> int:
    return Service("home", "home", lambda: role).look()


def brought(gateway: Gateway, kind: type) -> list:
    """Messages of a kind that the gateway has, in their order."""
    from dem.gateway.state import State

    records = [record for state in State for record in gateway.store.messages(state, 100)]
    envelopes = [Envelope.model_validate(record.envelope) for record in records]
    messages = [check(envelope, CHAIN, CONTRACTS).message for envelope in envelopes]
    return [message for message in messages if isinstance(message, kind)]


def orders(sheet: OrderSheet) -> list[Order]:
    return [
        order
        for n, word in enumerate(sheet.lines)
        for order in orders_of(HOME, sheet.day, sheet.first_line + n, word, CALENDAR.periods_per_day)
    ]


def test_a_newcomer_applies_once_and_orders_nothing_yet(gateway: Gateway) -> None:
    newcomer = home(gateway, OPEN, name="newcomer")
    for _ in range(3):
        look(newcomer)
    [application] = brought(gateway, Application)
    assert application.account == account_of("newcomer")
    assert not brought(gateway, OrderSheet)


@pytest.mark.parametrize("at", [OPEN - 1, SHUT])
def test_orders_are_sent_only_while_the_auction_is_open(gateway: Gateway, at: int) -> None:
    look(home(gateway, at))
    assert not brought(gateway, OrderSheet)


def test_one_order_a_slot_at_no_worse_than_the_standing_tariff_less_fees(gateway: Gateway) -> None:
    for _ in range(2):  # the second one as after a kill
        look(home(gateway, OPEN))
    [sheet] = brought(gateway, OrderSheet)
    # 0.28 less 0.012 of fees is 0.268; 0 and the fees, rounded up, 0.012.
    assert orders(sheet) == [
        Order(HOME, 0, 0, Side.BID, Tick(1_268), Wh(700)),
        Order(HOME, 0, 1, Side.ASK, Tick(1_012), Wh(300)),
    ]


def test_standing_limits_hold_where_they_are_stricter(gateway: Gateway) -> None:
    strict, lax = Standing(10_000, 20_000), Standing(40_000, 0)
    assert [order.tick for order in home(gateway, OPEN, strict).orders(DAY)] == [1_100, 1_200]
    assert [order.tick for order in home(gateway, OPEN, lax).orders(DAY)] == [1_268, 1_012]


def test_without_a_forecast_it_expects_what_its_meter_showed_lately(gateway: Gateway) -> None:
    late = CALENDAR.metering_deadline(1) + GRACE_SECONDS
    found = home(gateway, late, expects=lambda _day: None).orders(3)
    assert {(order.side, order.energy) for order in found} == {(Side.BID, 10)}
    early = home(gateway, late - 1, expects=lambda _day: None)
    assert early.orders(3) == []


def test_a_meter_reads_each_day_that_is_over_and_its_registers_go_on_after_a_kill(gateway: Gateway) -> None:
    def meter(at: float) -> Meter:
        return Meter(gateway.client("home meter", log_in=False), expected, clock=lambda: at)

    look(meter(OVER - 1))
    assert [sheet.day for sheet in brought(gateway, ReadingSheet)] == [1]
    for _ in range(2):
        look(meter(OVER))
    first, second = sorted(brought(gateway, ReadingSheet), key=lambda sheet: sheet.day)
    assert net_consumption(second.registers).tolist() == EXPECTED
    assert second.registers[:16] == first.registers[-16:]
    look(meter(CALENDAR.corrections_close_at(DAY) + GRACE_SECONDS))
    assert len(brought(gateway, ReadingSheet)) == 3  # day 3, and nothing more of days that nobody may correct


def test_what_a_gateway_that_is_away_should_have_taken_is_sent_later(gateway: Gateway, monkeypatch) -> None:
    now = [0.0]
    role = Meter(gateway.client("home meter", log_in=False), expected, clock=lambda: OVER)
    service = Service("meter", "meter", lambda: role, monotonic=lambda: now[0])
    role.calendar  # noqa: B018
    bring = role._delivery.bring

    def away(_envelope: Envelope) -> dict:
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(role._delivery, "bring", away)
    assert service.look() == 0
    assert len(service.health()["failing"]) == 1
    monkeypatch.setattr(role._delivery, "bring", bring)
    now[0] = 2.0
    service.look()
    assert not service.health()["failing"]
    assert [sheet.day for sheet in brought(gateway, ReadingSheet)] == [DAY]
