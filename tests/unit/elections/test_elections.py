from collections.abc import Callable
from dataclasses import replace

import pytest
from support.brokers import admit_intermediary
from support.council import Governed
from support.once import once
from support.refusals import refused
from support.signed import application, domain
from support.village import CONSUMER, NOBODY, Member, Village, events
from web3.types import TxReceipt

from dem.community.keys import wallet
from dem.deployment.market import RELAYER, Market
from dem.messages.members import Ballot, Nomination, Opening
from dem.messages.signing import Domain, digest, sign, struct

DAY = 86_400
TERM, NOMINATING, VOTING, COUNTING = 365 * DAY, 14 * DAY, 14 * DAY, 7 * DAY
COUNT = NOMINATING + VOTING
OVER = COUNT + COUNTING
"""From the beginning of an election to its count, and to the end of that."""
MAX_COUNTED = 64


@pytest.fixture
def opening(village: Village) -> int:
    return village.calendar.opening


@once
def voters(village: Village) -> list[Member]:
    """Three more consumers beside buyer, seller and rival."""
    return [admitted(village, n) for n in range(3)]


def admitted(village: Village, number: int, meter: str | None = None) -> Member:
    market = village.market
    keys = wallet("voters", 1, f"voter {number}")
    village.relay(market.registry, "applyFor", *application(market, keys, CONSUMER, meter))
    village.admit(keys.account)
    return Member(market.registry.functions.idOf(keys.account).call(), keys)


def nominate(governed: Governed, *members: Member, election: int = 1) -> None:
    """By signed messages that the relayer brings."""
    for member in members:
        message = Nomination(member.account, election)
        signature = sign(domain(governed.market, "Elections"), message, member.wallet.account_key)
        governed.village.relay(governed.elections, "nominateSigned", (member.account, election), signature)


def ballot(voter: Member, nominee: Member, sequence: int = 1, election: int = 1) -> Opening:
    return Opening(election, voter.id, nominee.account, bytes([voter.id % 256, sequence]).rjust(32), sequence)


def committed(governed: Governed, said: Opening) -> bytes:
    return digest(domain(governed.market, "Elections"), said)


def cast(governed: Governed, voter: Member, said: Opening, key: bytes | None = None) -> TxReceipt:
    """A closed ballot, by a signed message that the relayer brings."""
    message = Ballot(voter.account, said.election, committed(governed, said), said.sequence)
    signature = sign(domain(governed.market, "Elections"), message, key or voter.wallet.account_key)
    return governed.village.relay(governed.elections, "voteSigned", struct(message), signature)


def open_(governed: Governed, said: Opening) -> TxReceipt:
    """By anybody."""
    return governed.village.relay(governed.elections, "open", struct(said))


def vote(governed: Governed, *votes: tuple[Member, Member]) -> list[TxReceipt]:
    """All cast, and opened at the count; what came of each opening."""
    said = [ballot(*one) for one in votes]
    for (voter, _), one in zip(votes, said, strict=True):
        cast(governed, voter, one)
    governed.village.wait_until(governed.village.calendar.opening + COUNT)
    return [open_(governed, one) for one in said]


def votes_of(governed: Governed, election: int = 1) -> dict[str, int]:
    return dict(governed.elections.functions.nominees(election).call())


def conclude(governed: Governed, election: int = 1):
    return governed.chain.send(governed.village.stranger, governed.elections, "conclude", election)


def representatives(governed: Governed) -> list[str]:
    return [holder for holder, is_elected, *_ in governed.council.functions.seats().call() if is_elected]


