import pytest
from ape.api import AccountAPI
from support.council import (
    DECIDED,
    DELAY,
    EXECUTED,
    EXPIRATION,
    EXPIRED,
    LIFETIME,
    MAX_CALLS,
    OPEN,
    Governed,
)
from support.refusals import refused
from support.village import ADMITTED, SUSPENDED, Member, Village, events
from web3.contract import Contract

from dem.errors import RefusedError
from dem.governance.council import Call


@pytest.fixture
def suspension(governed: Governed, buyer: Member) -> Call:
    return governed.call(governed.market.registry, "suspend", buyer.id)


@pytest.fixture
def reinstatement(governed: Governed, buyer: Member) -> Call:
    return governed.call(governed.market.registry, "reinstate", buyer.id)


def status(governed: Governed, member: Member) -> int:
    return governed.market.registry.functions.statusOf(member.account).call()


def test_m_of_n_decide_and_anybody_executes_after_the_delay(
    governed: Governed, council: Contract, buyer: Member, suspension: Call
) -> None:
    receipt = governed.send(governed.seats[0], "propose", [suspension])
    assert events(receipt, council, "Proposed")[0]["id"] == 1
    assert council.functions.proposal(1).call()[:5] == (OPEN, governed.village.now + LIFETIME, 0, 1, 2)
    receipt = governed.send(governed.seats[2], "approve", 1)
    ready = governed.village.now + DELAY
    assert events(receipt, council, "Approved") == [{"id": 1, "by": governed.seats[2].address}]
    assert events(receipt, council, "Decided") == [{"id": 1, "readyAt": ready}]
    [scheduled] = events(receipt, governed.market.authority, "OperationScheduled")
    assert (scheduled["schedule"], scheduled["caller"]) == (ready, council.address)
    assert council.functions.proposal(1).call()[:5] == (DECIDED, ready + EXPIRATION, ready, 2, 2)
    governed.village.wait_until(ready)
    receipt = governed.execute(1)
    assert events(receipt, council, "Executed") == [{"id": 1}]
    assert status(governed, buyer) == SUSPENDED
    assert governed.state(1) == EXECUTED


def test_nothing_is_executed_before_the_delay_is_over(governed: Governed, suspension: Call) -> None:
    number = governed.decided(suspension)
    ready = governed.village.now + DELAY
    governed.village.wait_until(ready - 2)
    with refused("NotReady", id=number, readyAt=ready):
        governed.execute(number)


def test_a_minority_decides_nothing(governed: Governed, suspension: Call) -> None:
    number = governed.propose(suspension)
    governed.pass_delay()
    with refused("WrongState", id=number, state=OPEN):
        governed.execute(number)


def test_nothing_is_executed_twice(governed: Governed, suspension: Call) -> None:
    governed.decide(suspension)
    with refused("WrongState", id=1, state=EXECUTED):
        governed.execute(1)
    with refused("WrongState", id=1, state=EXECUTED):
        governed.send(governed.seats[2], "approve", 1)
    with refused("WrongState", id=1, state=EXECUTED):
        governed.send(governed.seats[1], "withdrawApproval", 1)


def test_several_calls_are_made_in_their_order(
    governed: Governed, buyer: Member, suspension: Call, reinstatement: Call
) -> None:
    governed.decide(suspension, reinstatement)
    assert status(governed, buyer) == ADMITTED


def test_all_calls_are_made_or_none(governed: Governed, buyer: Member, suspension: Call) -> None:
    registry = governed.market.registry
    number = governed.decided(suspension, governed.call(registry, "reinstate", 99))
    governed.pass_delay()
    reason = registry.encode_abi("suspend", [99])[2:]
    with pytest.raises(RefusedError, match=rf"CallFailed\(id={number}, index=1, reason=0x") as caught:
        governed.execute(number)
    assert reason[8:] in caught.value.why, "UnknownMember(99)"
    assert status(governed, buyer) == ADMITTED
    assert governed.state(number) == DECIDED


def test_withdrawing_an_approval_reopens_a_decision_and_its_delay_begins_anew(
    governed: Governed, council: Contract, buyer: Member, suspension: Call
) -> None:
    number = governed.decided(suspension)
    governed.pass_delay()
    receipt = governed.send(governed.seats[0], "withdrawApproval", number)
    assert events(receipt, council, "ApprovalWithdrawn") == [{"id": number, "by": governed.seats[0].address}]
    assert events(receipt, council, "Reopened") == [{"id": number}]
    assert len(events(receipt, governed.market.authority, "OperationCanceled")) == 1
    with refused("WrongState", id=number, state=OPEN):
        governed.execute(number)
    governed.send(governed.seats[2], "approve", number)
    with pytest.raises(RefusedError, match="NotReady"):
        governed.execute(number)
    governed.pass_delay()
    governed.execute(number)
    assert status(governed, buyer) == SUSPENDED


