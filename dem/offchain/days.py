"""The days of a scenario, step by step in the order of time."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from dem.community.clock import Clock
from dem.community.crowd import Crowd
from dem.offchain.money import Paying
from dem.offchain.trading import Trading


class _Step(NamedTuple):
    due: int
    act: Callable[[int], None]
    day: int


def play(trading: Trading) -> Iterator[int]:
    """Play every day; yields each when it is final, just before the market forgets it."""
    market = trading.market
    paying, clock = Paying(market), Clock(market.scenario, market.calendar)
    steps = [step for day in market.scenario.days for step in _steps_of(trading, paying, clock, day)]
    for step in sorted(steps, key=lambda step: step.due):
        step.act(step.day)
        if step.act == paying.finalize:
            yield step.day
            trading.forget(step.day)
            market.forget(step.day)


def _steps_of(trading: Trading, paying: Paying, clock: Clock, day: int) -> list[_Step]:
    """Every step of a day; of those that are due at the same time the upper one comes first."""
    market = trading.market
    markets, rules, calendar = market.scenario.markets, market.rules(day), clock.calendar
    opens, pools_close = calendar.opens_at(day), clock.pools_close_at(day)
    sessions: list[tuple[bool, int, Callable[[int], None]]] = [
        (True, clock.session_starts_at(day, session), partial(trading.trade_intraday, session))
        for session in Crowd(market.scenario, day).sessions
    ]
    table = [
        (markets.bilateral, opens, trading.conclude_contracts),
        (markets.escrow, opens, trading.fund_escrows),
        (markets.pools, opens, trading.trade_in_pools),
        (True, pools_close, trading.submit_orders),
        (markets.wholesale, calendar.gate_closes_at(day), trading.trade_with_the_desk),
        *sessions,
        (True, calendar.start_of(day + 1), trading.read_meters),
        (True, calendar.metering_deadline(day), paying.settle),
        (True, calendar.metering_deadline(day), trading.correct_meters),
        (True, calendar.corrections_close_at(day), paying.finalize),
        (markets.pools, calendar.corrections_close_at(day), paying.collect_commissions),
        (markets.escrow, calendar.corrections_close_at(day), paying.release_escrows),
        (market.scenario.dispatch is not None, calendar.corrections_close_at(day), paying.charge_for_limits),
        (market.scenario.dispatch is not None, calendar.corrections_close_at(day), paying.pay_relief),
        (bool(rules.premium_rate or rules.reward_share), calendar.corrections_close_at(day), paying.pay_fund),
    ]
    return [_Step(due, act, day) for is_used, due, act in table if is_used]