def test_participants_elect_their_representatives(
    governed: Governed, village: Village, voters: list[Member], opening: int
) -> None:
    first, second, third = voters
    village.wait_until(opening)
    nominate(governed, first, second, third, village.rival)
    village.wait_until(opening + NOMINATING)
    votes = [
        (village.buyer, village.rival),
        (village.seller, village.rival),
        (village.rival, third),
        (first, second),
        (second, second),
        (third, third),
    ]
    said = [(voter, ballot(voter, nominee)) for voter, nominee in votes]
    for voter, one in said:
        receipt = cast(governed, voter, one)
        cast_ = {"election": 1, "id": voter.id, "commitment": committed(governed, one), "sequence": 1}
        assert events(receipt, governed.elections, "Voted") == [cast_]
    # Nobody learns anything until the count.
    assert set(votes_of(governed).values()) == {0}
    village.wait_until(opening + COUNT)
    for voter, one in said:
        receipt = open_(governed, one)
        opened = {"election": 1, "id": voter.id, "nominee": one.nominee}
        assert events(receipt, governed.elections, "Opened") == [opened]
    voter, one = said[0]
    assert governed.elections.functions.ballotOf(1, voter.id).call() == [committed(governed, one), 1, True]
    assert governed.elections.functions.nominees(1).call() == [
        (first.account, 0),
        (second.account, 2),
        (third.account, 2),
        (village.rival.account, 2),
    ]
    village.wait_until(opening + OVER)
    receipt = conclude(governed)
    # All have two votes: who was nominated first comes first.
    elected = [second.account, third.account, village.rival.account]
    assert events(receipt, governed.elections, "Concluded") == [{"election": 1, "elected": elected}]
    assert representatives(governed) == elected
    assert governed.elections.functions.lastConcluded().call() == 1
    assert governed.council.functions.needed().call() == 4


def test_whoever_has_ether_sends_transactions(
    governed: Governed, village: Village, market: Market, opening: int
) -> None:
    buyer, seller = village.buyer, village.seller
    village.wait_until(opening)
    receipt = market.chain.send(buyer.sender, governed.elections, "nominate", 1)
    assert events(receipt, governed.elections, "Nominated") == [{"election": 1, "nominee": buyer.account}]
    village.wait_until(opening + NOMINATING)
    said = ballot(seller, buyer)
    market.chain.send(seller.sender, governed.elections, "vote", 1, committed(governed, said), 1)
    village.wait_until(opening + COUNT)
    market.chain.send(seller.sender, governed.elections, "open", struct(said))
    assert votes_of(governed) == {buyer.account: 1}
    village.wait_until(opening + OVER)
    conclude(governed)
    # It decides, and pauses, as every seat does.
    market.chain.send(buyer.sender, market.accounts, "pauseAll")
    suspension = governed.call(market.registry, "suspend", seller.id)
    number = governed.propose(suspension, by=buyer.sender)
    assert governed.council.functions.hasApproved(number, buyer.account).call()


def test_the_next_election_seats_others(
    governed: Governed, village: Village, voters: list[Member], opening: int
) -> None:
    first, second, third = voters
    for election, standing in ((1, (first, second)), (2, (second, third))):
        begins = opening + (election - 1) * TERM
        village.wait_until(begins)
        nominate(governed, *standing, election=election)
        village.wait_until(begins + OVER)
        conclude(governed, election)
    # Nobody voted: all who stood are seated where there are places enough. The second keeps its seat.
    assert set(representatives(governed)) == {second.account, third.account}
    numbers = {holder: number for holder, _, number, _ in governed.council.functions.seats().call()}
    assert (numbers[second.account], numbers[third.account]) == (5, 6)


def test_without_nominees_the_places_are_vacant(
    governed: Governed, village: Village, voters: list[Member], opening: int
) -> None:
    village.wait_until(opening)
    nominate(governed, *voters)
    village.wait_until(opening + OVER)
    conclude(governed)
    assert len(representatives(governed)) == 3
    village.wait_until(opening + TERM + OVER)
    conclude(governed, 2)
    assert representatives(governed) == []
    assert governed.council.functions.needed().call() == 2


def test_more_votes_count_before_earlier_nomination(
    governed: Governed, village: Village, voters: list[Member], opening: int
) -> None:
    village.wait_until(opening)
    nominate(governed, *voters, village.rival)
    village.wait_until(opening + NOMINATING)
    vote(governed, (voters[0], village.rival))
    village.wait_until(opening + OVER)
    conclude(governed)
    assert representatives(governed) == [village.rival.account, voters[0].account, voters[1].account]