def test_an_approval_too_many_may_be_withdrawn(governed: Governed, suspension: Call) -> None:
    number = governed.decided(suspension)
    governed.send(governed.seats[2], "approve", number)
    governed.send(governed.seats[0], "withdrawApproval", number)
    assert governed.state(number) == DECIDED


def test_approvals_of_lost_seats_do_not_count(governed: Governed, council: Contract, suspension: Call) -> None:
    first, second, third = governed.seats
    number = governed.propose(suspension, by=second)
    governed.decide(governed.call(council, "unseat", second.address))
    assert council.functions.proposal(number).call()[3:5] == (0, 2)
    governed.send(first, "approve", number)
    assert governed.state(number) == OPEN
    # Whoever comes back has another seat, which has approved nothing.
    governed.send(first, "propose", [governed.call(council, "seat", second.address)])
    governed.send(third, "approve", 3)
    governed.pass_delay()
    governed.execute(3)
    assert not council.functions.hasApproved(number, second.address).call()
    assert council.functions.proposal(number).call()[3] == 1


def test_a_decision_whose_supporters_lost_their_seats_waits_for_others(
    governed: Governed, council: Contract, buyer: Member, suspension: Call
) -> None:
    _, second, third = governed.seats
    unseating = governed.decided(governed.call(council, "unseat", second.address))
    number = governed.decided(suspension)
    governed.pass_delay()
    governed.execute(unseating)
    with refused("TooFewApprovals", id=number, approvals=1, needed=2):
        governed.execute(number)
    governed.send(third, "approve", number)
    governed.execute(number)
    assert status(governed, buyer) == SUSPENDED


def test_proposals_expire(governed: Governed, suspension: Call) -> None:
    number = governed.propose(suspension)
    governed.pass_delay(LIFETIME)
    with refused("WrongState", id=number, state=EXPIRED):
        governed.send(governed.seats[1], "approve", number)


def test_decisions_expire_and_can_be_taken_anew(governed: Governed, buyer: Member, suspension: Call) -> None:
    number = governed.decided(suspension)
    governed.pass_delay(DELAY + EXPIRATION)
    for sender, function in ((governed.seats[2], "execute"), (governed.seats[0], "withdrawApproval")):
        with refused("WrongState", id=number, state=EXPIRED):
            governed.send(sender, function, number)
    governed.decide(suspension)
    assert status(governed, buyer) == SUSPENDED


def test_the_same_call_is_decided_once_at_a_time(governed: Governed, suspension: Call, reinstatement: Call) -> None:
    first = governed.decided(suspension)
    second = governed.propose(suspension)
    with pytest.raises(RefusedError, match="AccessManagerAlreadyScheduled"):
        governed.send(governed.seats[1], "approve", second)
    governed.pass_delay()
    governed.execute(first)
    governed.send(governed.seats[1], "approve", second)
    assert governed.state(second) == DECIDED
    governed.decide(reinstatement)
    governed.execute(second)


@pytest.mark.parametrize("function", ["propose", "approve", "withdrawApproval", "announceSealer"])
def test_only_seats_take_part(governed: Governed, stranger: AccountAPI, suspension: Call, function: str) -> None:
    number = governed.propose(suspension)
    argument = {"propose": [suspension], "announceSealer": stranger.address}.get(function, number)
    with refused("NotSeated", caller=stranger.address):
        governed.send(stranger, function, argument)


def test_nobody_approves_twice_or_withdraws_what_it_has_not_given(governed: Governed, suspension: Call) -> None:
    number = governed.propose(suspension)
    first, second, _ = (seat.address for seat in governed.seats)
    with refused("AlreadyApproved", id=number, holder=first):
        governed.send(governed.seats[0], "approve", number)
    with refused("NotApproved", id=number, holder=second):
        governed.send(governed.seats[1], "withdrawApproval", number)
    with refused("WrongState", id=number + 1, state=0):
        governed.send(governed.seats[1], "approve", number + 1)


@pytest.mark.parametrize("count", [0, MAX_CALLS + 1])
def test_a_proposal_makes_some_calls_but_not_too_many(governed: Governed, suspension: Call, count: int) -> None:
    with refused("BadCallCount", count=count, limit=MAX_CALLS):
        governed.propose(*[suspension] * count)


def test_the_longest_proposal_fits_a_transaction(governed: Governed, village: Village) -> None:
    calls = [governed.call(governed.market.accounts, "setCreditLimit", 3, 10**12 + n) for n in range(MAX_CALLS)]
    governed.decide(*calls)
    assert village.account(3)[3] == 10**12 + MAX_CALLS - 1


def test_a_clerk_loses_its_office_by_decision(governed: Governed, village: Village, market, buyer: Member) -> None:
    registrar = market.keys["registrar"].address
    village.send("registrar", market.registry, "suspend", buyer.id)
    governed.decide(governed.call(market.authority, "revokeRole", 1, registrar))
    with refused("AccessManagedUnauthorized", caller=registrar):
        village.send("registrar", market.registry, "reinstate", buyer.id)
    governed.decide(governed.call(market.registry, "reinstate", buyer.id))
