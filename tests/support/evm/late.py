"""Late reconciliations of final days: by meters, by the grid operator with a member or the council, right and wrong."""

from collections.abc import Mapping, Sequence
from random import Random

from dem.errors import LedgerError
from dem.messages.readings import LateReading
from dem.messages.signing import digest
from dem.model.ledger import FALLBACK_SUPPLIER, FIRST_PARTICIPANT, Ledger, Posting
from dem.model.ledger import GRID_OPERATOR as GRID_OPERATOR_ID
from dem.model.markets.auction import Column
from dem.model.reconciliation import MAX_RUNS, Difference
from dem.model.units import Money
from dem.replay.late import LateRecord

from .chain import NOBODY, Refused
from .keys import struct
from .market import GRID_OPERATOR, STRANGER, Market
from .people import WHOLE_AREA, Person

CONTRACT = "LateReconciliation"
REFUSED_BY_THE_LEDGER = {"MoneyHeld", "ClaimsOpen", "CreditLimitExceeded", "PaidNow"}
NOT_TRUED_UP = {"NothingEstimated", "NotReadSince", "StripStillOpen", "GapNotEnded", "NotReconciled"}


def reconcile_late(random: Random, market: Market, people: Mapping[int, Person], day: int, energy: int) -> None:
    """One attempt; the chain takes it exactly if nothing in the rules speaks against it."""
    late = market.replay.late
    members = late.day(day).members
    id_ = random.randint(1 if random.random() < 0.1 else FIRST_PARTICIPANT, members)
    if id_ in market.replay.membership.meters:
        return  # of several meters none states anything by itself: tests/differential/test_meters.py
    person, record = people.get(id_), late.record(id_, day)
    net = _other(random, late.counted(id_, day), energy, person)
    message, run = late.late_reading(id_, day, net), late.next_run(id_, day)
    due = late.change(id_, day, net)
    expected = _objections(market, person, id_, day, net) | _of_difference(market, id_, due)
    if run > MAX_RUNS:
        expected.add("WrongRun")
    spoil = random.random()
    if spoil < 0.05:
        message = LateReading(id_, day, run + random.choice((-1, 1)), message.net)
        expected.add("WrongRun")
    elif spoil < 0.1:
        message = LateReading(id_, day, run, message.net[:-1])
        expected.add("WrongLength")
    elif spoil < 0.2:
        record = spoilt(random, record)
        expected.add("NotOnRecord")
    if random.random() < 0.5:
        _by_meter(random, market, person, message, record, expected)
    else:
        _stated(random, market, person, message, record, due, expected)


def true_up(random: Random, market: Market) -> None:
    """Somebody brings a member's gaps, of which some may not have ended."""
    late = market.replay.late
    gaps = {id_: late.gap_days(id_) for id_ in market.replay.members if id_ >= FIRST_PARTICIPANT}
    id_ = random.choice([id_ for id_, days in gaps.items() if days] or list(gaps))
    days = gaps[id_]
    if random.random() < 0.2:
        days = days[: random.randint(0, len(days))]
    records = [late.record(id_, day) for day in days]
    refused = market.attempt(f"{CONTRACT}.trueUp", id_, days, records)
    assert refused is None or refused.error in NOT_TRUED_UP | REFUSED_BY_THE_LEDGER, refused


def _other(random: Random, before: Column, energy: int, person: Person | None) -> Column:
    """Other energies: of some periods, of all, or of none."""
    net = before.copy()
    if random.random() < 0.05:
        return net
    for slot in range(len(net)):
        if random.random() < 0.5:
            low, high = (-person.export_capacity, person.import_capacity) if person else (-energy, energy)
            net[slot] = random.choice((0, random.randint(max(low, -energy), min(high, energy)), min(high, -net[slot])))
    if person and random.random() < 0.1:
        net[random.randrange(len(net))] = random.choice((1, -1)) * (_most(person) + 1)
    return net


def _most(person: Person) -> int:
    """Twice what its connection carries, Wh per period."""
    return 2 * max(person.import_capacity, person.export_capacity)


def objections_to_record(market: Market, id_: int, day: int) -> set[str]:
    """Whether a member's day is one that is settled late."""
    membership = market.replay.membership
    member = membership.members.get(id_)
    is_metered = member is not None and member.meter != NOBODY
    is_other = id_ >= FIRST_PARTICIPANT or id_ == GRID_OPERATOR_ID
    is_one = is_other and is_metered and membership.takes_part(id_, day) and member.kind != "wholesale_desk"
    return set() if is_one else {"NotReconciled"}