def test_an_institution_that_is_elected_keeps_its_one_seat(
    governed: Governed, village: Village, buyer: Member, opening: int
) -> None:
    governed.decide(governed.call(governed.council, "seat", buyer.account))
    village.wait_until(opening)
    nominate(governed, buyer)
    village.wait_until(opening + OVER)
    conclude(governed)
    assert representatives(governed) == []
    assert buyer.account in governed.holders()


@pytest.mark.parametrize("change", ["suspend", "exit"])
def test_whoever_cannot_take_part_any_more_is_passed_over(
    governed: Governed, village: Village, voters: list[Member], opening: int, change: str
) -> None:
    first, second, _ = voters
    village.wait_until(opening)
    nominate(governed, first, second)
    village.wait_until(opening + NOMINATING)
    said = [ballot(first, first), ballot(village.rival, second)]
    for voter, one in zip((first, village.rival), said, strict=True):
        cast(governed, voter, one)
        village.send("registrar", village.market.registry, change, voter.id)
    village.wait_until(opening + COUNT)
    for one in said:
        open_(governed, one)
    village.wait_until(opening + OVER)
    conclude(governed)
    assert representatives(governed) == [second.account]
    # Votes that were cast in time count.
    assert votes_of(governed) == {first.account: 1, second.account: 1}


@pytest.mark.parametrize("status", ["suspended", "exited", "without a meter", "intermediary", "stranger", "supplier"])
def test_only_admitted_consumers_and_prosumers_with_a_meter_stand_and_vote(
    governed: Governed, village: Village, market: Market, opening: int, status: str
) -> None:
    other = {
        "suspended": lambda: barred(village, "suspend"),
        "exited": lambda: barred(village, "exit"),
        "without a meter": lambda: admitted(village, 0, NOBODY),
        "intermediary": lambda: admit_intermediary(village, "retailer"),
        "stranger": lambda: Member(0, wallet("village", 1, "nobody")),
        "supplier": lambda: village.supplier,
    }[status]()
    village.wait_until(opening)
    with refused("NotAParticipant", account=other.account):
        nominate(governed, other)
    nominate(governed, village.rival)
    village.wait_until(opening + NOMINATING)
    with refused("NotAParticipant", account=other.account):
        cast(governed, other, ballot(other, village.rival))


def barred(village: Village, how: str) -> Member:
    village.send("registrar", village.market.registry, how, village.buyer.id)
    return village.buyer


def test_everybody_has_one_vote_the_newest(governed: Governed, village: Village, opening: int) -> None:
    village.wait_until(opening)
    nominate(governed, village.rival, village.buyer)
    with refused("AlreadyNominated", election=1, nominee=village.buyer.account):
        nominate(governed, village.buyer)
    village.wait_until(opening + NOMINATING)
    seller = village.seller
    first, second = ballot(seller, village.buyer, 3), ballot(seller, village.rival, 5)
    cast(governed, seller, first)
    cast(governed, seller, second)
    # Neither an older one brought again nor the same takes its place back, whoever brings it.
    for one in (first, second):
        with refused("StaleMessage", id=seller.id, sequence=one.sequence, last=5):
            cast(governed, seller, one)
    with refused("StaleMessage", id=seller.id, sequence=5, last=5):
        village.market.chain.send(seller.sender, governed.elections, "vote", 1, bytes(32), 5)
    village.wait_until(opening + COUNT)
    with refused("NotCommitted", election=1, id=seller.id, opening=committed(governed, first)):
        open_(governed, first)
    open_(governed, second)
    with refused("AlreadyOpened", election=1, id=seller.id):
        open_(governed, second)
    assert votes_of(governed) == {village.rival.account: 1, village.buyer.account: 0}


