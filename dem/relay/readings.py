"""Meter readings: signed sheets until the deadline, estimates for what is missing then."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from dem.chain.sending import Transaction
from dem.deployment.market import RELAYER
from dem.errors import RefusedError
from dem.messages.readings import REGISTER_BYTES, ReadingSheet
from dem.messages.signed import Signed, sheet_for_contract
from dem.model.strips import LANES
from dem.relay.batches import GAS_BUDGET, GAS_PER_LINE, GAS_PER_SHEET, Relay, batches
from dem.relay.settlement import settle

GAS_PER_CLOSED_MEMBER = 15_000

CONTRACT = "MeterReadings"

_BEING_SETTLED = "DayBeingSettled"


def push_readings(relay: Relay, day: int, sheets: Sequence[tuple[int, Signed[ReadingSheet]]]) -> None:
    """Reading sheets of a day; each ends up counted, or refused with a reason.

    sheets: with the member's registry number. Several of one meter differ in their sequence.
    """
    gas = _gas_of_a_day(relay)

    def missing() -> list[int]:
        accepted = relay.records.events(CONTRACT, "ReadingsAccepted", day)
        brought = {(event.args["id"], event.args["sequence"]) for event in accepted}
        refused = relay.records.refusals(CONTRACT, "ReadingsRejected", "meter", day)

        def is_refused(sheet: ReadingSheet) -> bool:
            return (sheet.meter, sheet.sequence) in refused

        return [
            number
            for number, (id_, sheet) in enumerate(sheets)
            if (id_, sheet.message.sequence) not in brought and not is_refused(sheet.message)
        ]

    def transactions(some: Sequence[int]) -> Iterator[Transaction]:
        # A day is settled on the readings that it began with: it takes corrections again when it is through.
        if relay.market.rules.functions.dayInSettlement().call() == day:
            settle(relay, day)
        for batch, planned in relay.within_budget("push readings", some, lambda _: gas):
            signed = [sheet_for_contract(sheets[number][1]) for number in batch]
            yield relay.chain.transaction(relay.market.readings, "submit", signed, planned=planned, items=len(batch))

    while True:
        try:
            return relay.complete("push readings", RELAYER, missing, transactions)
        except RefusedError as refused:
            # Somebody began to settle the day after it was asked about, which happens twice at most.
            if not refused.why.startswith(_BEING_SETTLED):
                raise


def close_metering(relay: Relay, day: int) -> None:
    """Estimates for whatever is missing, so that the day can be settled."""
    readings = relay.market.readings

    def missing() -> Sequence[int]:
        if readings.functions.isClosed(day).call():
            return ()
        return range(relay.market.registry.functions.memberCount().call())

    def transactions(members: Sequence[int]) -> Iterator[Transaction]:
        late = len(members) - len(_read_whole(relay, day))
        per_estimate = _gas_of_a_day(relay)
        # However those without readings lie among the others, so many members fit.
        count = max(
            (GAS_BUDGET - late * per_estimate) // GAS_PER_CLOSED_MEMBER,
            GAS_BUDGET // (GAS_PER_CLOSED_MEMBER + per_estimate),
        )
        for some in batches(members, count):
            yield relay.chain.transaction(readings, "close", day, count, planned=GAS_BUDGET, items=len(some))

    relay.complete("close metering", RELAYER, missing, transactions)


def _read_whole(relay: Relay, day: int) -> set[int]:
    """Members of whom every strip of a day is read."""
    strips: dict[int, set[int]] = defaultdict(set)
    for event in relay.records.events(CONTRACT, "ReadingsAccepted", day):
        count = len(event.args["registers"]) // (LANES * REGISTER_BYTES)
        read = (strip for strip in range(count) if not event.args["leftOut"] >> strip & 1)
        strips[event.args["id"]].update(event.args["firstStrip"] + strip for strip in read)
    return {id_ for id_, own in strips.items() if len(own) == relay.strips}


def _gas_of_a_day(relay: Relay) -> int:
    """Of one member's values."""
    return GAS_PER_SHEET + relay.strips * GAS_PER_LINE
