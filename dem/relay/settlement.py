"""The money of a day, and its end."""

from collections.abc import Iterator, Sequence
from functools import partial

from dem.chain.sending import Transaction
from dem.deployment.market import RELAYER
from dem.errors import RefusedError
from dem.model.ledger import FALLBACK_SUPPLIER
from dem.relay.batches import GAS_BUDGET, Relay, batches

GAS_PER_SETTLED_MEMBER = 100_000
GAS_PER_SETTLEMENT = 1_000_000
GAS_PER_SETTLED_STRIP = 12_000
GAS_PER_SETTLED_LINE = 12_000
GAS_PER_CLAIM = 50_000

SHORTFALLS = "Shortfalls"


def finish_settlement(relay: Relay, besides: int = 0) -> None:
    """Settle the day that is half settled, if one is: until then whom it has paid may order nothing (rule 13.2)."""
    day = relay.market.rules.functions.dayInSettlement().call()
    if day not in (0, besides):
        settle(relay, day)


def left_to_settle(relay: Relay, day: int) -> Sequence[tuple[bool, int]]:
    """Members to be settled, or, marked, to share what the day is short of.

    None of a day that was settled and waits for corrections to be over.
    """
    settlement = relay.market.settlement
    if settlement.functions.isSettled(day).call():
        return ()
    was_settled = settlement.functions.dayOf(day).call()[0] > 0
    if was_settled and relay.chain.now() < relay.market.calendar.corrections_close_at(day):
        return ()
    members = relay.market.readings.functions.membersOf(day).call()
    begun = settlement.functions.nextMember(day).call()
    is_begun = relay.market.rules.functions.dayInSettlement().call() == day
    is_sharing = is_begun and relay.market.contract(SHORTFALLS).functions.shortfallOf(day).call()[0] > 0
    return [(is_sharing, id_) for id_ in range(begun if begun <= members else 1, members + 1)]


def settle(relay: Relay, day: int) -> None:
    """The money of a day, some members a transaction; again if readings were corrected, once that is over.

    The day that somebody else has begun is finished first: one is settled at a time.
    """
    settlement = relay.market.settlement
    finish_settlement(relay, besides=day)

    def transactions(some: Sequence[tuple[bool, int]]) -> Iterator[Transaction]:
        members = [id_ for _, id_ in some]
        found = relay.chain.ask_many(relay.market.auction, "sheetOf", [(id_, day) for id_ in members])
        layers = {id_: int(count) for id_, (_, count, _) in zip(members, found, strict=True)}

        def gas(id_: int) -> int:
            per_strip = GAS_PER_SETTLED_STRIP + GAS_PER_SETTLED_LINE * layers[id_]
            return GAS_PER_SETTLED_MEMBER + relay.strips * per_strip

        for batch, planned in relay.within_budget("settle", members, gas, GAS_PER_SETTLEMENT):
            yield relay.chain.transaction(settlement, "settle", day, len(batch), planned=planned, items=len(batch))

    while True:
        try:
            return relay.complete("settle", RELAYER, partial(left_to_settle, relay, day), transactions)
        except RefusedError:
            _settle_one_by_one(relay, day)


def _settle_one_by_one(relay: Relay, day: int) -> None:
    """Members of a day until a market that fails for one of them is left out, so that the walk begins again.

    Raises:
        RefusedError: one alone is refused: no market is to blame.
    """
    settlement = relay.market.settlement
    while True:
        relay.chain.send(relay.market.keys[RELAYER], settlement, "settle", day, 1)
        if settlement.functions.isSettled(day).call() or settlement.functions.nextMember(day).call() == 1:
            return


def make_good(relay: Relay) -> None:
    """Pay members what the fallback supplier's money is enough for of what days were short of."""
    shortfalls, rules = relay.market.contract(SHORTFALLS), relay.market.rules
    days = relay.records.days_of(SHORTFALLS, "ShortfallShared")
    if not days or rules.functions.dayInSettlement().call():
        return
    free, _, _, credit_limit = relay.market.accounts.functions.accountOf(FALLBACK_SUPPLIER).call()
    if free + credit_limit > 0 and relay.market.accounts.functions.openClaims().call() > 0:
        relay.chain.send(relay.market.keys[RELAYER], shortfalls, "setAside")
    members = relay.market.registry.functions.memberCount().call()
    for day in days:
        units, set_aside, paid = shortfalls.functions.shortfallOf(day).call()
        # Less than a unit a member may be what rounding down leaves for later.
        if set_aside == paid or (set_aside < units and set_aside - paid < members):
            continue
        for some in batches(range(1, members + 1), GAS_BUDGET // GAS_PER_CLAIM):
            relay.chain.send(relay.market.keys[RELAYER], shortfalls, "pay", day, some[0], len(some))


def finalize(relay: Relay, day: int) -> None:
    """The end of a day whose correction window is over."""
    settle(relay, day)
    make_good(relay)
    if relay.market.rules.functions.lastFinalDay().call() < day:
        relay.chain.send(relay.market.keys[RELAYER], relay.market.settlement, "finalize", day)
