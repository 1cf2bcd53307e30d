"""Whether nodes and market are as they should be, in figures, and what to do about what is wrong."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import requests
from web3 import HTTPProvider
from web3.types import RPCEndpoint, RPCResponse

from dem.chain.abi import as_int
from dem.chain.blocks import Ask, BlockReader
from dem.chain.sending import Request
from dem.deployment.limits import Limits
from dem.deployment.market import Market, first_contract, has_history, pruned
from dem.errors import ChainError, NotAnsweredError
from dem.model.ledger import CLEARING_HOUSE
from dem.model.units import Money, currency

_TIMEOUT_SECONDS = 5.0
_OPEN_DAYS = 8
"""Days after the last final one that the chain can have records of."""


@dataclass(slots=True)
class NodeState:
    """What a node says; None where it does not.

    age: seconds since its newest block. lag: blocks behind the best node.
    """

    name: str
    is_reachable: bool = False
    client: str | None = None
    peers: int | None = None
    head: int | None = None
    age: int | None = None
    lag: int | None = None
    compared_block: int | None = None
    compared_hash: str | None = None


@dataclass(slots=True)
class MarketState:
    """Where the market stands; money in units of 10^-8. Days are 0 where there is none."""

    day: int
    slot: int
    last_cleared_day: int
    last_settled_day: int
    last_final_day: int
    open_days: list[int]
    clearing_house: int
    locked: int
    arrears: int
    paused: list[str]


@dataclass(slots=True)
class Health:
    """All of it; problems: sentences that say what is wrong and what to do."""

    nodes: list[NodeState]
    market: MarketState | None = None
    problems: list[str] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """For machines."""
        return {"ok": not self.problems, **asdict(self)}


def node_at(url: str) -> Ask:
    """Asks a node once, and says so if it does not answer."""
    provider = HTTPProvider(url, request_kwargs={"timeout": _TIMEOUT_SECONDS}, exception_retry_configuration=None)

    def ask(questions: Sequence[Request]) -> list[RPCResponse]:
        try:
            return [provider.make_request(RPCEndpoint(method), params) for method, params in questions]
        except requests.Timeout as error:
            raise ChainError(f"no answer within {_TIMEOUT_SECONDS:g} s") from error
        except requests.ConnectionError as error:
            raise ChainError("no answer: nobody can be reached at this address") from error
        except requests.HTTPError as error:
            raise NotAnsweredError(f"no answer: {error}") from error
        except (requests.RequestException, ValueError) as error:
            raise ChainError(f"no answer: {error}") from error

    return ask


def check_nodes(nodes: Mapping[str, Ask], limits: Limits, now: int) -> Health:
    """The nodes, by name, each for itself and beside each other; now: unix time."""
    health = Health([])
    for name, ask in nodes.items():
        state = NodeState(name)
        health.nodes.append(state)
        try:
            head = BlockReader(ask, {}).newest()
            state.client = _told(ask, "web3_clientVersion", str)
            state.peers = _told(ask, "net_peerCount", as_int)
        except ChainError as error:
            health.problems.append(f"node {name} is of no use ({error}): see whether it runs and can be reached")
            continue
        state.is_reachable, state.head, state.age = True, head.number, now - head.time
    if any(state.is_reachable for state in health.nodes):
        _compare(health, nodes, limits)
    return health


def _compare(health: Health, nodes: Mapping[str, Ask], limits: Limits) -> None:
    reachable = [state for state in health.nodes if state.head is not None]
    best = max(state.head or 0 for state in reachable)
    compared = max(0, min(state.head or 0 for state in reachable) - limits.depth)
    for state in reachable:
        state.lag = best - (state.head or 0)
        state.compared_block = compared
        try:
            [header] = BlockReader(nodes[state.name], {}).headers([compared])
            state.compared_hash = header.hash
        except ChainError as error:
            health.problems.append(f"node {state.name} does not tell of block {compared} ({error}): see its log")
        if state.lag > limits.lag:
            health.problems.append(
                f"node {state.name} is {state.lag} blocks behind: wait if it is catching up, else see its peers and log"
            )
        if limits.age is not None and (state.age or 0) > limits.age:
            health.problems.append(
                f"the newest block of node {state.name} is {state.age} s old: see whether enough of the signers run"
            )
        if limits.age is not None and (state.age or 0) < -limits.ahead:
            health.problems.append(
                f"the newest block of node {state.name} is {-(state.age or 0)} s ahead of this machine's clock: set "
                "the clocks of the signers and of this machine; by the chain's time gates close too early"
            )
        if state.peers == 0 and len(health.nodes) > 1:
            health.problems.append(f"node {state.name} has no peers: see its bootnodes and the firewall")
    hashes = Counter(state.compared_hash for state in reachable if state.compared_hash)
    if len(hashes) > 1:
        told = ", ".join(f"{state.name} has {state.compared_hash}" for state in reachable)
        (first, votes), (_, second) = hashes.most_common(2)
        others = [state.name for state in reachable if state.compared_hash not in (first, None)]
        advice = f"mend {' and '.join(others)}" if votes > second else "find out which fork the signers are on"
        health.problems.append(
            f"the nodes do not agree on block {compared} ({told}): {advice}; let nothing be settled until they agree"
        )


def _told(ask: Ask, method: str, read: Callable[[Any], Any]) -> Any:
    """An answer that not every node gives."""
    [answer] = ask([(RPCEndpoint(method), [])])
    return read(answer["result"]) if answer.get("result") is not None else None


def check_histories(states: Sequence[NodeState], nodes: Mapping[str, Ask], market: Market) -> list[str]:
    """What is wrong with nodes that no longer tell how a market began."""
    problems = []
    first = {name: (at, market.chain.event_codecs(name)) for name, at in first_contract(market).items()}
    for state in states:
        if state.is_reachable:
            try:
                is_whole = has_history(BlockReader(nodes[state.name], first), market)
            except ChainError as error:
                problems.append(f"node {state.name} does not tell the market's events ({error}): see its log")
            else:
                problems += [] if is_whole else [f"node {state.name} {pruned(market)}"]
    return problems


def check_market(market: Market, limits: Limits) -> tuple[MarketState, list[str]]:
    """Days, money and pauses of a market, by the chain's clock, and what is wrong with them."""
    calendar, now = market.calendar, market.chain.now()
    final = market.rules.functions.lastFinalDay().call()
    newest = max(0, (now + calendar.open_lead - calendar.opening) // calendar.day_length + 1)
    days = range(final + 1, min(newest, final + _OPEN_DAYS) + 1)
    schedule = market.contract("Schedule")
    plugged = {entry[0] for entry in schedule.functions.markets().call()}
    has_auction = market.auction.address in plugged
    cleared, settled, problems = final, final, []
    for day in days:
        is_cleared = not has_auction or market.auction.functions.isCleared(day).call()
        is_settled = market.settlement.functions.isSettled(day).call()
        # Readings that were corrected since are settled once more, when corrections are closed.
        is_again = not is_settled and market.settlement.functions.dayOf(day).call()[0] > 0
        settled_from = calendar.corrections_close_at(day) if is_again else calendar.metering_deadline(day)
        cleared, settled = (day if done else last for done, last in ((is_cleared, cleared), (is_settled, settled)))
        due = [
            (not is_cleared, calendar.gate_closes_at(day), "is not cleared", "CallAuction.clear"),
            (
                not is_settled and not market.readings.functions.isClosed(day).call(),
                calendar.metering_deadline(day),
                "has open metering",
                "MeterReadings.close",
            ),
            (not is_settled, settled_from, "is not settled", "Settlement.settle"),
            (True, calendar.corrections_close_at(day), "is not final", "Settlement.finalize"),
        ]
        for is_missing, when, what, function in due:
            if is_missing and now > when + limits.grace:
                problems.append(
                    f"day {day} {what}, which was due {now - when} s ago: anybody may call {function}, as "
                    "`ape run day` does"
                )
                break
    accounts = _accounts(market)
    house = accounts[CLEARING_HOUSE - 1][0]
    in_settlement = market.rules.functions.dayInSettlement().call()
    if in_settlement:
        problems.append(
            f"the clearing house holds {currency(Money(house))}: the settlement of day {in_settlement} was begun and "
            "not finished, call Settlement.settle until the day is settled"
        )
    elif house:
        problems.append(
            f"the clearing house holds {currency(Money(house))} set aside for members whose payments were cut: anybody "
            "may call Shortfalls.pay"
        )
    claims = market.accounts.functions.openClaims().call()
    if claims:
        problems.append(
            f"members wait for {currency(Money(claims))} that the fallback supplier could not advance: it pays in, or "
            "the council raises its credit limit, then anybody may call Shortfalls.setAside and Shortfalls.pay"
        )
    names = {address: name for name, address in market.addresses.items()}
    paused = [names.get(at, at) for at in sorted(plugged) if market.accounts.functions.isPaused(at).call()]
    problems += [
        f"{name} is paused: it goes on by itself; before, if the council calls Accounts.unpause" for name in paused
    ]
    since_opening = max(0, now - calendar.opening)
    state = MarketState(
        day=since_opening // calendar.day_length + 1 if now >= calendar.opening else 0,
        slot=since_opening % calendar.day_length // calendar.period_length,
        last_cleared_day=cleared,
        last_settled_day=settled,
        last_final_day=final,
        open_days=list(days),
        clearing_house=house,
        locked=sum(account[1] for account in accounts),
        arrears=sum(account[2] for account in accounts),
        paused=paused,
    )
    return state, problems


def _accounts(market: Market) -> list[tuple[int, int, int, int]]:
    """Free and locked money, arrears and credit limit of every member, the first one first."""
    ids = range(1, market.registry.functions.memberCount().call() + 1)
    return market.chain.ask_many(market.accounts, "accountOf", [(id_,) for id_ in ids])
