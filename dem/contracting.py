"""What relayers bring for the markets beside the day-ahead auction: signed messages, hints of the model, payments.

As in `dem.operations` each step asks the chain, or an outsider's replay of its events, what is missing, and can be
repeated. A message that the chain refuses is left out, with those around it brought all the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.crypto import keccak
from web3.contract import Contract

from dem.agreements import Agreement
from dem.config import Pool
from dem.council import call, decide
from dem.deployment import RELAYER, deploy_pool
from dem.intraday import IntradayDay, IntradayReplay, place_of
from dem.ledger import Ledger
from dem.operations import GAS_BUDGET, Operations, batches, order_message, order_sheets
from dem.orders import Order, Side
from dem.plan import ROLES, CalendarParameters
from dem.replay import AUCTION, POOL, Replay
from dem.settlement import MarketRules
from dem.signing import (
    Acceptance,
    Commission,
    IntradayCancellation,
    IntradayFunding,
    IntradayOrder,
    Mandate,
    Message,
    OrderSheet,
    Proposal,
    WholesaleReport,
    compact,
    message_hash,
    sign,
)
from dem.strips import LANES
from dem.trading import DeskReport
from dem.units import TICK_UNITS, Tick, UnitsPerWh, Wh
from dem.wallets import Wallet
from dem.wholesale import Offer, report_words

Call = tuple[str, tuple[Any, ...]]

GAS_PER_CONTRACT = 700_000
GAS_PER_CHOICE = 250_000
GAS_PER_INTRADAY_MESSAGE = 200_000
GAS_PER_COMMISSION = 120_000
MEMBERS_A_PAYMENT = 150
"""Members that one transaction pays premiums and rewards to."""
RESIDUAL_STEPS = 64
"""Groups of members that one transaction clears a strip of the residual for."""
MAX_FILLS = 24
"""Steps of matching that an intraday order may take."""
SHEETS_A_BATCH = 8
"""Sheets of a pool in one transaction, each of at most two layers of a whole day."""
MAX_PERIODS = 1 << 32

_NO_PROPOSAL = bytes(32)
_DAY_SHIFT, _SESSION_SHIFT = 24, 16
_FUNDING, _PLACING = 1 << 14, 1 << 15
"""Within a session a participant's messages are numbered: cancellations from 1, the funding, orders from here on."""


