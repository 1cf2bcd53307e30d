from collections.abc import Callable

import pytest
from ape.api import AccountAPI
from support.brokers import admit_intermediary
from support.council import Governed
from support.refusals import refused
from support.signed import application, domain
from support.village import CONSUMER, NOBODY, Member, Village, events

from dem.deployment import RELAYER, Market
from dem.signing import Ballot, Nomination, sign
from dem.wallets import wallet

DAY = 86_400
TERM, NOMINATING, VOTING = 365 * DAY, 14 * DAY, 14 * DAY
MAX_NOMINEES = 64


@pytest.fixture
def opening(village: Village) -> int:
    return village.calendar.opening


@pytest.fixture
def voters(village: Village) -> list[Member]:
    """Three more consumers beside buyer, seller and rival."""
    return [admitted(village, n) for n in range(3)]


def admitted(village: Village, number: int) -> Member:
    market = village.market
    keys = wallet("voters", 1, f"voter {number}")
    village.relay(market.registry, "applyFor", *application(market, keys, CONSUMER))
    village.send("registrar", market.registry, "admit", keys.account)
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


@pytest.mark.parametrize("status", ["suspended", "exited", "intermediary", "stranger", "supplier"])
def test_only_admitted_consumers_and_prosumers_stand_and_vote(
    governed: Governed, village: Village, market: Market, opening: int, status: str
) -> None:
    other = {
        "suspended": lambda: barred(village, "suspend"),
        "exited": lambda: barred(village, "exit"),
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


def test_nominees_are_bounded_and_counted_in_one_transaction(
    governed: Governed, village: Village, market: Market, opening: int
) -> None:
    many = [wallet("nominees", 1, str(n)) for n in range(MAX_NOMINEES + 1)]
    for start in range(0, len(many), 20):
        some = many[start : start + 20]
        calls = [("applyFor", application(market, keys, CONSUMER)) for keys in some]
        market.chain.send_many(market.keys[RELAYER], market.registry, calls)
        market.chain.send_many(market.keys["registrar"], market.registry, [("admit", (k.account,)) for k in some])
    village.wait_until(opening)
    nominate(governed, *(Member(0, keys) for keys in many[:-1]))
    with refused("TooManyNominees", election=1, limit=MAX_NOMINEES):
        nominate(governed, Member(0, many[-1]))
    village.wait_until(opening + NOMINATING)
    for n in range(1, MAX_NOMINEES, 7):
        vote(governed, Member(0, many[n]), Member(0, many[-2]))
    village.wait_until(opening + NOMINATING + VOTING)
    receipt = conclude(governed)
    assert representatives(governed) == [many[n].account for n in (MAX_NOMINEES - 1, 0, 1)]
    assert receipt["gasUsed"] < 2**24


def test_a_representative_who_leaves_the_market_loses_its_seat(
    governed: Governed, village: Village, market: Market, opening: int
) -> None:
    rival = village.rival
    village.wait_until(opening)
    nominate(governed, rival)
    village.wait_until(opening + NOMINATING + VOTING)
    conclude(governed)
    village.send("registrar", market.registry, "suspend", rival.id)
    with refused("StillAMember", representative=rival.account):
        village.relay(governed.elections, "vacate", rival.account)
    assert representatives(governed) == [rival.account]
    village.send("registrar", market.registry, "exit", rival.id)
    receipt = village.relay(governed.elections, "vacate", rival.account)
    assert events(receipt, governed.council, "SeatLost") == [{"number": 4, "holder": rival.account}]
    assert representatives(governed) == []
    with refused("NotSeated", caller=rival.account):
        village.relay(governed.elections, "vacate", rival.account)


def test_an_institution_is_not_vacated_and_a_representative_not_unseated(
    governed: Governed, village: Village, market: Market, buyer: Member, opening: int
) -> None:
    governed.decide(governed.call(governed.council, "seat", buyer.account))
    village.send("registrar", market.registry, "exit", buyer.id)
    with refused("NotARepresentative", holder=buyer.account):
        village.relay(governed.elections, "vacate", buyer.account)
    village.wait_until(opening)
    nominate(governed, village.rival)
    village.wait_until(opening + NOMINATING + VOTING)
    conclude(governed)
    number = governed.decided(governed.call(governed.council, "unseat", village.rival.account))
    governed.pass_delay()
    with pytest.raises(Exception, match=village.rival.account[2:].lower()):
        governed.execute(number)


def test_elections_alone_seat_representatives(governed: Governed, market: Market, stranger: AccountAPI) -> None:
    for sender in (*governed.seats, stranger):
        with refused("AccessManagedUnauthorized", caller=sender.address):
            governed.send(sender, "seatRepresentatives", [sender.address])
        with refused("AccessManagedUnauthorized", caller=sender.address):
            governed.send(sender, "vacate", governed.seats[0].address)


@pytest.mark.parametrize("changed", [{0: 1}, {1: NOMINATING + VOTING - 1}, {2: 0}, {3: 0}, {4: 0}, {4: 17}], ids=str)
def test_terms_make_sense(governed: Governed, market: Market, opening: int, changed: dict[int, int]) -> None:
    own = [opening, TERM, NOMINATING, VOTING, 3]
    assert list(governed.elections.functions.terms().call()) == own
    terms = tuple(changed.get(n, value) for n, value in enumerate(own))
    arguments = (market.registry.address, governed.council.address, terms)
    with pytest.raises(Exception, match="BadTerms"):
        market.chain.deploy(market.keys["relayer"], "Elections", arguments)


def test_nobody_is_no_nominee(governed: Governed, village: Village, opening: int) -> None:
    village.wait_until(opening + NOMINATING)
    with refused("NotNominated", election=1, nominee=NOBODY):
        village.market.chain.send(village.buyer.sender, governed.elections, "vote", 1, NOBODY)
