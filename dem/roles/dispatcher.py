"""The dispatcher: publishes what the network leaves its members, and has charged what went beyond (rule 10)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dem.grid.dispatch import DayLimits
from dem.model.limits import Share
from dem.relay import limits
from dem.relay.batches import Relay
from dem.replay.replay import Replay
from dem.roles.step import Day, Step


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What a dispatcher goes by. model: hash of the network. standing: limits of zones on days without others.

    ids: registry numbers of members by name. limits: of a day.
    """

    model: bytes
    standing: Mapping[int, Share]
    ids: Callable[[], Mapping[str, int]]
    limits: Callable[[Day], DayLimits]


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
        )

    def publishes_at(self, day: Day) -> int:
        """A period before the day's auction opens."""
        calendar = self._relay.market.calendar
        return calendar.opens_at(day) - calendar.period_length

    def publish(self, day: Day) -> None:
        """Zones and limits of a day, unless they are published or its auction has opened."""
        relay, known = self._relay, self._knowledge
        if self._is_published(day) or relay.chain.now() >= relay.market.calendar.opens_at(day):
            return
        own, ids = known.limits(day), known.ids()
        limits.publish_model(relay, self._follow(), known.model, day)
        zones = {ids[name]: zone for name, zone in own.zones.items() if name in ids}
        limits.assign_zones(relay, self._follow(), zones, day)
        used = {zone: share for zone, share in known.standing.items() if zone in zones.values()}
        limits.set_standing(relay, self._follow(), used, day)
        limits.publish_limits(relay, self._follow(), day, own.words, own.report)

    def _is_published(self, day: Day) -> bool:
        return limits.is_published(self._follow(), day, self._knowledge.limits(day).words)

    def approve(self, day: Day) -> None:
        """What was contracted is within the limits, as the auction took no other orders."""
        relay = self._relay
        if not self._is_approved(day) and relay.chain.now() < relay.market.calendar.start_of(day):
            limits.approve(relay, day, self._knowledge.limits(day).report)

    def _is_approved(self, day: Day) -> bool:
        return bool(self._relay.market.contract(limits.LIMITS).functions.isApproved(day).call())

    def charge(self, day: Day) -> None:
        """What went beyond limits on a final day; anybody may bring it."""
        limits.charge(self._relay, day, self._follow())