def test_a_copy_of_a_ballot_is_worth_nothing(governed: Governed, village: Village, opening: int) -> None:
    village.wait_until(opening)
    nominate(governed, village.rival)
    village.wait_until(opening + NOMINATING)
    buyer, seller = village.buyer, village.seller
    said = ballot(buyer, village.rival)
    cast(governed, buyer, said)
    market = village.market
    market.chain.send(seller.sender, governed.elections, "vote", 1, committed(governed, said), 1)
    village.wait_until(opening + COUNT)
    open_(governed, said)
    copied = replace(said, id=seller.id)
    with refused("NotCommitted", election=1, id=seller.id, opening=committed(governed, copied)):
        open_(governed, copied)
    assert votes_of(governed) == {village.rival.account: 1}


@pytest.mark.parametrize("changed", ["election", "id", "nominee", "salt", "sequence", "chain", "contract"])
def test_a_ballot_opens_to_what_was_committed_and_nothing_else(
    governed: Governed, village: Village, opening: int, changed: str
) -> None:
    village.wait_until(opening)
    nominate(governed, village.rival, village.buyer)
    village.wait_until(opening + NOMINATING)
    seller, said = village.seller, ballot(village.seller, village.rival)
    cast(governed, seller, said)
    at = domain(governed.market, "Elections")
    # The buyer's is committed for another chain or contract.
    other = {"chain": Domain(at.chain_id + 1, at.contract), "contract": Domain(at.chain_id, village.stranger.address)}
    theirs = ballot(village.buyer, village.rival)
    elsewhere = digest(other.get(changed, at), theirs)
    village.market.chain.send(village.buyer.sender, governed.elections, "vote", 1, elsewhere, 1)
    village.wait_until(opening + COUNT)
    if changed in other:
        with refused("NotCommitted", election=1, id=village.buyer.id, opening=committed(governed, theirs)):
            open_(governed, theirs)
        return
    if changed == "election":
        begins = opening + TERM + COUNT
        with refused("NotCounting", election=2, **{"from": begins, "until": begins + COUNTING}):
            open_(governed, replace(said, election=2))
        return
    values = {"id": village.rival.id, "nominee": village.buyer.account, "salt": bytes(32), "sequence": 2}
    wrong = replace(said, **{changed: values[changed]})
    with refused("NotCommitted", election=1, id=wrong.id, opening=committed(governed, wrong)):
        open_(governed, wrong)


def test_what_is_not_opened_does_not_count_and_stops_nobody(governed: Governed, village: Village, opening: int) -> None:
    village.wait_until(opening)
    nominate(governed, village.rival, village.buyer)
    village.wait_until(opening + NOMINATING)
    silent = [ballot(village.buyer, village.rival), ballot(village.rival, village.rival)]
    cast(governed, village.buyer, silent[0])
    cast(governed, village.rival, silent[1])
    nobody = ballot(village.seller, village.seller)
    cast(governed, village.seller, nobody)
    village.wait_until(opening + COUNT)
    # It is for somebody who does not stand.
    with refused("NotNominated", election=1, nominee=village.seller.account):
        open_(governed, nobody)
    village.wait_until(opening + OVER)
    conclude(governed)
    assert representatives(governed) == [village.rival.account, village.buyer.account]
    assert set(votes_of(governed).values()) == {0}


def test_each_signs_for_itself(governed: Governed, village: Village, opening: int) -> None:
    village.wait_until(opening)
    nominate(governed, village.rival)
    village.wait_until(opening + NOMINATING)
    with refused("NotSignedBy", account=village.buyer.account, signer=village.seller.account):
        said = ballot(village.buyer, village.rival)
        cast(governed, village.buyer, said, key=village.seller.wallet.account_key)
    signature = sign(
        domain(governed.market, "Elections"), Nomination(village.seller.account, 1), village.seller.wallet.account_key
    )
    with pytest.raises(Exception, match="NotSignedBy"):
        village.relay(governed.elections, "nominateSigned", (village.buyer.account, 1), signature)


