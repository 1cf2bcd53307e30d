"""Members of a test market: their keys, what they sign, and what their meters show."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dem.messages.members import Application, Withdrawal
from dem.messages.orders import OrderSheet, WholesaleCommitment, WholesaleReport
from dem.messages.readings import REGISTER_BYTES, ReadingSheet, Register, pack_registers
from dem.messages.signing import SignedMessage, SignedSheet, compact, message_hash
from dem.model.markets.wholesale import Offer, report_words
from dem.model.orders import BROKERED_LAYER
from dem.model.strips import LANES, strips_per_day
from dem.replay.members import KINDS

from .chain import NOBODY, Event
from .keys import Key, key, struct
from .market import BOUNDARY_METER, GRID_OPERATOR, Market

CONSUMER, DESK = KINDS.index("consumer"), KINDS.index("wholesale_desk")
AMPLE = 1 << 32
"""A connection larger than any order, Wh per period."""
WHOLE_AREA = (1 << 37) - 1
"""What all meters together may measure, Wh per period."""
IMPLAUSIBLE = ("NothingPlausible", "ImplausibleAdvance", "MoreThanRegistersShow", "RegisterGap")
"""Reasons to refuse what a meter that works does not sign."""
ADMITTED, SUSPENDED, EXITED = 2, 3, 4


@dataclass(eq=False)
class Person:
    """One member, present or to come; capacities in Wh per period."""

    account: Key
    meter: Key | None
    kind: int = CONSUMER
    import_capacity: int = AMPLE
    export_capacity: int = AMPLE
    id: int = 0
    status: int = 0
    sequence: int = 0
    """Of the last message signed; one count for all kinds of messages will do."""
    sheets: dict[int, int] = field(default_factory=dict)
    """Sequence of the last order sheet accepted, by day."""
    imported: int = 0
    exported: int = 0
    read_at: int = 0
    """The meter's latest reading in time that was accepted: registers in Wh, unix time."""
    tape: list[tuple[int, int]] = field(default_factory=list)
    """What its meter really counted from day 1 on, import and export by period, Wh, as far as it is known."""

    @staticmethod
    def numbered(n: int, is_metered: bool = True, **properties: Any) -> "Person":
        """The n-th person, with keys of its own."""
        return Person(key(1000 + 2 * n), key(1001 + 2 * n) if is_metered else None, **properties)

    @staticmethod
    def grid_operator() -> "Person":
        """The grid operator, whose meter stands at the area's boundary."""
        kind = KINDS.index("grid_operator")
        return Person(GRID_OPERATOR, BOUNDARY_METER, kind, WHOLE_AREA, WHOLE_AREA, id=5, status=ADMITTED)

    def take_meter(self, meter: Key) -> None:
        """Another meter, whose registers begin at zero."""
        self.meter = meter
        self.imported = self.exported = self.read_at = 0

    def next_sequence(self) -> int:
        self.sequence += 1
        return self.sequence


def application(market: Market, person: Person, signer: Key | None = None, **changes: Any) -> SignedMessage:
    """A request for admission."""
    fields = {
        "account": person.account.address,
        "meter": person.meter.address if person.meter else NOBODY,
        "kind": person.kind,
        "import_capacity": person.import_capacity,
        "export_capacity": person.export_capacity,
        "feeder": b"feeder 1".ljust(32, b"\0"),
        "documents": b"papers".ljust(32, b"\0"),
    }
    message = Application(**(fields | changes))
    return struct(message), (signer or person.account).sign(market.domain("ParticipantRegistry"), message)


def register(market: Market, person: Person) -> None:
    """Application and admission."""
    market.act("ParticipantRegistry.applyFor", *application(market, person))
    admit(market, person)


def admit(market: Market, person: Person) -> None:
    """Admission of an applicant."""
    waiting = market.call("ParticipantRegistry", "applicationOf", person.account.address)
    events = market.act("ParticipantRegistry.admit", person.account.address, waiting)
    person.id = next(event.args["id"] for event in events if event.name in ("Admitted", "Returned"))
    person.status = ADMITTED


