"""What a dispatcher does at random, right and wrong, and what is charged and made good afterwards."""

from collections.abc import Sequence
from random import Random

from dem.model.ledger import BALANCING_FUND, FIRST_PARTICIPANT, GRID_OPERATOR, Posting
from dem.model.limits import WHOLE, Cost, Publication, Share, ZoneLimit, pack_shares, shares_of
from dem.model.strips import LANES, strips_per_day
from dem.model.units import Money

from .acceptance import RING
from .late import objections_to_record, of_money, spoilt
from .market import Market

ZONES = 3
"""Numbered from 1; 0 is none."""
REPORT = b"report".ljust(32, b"\0")


def assign_zones(random: Random, market: Market, ids: Sequence[int], day: int) -> None:
    """Some members get other zones, and zones other standing limits, from a day on; too late for some."""
    some = [id_ for id_ in ids if random.random() < 0.7]
    expected = {"DayNotOpenToChange"} if day <= _last_open(market) else set()
    zones = [random.randint(0, ZONES) for _ in some]
    if random.random() < 0.05:
        zones.append(1)
        expected.add("ListsDiffer")
    _check(market, expected, "GridLimits.assign", some, zones, day)
    zone, share = random.randint(1, ZONES), Share(*(_share(random) for _ in range(2)))
    expected = {"DayNotOpenToChange"} if day <= _last_open(market) else set()
    if max(share) > WHOLE:
        expected.add("SharesTooLarge")
    _check(market, expected, "GridLimits.setStanding", zone, *share, day)
    _check(market, {"DayNotOpenToChange"} & expected, "GridLimits.publishModel", REPORT, day)


def publish_limits(random: Random, market: Market, day: int) -> None:
    """Limits of a day: of some zones and strips, once or more often."""
    limits, expected = [], set()
    if market.now >= market.calendar.opens_at(day):
        expected.add("AuctionHasOpened")
    if day > max(market.replay.final_days, default=0) + RING:
        expected.add("DayStillOpen")
    for _ in range(random.choice((0, 1, 1, 2, 4))):
        shares = [Share(*(_share(random) for _ in range(2))) for _ in range(LANES)]
        limit = _limit(random, market, shares)
        if max(max(share) for share in shares) > WHOLE:
            expected.add("SharesTooLarge")
        expected |= _misplaced(market, limit)
        limits.append(limit)
    _check(market, expected, "GridLimits.limit", day, limits, REPORT)


def lower_limits(random: Random, market: Market, day: int) -> None:
    """What some zones have left is lowered, as far as there is time; sometimes it would be raised."""
    calendar, now = market.calendar, market.now
    limit = _limit(random, market, [])
    if places := _with_contracts(market, day):
        limit = random.choice(
            (limit, limit._replace(**dict(zip(("zone", "strip"), random.choice(places), strict=True))))
        )
    expected = _misplaced(market, limit)
    before = _in_force(market, day, limit.zone, limit.strip)
    shares = []
    for k, share in enumerate(before):
        slot = limit.strip * LANES + k
        after = share
        if now < calendar.start_of(day) + slot * calendar.period_length or random.random() < 0.02:
            after = Share(*(random.choice((part, random.randint(0, part), 0)) for part in share))
            if random.random() < 0.02:
                after = after._replace(exports=share.exports + 1)
                expected.add("SharesTooLarge")
        if after != share and now >= calendar.start_of(day) + slot * calendar.period_length:
            expected.add("PeriodTooNear")
        shares.append(after)
    if now < calendar.gate_closes_at(day):
        expected.add("GateIsOpen")
    if now >= calendar.start_of(day + 1):
        expected.add("PeriodTooNear")
    limits = [] if random.random() < 0.05 else [limit._replace(shares=pack_shares(shares))]
    if not limits:
        expected = {"NothingPublished"}
    elif shares == before and not expected & {"NoSuchPlace", "GateIsOpen", "PeriodTooNear"}:
        expected.add("NothingPublished")
    _check(market, expected, "GridLimits.restrict", day, limits, "a fuse", REPORT)


def approve(market: Market, day: int) -> None:
    """The dispatcher's word on a day, in time or not."""
    expected = set()
    if market.now < market.calendar.gate_closes_at(day):
        expected.add("GateIsOpen")
    if market.now >= market.calendar.start_of(day):
        expected.add("PeriodTooNear")
    _check(market, expected, "GridLimits.approve", day, REPORT)
    is_approved = market.call("GridLimits", "isApproved", day)
    assert is_approved or market.now < market.calendar.start_of(day)


