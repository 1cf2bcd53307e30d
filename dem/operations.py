"""What the market's offices and relayers do, in batches that fit a transaction, many transactions under way at once.

Every operation asks the chain what is missing, sends it, and asks again until nothing is, or what is was refused. So
it can be repeated after a crash, and a node that is restarted loses nothing; what would be sent twice is refused by the
contracts (sequences, payment references).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any, TypeVar

from web3.contract import Contract

from dem.deployment import RELAYER, Market
from dem.errors import ChainError, RefusedError
from dem.history import Balances, Event
from dem.ledger import Account
from dem.meters import Meter
from dem.orders import Order, lines_of
from dem.replay import Book
from dem.sending import Transaction
from dem.signing import Application, Domain, OrderSheet, SignedMessage, compact, sign
from dem.strips import LANES, pack, strips_per_day
from dem.units import Money
from dem.wallets import Wallet

T = TypeVar("T")
Tell = Callable[[int, int], None]
"""Told how much of what is being done is done, and how much there is."""

GAS_BUDGET = 14_000_000
"""Gas a batch is planned for, well below the cap of a transaction. The costs below are upper estimates for storage that
was never used before; what batches really use is learnt as they land."""
GAS_PER_TRANSACTION = 50_000
GAS_PER_MEMBER = 400_000
GAS_PER_DEPOSIT = 160_000
GAS_PER_SHEET = 150_000
GAS_PER_LINE = 32_000
GAS_PER_LAYER = 25_000
GAS_PER_LINE_AND_LAYER = 5_000
GAS_PER_CLEARED_STRIP = 300_000
GAS_PER_CLEARING_STEP = 8_000
GAS_PER_CLEARED_LINE = 5_500
GAS_PER_CLOSED_MEMBER = 15_000
GAS_PER_SETTLED_MEMBER = 100_000
GAS_PER_SETTLEMENT = 1_000_000
GAS_PER_SETTLED_STRIP = 12_000
GAS_PER_SETTLED_LINE = 12_000
GROUP = 240
"""Members that one step of a clearing looks at."""
LINES_PER_SHEET = 300
"""Longest sheet that one transaction takes."""

_HEADROOM = 1.25
"""Batches are planned for so much more than those before them used."""
_LARGEST_SHARE = 16
"""A batch of one that needs more than so many times the estimate is too large for a transaction."""
_NEVER_APPLIED, _APPLIED = range(2)
"""Status of an account that is no member."""
_NOTHING_TOLD = (
    "NotSignedByParticipant",
    "NotSignedByMeter",
    "ECDSAInvalidSignature",
    "ECDSAInvalidSignatureS",
    "NotOpenYet",
    "ReadingFromFuture",
)
"""Reasons of a rejection that do not prove who sent the sheet, or that pass."""


@dataclass(frozen=True, slots=True)
class Applicant:
    """Someone to be registered: keys, application, first deposit under its unique payment reference, credit limit."""

    wallet: Wallet
    application: Application
    deposit: Money
    payment_reference: bytes
    credit_limit: Money


class Operations:
    """The operations of one market, done by its offices' and relayer's accounts."""

    def __init__(self, market: Market, tell: Tell = lambda _done, _whole: None) -> None:
        self.market = market
        self.chain = market.chain
        self.periods_per_day = market.calendar.periods_per_day
        self.strips = strips_per_day(self.periods_per_day)
        self._tell = tell
        self._shares: dict[str, float] = {}
        """Part of the gas planned for an operation that it needs, headroom included; learnt from its transactions."""
        self._read: dict[tuple[str, str], tuple[int, dict[int, list[Event]]]] = {}
        """Next block to read, and the events so far by day, of contract and event."""

    # ------------------------------------------------------------------------------------------------- members

    def register(self, applicants: Sequence[Applicant]) -> None:
        """Applications, admissions, credit limits and first deposits of everybody who does not have them."""
        registry, accounts = self.market.registry, self.market.accounts
        domain = self.domain("ParticipantRegistry")

        def with_status(status: int) -> list[Applicant]:
            found = self.chain.ask_many(registry, "statusOf", [(a.wallet.account,) for a in applicants])
            return [a for a, own in zip(applicants, found, strict=True) if own == status]

        def with_other_limit() -> list[tuple[int, Money]]:
            creditors = [a for a in applicants if a.credit_limit]
            ids = self.ids_of(a.wallet for a in creditors)
            found = self.chain.ask_many(accounts, "accountOf", [(id_,) for id_ in ids])
            limits = [(id_, a.credit_limit) for id_, a in zip(ids, creditors, strict=True)]
            return [wanted for wanted, (*_, limit) in zip(limits, found, strict=True) if wanted[1] != limit]

        def without_deposit() -> list[Applicant]:
            paid = self.chain.ask_many(accounts, "isPaymentUsed", [(a.payment_reference,) for a in applicants])
            return [a for a, is_paid in zip(applicants, paid, strict=True) if a.deposit and not is_paid]

        self._call_each(
            "applyFor",
            (RELAYER, registry, GAS_PER_MEMBER),
            lambda: with_status(_NEVER_APPLIED),
            lambda a: _signed_application(domain, a),
        )
        self._call_each(
            "admit",
            ("registrar", registry, GAS_PER_MEMBER),
            lambda: with_status(_APPLIED),
            lambda a: (a.wallet.account,),
        )
        self._call_each(
            "setCreditLimit",
            ("council", accounts, GAS_PER_DEPOSIT),
            with_other_limit,
            lambda limit: limit,
        )
        self._call_each(
            "deposit",
            ("treasurer", accounts, GAS_PER_DEPOSIT),
            without_deposit,
            lambda a: (a.wallet.account, a.deposit, a.payment_reference),
        )

    def ids_of(self, wallets: Iterable[Wallet]) -> list[int]:
        """Registry numbers of members in their order, 0 for who is none."""
        return self._ids_of(wallet.account for wallet in wallets)

    def _ids_of(self, accounts: Iterable[str]) -> list[int]:
        return self.chain.ask_many(self.market.registry, "idOf", [(account,) for account in accounts])

    # --------------------------------------------------------------------------------------------------- orders

    def submit_orders(self, day: int, orders: Iterable[Order], wallets: Mapping[int, Wallet]) -> None:
        """Everybody's orders as signed sheets, relayed in batches; sheets brought before are left out.

        wallets: keys by registry number.
        """
        by_member: dict[int, list[Order]] = defaultdict(list)
        for order in orders:
            by_member[order.participant].append(order)
        keys = {wallets[id_].account: wallets[id_].account_key for id_ in by_member}
        domain = self.domain("CallAuction")
        sheets = [
            sheet
            for id_, own in sorted(by_member.items())
            for sheet in order_sheets(wallets[id_].account, day, own, self.periods_per_day)
        ]
        self.relay(day, sheets, lambda sheet: sign(domain, sheet, keys[sheet.participant]))

    def relay(
        self, day: int, sheets: Sequence[OrderSheet], signature: Callable[[OrderSheet], bytes], alone: bool = False
    ) -> None:
        """Bring signed order sheets of a day: each ends up in the book, or refused with a reason.

        sheets: each participant's by rising sequence. In batches a participant's next sheet follows when the one before
        it is in, so that no sheet overtakes another one of a batch that fails.
        alone: each sheet in a transaction of its own, in which a refusal is an error.

        Raises:
            RefusedError: the chain takes no sheets, or not one that is brought alone.
        """
        auction = self.market.auction
        accounts = list(dict.fromkeys(sheet.participant for sheet in sheets))
        ids = self._ids_of(accounts)

        def missing() -> list[OrderSheet]:
            refused = self.refused_sheets(day)
            found = self.chain.ask_many(auction, "sheetOf", [(id_, day) for id_ in ids])
            last = {account: sequence for account, (sequence, *_) in zip(accounts, found, strict=True)}
            return [
                sheet
                for sheet in sheets
                if sheet.sequence > last[sheet.participant] and (sheet.participant, sheet.sequence) not in refused
            ]

        def next_ones() -> list[OrderSheet]:
            return list({sheet.participant: sheet for sheet in reversed(missing())}.values())[::-1]

        is_again = chain([False], repeat(True))

        def one_by_one(some: Sequence[OrderSheet]) -> Iterator[Transaction]:
            # What is not in the book after the first try is brought again, to learn why.
            is_checked = next(is_again)
            for sheet in some:
                gas = self._sheet_gas(sheet) + GAS_PER_TRANSACTION
                signed = order_message(sheet), *compact(signature(sheet))
                yield self.chain.transaction(auction, "enter", signed, gas=gas, planned=gas, is_checked=is_checked)

        def in_batches(some: Sequence[OrderSheet]) -> Iterator[Transaction]:
            for batch, gas in self._batches("relay", some, self._sheet_gas):
                signed = [(order_message(sheet), *compact(signature(sheet))) for sheet in batch]
                yield self.chain.transaction(auction, "submit", signed, planned=gas, items=len(batch))

        if alone:
            self._complete("enter", RELAYER, missing, one_by_one)
        else:
            self._complete("relay", RELAYER, next_ones, in_batches)

    def _sheet_gas(self, sheet: OrderSheet) -> int:
        layers = (sheet.first_line + len(sheet.lines) - 1) // self.strips + 1
        per_line = GAS_PER_LINE + GAS_PER_LINE_AND_LAYER * (layers - 1)
        return GAS_PER_SHEET + GAS_PER_LAYER * layers + per_line * len(sheet.lines)

    def refused_sheets(self, day: int) -> dict[tuple[str, int], bytes]:
        """Reason by sender and sequence of every sheet of a day that its sender signed and the chain refused.

        A rejection for a bad signature tells nothing about the sender: anybody can bring rubbish in its name. And one
        that came too early, by a clock that went back, is good later.
        """
        refused = self._refusals("CallAuction", "SheetRejected", "participant", day)
        if refused:
            senders = list({sender for sender, _ in refused})
            ids = dict(zip(senders, self._ids_of(senders), strict=True))
            accepted = {(e.args["id"], e.args["sequence"]) for e in self.events("CallAuction", "SheetAccepted", day)}
            for sender, sequence in list(refused):
                if (ids[sender], sequence) in accepted:
                    del refused[sender, sequence]
        return refused

    def _refusals(self, contract: str, name: str, sender: str, day: int) -> dict[tuple[str, int], bytes]:
        """Reason by sender and sequence of the rejections that tell something about the sender's message."""
        return {
            (event.args[sender], event.args["sequence"]): event.args["reason"]
            for event in self._read_on(contract, name).get(day, ())
            if self.chain.artifacts.error_name(event.args["reason"]) not in _NOTHING_TOLD
        }

    def book(self, day: int, contract: str = "CallAuction") -> Book:
        """The order book of a day, from the events."""
        book = Book(day, self.periods_per_day)
        for event in self.events(contract, "SheetAccepted", day):
            book.accept(event.args)
        return book

    def clear(self, day: int, contract: str = "CallAuction") -> None:
        """The prices of a day: pivots from the reference model, verified on the chain.

        contract: the auction's, or a pool's.
        """
        auction = self.market.contract(contract)

        def missing() -> list[int]:
            cleared = auction.functions.clearedStrips(day).call()
            return [s for s in range(self.strips) if not cleared >> s & 1]

        if not missing():
            return
        book = self.book(day, contract)
        pivots = [clearing.pivot for clearing in book.clearing]
        hands = book.layers, book.brokered_layers
        lines = Counter(
            (brokered, layer, id_ // GROUP)
            for brokered, hand in enumerate(hands)
            for id_, layers in hand.items()
            for layer in range(layers)
        )
        step = GAS_PER_CLEARING_STEP + GAS_PER_CLEARED_LINE * max(lines.values(), default=0)
        groups = max((id_ // GROUP for hand in hands for id_ in hand), default=0) + 1
        steps = sum(max(hand.values(), default=0) for hand in hands) * groups
        gas = GAS_PER_CLEARED_STRIP + sum(GAS_PER_CLEARING_STEP + GAS_PER_CLEARED_LINE * n for n in lines.values())

        def transactions(some: Sequence[int]) -> Iterator[Transaction]:
            if gas <= self._budget("clear"):
                for batch, planned in self._batches("clear", some, lambda _: gas):
                    calls = [("clear", (day, s, pivots[s * LANES : (s + 1) * LANES], steps + 1)) for s in batch]
                    yield self.chain.multicall(auction, calls, planned=planned, items=len(batch))
                return
            for s in some:
                own = pivots[s * LANES : (s + 1) * LANES]
                left = steps
                while left > 0:
                    count = max(1, (self._budget("clear") - GAS_PER_CLEARED_STRIP) // step)
                    planned = GAS_PER_CLEARED_STRIP + step * min(count, left)
                    left -= count
                    yield self.chain.transaction(
                        auction, "clear", day, s, own, count, planned=planned, items=int(left <= 0)
                    )

        self._complete("clear", RELAYER, missing, transactions)

    # ------------------------------------------------------------------------------------ readings and settlement

    def push_readings(self, day: int, meters: Mapping[int, Meter]) -> None:
        """Signed reading sheets of a whole day, relayed in batches; each ends up counted, or refused with a reason.

        meters: by registry number.
        """
        readings, domain = self.market.readings, self.domain("MeterReadings")
        gas = GAS_PER_SHEET + self.strips * GAS_PER_LINE

        def missing() -> list[Meter]:
            brought = {event.args["id"] for event in self.events("MeterReadings", "ReadingsAccepted", day)}
            refused = self._refusals("MeterReadings", "ReadingsRejected", "meter", day)
            return [m for id_, m in meters.items() if id_ not in brought and (m.address, day) not in refused]

        def transactions(some: Sequence[Meter]) -> Iterator[Transaction]:
            for batch, planned in self._batches("push readings", some, lambda _: gas):
                sheets = [meter.sheet(day, day, domain) for meter in batch]
                yield self.chain.transaction(readings, "submit", sheets, planned=planned, items=len(batch))

        self._complete("push readings", RELAYER, missing, transactions)

    def close_metering(self, day: int) -> None:
        """Estimates for whatever is missing, so that the day can be settled."""
        readings = self.market.readings

        def missing() -> Sequence[int]:
            if readings.functions.isClosed(day).call():
                return ()
            return range(self.market.registry.functions.memberCount().call())

        def transactions(members: Sequence[int]) -> Iterator[Transaction]:
            late = len(members) - len(self.events("MeterReadings", "ReadingsAccepted", day))
            per_estimate = GAS_PER_SHEET + self.strips * GAS_PER_LINE
            # However those without readings lie among the others, so many members fit.
            count = max(
                (GAS_BUDGET - late * per_estimate) // GAS_PER_CLOSED_MEMBER,
                GAS_BUDGET // (GAS_PER_CLOSED_MEMBER + per_estimate),
            )
            for some in batches(members, count):
                yield self.chain.transaction(readings, "close", day, count, planned=GAS_BUDGET, items=len(some))

        self._complete("close metering", RELAYER, missing, transactions)

    def settle(self, day: int) -> None:
        """The money of a day, some members a transaction; again if readings were corrected since."""
        settlement = self.market.settlement

        def missing() -> Sequence[int]:
            if settlement.functions.isSettled(day).call():
                return ()
            members = self.market.readings.functions.membersOf(day).call()
            begun = settlement.functions.nextMember(day).call()
            return range(begun if begun <= members else 1, members + 1)

        def transactions(members: Sequence[int]) -> Iterator[Transaction]:
            found = self.chain.ask_many(self.market.auction, "sheetOf", [(id_, day) for id_ in members])
            layers = {id_: int(count) for id_, (_, count, _) in zip(members, found, strict=True)}

            def gas(id_: int) -> int:
                per_strip = GAS_PER_SETTLED_STRIP + GAS_PER_SETTLED_LINE * layers[id_]
                return GAS_PER_SETTLED_MEMBER + self.strips * per_strip

            for batch, planned in self._batches("settle", members, gas, GAS_PER_SETTLEMENT):
                yield self.chain.transaction(settlement, "settle", day, len(batch), planned=planned, items=len(batch))

        self._complete("settle", RELAYER, missing, transactions)

    def finalize(self, day: int) -> None:
        """The end of a day whose correction window is over."""
        self.settle(day)
        if self.market.rules.functions.lastFinalDay().call() < day:
            self.chain.send(self.market.keys[RELAYER], self.market.settlement, "finalize", day)

    # --------------------------------------------------------------------------------------------- what is missing

    def _complete(
        self,
        what: str,
        role: str,
        missing: Callable[[], Sequence[T]],
        transactions: Callable[[Sequence[T]], Iterable[Transaction]],
    ) -> None:
        """Send what is missing, and ask again, until nothing is.

        Raises:
            RefusedError: the chain refuses, and it is not that a batch was too large.
        """
        left = missing()
        while left:
            refusals: list[RefusedError] = []
            too_large, all_checked = False, True
            done = 0
            for landed, refusal in self.chain.send_all(self.market.keys[role], transactions(left)):
                if refusal is not None:
                    refusals.append(refusal)
                    too_large |= landed.ran_out_of_gas
                    continue
                all_checked &= landed.transaction.is_checked
                if landed.transaction.planned and landed.gas_used:
                    used = landed.gas_used / landed.transaction.planned
                    self._shares[what] = max(used, min(_HEADROOM * used, 1.0))
                done += landed.transaction.items
                self._tell(done, len(left))
            still = missing()
            share = self._shares.get(what, 1.0)
            if too_large and share < _LARGEST_SHARE:
                self._shares[what] = max(2 * share, 1.0)
            elif still == left and all_checked:
                raise next(iter(refusals), ChainError(f"{what}: {len(left)} are missing after the chain took them"))
            left = still

    def _call_each(
        self,
        function: str,
        where: tuple[str, Contract, int],
        missing: Callable[[], Sequence[T]],
        arguments: Callable[[T], tuple[Any, ...]],
    ) -> None:
        """One call for each that is missing, many in a transaction. where: sender's role, contract, gas of a call."""
        role, contract, gas = where

        def transactions(some: Sequence[T]) -> Iterator[Transaction]:
            for batch, planned in self._batches(function, some, lambda _: gas):
                calls = ((function, arguments(one)) for one in batch)
                yield self.chain.multicall(contract, calls, planned=planned, items=len(batch))

        self._complete(function, role, missing, transactions)

    def _budget(self, what: str) -> int:
        """Gas by the upper estimates that a transaction may be planned for."""
        return int(GAS_BUDGET / self._shares.get(what, 1.0))

    def _batches(
        self, what: str, items: Iterable[T], gas: Callable[[T], int], fixed: int = 0
    ) -> Iterator[tuple[list[T], int]]:
        """Batches that stay within the budget, and the gas planned for each. fixed: gas of a batch without items."""
        batch: list[T] = []
        planned = fixed
        for item in items:
            own = gas(item)
            if batch and planned + own > self._budget(what):
                yield batch, planned
                batch, planned = [], fixed
            batch.append(item)
            planned += own
        if batch:
            yield batch, planned

    # --------------------------------------------------------------------------------------------------- helpers

    def events(self, contract: str, name: str, day: int) -> list[Event]:
        """Events of one name of one contract about a day whose tariffs are published, in blocks from then on.

        It is the first thing that happens about a day; so a question takes no longer on a chain that is a year old.
        """
        published = self._read_on("FallbackSupply", "TariffsPublished").get(day)
        first = published[0].block if published else self.market.manifest.first_block
        topics = self.chain.topics(contract, name, day)
        return list(self.chain.events({contract: self.market.addresses[contract]}, first, topics=topics))

    def _read_on(self, contract: str, name: str) -> dict[int, list[Event]]:
        """All events of a name by day: read once, and from then on only what is new."""
        first, found = self._read.get((contract, name), (self.market.manifest.first_block, {}))
        last = self.chain.block
        addresses = {contract: self.market.addresses[contract]}
        for event in self.chain.events(addresses, first, last, self.chain.topics(contract, name)):
            found.setdefault(event.args["day"], []).append(event)
        self._read[contract, name] = last + 1, found
        return found

    def events_between(self, first: int, last: int) -> Iterator[Event]:
        """Every event of the market in these blocks, both included, in the chain's order."""
        return self.chain.events(self.market.addresses, first, last)

    def balances(self) -> Balances:
        """All accounts and the token supply."""
        ids = range(1, self.market.registry.functions.memberCount().call() + 1)
        records = self.chain.ask_many(self.market.accounts, "accountOf", [(id_,) for id_ in ids])
        accounts = {id_: Account(*map(Money, record)) for id_, record in zip(ids, records, strict=True)}
        return Balances(accounts, self.market.token.functions.totalSupply().call())

    def domain(self, contract: str) -> Domain:
        """What messages to a contract are signed for."""
        return Domain(self.chain.id, self.market.addresses[contract])


def order_sheets(account: str, day: int, orders: Sequence[Order], periods_per_day: int) -> Iterator[OrderSheet]:
    """One participant's orders of a day as sheets of consecutive lines, numbered from sequence 1."""
    words = lines_of(orders, day, periods_per_day)
    first, last = min(words), max(words)
    empty = pack(day, [0] * LANES)
    lines = [words.get(line, empty) for line in range(first, last + 1)]
    for sequence, some in enumerate(batches(lines, LINES_PER_SHEET), start=1):
        yield OrderSheet(account, day, first + (sequence - 1) * LINES_PER_SHEET, sequence, tuple(some))


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Items in runs of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def order_message(sheet: OrderSheet) -> tuple[Any, ...]:
    """A sheet as the contract takes it, in the order of its Solidity struct."""
    lines = [line.to_bytes(32, "big") for line in sheet.lines]
    return sheet.participant, sheet.day, sheet.first_line, sheet.sequence, lines


def _signed_application(domain: Domain, applicant: Applicant) -> SignedMessage:
    message = applicant.application
    fields = tuple(getattr(message, name) for name in message.__slots__)
    return fields, sign(domain, message, applicant.wallet.account_key)
