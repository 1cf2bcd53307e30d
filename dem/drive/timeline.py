"""Which step is due when, and the walk through all of them."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from dem.community.crowd import Crowd
from dem.drive.day import TradingDays

_ENDS_A_DAY = "finalize"


class Step(NamedTuple):
    """Something to be done: what in words, from which unix time on, how, for which day."""

    what: str
    due: int
    act: Callable[[int], None]
    day: int


def steps_of(days: TradingDays, day: int) -> list[Step]:
    """Every step of a day. Of those that are due at the same time the upper one comes first."""
    clock, markets, rules = days.clock, days.scenario.markets, days.scenario.rules(day)
    calendar = clock.calendar
    opens, pools_close = calendar.opens_at(day), clock.pools_close_at(day)
    gate, ends = calendar.gate_closes_at(day), calendar.start_of(day + 1)
    deadline, final = calendar.metering_deadline(day), calendar.corrections_close_at(day)
    sessions: list[tuple[bool, str, int, Callable[[int], None]]] = [
        (True, "trade intraday", clock.session_starts_at(day, session), partial(days.trade_intraday, session))
        for session in Crowd(days.scenario, day).sessions
    ]
    scenario, operator, dispatcher = days.scenario, days.operator, days.dispatcher
    limited: list[tuple[bool, str, int, Callable[[int], None]]] = []
    approved, charged = limited.copy(), limited.copy()
    if dispatcher is not None:
        limited.append((True, "publish limits", dispatcher.publishes_at(day), dispatcher.publish))
        approved.append((True, "approve", gate, dispatcher.approve))
        charged.append((True, "charge for limits", final, dispatcher.charge))
    joins = any(member.joins == day + 1 for member in scenario.participants)
    returns = any(member.returns == day + 1 for member in scenario.participants)
    connections = any(own.first_day == day + 1 for member in scenario.participants for own in member.connections)
    leaves = any(member.leaves == day for member in scenario.participants)
    meters = any(member.new_meter == day + 1 for member in scenario.participants)
    corrections = any(of == day and report.is_corrected for (of, _), report in scenario.reports.items())
    # After the day's own auction, and before that of the day after opens.
    exit_due = (max(gate, calendar.start_of(day)) + ends - calendar.open_lead) // 2 if leaves else gate
    table = [
        (True, "publish tariffs", opens - calendar.day_length, days.supplier.publish_tariffs),
        *limited,
        (markets.bilateral, "conclude contracts", opens, days.conclude_contracts),
        (markets.escrow, "fund escrows", opens, days.fund_escrows),
        (markets.pools, "trade in pools", opens, days.trade_in_pools),
        (markets.pools, "clear pools", pools_close, operator.clear_pools),
        (markets.random_matching, "pledge a secret", opens, days.pledge_secret),
        (True, "submit orders", pools_close, days.submit_orders),
        (markets.wholesale, "commit the desk", pools_close, days.commit_desk),
        (True, "clear", gate, operator.clear),
        (markets.random_matching, "open the secret", gate, days.open_secret),
        (markets.order_book or markets.random_matching, "pair", gate, operator.pair),
        (markets.wholesale, "trade with the desk", gate, days.trade_with_the_desk),
        *approved,
        *sessions,
        (joins, "admit members", calendar.start_of(day), lambda known: days.join(known + 1)),
        (returns, "let members return", calendar.start_of(day), lambda known: days.come_back(known + 1)),
        (connections, "change connections", calendar.start_of(day), lambda known: days.change_connections(known + 1)),
        (leaves, "let members leave", exit_due, days.leave),
        (True, "push readings", ends, days.push_readings),
        (meters, "replace meters", ends, lambda known: days.replace_meters(known + 1)),
        (True, "close metering", deadline, operator.close_metering),
        (True, "settle", deadline, operator.settle),
        (corrections, "push corrections", deadline, days.push_corrections),
        (True, _ENDS_A_DAY, final, operator.finalize),
        (markets.pools, "collect commissions", final, days.collect_commissions),
        (markets.escrow, "release escrows", final, operator.release_escrows),
        (scenario.config.coins, "credit coins", final, operator.credit_coins),
        (scenario.config.coins, "correct coins", final, operator.correct_coins),
        *charged,
        (bool(rules.premium_rate or rules.reward_share), "pay fund", final, operator.pay_fund),
    ]
    return [Step(what, due, act, day) for is_used, what, due, act in table if is_used]


def timeline(days: TradingDays) -> list[Step]:
    """Every step of every day in order of time."""
    steps = [step for day in days.scenario.days for step in steps_of(days, day)]
    return sorted(steps, key=lambda step: step.due)


def play(days: TradingDays) -> Iterator[int]:
    """Register everybody, then every day from its tariffs to its end; yields each day that has ended."""
    chain = days.chain
    days.tell("register", chain.now(), 0)
    days.register()
    days.announce_rules()
    days.appoint_desk()
    days.open_pools()
    days.offer_relief()
    steps = timeline(days)
    for number, step in enumerate(steps):
        chain.wait_until(step.due, partial(days.tell, "waiting", steps=number))
        # A step may come late: tariffs of a first day are due before anybody is registered.
        days.tell(step.what, max(step.due, chain.now()), number)
        step.act(step.day)
        if step.what == _ENDS_A_DAY:
            yield step.day
    days.tell("done", chain.now(), len(steps))
