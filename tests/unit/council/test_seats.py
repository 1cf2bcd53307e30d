import pytest
from ape.api import AccountAPI
from support.council import DELAY, MAX_SEATS, Governed
from support.refusals import refused
from support.village import NOBODY, Village, events
from web3.contract import Contract

from dem.deployment.market import Market
from dem.errors import RefusedError
from dem.governance.council import STATES


def failure(error: str, address: str) -> str:
    """Of a call, as CallFailed shows it: without its selector."""
    return address[2:].lower().rjust(64, "0")


def test_a_seat_comes_with_the_role_of_a_node(
    governed: Governed, council: Contract, market: Market, stranger: AccountAPI
) -> None:
    receipt = governed.decide(governed.call(council, "seat", stranger.address))
    assert events(receipt, council, "SeatTaken") == [{"number": 4, "holder": stranger.address, "isElected": False}]
    market.chain.send(stranger, market.accounts, "pauseAll")
    receipt = governed.decide(governed.call(council, "unseat", stranger.address))
    assert events(receipt, council, "SeatLost") == [{"number": 4, "holder": stranger.address}]
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        market.chain.send(stranger, market.accounts, "pauseAll")


def test_every_seat_pauses_at_once_and_the_council_lifts_it(governed: Governed, market: Market) -> None:
    market.chain.send(governed.seats[2], market.accounts, "pauseAll")
    auction = market.auction.address
    assert market.accounts.functions.isPaused(auction).call()
    with refused("AccessManagedUnauthorized", caller=governed.seats[2].address):
        market.chain.send(governed.seats[2], market.accounts, "unpause", auction)
    governed.decide(governed.call(market.accounts, "unpause", auction))
    assert not market.accounts.functions.isPaused(auction).call()


def test_what_lets_a_market_go_on_has_no_delay(governed: Governed, council: Contract, market: Market) -> None:
    """A seat pauses; the others lift it and take the pause from it before it could do anything else."""
    hostile = governed.seats[2]
    market.chain.send(hostile, market.accounts, "pauseAll")
    auction = market.auction.address
    number = governed.decided(
        governed.call(market.accounts, "unpause", auction), governed.call(council, "takePause", hostile.address)
    )
    receipt = governed.execute(number)
    assert events(receipt, council, "PauseTaken") == [{"number": 3, "holder": hostile.address}]
    assert not market.accounts.functions.isPaused(auction).call()
    for function, arguments in (("pause", (auction,)), ("pauseAll", ())):
        with refused("AccessManagedUnauthorized", caller=hostile.address):
            market.chain.send(hostile, market.accounts, function, *arguments)
    # It keeps its seat, and decides.
    assert hostile.address in governed.holders()
    governed.send(hostile, "propose", [governed.call(council, "setThreshold", 1)])


def test_beside_a_call_that_waits_it_waits_as_well(governed: Governed, council: Contract, market: Market) -> None:
    market.chain.send(governed.seats[2], market.accounts, "pauseAll")
    lift = governed.call(market.accounts, "unpause", market.auction.address)
    number = governed.decided(lift, governed.call(council, "setThreshold", 2))
    with refused("NotReady", id=number, readyAt=governed.village.now + DELAY):
        governed.execute(number)
    governed.send(governed.seats[0], "withdrawApproval", number)
    governed.send(governed.seats[0], "approve", number)
    governed.pass_delay()
    governed.execute(number)


def test_the_council_takes_the_pause_from_nobody_without_a_seat(
    governed: Governed, council: Contract, stranger: AccountAPI
) -> None:
    number = governed.decided(governed.call(council, "takePause", stranger.address))
    with pytest.raises(RefusedError, match=failure("NotSeated", stranger.address)):
        governed.execute(number)


@pytest.mark.parametrize(
    ("threshold", "seats", "needed"),
    [(1, 3, 2), (2, 3, 2), (3, 3, 3), (9, 3, 3), (0, 4, 3), (2, 2, 2), (3, 1, 1), (0, 1, 1)],
)
def test_it_takes_the_threshold_but_more_than_half_and_at_most_all(
    governed: Governed, council: Contract, stranger: AccountAPI, threshold: int, seats: int, needed: int
) -> None:
    changes = [governed.call(council, "unseat", seat.address) for seat in governed.seats[: max(0, 3 - seats)]]
    if seats > 3:
        changes.append(governed.call(council, "seat", stranger.address))
    receipt = governed.decide(*changes, governed.call(council, "setThreshold", threshold))
    assert events(receipt, council, "ThresholdSet") == [{"threshold": threshold}]
    assert (len(governed.holders()), council.functions.needed().call()) == (seats, needed)


def test_the_last_institution_stays(governed: Governed, council: Contract) -> None:
    number = governed.decided(*(governed.call(council, "unseat", seat.address) for seat in governed.seats))
    governed.pass_delay()
    with pytest.raises(RefusedError, match=failure("LastInstitution", governed.seats[2].address)):
        governed.execute(number)
    assert len(governed.holders()) == 3


def test_nobody_sits_twice_and_some_not_at_all(governed: Governed, council: Contract) -> None:
    for holder in (governed.seats[1].address, NOBODY, council.address):
        number = governed.decided(governed.call(council, "seat", holder))
        governed.pass_delay()
        with pytest.raises(RefusedError, match=failure("", holder)):
            governed.execute(number)


def test_seats_are_bounded(governed: Governed, council: Contract) -> None:
    room = MAX_SEATS - len(governed.seats)
    number = governed.decided(*(governed.call(council, "seat", f"0x{n + 1_000:040x}") for n in range(room + 1)))
    governed.pass_delay()
    with pytest.raises(RefusedError, match=rf"CallFailed\(id={number}, index={room}, reason=0x\w+{MAX_SEATS:064x}\)"):
        governed.execute(number)


def test_seats_announce_their_sealers(governed: Governed, council: Contract, village: Village) -> None:
    sealer = village.supplier.account
    receipt = governed.send(governed.seats[1], "announceSealer", sealer)
    assert events(receipt, council, "SealerAnnounced") == [{"holder": governed.seats[1].address, "sealer": sealer}]
    assert {seat[0]: seat[-1] for seat in council.functions.seats().call()} == {
        governed.seats[0].address: NOBODY,
        governed.seats[1].address: sealer,
        governed.seats[2].address: NOBODY,
    }


def test_the_states_of_a_proposal_have_their_names(council: Contract) -> None:
    assert STATES[council.functions.proposal(1).call()[0]] == "none"
