"""The operator's steps on a chain: when they are due, when they are done, two of them, and one that is killed."""

from dataclasses import replace
from functools import partial
from itertools import chain, repeat

import pytest
from support.signed import ask, bid
from support.village import Village

from dem.deployment.market import Market
from dem.errors import ChainError
from dem.relay.batches import Relay
from dem.relay.following import Following
from dem.roles.chain import ChainRole
from dem.roles.operator import Operator
from dem.roles.service import Service
from dem.roles.step import NO_DAY, due_steps


def operator(market: Market, standby: int = 0, has_coins: bool = False) -> ChainRole:
    relay = Relay(market)
    return ChainRole(relay, Operator(relay, Following(relay.records), standby, has_coins).steps)


def service(market: Market, name: str = "operator", standby: int = 0, has_coins: bool = False) -> Service:
    return Service("operator", name, lambda: operator(market, standby, has_coins))


def due(market: Market, day: int = 1, standby: int = 0, has_coins: bool = False) -> list[str]:
    """Names of the steps of a day that are due and not done."""
    role = operator(market, standby, has_coins)
    found = due_steps(role, role.now())
    return [step.what for step, of in found if of == day and not step.is_done(day) and step.may(day)]


def state(market: Market, day: int = 1) -> tuple[bool, bool, bool, bool]:
    """Whether a day is cleared, closed, settled, final."""
    return (
        market.auction.functions.isCleared(day).call(),
        market.readings.functions.isClosed(day).call(),
        market.settlement.functions.isSettled(day).call(),
        market.rules.functions.lastFinalDay().call() >= day,
    )


@pytest.fixture
def traded(village: Village) -> Village:
    """A day whose gate is about to close."""
    village.open_auction()
    village.place(village.buyer, bid(2, 150, 500))
    village.place(village.seller, ask(2, 100, 300))
    return village


def read_all(village: Village) -> None:
    village.wait_until(village.calendar.start_of(2))
    for member in (*village.members, village.grid_operator):
        village.read(member, [0] * village.calendar.periods_per_day)


def test_nothing_is_due_before_the_gate(traded: Village, market: Market) -> None:
    assert due(market) == []
    assert service(market).look() == 0


def test_each_step_is_due_when_its_time_has_come_and_done_once(traded: Village, market: Market) -> None:
    calendar = market.calendar
    traded.wait_until(calendar.gate_closes_at(1))
    assert due(market) == ["clear"]
    at_work = service(market)
    assert (at_work.look(), at_work.look()) == (1, 0)
    assert state(market) == (True, False, False, False)
    read_all(traded)
    assert due(market) == []
    traded.wait_until(calendar.metering_deadline(1))
    assert due(market) == ["close metering"]
    at_work.look()  # with the settlement that follows, and the clearing of the next day
    assert state(market) == (True, True, True, False)
    traded.wait_until(calendar.corrections_close_at(1))
    assert due(market) == ["finalize"]
    at_work.look()
    assert state(market) == (True, True, True, True)
    assert due(market) == []


def test_coins_of_a_final_day_are_credited_where_the_market_has_them(traded: Village, market: Market) -> None:
    coins = market.contract("NrgCoin")
    traded.clear_day()
    traded.wait_until(market.calendar.start_of(2))
    for member, net in ((traded.buyer, 500), (traded.seller, -400), (traded.rival, 0), (traded.grid_operator, 100)):
        traded.read(member, [net] * market.calendar.periods_per_day)
    traded.wait_until(market.calendar.corrections_close_at(1))
    service(market).look()
    assert due(market) == []
    assert due(market, has_coins=True) == ["credit coins"]
    traded.relay(coins, "countDay", 1, 2)  # somebody else has begun, and ended in the middle
    service(market, has_coins=True).look()
    assert coins.functions.isCredited(1).call()
    assert due(market, has_coins=True) == due(market, NO_DAY, has_coins=True) == []
    balances = [coins.functions.balanceOf(member.id).call() for member in traded.members]
    assert balances[0] < 0 < balances[1]
    assert balances[2] == 0
    traded.wait_until(market.calendar.start_of(9))
    assert "credit coins" not in due(market, has_coins=True)


