"""The clerk of a seat: approves what the seat wants and nothing else, executes what is decided."""

from support.council import DECIDED, DELAY, EXECUTED, OPEN, Governed

from dem.governance.council import in_words
from dem.relay.batches import Relay
from dem.roles.chain import ChainRole
from dem.roles.offices import Clerk
from dem.roles.service import Service


def clerk(governed: Governed, seat: int, wanted: str) -> Service:
    market = governed.market
    relay = Relay(market.__class__(market.chain, market.manifest, {"node": governed.seats[seat]}))
    steps = Clerk(relay, lambda proposal: in_words(market.addresses, proposal.calls) == wanted, {}).steps
    return Service("clerk", "clerk", lambda: ChainRole(relay, steps))


def test_a_clerk_approves_only_what_its_seat_wants_and_executes_after_the_delay(governed: Governed) -> None:
    registry = governed.market.registry
    numbers = [governed.propose(governed.call(registry, "suspend", id_)) for id_ in (6, 7)]
    at_work = clerk(governed, 1, "ParticipantRegistry.suspend 6")
    assert (at_work.look(), at_work.look()) == (1, 0)
    assert [governed.state(number) for number in numbers] == [DECIDED, OPEN]
    governed.village.wait_until(governed.village.now + DELAY)
    assert clerk(governed, 1, "nothing").look() == 1
    assert [governed.state(number) for number in numbers] == [EXECUTED, OPEN]
