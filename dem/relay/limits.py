"""Limits of the network: what the dispatcher publishes, and what is charged and made good for a final day."""

from collections.abc import Mapping, Sequence

from dem.deployment.market import RELAYER
from dem.model.ledger import FIRST_PARTICIPANT
from dem.model.limits import Share, ZoneLimit
from dem.relay.batches import Relay, batches
from dem.replay.replay import Replay

LIMITS, CHARGES = "GridLimits", "GridCharges"
DISPATCHER = "dispatcher"
MEMBERS_AT_ONCE = 300
"""Whose zones are assigned in one transaction."""
LIMITS_AT_ONCE = 400
"""Strips of zones that are limited in one transaction."""
GAS_PER_CHARGE = 1_000_000
"""Planned for the charge of a member's day: two bills, its record and the day's publications."""


def publish_model(relay: Relay, replay: Replay, model: bytes, day: int) -> None:
    """The hash of the network from a day on, unless it is published."""
    if replay.grid.model(day) != model:
        _send(relay, "publishModel", model, day)


def assign_zones(relay: Relay, replay: Replay, zones: Mapping[int, int], day: int) -> None:
    """Zones of members by number, from a day on, of whom they are other ones until now."""
    changed = [(id_, zone) for id_, zone in zones.items() if zone != replay.grid.zone(id_, day)]
    for some in batches(changed, MEMBERS_AT_ONCE):
        _send(relay, "assign", [id_ for id_, _ in some], [zone for _, zone in some], day)


def set_standing(relay: Relay, replay: Replay, standing: Mapping[int, Share], day: int) -> None:
    """Standing limits of zones from a day on, unless they have them."""
    for zone, share in standing.items():
        if replay.grid.standing(zone, day) != share:
            _send(relay, "setStanding", zone, *share, day)


def is_published(replay: Replay, day: int, limits: Sequence[ZoneLimit]) -> bool:
    """Whether these limits of a day are, or that it has none."""
    return bool(replay.grid.publications(day)) and not _left(replay, day, limits)


def publish_limits(relay: Relay, replay: Replay, day: int, limits: Sequence[ZoneLimit], report: bytes) -> None:
    """Limits of a day before its auction opens, those that are not published.

    Also if there are none, for then the standing ones do not hold.
    """
    for some in list(batches(_left(replay, day, limits), LIMITS_AT_ONCE)) or [[]]:
        _send(relay, "limit", day, [tuple(limit) for limit in some], report)


def _left(replay: Replay, day: int, limits: Sequence[ZoneLimit]) -> list[ZoneLimit]:
    known = {limit for publication in replay.grid.publications(day) for limit in publication.limits}
    return [limit for limit in limits if limit not in known]


def approve(relay: Relay, day: int, report: bytes) -> None:
    """What was contracted for a day, if its deadline has not passed."""
    _send(relay, "approve", day, report)


def owed(replay: Replay, day: int) -> list[tuple[str, int]]:
    """What is to be brought for a final day: functions and members."""
    grid, found = replay.grid, list[tuple[str, int]]()
    for id_ in sorted(id_ for id_ in replay.members if id_ >= FIRST_PARTICIPANT and grid.zone(id_, day)):
        if grid.excess(id_, day).units != grid.charged.get((id_, day), 0):
            found.append(("charge", id_))
        if (id_, day) not in grid.made_good and grid.to_make_good(id_, day).units:
            found.append(("makeGood", id_))
    return found


def charge(relay: Relay, day: int, replay: Replay) -> None:
    """What members' meters showed beyond their limits of a final day, and what lowered limits took from them.

    One whose payment has to wait does not keep the others from paying.
    """
    contract = relay.market.contract(CHARGES)
    publications = [(own.is_late, [tuple(limit) for limit in own.limits]) for own in replay.grid.publications(day)]
    transactions = (
        relay.chain.transaction(
            contract, function, id_, day, publications, tuple(replay.late.record(id_, day)), planned=GAS_PER_CHARGE
        )
        for function, id_ in owed(replay, day)
    )
    for _, refusal in relay.chain.send_all(relay.market.keys[RELAYER], transactions):
        if refusal is not None:
            relay.refused.append(str(refusal))


def _send(relay: Relay, function: str, *arguments: object) -> None:
    relay.chain.send(relay.market.keys[DISPATCHER], relay.market.contract(LIMITS), function, *arguments)
