"""The dispatcher: publishes what the network leaves its members, and has charged what went beyond (rule 10)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dem.errors import InputError
from dem.grid.dispatch import DayLimits, Dispatch
from dem.grid.network import Network
from dem.grid.programme import connect
from dem.model.ledger import GRID_OPERATOR
from dem.model.limits import Share
from dem.model.relief import Offers, Relief, pack_relief
from dem.relay import limits, relief
from dem.relay.batches import Relay
from dem.replay.replay import Replay
from dem.roles.step import Day, Step


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What a dispatcher goes by. model: hash of the network. standing: limits of zones on days without others.

    ids: registry numbers of members by name. limits: of a day; None if it is not known what to expect of it.
    """

    model: bytes
    standing: Mapping[int, Share]
    ids: Callable[[], Mapping[str, int]]
    limits: Callable[[Day], DayLimits | None]


class GridDispatcher:
    """What a dispatcher does. follow: the replay of all events until now."""

    def __init__(self, relay: Relay, knowledge: Knowledge, follow: Callable[[], Replay]) -> None:
        self._relay, self._knowledge, self._follow = relay, knowledge, follow

    @property
    def steps(self) -> Sequence[Step]:
        """In the order of a day."""
        calendar = self._relay.market.calendar
        return (
            Step(
                "publish limits",
                self.publish,
                self._is_published,
                self.publishes_at,
                calendar.opens_at,
            ),
            Step("approve", self.approve, self._is_approved, calendar.gate_closes_at, calendar.start_of),
            Step(
                "charge for limits",
                self.charge,
                self._is_charged,
                calendar.corrections_close_at,
                may=lambda day: day in self._follow().final_days,
            ),
        )

    def publishes_at(self, day: Day) -> int:
        """A period before the day's auction opens."""
        calendar = self._relay.market.calendar
        return calendar.opens_at(day) - calendar.period_length

    def publish(self, day: Day) -> None:
        """Relief, zones and limits of a day, unless they are published or its auction has opened."""
        relay, known = self._relay, self._knowledge
        own, ids = known.limits(day), known.ids()
        if own is None or self._is_published(day) or relay.chain.now() >= relay.market.calendar.opens_at(day):
            return
        relief.buy(relay, self._follow(), day, self._relief(own), own.relief_report)
        limits.publish_model(relay, self._follow(), known.model, day)
        zones = {ids[name]: zone for name, zone in own.zones.items() if name in ids}
        limits.assign_zones(relay, self._follow(), zones, day)
        used = {zone: share for zone, share in known.standing.items() if zone in zones.values()}
        limits.set_standing(relay, self._follow(), used, day)
        limits.publish_limits(relay, self._follow(), day, own.words, own.report)

    def _is_published(self, day: Day) -> bool:
        own, replay = self._knowledge.limits(day), self._follow()
        if own is None:
            return True
        return relief.is_bought(replay, day, self._relief(own)) and limits.is_published(replay, day, own.words)

    def _relief(self, own: DayLimits) -> Mapping[int, Sequence[Relief]]:
        """What is bought, by registry number."""
        ids = self._knowledge.ids()
        return {ids[name]: pack_relief(slots) for name, slots in own.relief.items() if name in ids}

    def approve(self, day: Day) -> None:
        """What was contracted is within the limits, as the auction took no other orders."""
        relay, own = self._relay, self._knowledge.limits(day)
        if not self._is_approved(day) and relay.chain.now() < relay.market.calendar.start_of(day):
            limits.approve(relay, day, bytes(32) if own is None else own.report)

    def _is_approved(self, day: Day) -> bool:
        return bool(self._relay.market.contract(limits.LIMITS).functions.isApproved(day).call())

    def _is_charged(self, day: Day) -> bool:
        replay = self._follow()
        return day in replay.final_days and not limits.owed(replay, day) and not relief.owed(replay, day)

    def charge(self, day: Day) -> None:
        """What went beyond limits on a final day, and what relief was delivered; anybody may bring it."""
        limits.charge(self._relay, day, self._follow())
        relief.pay(self._relay, day, self._follow())


def knowledge_of(
    relay: Relay,
    network: Network,
    buses: Callable[[], Mapping[str, str]],
    expected: Callable[[Day], Mapping[str, Sequence[int]]],
    follow: Callable[[], Replay],
) -> Knowledge:
    """What a dispatcher with tables of its own goes by.

    buses: of members by account. expected: net energies of a day by account, Wh by slot; nothing if it is not known.
    Zones that are on record stay.
    """
    known: dict[Day, DayLimits] = {}
    standing: dict[int, Share] = {}

    def ids() -> Mapping[str, int]:
        return {own.account: id_ for id_, own in follow().members.items() if own.account in buses()}

    def offers(day: Day) -> Offers:
        replay = follow()
        of_members = {account: replay.relief.offer(id_, day) for account, id_ in ids().items()}
        return Offers(of_members, replay.relief.offer(GRID_OPERATOR, day))

    def dispatch(day: Day) -> Dispatch:
        replay, places = follow(), buses()
        connections: dict[str, tuple[str, int, int]] = {}
        for account, id_ in sorted(ids().items()):
            imports, exports = replay.membership.connection(id_, day)
            connections[account] = places[account], imports or 0, exports or 0
        split = {replay.grid.zone(id_, day) - 1 for id_ in ids().values()} - {-1}
        seconds = relay.market.calendar.period_length
        found = Dispatch(network, connect(network, connections), seconds, day, split, offers)
        standing.update(found.standing)
        return found

    def limits_of(day: Day) -> DayLimits | None:
        if day not in known and (energies := expected(day)):
            missing = next((account for account in ids() if account not in energies), None)
            if missing is not None:
                raise InputError(f"what is expected of day {day}", missing, "is not named: limits need all members")
            known[day] = dispatch(day).day(day, lambda _day: energies)
        return known.get(day)

    return Knowledge(bytes.fromhex(network.digest.removeprefix("0x")), standing, ids, limits_of)