def sign_sheet(market: Market, message: OrderSheet, signer: Key, contract: str = "CallAuction") -> SignedSheet:
    """An order sheet signed for the auction or a pool."""
    return struct(message), *compact(signer.sign(market.domain(contract), message))


def readings(
    market: Market, person: Person, day: int, first_strip: int, net: Sequence[int], extra: int = 0
) -> ReadingSheet:
    """Registers that advance by a net energy per period, Wh; import and export both by `extra` more."""
    registers = [(person.imported, person.exported)]
    for energy in net:
        imported, exported = registers[-1]
        registers.append((imported + max(energy, 0) + extra, exported + max(-energy, 0) + extra))
    packed = pack_registers([Register(*both) for both in registers])
    return ReadingSheet(person.meter.address, day, first_strip, person.next_sequence(), packed)


def true_readings(
    market: Market, person: Person, day: int, first_strip: int, strips: int, draw: Callable[[], tuple[int, int]]
) -> ReadingSheet:
    """Registers as they really stood. draw: import and export of a period that nobody has asked for yet, Wh."""
    first = (day - 1) * market.calendar.periods_per_day + first_strip * LANES
    while len(person.tape) < first + strips * LANES:
        person.tape.append(draw())
    registers = [Register(*(sum(both[n] for both in person.tape[:first]) for n in (0, 1)))]
    for imported, exported in person.tape[first : first + strips * LANES]:
        registers.append(Register(registers[-1].imported + imported, registers[-1].exported + exported))
    packed = pack_registers(registers)
    return ReadingSheet(person.meter.address, day, first_strip, person.next_sequence(), packed)


def sign_readings(market: Market, message: ReadingSheet, signer: Key) -> SignedSheet:
    """A signed sheet of readings."""
    return struct(message), *compact(signer.sign(market.domain("MeterReadings"), message))


def wholesale_report(desk: Person, day: int, offers: Sequence[Offer], salt: int = 0) -> WholesaleReport:
    """What the wholesale desk offers for a day, by slot."""
    return WholesaleReport(desk.account.address, day, *report_words(day, offers), salt.to_bytes(32, "big"))


def commitment(
    market: Market, desk: Person, day: int, report: WholesaleReport, signer: Key | None = None
) -> SignedMessage:
    """What commits the wholesale desk of a day to a report."""
    message = WholesaleCommitment(desk.account.address, day, message_hash(report))
    return struct(message), (signer or desk.account).sign(market.domain("WholesaleDesk"), message)


def take_note(market: Market, people: Mapping[int, Person], events: Sequence[Event]) -> None:
    """Let people (by number) remember which of their own messages the market took."""
    for event in events:
        if event.name == "SheetAccepted":
            brokered = BROKERED_LAYER * strips_per_day(market.calendar.periods_per_day)
            if event.contract != "CallAuction" or event.args["firstLine"] >= brokered:
                continue  # of another hand, or another market
            people[event.args["id"]].sheets[event.args["day"]] = event.args["sequence"]
        elif event.name == "ReadingsAccepted":
            person, data = people[event.args["id"]], event.args["registers"]
            periods = event.args["firstStrip"] * LANES + len(data) // REGISTER_BYTES - 1
            read_at = market.calendar.start_of(event.args["day"]) + periods * market.calendar.period_length
            if read_at >= person.read_at:
                person.read_at = read_at
                person.imported, person.exported = (int.from_bytes(data[at:][:8], "big") for at in (-16, -8))


def withdrawal(
    market: Market, person: Person, amount: int, to_bank: bool, signer: Key | None = None, **changes: Any
) -> SignedMessage:
    """A request for a payout."""
    fields = {
        "account": person.account.address,
        "amount": amount,
        "to_bank": to_bank,
        "sequence": changes.get("sequence") or person.next_sequence(),
    }
    message = Withdrawal(**(fields | changes))
    return struct(message), (signer or person.account).sign(market.domain("Accounts"), message)