def test_a_standby_operator_leaves_time_to_others(traded: Village, market: Market) -> None:
    gate = market.calendar.gate_closes_at(1)
    traded.wait_until(gate + 59)
    assert due(market, standby=60) == []
    traded.wait_until(gate + 60)
    assert due(market, standby=60) == ["clear"]


def test_metering_is_closed_in_the_order_of_days_whoever_asks(traded: Village, market: Market) -> None:
    traded.wait_until(market.calendar.metering_deadline(2))
    assert "close metering" not in due(market, day=2)
    assert "close metering" in due(market, day=1)


def test_two_operators_side_by_side_do_no_harm(traded: Village, market: Market) -> None:
    """Both see the same thing due; the second one acts on that after the first one has acted."""
    calendar = market.calendar
    first, second = service(market, "first"), service(market, "second")
    for time in (calendar.gate_closes_at(1), calendar.metering_deadline(1), calendar.corrections_close_at(1)):
        traded.wait_until(time)
        role = operator(market)
        seen = [(step, day) for step, day in due_steps(role, role.now()) if day and not step.is_done(day)]
        first.look()
        for step, day in seen:
            is_done = partial(next, chain([False], map(step.is_done, repeat(day))))
            second._do(replace(step, is_done=lambda _, ask=is_done: ask(), may=lambda _: True), day, (step.what, day))
        second.look()
    assert state(market) == (True, True, True, True)
    assert not first.health()["failing"]
    assert not second.health()["failing"]
    village_money(traded, market)


def test_an_operator_that_is_killed_in_the_middle_is_replaced(traded: Village, market: Market) -> None:
    """One strip is cleared, some members are closed and settled when it ends; a new one knows nothing of it."""
    traded.wait_until(market.calendar.gate_closes_at(1))
    traded.clear_strip(0)
    assert service(market).look() == 1
    traded.wait_until(market.calendar.metering_deadline(1))
    traded.relay(market.readings, "close", 1, 3)
    service(market).look()
    assert state(market) == (True, True, True, False)
    village_money(traded, market)


def test_a_settlement_that_another_one_has_begun_is_finished(traded: Village, market: Market) -> None:
    traded.clear_day()
    traded.close_metering()
    traded.relay(market.settlement, "settle", 1, 2)
    assert due(market) == ["settle"]
    service(market).look()
    assert state(market)[2]


def village_money(village: Village, market: Market) -> None:
    """All money of the accounts is all there is."""
    ids = range(1, market.registry.functions.memberCount().call() + 1)
    assert sum(village.free(id_) + village.locked(id_) for id_ in ids) == market.token.functions.totalSupply().call()


def test_a_step_that_fails_is_tried_again_later_and_keeps_up_no_other(
    traded: Village, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    traded.wait_until(market.calendar.gate_closes_at(1))
    now = [0.0]
    at_work = service(market)
    at_work.monotonic = lambda: now[0]
    tried: list[int] = []

    def fail(_self: Operator, day: int) -> None:
        tried.append(day)
        raise ChainError("the node is away")

    monkeypatch.setattr(Operator, "clear", fail)
    for seconds in (0, 0.5, 1.0, 2.5, 3.0):
        now[0] = seconds
        at_work.look()
    assert tried == [1, 1, 1]  # at 0, 1 and 3: pauses of 1 and 2 seconds
    assert at_work.health()["failing"] == [{"step": "clear", "day": 1, "why": "the node is away"}]
    monkeypatch.undo()
    at_work._begin_anew()
    now[0] = 10.0
    assert at_work.look() == 1
    assert not at_work.health()["failing"]
