"""What the market's offices and relayers do, in batches that fit a transaction.

Every operation first asks the chain what is done already and does the rest, so it can be repeated after a crash:
nothing is sent twice, and what would be is refused by the contracts (sequences, payment references).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hexbytes import HexBytes

from dem.deployment import RELAYER, Market
from dem.history import Balances, Event, History
from dem.ledger import Account
from dem.orders import Order, lines_of
from dem.replay import Books
from dem.signing import Application, Domain, OrderSheet, SignedMessage, sign
from dem.strips import LANES, pack, strips_per_day
from dem.units import Money
from dem.wallets import Wallet

T = TypeVar("T")

GAS_BUDGET = 14_000_000
"""Gas a batch is planned for, well below the cap of a transaction. The costs below are upper estimates for storage that
was never used before."""
GAS_PER_MEMBER = 400_000
GAS_PER_DEPOSIT = 160_000
GAS_PER_SHEET = 150_000
GAS_PER_LINE = 32_000
GAS_PER_LAYER = 25_000
GAS_PER_LINE_AND_LAYER = 5_000
GAS_PER_CLEARED_STRIP = 300_000
GAS_PER_CLEARING_STEP = 8_000
GAS_PER_CLEARED_LINE = 4_000
GAS_PER_SETTLED_MEMBER = 100_000
GAS_PER_SETTLEMENT = 1_000_000
GAS_PER_SETTLED_STRIP = 12_000
GAS_PER_SETTLED_LINE = 12_000
GROUP = 240
"""Members that one step of a clearing looks at."""
LINES_PER_SHEET = 300
"""Longest sheet that one transaction takes."""

_UNSIGNED = (
    "NotSignedByParticipant",
    "ECDSAInvalidSignature",
    "ECDSAInvalidSignatureLength",
    "ECDSAInvalidSignatureS",
)
"""Reasons of a rejection that do not prove who sent the sheet."""


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

    def __init__(self, market: Market) -> None:
        self.market = market
        self.chain = market.chain
        self.periods_per_day = market.calendar.periods_per_day
        self.strips = strips_per_day(self.periods_per_day)
        self._relayer = market.keys[RELAYER]

    # ------------------------------------------------------------------------------------------------- members

    def register(self, applicants: Sequence[Applicant]) -> None:
        """Applications, admissions, credit limits and first deposits of everybody who does not have them."""
        registry, keys = self.market.registry, self.market.keys
        accounts = [(a.wallet.account,) for a in applicants]
        status = dict(zip(applicants, self.chain.ask_many(registry, "statusOf", accounts), strict=True))
        new = [a for a in applicants if status[a] == 0]
        domain = self.domain("ParticipantRegistry")
        for some in batches(new, GAS_BUDGET // GAS_PER_MEMBER):
            calls = [("applyFor", _signed_application(domain, a)) for a in some]
            self.chain.send_many(self._relayer, registry, calls)
        waiting = [a for a in applicants if status[a] <= 1]
        for some in batches(waiting, GAS_BUDGET // GAS_PER_MEMBER):
            admissions = [("admit", (a.wallet.account,)) for a in some]
            self.chain.send_many(keys["registrar"], registry, admissions)
        self._set_credit_limits(applicants)
        self._deposit(applicants)

    def _set_credit_limits(self, applicants: Sequence[Applicant]) -> None:
        accounts = self.market.accounts
        calls: list[tuple[str, tuple[Any, ...]]] = []
        for applicant in applicants:
            if applicant.credit_limit:
                id_ = self.id_of(applicant.wallet)
                if accounts.functions.accountOf(id_).call()[3] != applicant.credit_limit:
                    calls.append(("setCreditLimit", (id_, applicant.credit_limit)))
        for batch in batches(calls, GAS_BUDGET // GAS_PER_DEPOSIT):
            self.chain.send_many(self.market.keys["council"], accounts, batch)

    def _deposit(self, applicants: Sequence[Applicant]) -> None:
        accounts = self.market.accounts
        used = self.chain.ask_many(accounts, "isPaymentUsed", [(a.payment_reference,) for a in applicants])
        calls: list[tuple[str, tuple[Any, ...]]] = [
            ("deposit", (a.wallet.account, a.deposit, a.payment_reference))
            for a, is_used in zip(applicants, used, strict=True)
            if a.deposit and not is_used
        ]
        for batch in batches(calls, GAS_BUDGET // GAS_PER_DEPOSIT):
            self.chain.send_many(self.market.keys["treasurer"], accounts, batch)

    def id_of(self, wallet: Wallet) -> int:
        """Registry number of a member, 0 if it is none."""
        return self.ids_of([wallet])[0]

    def ids_of(self, wallets: Iterable[Wallet]) -> list[int]:
        """Registry numbers of members in their order, 0 for who is none."""
        accounts = [(wallet.account,) for wallet in wallets]
        return list(map(int, self.chain.ask_many(self.market.registry, "idOf", accounts)))

    # --------------------------------------------------------------------------------------------------- orders

    def submit_orders(self, day: int, orders: Iterable[Order], wallets: dict[int, Wallet]) -> None:
        """Everybody's orders as signed sheets, relayed in batches; sheets brought before are left out.

        wallets: keys by registry number.
        """
        by_member: dict[int, list[Order]] = defaultdict(list)
        for order in orders:
            by_member[order.participant].append(order)
        refused = self.refused_sheets(day)
        domain, sheets = self.domain("CallAuction"), []
        brought = self.chain.ask_many(self.market.auction, "sheetOf", [(id_, day) for id_ in sorted(by_member)])
        for (id_, own), (last, *_) in zip(sorted(by_member.items()), brought, strict=True):
            for sheet in order_sheets(wallets[id_].account, day, own, self.periods_per_day):
                if sheet.sequence > last and (sheet.participant, sheet.sequence) not in refused:
                    sheets.append(_signed_sheet(domain, sheet, wallets[id_]))
        for batch in _by_gas(sheets, self._sheet_gas):
            self.chain.send(self._relayer, self.market.auction, "submit", batch)

    def _sheet_gas(self, sheet: SignedMessage) -> int:
        _account, _day, first, _sequence, lines = sheet[0]
        layers = (first + len(lines) - 1) // self.strips + 1
        per_line = GAS_PER_LINE + GAS_PER_LINE_AND_LAYER * (layers - 1)
        return int(GAS_PER_SHEET + GAS_PER_LAYER * layers + per_line * len(lines))

    def refused_sheets(self, day: int) -> dict[tuple[str, int], bytes]:
        """Reason by sender and sequence of every sheet of a day that its sender signed and the chain refused.

        A rejection for a bad signature tells nothing about the sender: anybody can bring rubbish in its name.
        """
        accepted = {(e.args["id"], e.args["sequence"]) for e in self.events("CallAuction", "SheetAccepted", day)}
        refused = {}
        for event in self.events("CallAuction", "SheetRejected", day):
            sender, sequence, reason = (event.args[name] for name in ("participant", "sequence", "reason"))
            if self.chain.artifacts.error_name(reason) in _UNSIGNED:
                continue
            if (self.market.registry.functions.idOf(sender).call(), sequence) not in accepted:
                refused[sender, sequence] = reason
        return refused

    def book(self, day: int) -> Books:
        """The order book of a day, from the events."""
        books = Books(self.periods_per_day)
        for event in self.events("CallAuction", "SheetAccepted", day):
            books.accept(event.args)
        return books

    def clear(self, day: int) -> None:
        """The prices of a day: pivots from the reference model, verified on the chain."""
        auction = self.market.auction
        cleared = auction.functions.clearedStrips(day).call()
        strips = [s for s in range(self.strips) if not cleared >> s & 1]
        if not strips:
            return
        books = self.book(day)
        pivots = [clearing.pivot for clearing in books.clear(day)]
        steps = Counter((layer, id_ // GROUP) for id_, layers in books.layers[day].items() for layer in range(layers))
        gas = GAS_PER_CLEARED_STRIP + sum(_step_gas(lines) for lines in steps.values())
        if gas <= GAS_BUDGET:
            for some in batches(strips, GAS_BUDGET // gas):
                calls = [("clear", (day, s, pivots[s * LANES : (s + 1) * LANES], 1 << 32)) for s in some]
                self.chain.send_many(self._relayer, auction, calls)
            return
        per_transaction = (GAS_BUDGET - GAS_PER_CLEARED_STRIP) // _step_gas(max(steps.values()))
        for s in strips:
            while not auction.functions.clearedStrips(day).call() >> s & 1:
                own = pivots[s * LANES : (s + 1) * LANES]
                self.chain.send(self._relayer, auction, "clear", day, s, own, per_transaction)

    # ------------------------------------------------------------------------------------ readings and settlement

    def push_readings(self, sheets: Sequence[SignedMessage]) -> None:
        """Signed reading sheets of whole days, relayed in batches."""
        for batch in batches(sheets, GAS_BUDGET // (GAS_PER_SHEET + self.strips * GAS_PER_LINE)):
            self.chain.send(self._relayer, self.market.readings, "submit", batch)

    def close_metering(self, day: int) -> None:
        """Estimates for whatever is missing, so that the day can be settled."""
        readings = self.market.readings
        count = GAS_BUDGET // (GAS_PER_SHEET + self.strips * GAS_PER_LINE)
        while not readings.functions.isClosed(day).call():
            self.chain.send(self._relayer, readings, "close", day, count)

    def settle(self, day: int) -> None:
        """The money of a day, some members a transaction; again if readings were corrected since."""
        settlement = self.market.settlement
        layers = max(self.book(day).layers[day].values(), default=0)
        per_strip = GAS_PER_SETTLED_STRIP + GAS_PER_SETTLED_LINE * layers
        count = max(1, (GAS_BUDGET - GAS_PER_SETTLEMENT) // (GAS_PER_SETTLED_MEMBER + self.strips * per_strip))
        while not settlement.functions.isSettled(day).call():
            self.chain.send(self._relayer, settlement, "settle", day, count)

    def finalize(self, day: int) -> None:
        """The end of a day whose correction window is over."""
        self.settle(day)
        if self.market.rules.functions.lastFinalDay().call() < day:
            self.chain.send(self._relayer, self.market.settlement, "finalize", day)

    # --------------------------------------------------------------------------------------------------- helpers

    def events(self, contract: str, name: str, day: int) -> list[Event]:
        """Events of one name of one contract about a day."""
        addresses = {contract: self.market.addresses[contract]}
        topics = self.chain.day_topics(contract, name, day)
        return self.chain.events(addresses, self.market.manifest.first_block, topics)

    def history(self) -> History:
        """Every event of the market since its deployment, and its balances now."""
        events = self.chain.events(self.market.addresses, self.market.manifest.first_block)
        return History(self.periods_per_day, tuple(events), self.balances())

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


def _by_gas(items: Iterable[T], gas: Callable[[T], int]) -> Iterator[list[T]]:
    """Batches that stay within the budget."""
    batch: list[T] = []
    used = 0
    for item in items:
        if batch and used + gas(item) > GAS_BUDGET:
            yield batch
            batch, used = [], 0
        batch.append(item)
        used += gas(item)
    if batch:
        yield batch


def _step_gas(lines: int) -> int:
    return GAS_PER_CLEARING_STEP + GAS_PER_CLEARED_LINE * lines


def _signed_application(domain: Domain, applicant: Applicant) -> SignedMessage:
    message = applicant.application
    fields = tuple(getattr(message, name) for name in message.__slots__)
    return fields, sign(domain, message, applicant.wallet.account_key)


def _signed_sheet(domain: Domain, sheet: OrderSheet, keys: Wallet) -> SignedMessage:
    lines = [HexBytes(line.to_bytes(32, "big")) for line in sheet.lines]
    fields = (sheet.participant, sheet.day, sheet.first_line, sheet.sequence, lines)
    return fields, sign(domain, sheet, keys.account_key)
