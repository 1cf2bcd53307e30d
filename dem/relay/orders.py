"""Order sheets of the day-ahead auction, and of the markets that take orders as it does."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, repeat

from dem.chain.sending import Transaction
from dem.deployment.market import RELAYER
from dem.messages.orders import OrderSheet
from dem.messages.signed import Signed, sheet_for_contract
from dem.model.mechanisms import AUCTION
from dem.relay.batches import GAS_PER_LINE, GAS_PER_SHEET, Relay
from dem.relay.settlement import finish_settlement
from dem.replay.book import Book

GAS_PER_TRANSACTION = 50_000
GAS_PER_LAYER = 25_000
GAS_PER_LINE_AND_LAYER = 5_000
_NO_HAND = "NotTheIntermediary"
"""Why a sheet in the brokered lines is refused whose signer may order for nobody there."""


def submit_orders(
    relay: Relay, day: int, sheets: Sequence[Signed[OrderSheet]], alone: bool = False, contract: str = AUCTION
) -> None:
    """Bring order sheets of a day: each ends up in the book, or refused with a reason.

    sheets: each participant's by rising sequence. In batches a participant's next sheet follows when the one before
    it is in, so that no sheet overtakes another one of a batch that fails.
    alone: each sheet in a transaction of its own, in which a refusal is an error.
    contract: of the day-ahead market.

    Raises:
        RefusedError: the chain takes no sheets, or not one that is brought alone.
    """
    auction = relay.market.contract(contract)
    accounts = list(dict.fromkeys(sheet.message.participant for sheet in sheets))
    ids = relay.records.ids_of(accounts)

    def missing() -> list[Signed[OrderSheet]]:
        refused = {key: reason for key, reason in refused_sheets(relay, day, contract).items() if key[0] in accounts}
        doubtful = _of_another_hand(relay, day, refused)
        found = relay.chain.ask_many(auction, "sheetOf", [(id_, day) for id_ in ids])
        last = {account: sequence for account, (sequence, *_) in zip(accounts, found, strict=True)}

        def is_refused(sheet: Signed[OrderSheet]) -> bool:
            key = sheet.message.participant, sheet.message.sequence
            if key not in doubtful:
                return key in refused
            # Its intermediary counts the sheets for it by itself: whose was refused, the event does not say.
            return bool(relay.chain.refusal_of(relay.market.keys[RELAYER], auction, "enter", sheet_for_contract(sheet)))

        new = [sheet for sheet in sheets if sheet.message.sequence > last[sheet.message.participant]]
        return [sheet for sheet in new if not is_refused(sheet)]

    def next_ones() -> list[Signed[OrderSheet]]:
        return list({sheet.message.participant: sheet for sheet in reversed(missing())}.values())[::-1]

    is_again = chain([False], repeat(True))

    def one_by_one(some: Sequence[Signed[OrderSheet]]) -> Iterator[Transaction]:
        # What is not in the book after the first try is brought again, to learn why.
        is_checked = next(is_again)
        finish_settlement(relay)
        for sheet in some:
            gas = _gas(relay, sheet) + GAS_PER_TRANSACTION
            signed = sheet_for_contract(sheet)
            yield relay.chain.transaction(auction, "enter", signed, gas=gas, planned=gas, is_checked=is_checked)

    def in_batches(some: Sequence[Signed[OrderSheet]]) -> Iterator[Transaction]:
        # Anybody may have begun to settle a day, so that the sheets of whom it has paid were refused for now.
        finish_settlement(relay)
        for batch, gas in relay.within_budget("submit orders", some, lambda sheet: _gas(relay, sheet)):
            signed = list(map(sheet_for_contract, batch))
            yield relay.chain.transaction(auction, "submit", signed, planned=gas, items=len(batch))

    if alone:
        relay.complete("enter", RELAYER, missing, one_by_one)
    else:
        relay.complete("submit orders", RELAYER, next_ones, in_batches)


def _gas(relay: Relay, signed: Signed[OrderSheet]) -> int:
    sheet = signed.message
    layers = (sheet.first_line + len(sheet.lines) - 1) // relay.strips + 1
    per_line = GAS_PER_LINE + GAS_PER_LINE_AND_LAYER * (layers - 1)
    return GAS_PER_SHEET + GAS_PER_LAYER * layers + per_line * len(sheet.lines)


def _of_another_hand(relay: Relay, day: int, refused: Mapping[tuple[str, int], bytes]) -> set[tuple[str, int]]:
    """What was refused and may be a sheet of the member's intermediary, or of somebody who says so."""
    accounts = list({account for account, _ in refused})
    asked = [(id_, day) for id_ in relay.records.ids_of(accounts)]
    found = relay.chain.ask_many(relay.market.contract("Intermediaries"), "mandateOf", asked) if asked else []
    mandated = {account for account, (intermediary, _) in zip(accounts, found, strict=True) if intermediary}
    names = {key: relay.chain.artifacts.error_name(reason) for key, reason in refused.items()}
    return {key for key, name in names.items() if key[0] in mandated or name == _NO_HAND}


def refused_sheets(relay: Relay, day: int, contract: str = AUCTION) -> dict[tuple[str, int], bytes]:
    """Reason by sender and sequence of every sheet of a day that its sender signed and the chain refused.

    A rejection for a bad signature tells nothing about the sender: anybody can bring rubbish in its name. And one
    that came too early, by a clock that went back, is good later.
    """
    records = relay.records
    refused = records.refusals(contract, "SheetRejected", "participant", day)
    if refused:
        senders = list({sender for sender, _ in refused})
        ids = dict(zip(senders, records.ids_of(senders), strict=True))
        accepted = {(e.args["id"], e.args["sequence"]) for e in records.events(contract, "SheetAccepted", day)}
        for sender, sequence in list(refused):
            if (ids[sender], sequence) in accepted:
                del refused[sender, sequence]
    return refused


def order_book(relay: Relay, day: int, contract: str = AUCTION) -> Book:
    """The order book of a day, from the events. contract: the auction's, or a pool's."""
    book = Book(day, relay.periods_per_day)
    for event in relay.records.events(contract, "SheetAccepted", day):
        book.accept(event.args)
    return book