class Contracting:
    """The operations of the further markets of one deployment."""

    def __init__(self, operations: Operations, wallets: Mapping[int, Wallet]) -> None:
        """wallets: keys by registry number."""
        self.operations = operations
        self.market = operations.market
        self.chain = operations.chain
        self.wallets = wallets
        self.refused: list[str] = []
        """What the chain refused since the driver was started, in its words."""

    # ------------------------------------------------------------------------------------------------ bilateral

    def conclude(
        self, day: int, agreements: Iterable[tuple[Agreement, bytes]], ids: Mapping[str, int], period0: int
    ) -> None:
        """Bilateral contracts that are not made yet: the seller proposes, the buyer accepts.

        agreements: with what tells each from others. period0: real number of the first period of day 1.
        """
        contract, domain = self.market.contract("BilateralContracts"), self.operations.domain("BilateralContracts")
        expiry = self.market.calendar.gate_closes_at(day)
        made: list[tuple[Proposal, Wallet, Wallet]] = []
        for agreement, salt in agreements:
            seller, buyer = (self.wallets[ids[name]] for name in (agreement.seller, agreement.buyer))
            proposal = Proposal(
                proposer=seller.account,
                counterparty=buyer.account,
                is_sale=True,
                price=agreement.price,
                energy=agreement.energy,
                first_period=max(0, agreement.first - period0),
                last_period=min(agreement.last - period0, MAX_PERIODS - 2),
                slots=sum(1 << slot for slot in agreement.slots),
                weekdays=sum(1 << weekday for weekday in agreement.weekdays),
                expiry=expiry,
                answers=_NO_PROPOSAL,
                salt=bytes(keccak(salt)),
            )
            made.append((proposal, seller, buyer))
        hashes = [message_hash(proposal) for proposal, _, _ in made]
        used = self.chain.ask_many(
            contract,
            "isUsed",
            [(hash_, proposal.proposer) for hash_, (proposal, _, _) in zip(hashes, made, strict=True)],
        )
        calls: list[Call] = []
        for (proposal, seller, buyer), hash_, is_used in zip(made, hashes, used, strict=True):
            if not is_used:
                signature = sign(domain, proposal, seller.account_key)
                acceptance = sign(domain, Acceptance(hash_), buyer.account_key)
                calls.append(("conclude", (_struct(proposal), signature, buyer.account, acceptance)))
        self._bring(contract, calls, GAS_PER_CONTRACT)

    # ------------------------------------------------------------------------------------------------ wholesale

    def report(self, day: int, desk: int, report: DeskReport) -> None:
        """The wholesale desk's report of a day, unless it is there or it is too late."""
        residual = self.market.contract("WholesaleResidual")
        reported, _ = residual.functions.reportOf(day).call()
        if reported or self.chain.now() >= residual.functions.reportDueAt(day).call():
            return
        rows = zip(report.price, report.import_capacity, report.export_capacity, strict=True)
        offers = [Offer(price, report.penalty, imports, exports) for price, imports, exports in rows]
        wallet = self.wallets[desk]
        message = WholesaleReport(wallet.account, day, *report_words(day, offers))
        signature = sign(self.operations.domain("WholesaleResidual"), message, wallet.account_key)
        words = (
            [word.to_bytes(32, "big") for word in row] for row in (message.prices, message.imports, message.exports)
        )
        self.chain.send(self.market.keys[RELAYER], residual, "report", (wallet.account, day, *words), signature)

    def clear_residual(self, day: int, replay: Replay) -> None:
        """What the auction left over, with the marginal limits of the model."""
        residual = self.market.contract("WholesaleResidual")
        _, pending = residual.functions.reportOf(day).call()
        outcomes = replay.residual(day)
        while pending:
            strip = (pending & -pending).bit_length() - 1
            own = outcomes[strip * LANES : (strip + 1) * LANES]
            ticks = [outcome.import_tick for outcome in own], [outcome.export_tick for outcome in own]
            self.chain.send(self.market.keys[RELAYER], residual, "clear", day, strip, *ticks, RESIDUAL_STEPS)
            _, pending = residual.functions.reportOf(day).call()

    # ---------------------------------------------------------------------------------------------------- pools

    def open_pools(
        self, pools: Sequence[Pool], ids: Mapping[str, int], calendars: Mapping[str, CalendarParameters]
    ) -> None:
        """Every pool as one more auction in the schedule, by decision of the council.

        Raises:
            RefusedError: it comes too late for day 1.
        """
        authority, schedule = self.market.authority, self.market.contract("Schedule")
        for pool in pools:
            contract = deploy_pool(self.market, pool.name, ids[pool.intermediary], calendars[pool.name])
            if contract.address in {address for address, _ in schedule.functions.markets().call()}:
                continue
            book = function_signature_to_4byte_selector(contract.get_function_by_name("book").signature)
            [role] = [role.id for role in ROLES if "book" in role.functions.get(AUCTION, ())]
            decide(
                self.market,
                [
                    call(self.market, authority, "setTargetFunctionRole", contract.address, [book], role),
                    call(self.market, schedule, "addMarket", contract.address, 1),
                ],
            )

    def mandate(
        self, pools: Sequence[Pool], ids: Mapping[str, int], shares: Mapping[str, tuple[str, int]], first_day: int
    ) -> None:
        """Commissions and mandates that are not given yet, from the first day for which they can be.

        shares: intermediary and 1/1000 of the connection, by client. A commission begins a day after the mandates:
        until then a client could not have chosen otherwise.
        """
        contract, domain = self.market.contract("Intermediaries"), self.operations.domain("Intermediaries")
        names = [pool.intermediary for pool in pools] + list(shares)
        last = self.chain.ask_many(contract, "lastSequence", [(ids[name],) for name in names])
        fresh = {name for name, sequence in zip(names, last, strict=True) if not sequence}
        calls: list[Call] = []
        for pool in pools:
            if pool.intermediary in fresh:
                wallet = self.wallets[ids[pool.intermediary]]
                commission = Commission(wallet.account, UnitsPerWh(pool.commission), first_day + 1, 1)
                calls.append(("publish", (_struct(commission), sign(domain, commission, wallet.account_key))))
        for name, (intermediary, share) in shares.items():
            if name in fresh:
                wallet = self.wallets[ids[name]]
                chosen = self.wallets[ids[intermediary]].account
                mandate = Mandate(wallet.account, chosen, share * 10, first_day, 1)
                calls.append(("choose", (_struct(mandate), sign(domain, mandate, wallet.account_key))))
        self._bring(contract, calls, GAS_PER_CHOICE)

    def submit_to_pool(self, day: int, pool: Pool, orders: Iterable[Order]) -> None:
        """Everybody's orders in a pool, in the layers they are placed in."""
        contract = POOL + pool.name
        auction, domain = self.market.contract(contract), self.operations.domain(contract)
        if self.chain.now() >= auction.functions.gateClosesAt(day).call():
            return
        by_member: dict[int, list[Order]] = defaultdict(list)
        for order in orders:
            by_member[order.participant].append(order)
        known = {
            (event.args["id"], event.args["sequence"])
            for event in self.operations.events(contract, "SheetAccepted", day)
        }
        sheets: list[tuple[OrderSheet, bytes]] = []
        for id_, own in sorted(by_member.items()):
            wallet = self.wallets[id_]
            for sheet in order_sheets(wallet.account, day, own, self.operations.periods_per_day):
                if (id_, sheet.sequence) not in known:
                    sheets.append((sheet, sign(domain, sheet, wallet.account_key)))
        for batch in batches(sheets, SHEETS_A_BATCH):
            signed = [(order_message(sheet), *compact(signature)) for sheet, signature in batch]
            self.chain.send(self.market.keys[RELAYER], auction, "submit", signed)

    def collect(self, day: int, replay: Replay) -> None:
        """Commissions of a settled day that clients still owe."""
        contract = self.market.contract("Intermediaries")
        for name in (AUCTION, *replay.pools):
            address = self.market.addresses[name]
            clients = [payment.client for payment in replay.intermediaries.due(address, day)]
            for some in batches(clients, GAS_BUDGET // GAS_PER_COMMISSION):
                self.chain.send(self.market.keys[RELAYER], contract, "collect", day, some, address)

    # ------------------------------------------------------------------------------------------------- intraday

    def trade(self, day: int, session: int, orders: Sequence[Order], replay: Replay, rules: MarketRules) -> None:
        """One session: what participants left in the book before is cancelled, then they fund and place their orders.

        A participant's messages are numbered by day and session; who has placed orders of the session before a crash
        places no more of it.
        """
        contract, domain = self.market.contract("ContinuousMarket"), self.operations.domain("ContinuousMarket")
        market = replay.markets["ContinuousMarket"]
        assert isinstance(market, IntradayReplay)
        known = market.days.get(day)
        resting: dict[int, list[int]] = defaultdict(list)
        for number, id_, _ in known.open_orders() if known else ():
            resting[id_].append(number)
        by_member: dict[int, list[Order]] = defaultdict(list)
        for order in orders:
            by_member[order.participant].append(order)
        members = list(dict.fromkeys([*by_member, *resting]))
        base = day << _DAY_SHIFT | session << _SESSION_SHIFT
        asked = self.chain.ask_many(contract, "sequenceOf", [(self.wallets[id_].account,) for id_ in members])
        last = dict(zip(members, (max(base, sequence) for sequence in asked), strict=True))
        waiting = [id_ for id_ in members if last[id_] < base + _PLACING]

        def signed(function: str, id_: int, message: Message) -> Call:
            return function, (_struct(message), sign(domain, message, self.wallets[id_].account_key))

        def cancellations() -> Iterator[Call]:
            for id_ in waiting:
                for n, number in enumerate(resting[id_], start=last[id_] + 1):
                    message = IntradayCancellation(self.wallets[id_].account, day, number, n)
                    yield signed("cancelSigned", id_, message)

        def fundings() -> Iterator[Call]:
            for id_ in waiting:
                account = known.accounts.get(id_) if known else None
                had = account.available if account else 0
                had += sum(_collateral(order, rules) for order in _orders_of(known, id_)) if known else 0
                missing = sum(_collateral(order, rules) for order in by_member[id_]) - had
                amount = min(missing, _available(replay.ledger, id_))
                if amount > 0:
                    n = max(base + _FUNDING, last[id_] + len(resting[id_]) + 1)
                    yield signed("fundSigned", id_, IntradayFunding(self.wallets[id_].account, day, amount, False, n))

        def placements() -> Iterator[Call]:
            position: dict[int, int] = defaultdict(int)
            for order in orders:
                id_ = order.participant
                if id_ not in waiting:
                    continue
                sequence = base + _PLACING + position[id_]
                position[id_] += 1
                message = IntradayOrder(
                    self.wallets[id_].account,
                    day,
                    order.slot,
                    order.side == Side.ASK,
                    order.tick,
                    order.energy,
                    MAX_FILLS,
                    sequence,
                )
                yield signed("placeSigned", id_, message)

        for calls in (cancellations(), fundings(), placements()):
            self._bring(contract, list(calls), GAS_PER_INTRADAY_MESSAGE)

    # ------------------------------------------------------------------------------------------- balancing fund

    def pay_fund(self, day: int) -> None:
        """Premiums and rewards of all days up to a final one."""
        fund, relayer = self.market.contract("BalancingFund"), self.market.keys[RELAYER]
        while (unpaid := fund.functions.nextDay().call()) <= day:
            self.chain.send(relayer, fund, "pay", unpaid, MEMBERS_A_PAYMENT)

    # --------------------------------------------------------------------------------------------------- sending

    def _bring(self, contract: Contract, calls: Sequence[Call], gas: int) -> None:
        """Calls in their order, many in a transaction; of one that fails its halves are tried, down to single calls."""
        waiting = [*batches(calls, max(1, GAS_BUDGET // gas))][::-1]
        while waiting:
            some = waiting.pop()
            transaction = self.chain.multicall(contract, some)
            [(_, refusal)] = self.chain.send_all(self.market.keys[RELAYER], [transaction])
            if refusal is None:
                continue
            if len(some) == 1:
                self.refused.append(str(refusal))
                continue
            half = len(some) // 2
            waiting += [some[half:], some[:half]]


def _orders_of(known: IntradayDay, id_: int) -> Iterator[Order]:
    """A member's open intraday orders."""
    for number, owner, energy in known.open_orders():
        if owner == id_:
            slot, side, tick, _ = place_of(number)
            yield Order(id_, 0, slot, side, Tick(tick), Wh(energy))


def _collateral(order: Order, rules: MarketRules) -> int:
    """Money units that an intraday order needs (rule 5.4)."""
    price = order.tick * TICK_UNITS
    if order.side == Side.BID:
        return order.energy * (price + rules.fees)
    return order.energy * max(0, rules.max_buy + rules.deviation_rate + rules.fees - price)


def _available(ledger: Ledger, id_: int) -> int:
    record = ledger.record(id_)
    return 0 if record.arrears else max(0, record.free + record.credit_limit)


def _struct(message: Message) -> tuple[Any, ...]:
    """A message in the order of its Solidity struct."""
    return tuple(getattr(message, name) for name in message.__slots__)
