"""Relief of the network at random, right and wrong: what is offered, bought and paid."""

from collections.abc import Mapping, Sequence
from random import Random

from dem.messages.members import ReliefOffer
from dem.model.ledger import FIRST_PARTICIPANT, GRID_OPERATOR
from dem.model.limits import WHOLE
from dem.model.relief import (
    UNPAID,
    Bought,
    Relief,
    is_covered,
    offered_down,
    pack_relief,
    relief_postings,
)
from dem.model.strips import strips_per_day
from dem.model.units import UnitsPerWh

from .chain import NOBODY
from .grid import REPORT
from .keys import Key, struct
from .late import objections_to_record, of_money, spoilt
from .market import GRID_OPERATOR as GRID_OPERATOR_KEY
from .market import STRANGER, Market
from .people import Person

CONTRACT = "GridRelief"
PRICES = (0, 5_000, 20_000)
_ADMITTED = 2
"""Status.Admitted."""


def offer_relief(random: Random, market: Market, people: Mapping[int, Person], day: int) -> None:
    """A member, the grid operator or a stranger offers something from a day on; too late for some."""
    id_ = random.choice((GRID_OPERATOR, *people))
    owner = GRID_OPERATOR_KEY if id_ == GRID_OPERATOR else people[id_].account
    expected = set()
    if random.random() < 0.05:
        owner = STRANGER
        expected.add("NotAMember")
    elif market.call("ParticipantRegistry", "member", id_)[3] != _ADMITTED:
        expected.add("NotAMember")
    last = 0 if owner is STRANGER else market.call(CONTRACT, "lastSequence", id_)
    sequence = last if random.random() < 0.05 else last + 1
    if sequence == last:
        expected.add("StaleMessage")
    shares = [random.choice((0, 2_500, WHOLE)) for _ in range(2)]
    if random.random() < 0.05:
        shares[random.randrange(2)] = WHOLE + 1
        expected.add("ShareTooLarge")
    drawn, fed_in = shares
    prices = [UnitsPerWh(random.choice(PRICES)) for _ in range(2)]
    message = ReliefOffer(owner.address, drawn, prices[0], fed_in, prices[1], day, sequence)
    signer: Key = owner
    if random.random() < 0.05:
        signer = GRID_OPERATOR_KEY if owner is STRANGER else STRANGER
        expected.add("NotSignedBy")
    if day < _earliest(market):
        expected.add("TooLateToOffer")
    signature = signer.sign(market.domain(CONTRACT), message)
    if random.random() < 0.3:
        call = market.contracts[CONTRACT].encode("offer", struct(message), signature)
        _check(market, expected, f"{CONTRACT}.multicall", [call])
    else:
        _check(market, expected, f"{CONTRACT}.offer", struct(message), signature)


def offer_whole(market: Market, people: Mapping[int, Person], day: int) -> None:
    """Everybody offers a part of its connection from a day on for little, and the grid operator pays much."""
    owners = {GRID_OPERATOR: GRID_OPERATOR_KEY} | {id_: person.account for id_, person in people.items()}
    for id_, owner in owners.items():
        price = UnitsPerWh(max(PRICES) if id_ == GRID_OPERATOR else 1)
        message = ReliefOffer(owner.address, WHOLE, price, WHOLE, price, day, 1)
        market.act(f"{CONTRACT}.offer", struct(message), owner.sign(market.domain(CONTRACT), message))