def charge(random: Random, market: Market, day: int, is_made_good: bool = False) -> None:
    """Somebody brings what a member's final day had beyond its limits, or what limits took from it."""
    replay = market.replay
    ids = range(FIRST_PARTICIPANT - 1, replay.late.day(day).members + 1)
    who = owed(market, day, is_made_good)
    id_ = random.choice(who if who and random.random() < 0.8 else ids)
    record, publications = replay.late.record(id_, day), replay.grid.publications(day)
    expected = objections_to_record(market, id_, day)
    nothing = "NothingToMakeGood" if is_made_good else "NothingToCharge"
    if id_ < FIRST_PARTICIPANT or not replay.grid.zone(id_, day):
        expected.add("NotLimited")
    else:
        expected |= _of_cost(market, id_, day, _cost(market, id_, day, is_made_good), is_made_good)
    if is_made_good and (id_, day) in replay.grid.made_good:
        expected.add(nothing)
    if random.random() < 0.1:
        record = spoilt(random, record)
        expected.add("NotOnRecord")
    if random.random() < 0.1:
        publications = (*publications, Publication(random.random() < 0.5, (_limit(random, market, [Share()] * LANES),)))
        expected.add("NotPublished")
    _check(market, expected, f"GridCharges.{'makeGood' if is_made_good else 'charge'}", id_, day, publications, record)


def owed(market: Market, day: int, is_made_good: bool) -> list[int]:
    """Members who are to be charged for a final day, or whom something is to be made good."""
    grid = market.replay.grid
    last = market.replay.late.day(day).members
    ids = [id_ for id_ in range(FIRST_PARTICIPANT, last + 1) if grid.zone(id_, day)]
    if is_made_good:
        return [id_ for id_ in ids if (id_, day) not in grid.made_good and _cost(market, id_, day, True).units]
    return [id_ for id_ in ids if _cost(market, id_, day, False).units != grid.charged.get((id_, day), 0)]


def _cost(market: Market, id_: int, day: int, is_made_good: bool) -> Cost:
    grid = market.replay.grid
    return grid.to_make_good(id_, day) if is_made_good else grid.excess(id_, day)


def _of_cost(market: Market, id_: int, day: int, cost: Cost, is_made_good: bool) -> set[str]:
    if is_made_good:
        payer, payee, units = GRID_OPERATOR, id_, cost.units
        found = set() if cost.units else {"NothingToMakeGood"}
    else:
        payer, payee = id_, BALANCING_FUND
        units = cost.units - market.replay.grid.charged.get((id_, day), 0)
        found = set() if units else {"NothingToCharge"}
    return found | of_money(market, [Posting(payer, Money(-units)), Posting(payee, Money(units))])


def _in_force(market: Market, day: int, zone: int, strip: int) -> list[Share]:
    grid, periods = market.replay.grid, market.calendar.periods_per_day
    if strip >= strips_per_day(periods) or zone == 0:
        return [Share()] * LANES
    shares = shares_of(zone, grid.standing(zone, day), grid.publications(day), periods)
    return shares[strip * LANES : (strip + 1) * LANES]


def _with_contracts(market: Market, day: int) -> list[tuple[int, int]]:
    """Zones and strips in which somebody has contracted anything for a day."""
    grid = market.replay.grid
    return [
        (grid.zone(id_, day), slot // LANES)
        for id_, net in sorted(market.replay.contracted(day).items())
        for slot, energy in enumerate(net)
        if energy and grid.zone(id_, day)
    ]


def _limit(random: Random, market: Market, shares: Sequence[Share]) -> ZoneLimit:
    strips = strips_per_day(market.calendar.periods_per_day)
    zone = 0 if random.random() < 0.03 else random.randint(1, ZONES)
    strip = strips if random.random() < 0.03 else random.randrange(strips)
    return ZoneLimit(zone, strip, pack_shares(shares))


def _misplaced(market: Market, limit: ZoneLimit) -> set[str]:
    is_there = limit.zone and limit.strip < strips_per_day(market.calendar.periods_per_day)
    return set() if is_there else {"NoSuchPlace"}


def _share(random: Random) -> int:
    return random.choice((WHOLE, WHOLE, random.randint(0, WHOLE), random.randint(0, WHOLE), 0)) + (
        random.random() < 0.01
    )


def _last_open(market: Market) -> int:
    """The last day whose auction has opened; 0 if none has."""
    calendar = market.calendar
    return max(0, (market.now + calendar.open_lead - calendar.opening) // calendar.day_length + 1)


def _check(market: Market, expected: set[str], function: str, *arguments: object) -> None:
    refused = market.attempt(function, *arguments)
    assert (refused is not None) == bool(expected), f"{refused}, should be one of {expected}"
    assert refused is None or refused.error in expected, f"{refused}, should be one of {expected}"
