"""Who pays whom for a day, by the reference model alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dem.errors import LedgerError
from dem.model.commitments import day_prices
from dem.model.fund import pay_claims
from dem.model.ledger import (
    BALANCING_FUND,
    FALLBACK_SUPPLIER,
    GRID_OPERATOR,
    OPERATOR,
    Posting,
)
from dem.model.limits import Cost, excess_charge, limits_down
from dem.model.markets.auction import Column
from dem.model.markets.intermediaries import Payment
from dem.model.mechanisms import AUCTION
from dem.model.relief import UNPAID, ReliefPayment, is_covered, relief_payment, relief_postings
from dem.model.settlement import Delivery
from dem.model.shortfalls import parts
from dem.model.units import Money
from dem.offchain.market import ModelMarket
from dem.replay.delivery import at_boundary


@dataclass
class Paying:
    """Money of a market, step by step."""

    market: ModelMarket
    _provisional: dict[int, Money] = field(default_factory=dict)
    """What the balancing fund got of days that are not final."""
    _claims: dict[int, tuple[Money, dict[int, tuple[int, int]]]] = field(default_factory=dict)
    """What it got of days that are, and is asked for."""

    _excess: dict[int, dict[int, Cost]] = field(default_factory=dict)
    """What members owe for energy beyond their limits on the day that has ended."""

    _relief: dict[int, dict[int, ReliefPayment]] = field(default_factory=dict)
    """What members are due for relief of the network on the day that has ended."""

    def settle(self, day: int) -> None:
        """The money of the day on what meters said in time; what it is short of is shared."""
        self.market.estimate(day)
        self.market.bilateral.apply("Booked", {"day": day, "through": max(self.market.members)})
        self._walk(day)
        self.market.days.changing(day).is_settled = True

    def _walk(self, day: int) -> None:
        """Post what is due, or of a day that is settled again the difference to what was posted."""
        market, settled, own = self.market, self.market.settlement(day), self.market.days.changing(day)

        def change(key: int, amount: int) -> Money:
            difference = amount - own.posted[key]
            own.posted[key] = amount
            return Money(difference)

        self._set_aside()
        # What an office is paid out is kept apart from its bill: under its negative number.
        postings = [Posting(FALLBACK_SUPPLIER, change(-FALLBACK_SUPPLIER, settled.fallback()))]
        if settled.delivery.exchange is not None:
            desk = settled.delivery.exchange.desk
            postings.append(Posting(desk, change(-desk, settled.desk())))
        for id_ in market.members:
            release = 0 if own.is_settled else market.markets.settle(day, id_)
            postings.append(Posting(id_, change(id_, -sum(settled.bill_of(id_))), Money(release)))
        self._provisional[day] = settled.fund()
        offices = (
            (BALANCING_FUND, settled.fund()),
            (OPERATOR, settled.operator()),
            (GRID_OPERATOR, settled.grid_operator()),
        )
        postings += [Posting(office, change(-office, amount)) for office, amount in offices]
        market.ledger.post_day(postings)
        self._share(day, postings)
        market.ledger.end_settlement()

    def _share(self, day: int, postings: Sequence[Posting]) -> None:
        """Take back from those whom a day has paid what its end leaves the fallback supplier short of."""
        market, supplier = self.market, self.market.ledger.record(FALLBACK_SUPPLIER)
        units = -supplier.free - supplier.credit_limit
        if units <= 0:
            return
        received: dict[int, int] = {}
        for posting in postings:
            if posting.amount > 0 and posting.account != FALLBACK_SUPPLIER:
                received[posting.account] = received.get(posting.account, 0) + posting.amount
        market.shortfalls.begin(day, units)
        for id_, part in parts(units, received).items():
            market.shortfalls.take(day, id_, part)
            market.payments.add(id_, day, "taken back", -part)

    def _set_aside(self) -> None:
        """What the fallback supplier has for days that were short, oldest first."""
        shortfalls = self.market.shortfalls
        for day, units in shortfalls.to_set_aside().items():
            shortfalls.put_aside(day, units)

    def collect_commissions(self, day: int) -> None:
        """What clients owe their intermediaries."""
        market = self.market
        for contract in (AUCTION, *market.pools):
            owed = market.auction(contract).owed(day)
            due = market.intermediaries.payments(day, market.rules(day), owed)
            if due and not self._collect(contract, day, due):
                # One without money, whom nobody can advance it now, does not keep the others from paying.
                for payment in due:
                    self._collect(contract, day, [payment])

    def _collect(self, contract: str, day: int, due: Sequence[Payment]) -> bool:
        """Payments together; whether they could be made."""
        market = self.market
        both = [
            (Posting(own.client, Money(-own.amount), own.secured), Posting(own.intermediary, own.amount)) for own in due
        ]
        try:
            market.ledger.post([posting for pair in both for posting in pair])
        except LedgerError:
            return False
        for own in due:
            market.auction(contract).collect(day, own.client)
            market.payments.add(own.client, day, "commission", -own.amount)
            market.payments.add(own.intermediary, day, "commission", own.amount)
        return True

    def finalize(self, day: int) -> None:
        """The end of the day: corrections are settled, and who waits for money is paid what there is."""
        if any(of == day and report.is_corrected for (of, _), report in self.market.scenario.reports.items()):
            self._walk(day)
        self._make_good()
        settled = self.market.settlement(day)
        self._provisional.pop(day, None)
        self._claims = {day: (settled.fund(), settled.claims)}
        self._excess = {day: self._beyond_limits(day)}
        self._relief = {day: self._sold_relief(day)}

    def _make_good(self) -> None:
        market, shortfalls = self.market, self.market.shortfalls
        self._set_aside()
        for day, shortfall in sorted(shortfalls.days.items()):
            left = shortfall.set_aside - shortfall.paid
            # Less than a unit a member may be what rounding down leaves for later.
            if not left or (shortfall.set_aside < shortfall.units and left < len(market.members)):
                continue
            for id_, units in shortfalls.due(day, market.members).items():
                shortfalls.pay(day, id_, units)
                market.payments.add(id_, day, "made good", units)

    def _beyond_limits(self, day: int) -> dict[int, Cost]:
        """What meters showed beyond the network's limits, by member."""
        market, published = self.market, self.market.scenario.limits(day)
        if published is None:
            return {}
        settled, rules, slots = market.settlement(day), market.rules(day), market.periods_per_day
        prices = day_prices(rules, settled, at_boundary(market.days.known(day), slots))
        found = dict[int, Cost]()
        for name, row, metered, estimated in self._delivered(settled.delivery):
            if published.zones.get(name, 0) not in published.shares:
                continue
            member = market.scenario.participant(name).on(day)
            limits = limits_down(member.import_capacity, member.export_capacity, published.of(name, slots))
            own = excess_charge(rules, prices, settled.contracted[row], metered, estimated, limits)
            found[market.ids[name]] = own
        return found

    def _sold_relief(self, day: int) -> dict[int, ReliefPayment]:
        """What members are due for relief of the network, by member."""
        market, published = self.market, self.market.scenario.limits(day)
        if published is None or not published.relief:
            return {}
        return {
            market.ids[name]: relief_payment(market.rules(day), published.relief[name], metered, estimated)
            for name, _, metered, estimated in self._delivered(market.settlement(day).delivery)
            if name in published.relief
        }

    def _delivered(self, delivery: Delivery) -> Iterator[tuple[str, int, Column, NDArray[np.bool_]]]:
        """Members of a delivery by name: their row, net energies by slot, Wh, and where these are estimates."""
        for row, id_ in enumerate(delivery.participants.tolist()):
            yield self.market.names.get(id_, ""), row, delivery.metered[row], delivery.estimates(row)

    def charge_for_limits(self, day: int) -> None:
        """What members owe for energy beyond their limits on a final day."""
        market = self.market
        for id_, cost in self._excess.pop(day).items():
            if not cost.units:
                continue
            postings = [Posting(id_, Money(-cost.units)), Posting(BALANCING_FUND, Money(cost.units))]
            try:
                market.ledger.post(postings)
            except LedgerError:
                continue  # nobody can advance it now, and the others pay
            for posting in postings:
                market.payments.add(posting.account, day, "beyond limits", posting.amount)

    def release_escrows(self, _day: int) -> None:
        """What meters showed decides who gets the escrows of final days."""
        market = self.market
        for number in sorted(market.escrow.delivered):
            paid = market.escrow.pay_by_readings(number)
            market.ledger.post(paid.postings)
            for payment in paid.payments:
                market.payments.add(*payment)

    def pay_relief(self, day: int) -> None:
        """What members are due for relief of the network on a final day."""
        market = self.market
        for id_, due in sorted(self._relief.pop(day).items()):
            if not due.units and not due.charge:
                continue
            paid = ((GRID_OPERATOR, -due.units, "relief"), (id_, due.units, "relief"))
            charged = ((id_, -due.charge, "relief not delivered"), (BALANCING_FUND, due.charge, "relief not delivered"))
            postings = relief_postings(id_, UNPAID, due)
            try:
                if not is_covered(market.ledger, postings):
                    continue  # it waits, as nobody advances it
                market.ledger.post(postings)
            except LedgerError:
                continue  # nobody can advance it now, and the others are paid
            for account, units, what in (*paid, *charged):
                market.payments.add(account, day, what, units)

    def pay_fund(self, day: int) -> None:
        """Premiums and rewards of a final day."""
        market, (income, claims) = self.market, self._claims.pop(day)
        available = market.ledger.record(BALANCING_FUND).free - sum(self._provisional.values())
        paid = pay_claims(market.rules(day), income, available, claims).paid
        postings = [Posting(id_, Money(sum(both))) for id_, both in paid.items()]
        market.ledger.post([Posting(BALANCING_FUND, Money(-sum(posting.amount for posting in postings))), *postings])
        for id_, (premium, reward) in paid.items():
            market.payments.add(id_, day, "premium", premium)
            market.payments.add(id_, day, "reward", reward)