@pytest.mark.parametrize(
    ("after", "action", "error"),
    [
        (-2, nominate, "NotNominating"),
        (NOMINATING, nominate, "NotNominating"),
        (NOMINATING - 5, lambda g, m: cast(g, m, ballot(m, m)), "NotVoting"),
        (COUNT, lambda g, m: cast(g, m, ballot(m, m)), "NotVoting"),
        (COUNT - 5, lambda g, m: open_(g, ballot(m, m)), "NotCounting"),
        (OVER, lambda g, m: open_(g, ballot(m, m)), "NotCounting"),
    ],
    ids=[
        "before nominations",
        "after nominations",
        "before votes",
        "after votes",
        "opened before the count",
        "opened after the count",
    ],
)
def test_everything_has_its_time(
    governed: Governed, village: Village, opening: int, after: int, action: Callable, error: str
) -> None:
    village.wait_until(opening + after)
    begins, ends = {
        "NotNominating": (0, NOMINATING),
        "NotVoting": (NOMINATING, COUNT),
        "NotCounting": (COUNT, OVER),
    }[error]
    with refused(error, election=1, **{"from": opening + begins, "until": opening + ends}):
        action(governed, village.rival)


def test_elections_are_concluded_in_their_order_when_they_are_over(
    governed: Governed, village: Village, opening: int
) -> None:
    over = opening + OVER
    with refused("NotOverYet", election=1, until=over):
        conclude(governed)
    with refused("NoSuchElection", election=0, lastConcluded=0):
        conclude(governed, 0)
    for action in (
        lambda: nominate(governed, village.rival, election=0),
        lambda: cast(governed, village.rival, ballot(village.rival, village.rival, election=0)),
        lambda: open_(governed, ballot(village.rival, village.rival, election=0)),
    ):
        with refused("NoSuchElection", election=0, lastConcluded=0):
            action()
    village.wait_until(opening + COUNT)
    with refused("NotOverYet", election=1, until=over):
        conclude(governed)
    village.wait_until(over + TERM)
    conclude(governed, 2)
    for election in (1, 2):
        with refused("NoSuchElection", election=election, lastConcluded=2):
            conclude(governed, election)


def test_who_was_early_shuts_nobody_out(governed: Governed, village: Village, market: Market, opening: int) -> None:
    """More stand than are counted: a late one with more votes takes the place of the last."""
    many = [wallet("nominees", 1, str(n)) for n in range(MAX_COUNTED + 3)]
    for start in range(0, len(many), 20):
        some = many[start : start + 20]
        calls = [("applyFor", application(market, keys, CONSUMER)) for keys in some]
        market.chain.send_many(market.keys[RELAYER], market.registry, calls)
        admissions = [("admit", village.waiting(keys.account)) for keys in some]
        market.chain.send_many(market.keys["registrar"], market.registry, admissions)
    village.wait_until(opening)
    ids = [market.registry.functions.idOf(keys.account).call() for keys in many]
    everybody = [Member(id_, keys) for id_, keys in zip(ids, many, strict=True)]
    nominate(governed, *everybody)
    village.wait_until(opening + NOMINATING)
    late, later, last = everybody[MAX_COUNTED:]
    # Every one of the early ones votes for itself; two late ones have more friends.
    votes = [(early, early) for early in everybody[: MAX_COUNTED - 8]]
    votes += [(friend, late) for friend in everybody[MAX_COUNTED - 8 : MAX_COUNTED - 5]]
    votes += [(friend, last) for friend in everybody[MAX_COUNTED - 5 : MAX_COUNTED - 3]]
    receipts = vote(governed, *votes, (later, later))
    assert max(receipt["gasUsed"] for receipt in receipts) < 500_000
    village.wait_until(opening + OVER)
    receipt = conclude(governed)
    assert representatives(governed) == [late.account, last.account, many[0].account]
    assert receipt["gasUsed"] < 2**24
    assert len(governed.elections.functions.nominees(1).call()) == len(many)
