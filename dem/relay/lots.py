"""What a seat of the council does for the lot of a day (rule 15.3): it pledges a secret and opens it."""

from dem.relay.batches import Relay
from dem.replay.lots import pledge_of

CONTRACT = "Lots"


def pledge(relay: Relay, day: int, secret: bytes) -> None:
    """Bind the seat to a secret, which nobody else holds, unless it is bound or the gate has closed."""
    seat = relay.market.keys["node"]
    if relay.chain.now() < relay.market.calendar.gate_closes_at(day) and not _has(relay, "Pledged", day, seat.address):
        contract = relay.market.contract(CONTRACT)
        relay.chain.send(seat, contract, "pledge", day, pledge_of(day, seat.address, secret), seat.address)


def open_secret(relay: Relay, day: int, secret: bytes) -> None:
    """Open the seat's secret, unless it is open or it is too late."""
    seat, calendar = relay.market.keys["node"].address, relay.market.calendar
    due = calendar.gate_closes_at(day) + calendar.period_length
    if relay.chain.now() < due and not _has(relay, "Opened", day, seat) and _has(relay, "Pledged", day, seat):
        relay.bring(relay.market.contract(CONTRACT), "open", day, seat, secret)


def _has(relay: Relay, name: str, day: int, seat: str) -> bool:
    return any(event.args["seat"] == seat for event in relay.records.events(CONTRACT, name, day))