def buy_relief(random: Random, market: Market, people: Mapping[int, Person], day: int) -> None:
    """The dispatcher buys of somebody for a day: what was offered, or more, or for another price."""
    relief, slots = market.replay.relief, dict[tuple[int, bool], Bought]()
    willing = [id_ for id_ in people if relief.offer(id_, day).drawn or relief.offer(id_, day).fed_in]
    id_ = random.choice(willing) if willing and random.random() < 0.9 else random.choice((GRID_OPERATOR, *people))
    own, ceiling = relief.offer(id_, day), relief.offer(GRID_OPERATOR, day)
    capacities = [wh or 0 for wh in market.replay.membership.connection(id_, day)]
    if not market.replay.membership.takes_part(id_, day) or market.replay.members[id_].meter == NOBODY:
        capacities = [0, 0]
    expected = set()
    if market.now >= market.calendar.opens_at(day):
        expected.add("AuctionHasOpened")
    if day != _last_open(market) + 1:
        expected.add("NotTheNextDay")
    if id_ in relief.bought(day):
        expected.add("BoughtAlready")
    for slot in random.sample(range(market.calendar.periods_per_day), random.randint(0, 3)):
        is_fed_in = random.random() < 0.7
        capacity, most = capacities[is_fed_in], offered_down(own, capacities[is_fed_in], is_fed_in)
        energy = random.randint(1, max(1, most)) + (random.random() < 0.03) * capacity
        left = random.randint(0, max(0, capacity - energy)) + (random.random() < 0.03) * (capacity + 1)
        lowest, highest = own.price(is_fed_in), ceiling.price(is_fed_in) if ceiling.share(is_fed_in) else 0
        highest = min(highest, market.replay.rules(day).max_buy)
        price = random.choice((lowest, highest, highest, (lowest + highest) // 2))
        if id_ < FIRST_PARTICIPANT or energy > most or energy + left > capacity:
            expected.add("NotOffered")
        if not (0 if id_ < FIRST_PARTICIPANT else lowest) <= price <= highest:
            expected.add("PriceOutOfRange")
        slots[slot, is_fed_in] = Bought(energy, left, price)
    words = pack_relief(slots)
    if len(words) > 1 and random.random() < 0.1:
        words.reverse()
        expected.add("NoRelief")
    if not words:
        expected.add("NoRelief")
    elif random.random() < 0.05:
        words[-1] = words[-1]._replace(strip=strips_per_day(market.calendar.periods_per_day))
        expected.add("NoRelief")
    _check(market, expected, f"{CONTRACT}.buy", id_, day, words, REPORT)


def pay_relief(random: Random, market: Market, day: int) -> None:
    """Somebody brings what a member is due for its relief of a final day."""
    relief, late = market.replay.relief, market.replay.late
    owed = owed_relief(market, day)
    ids = range(FIRST_PARTICIPANT - 1, late.day(day).members + 1)
    id_ = random.choice(owed if owed and random.random() < 0.8 else ids)
    reliefs: Sequence[Relief] = relief.bought(day).get(id_, ())
    record, expected = late.record(id_, day), set[str]()
    if id_ in relief.bought(day):
        due, paid = relief.due(id_, day), relief.paid.get((id_, day), UNPAID)
        if due[2:] == paid[2:]:
            expected.add("NothingToPay")
        expected |= objections_to_record(market, id_, day)
        postings = relief_postings(id_, paid, due)
        if objections := of_money(market, postings):
            expected |= objections
        elif not is_covered(market.replay.ledger, postings):
            expected.add("NotCovered")
    else:
        expected.add("NotBought")
    if random.random() < 0.1:
        record = spoilt(random, record)
        expected.add("NotOnRecord")
    if reliefs and random.random() < 0.1:
        reliefs = [*reliefs[:-1], reliefs[-1]._replace(prices=reliefs[-1].prices + 1)]
        expected.add("NotBought")
    _check(market, expected, f"{CONTRACT}.pay", id_, day, reliefs, record)


def owed_relief(market: Market, day: int) -> list[int]:
    """Members who are due something for relief of a final day, or owe something."""
    relief = market.replay.relief
    owed = [
        id_ for id_ in sorted(relief.bought(day)) if relief.due(id_, day)[2:] != relief.paid.get((id_, day), UNPAID)[2:]
    ]
    assert all(market.replay.membership.takes_part(id_, day) for id_ in owed)
    return owed


def _last_open(market: Market) -> int:
    """The last day whose auction has opened; 0 if none has."""
    calendar = market.calendar
    ahead = market.now + calendar.open_lead
    return 0 if ahead < calendar.opening else (ahead - calendar.opening) // calendar.day_length + 1


def _earliest(market: Market) -> int:
    return _last_open(market) + 2 if _last_open(market) else 1


def _check(market: Market, expected: set[str], function: str, *arguments: object) -> None:
    refused = market.attempt(function, *arguments)
    assert (refused is not None) == bool(expected), f"{function}: {refused}, should be one of {expected}"
    assert refused is None or refused.error in expected, f"{function}: {refused}, should be one of {expected}"
