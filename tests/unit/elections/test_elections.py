from collections.abc import Callable

import pytest
from support.brokers import admit_intermediary
from support.council import Governed
from support.once import once
from support.refusals import refused
from support.signed import application, domain
from support.village import CONSUMER, NOBODY, Member, Village, events

from dem.community.keys import wallet
from dem.deployment.market import RELAYER, Market
from dem.messages.members import Ballot, Nomination
from dem.messages.signing import sign

DAY = 86_400
TERM, NOMINATING, VOTING = 365 * DAY, 14 * DAY, 14 * DAY
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


def vote(governed: Governed, voter: Member, nominee: Member, election: int = 1, key: bytes | None = None):
    message = Ballot(voter.account, election, nominee.account)
    signature = sign(domain(governed.market, "Elections"), message, key or voter.wallet.account_key)
    fields = (voter.account, election, nominee.account)
    return governed.village.relay(governed.elections, "voteSigned", fields, signature)


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
    for voter, nominee in (
        (village.buyer, village.rival),
        (village.seller, village.rival),
        (village.rival, third),
        (first, second),
        (second, second),
        (third, third),
    ):
        receipt = vote(governed, voter, nominee)
        assert events(receipt, governed.elections, "Voted") == [
            {"election": 1, "voter": voter.account, "nominee": nominee.account}
        ]
    assert governed.elections.functions.hasVoted(1, village.rival.id).call()
    assert governed.elections.functions.nominees(1).call() == [
        (first.account, 0),
        (second.account, 2),
        (third.account, 2),
        (village.rival.account, 2),
    ]
    village.wait_until(opening + NOMINATING + VOTING)
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
    market.chain.send(seller.sender, governed.elections, "vote", 1, buyer.account)
    village.wait_until(opening + NOMINATING + VOTING)
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
        village.wait_until(begins + NOMINATING + VOTING)
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
    village.wait_until(opening + NOMINATING + VOTING)
    conclude(governed)
    assert len(representatives(governed)) == 3
    village.wait_until(opening + TERM + NOMINATING + VOTING)
    conclude(governed, 2)
    assert representatives(governed) == []
    assert governed.council.functions.needed().call() == 2


def test_more_votes_count_before_earlier_nomination(
    governed: Governed, village: Village, voters: list[Member], opening: int
) -> None:
    village.wait_until(opening)
    nominate(governed, *voters, village.rival)
    village.wait_until(opening + NOMINATING)
    vote(governed, voters[0], village.rival)
    village.wait_until(opening + NOMINATING + VOTING)
    conclude(governed)
    assert representatives(governed) == [village.rival.account, voters[0].account, voters[1].account]


def test_an_institution_that_is_elected_keeps_its_one_seat(
    governed: Governed, village: Village, buyer: Member, opening: int
) -> None:
    governed.decide(governed.call(governed.council, "seat", buyer.account))
    village.wait_until(opening)
    nominate(governed, buyer)
    village.wait_until(opening + NOMINATING + VOTING)
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
    vote(governed, first, first)
    vote(governed, village.rival, second)
    village.send("registrar", village.market.registry, change, first.id)
    village.send("registrar", village.market.registry, change, village.rival.id)
    village.wait_until(opening + NOMINATING + VOTING)
    conclude(governed)
    assert representatives(governed) == [second.account]
    # Votes that were cast in time count.
    assert governed.elections.functions.nominees(1).call() == [(first.account, 1), (second.account, 1)]


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
        vote(governed, other, village.rival)


def barred(village: Village, how: str) -> Member:
    village.send("registrar", village.market.registry, how, village.buyer.id)
    return village.buyer


def test_everybody_votes_once(governed: Governed, village: Village, opening: int) -> None:
    village.wait_until(opening)
    nominate(governed, village.rival, village.buyer)
    with refused("AlreadyNominated", election=1, nominee=village.buyer.account):
        nominate(governed, village.buyer)
    village.wait_until(opening + NOMINATING)
    vote(governed, village.seller, village.rival)
    with refused("AlreadyVoted", election=1, voter=village.seller.account):
        vote(governed, village.seller, village.rival)
    with refused("AlreadyVoted", election=1, voter=village.seller.account):
        village.market.chain.send(village.seller.sender, governed.elections, "vote", 1, village.buyer.account)
    with refused("NotNominated", election=1, nominee=village.seller.account):
        vote(governed, village.buyer, village.seller)


def test_each_signs_for_itself(governed: Governed, village: Village, opening: int) -> None:
    village.wait_until(opening)
    nominate(governed, village.rival)
    village.wait_until(opening + NOMINATING)
    with refused("NotSignedBy", account=village.buyer.account, signer=village.seller.account):
        vote(governed, village.buyer, village.rival, key=village.seller.wallet.account_key)
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
        (NOMINATING - 5, lambda g, m: vote(g, m, m), "NotVoting"),
        (NOMINATING + VOTING, lambda g, m: vote(g, m, m), "NotVoting"),
    ],
    ids=["before nominations", "after nominations", "before votes", "after votes"],
)
def test_everything_has_its_time(
    governed: Governed, village: Village, opening: int, after: int, action: Callable, error: str
) -> None:
    village.wait_until(opening + after)
    begins, ends = (opening, opening + NOMINATING)
    if error == "NotVoting":
        begins, ends = ends, ends + VOTING
    with refused(error, election=1, **{"from": begins, "until": ends}):
        action(governed, village.rival)


def test_elections_are_concluded_in_their_order_when_they_are_over(
    governed: Governed, village: Village, opening: int
) -> None:
    over = opening + NOMINATING + VOTING
    with refused("NotOverYet", election=1, until=over):
        conclude(governed)
    with refused("NoSuchElection", election=0, lastConcluded=0):
        conclude(governed, 0)
    with refused("NoSuchElection", election=0, lastConcluded=0):
        nominate(governed, village.rival, election=0)
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
    everybody = [Member(0, keys) for keys in many]
    nominate(governed, *everybody)
    village.wait_until(opening + NOMINATING)
    late, later, last = everybody[MAX_COUNTED:]
    # Every one of the early ones votes for itself; two late ones have more friends.
    for early in everybody[: MAX_COUNTED - 8]:
        vote(governed, early, early)
    for friend in everybody[MAX_COUNTED - 8 : MAX_COUNTED - 5]:
        vote(governed, friend, late)
    for friend in everybody[MAX_COUNTED - 5 : MAX_COUNTED - 3]:
        receipt = vote(governed, friend, last)
        assert receipt["gasUsed"] < 500_000
    vote(governed, later, later)
    village.wait_until(opening + NOMINATING + VOTING)
    receipt = conclude(governed)
    assert representatives(governed) == [late.account, last.account, many[0].account]
    assert receipt["gasUsed"] < 2**24
    assert len(governed.elections.functions.nominees(1).call()) == len(many)