def _objections(market: Market, person: Person | None, id_: int, day: int, net: Column) -> set[str]:
    found = objections_to_record(market, id_, day)
    limits = [WHOLE_AREA if wh is None else wh for wh in market.replay.membership.connection(id_, day)]
    if person and abs(net).max() > 2 * max(limits):
        found.add("NotWithinConnection")
    late = market.replay.late
    if (net == late.counted(id_, day)).all() and not late.counts_estimates(id_, day):
        found.add("NothingChanges")
    if (id_, day) in late.trued_up and (net != late.counted(id_, day))[late.trued_up[id_, day]].any():
        found.add("AlreadyTruedUp")
    return found


def _of_difference(market: Market, id_: int, due: Difference) -> set[str]:
    postings = [
        Posting(id_, Money(-sum(due))),
        Posting(GRID_OPERATOR_ID, due.to_grid),
        Posting(FALLBACK_SUPPLIER, due.to_supplier),
    ]
    return of_money(market, postings)


def of_money(market: Market, postings: Sequence[Posting]) -> set[str]:
    """What the ledger may have against it: the supplier pays from what it has, and nothing while others wait."""
    ledger = market.replay.ledger
    after = Ledger(dict(ledger.accounts), set(ledger.paid_now))
    try:
        after.post(postings)
    except LedgerError:
        return REFUSED_BY_THE_LEDGER
    pays = after.record(FALLBACK_SUPPLIER).free < ledger.record(FALLBACK_SUPPLIER).free
    waits = market.call("Accounts", "heldUntil") != 0 or market.replay.shortfalls.open_claims
    return REFUSED_BY_THE_LEDGER if pays and waits else set()


def spoilt(random: Random, record: LateRecord) -> LateRecord:
    """One word of it is another one, or is missing."""
    name = random.choice([name for name in LateRecord._fields if getattr(record, name)])
    value = getattr(record, name)
    if name == "settled":
        return record._replace(settled=random.randbytes(32))
    if name == "proof":
        return record._replace(proof=random.choice((value[:-1], [*value[:-1], random.randbytes(32)])))
    return record._replace(**{name: [value[0] ^ 1 << random.randrange(200), *value[1:]]})


def _by_meter(
    random: Random,
    market: Market,
    person: Person | None,
    message: LateReading,
    record: LateRecord,
    expected: set[str],
) -> None:
    signer = person.meter if person and person.meter and random.random() < 0.95 else STRANGER
    if message.id == GRID_OPERATOR_ID:
        expected.add("NotReconciled")
    if signer is STRANGER:
        expected |= {"UnknownMeter", "NotSignedByItsMeter"}
    elif "NotReconciled" in expected:
        expected.add("NotTakingPart")
    signature = signer.sign(market.domain(CONTRACT), message)
    _check(market.attempt(f"{CONTRACT}.reconcile", struct(message), record, signature), expected)


def _stated(
    random: Random,
    market: Market,
    person: Person | None,
    message: LateReading,
    record: LateRecord,
    due: Difference,
    expected: set[str],
) -> None:
    domain = market.domain(CONTRACT)
    operator = GRID_OPERATOR if random.random() < 0.95 else STRANGER
    member = person.account if person and random.random() < 0.95 else STRANGER
    consent = member.sign(domain, message) if random.random() < 0.8 else b""
    is_allowed = random.random() < 0.5
    if is_allowed:
        market.act(f"{CONTRACT}.allow", digest(domain, message))
    elif not consent or due.to_supplier or _lacks_money(market, message.id, due):
        expected.add("NotAgreed")
    if message.id == GRID_OPERATOR_ID and due.to_grid:
        expected.add("NotReconciled")
    if not is_allowed and (operator is STRANGER or (consent and member is STRANGER)):
        expected.add("NotSignedBy")
    signature = operator.sign(domain, message)
    _check(market.attempt(f"{CONTRACT}.reconcileStated", struct(message), record, signature, consent), expected)


def _lacks_money(market: Market, id_: int, due: Difference) -> bool:
    """Whether one of the two cannot pay, and the supplier would."""
    owed = {id_: due.to_grid + due.to_supplier, GRID_OPERATOR_ID: -due.to_grid}
    records = {id_: market.replay.ledger.record(id_) for id_ in owed}
    return any(owed[id_] > max(0, own.free + own.credit_limit) for id_, own in records.items())


def _check(refused: Refused | None, expected: set[str]) -> None:
    assert (refused is not None) == bool(expected), f"{refused}, should be one of {expected}"
    assert refused is None or refused.error in expected, f"{refused}, should be one of {expected}"
