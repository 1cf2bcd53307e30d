"""An outsider's recomputation of the market from its events alone, with the reference model.

Every event either is an input (an order sheet, a reading, a deposit) or claims a result (a price, a schedule, a
payment). Inputs feed the model; results are compared with what the model says, and each difference is noted.
A day that is final is forgotten, so that a market of years takes no more memory than the days in flight.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from dem.errors import LedgerError
from dem.model.ledger import Ledger
from dem.model.positions import Trades
from dem.model.relief import Slots
from dem.model.rules import MarketRules, Tariff
from dem.model.settlement import DaySettlement
from dem.model.shortfalls import Shortfalls
from dem.model.units import Money
from dem.replay.book import Book
from dem.replay.coins import NrgCoins
from dem.replay.commissions import Commissions
from dem.replay.days import Days
from dem.replay.events import IGNORED, OFFICE, Args, EventLike
from dem.replay.fund import Fund
from dem.replay.grid import GridLimits
from dem.replay.intermediaries import IntermediariesReplay
from dem.replay.labels import SourceLabels
from dem.replay.late import LateReconciliations
from dem.replay.market import RING, MarketReplay, differences
from dem.replay.markets import Markets
from dem.replay.members import Member, Membership
from dem.replay.metering import Metering
from dem.replay.payments import Payments
from dem.replay.pools import PoolReplay
from dem.replay.postings import Postings
from dem.replay.readings import MeterValues
from dem.replay.relief import GridRelief
from dem.replay.rules import Rules
from dem.replay.settling import Settling
from dem.replay.shortfalls import Sharing
from dem.replay.totals import Totals, totals_of
from dem.replay.transfers import Transfers


class Replay:
    """State of the market after the events applied so far.

    addresses: of the contracts, by name: the schedule and commissions name a market by its address.
    """

    def __init__(self, periods_per_day: int, addresses: dict[str, str] | None = None) -> None:
        self.periods_per_day = periods_per_day
        self.addresses = {} if addresses is None else addresses
        self.final_days: set[int] = set()
        self.ledger = Ledger()
        self.payments = Payments()
        self.differences: list[str] = []
        found, days = self.differences, Days()
        self._days = days
        self._ended = Totals()
        self.membership = Membership(periods_per_day)
        self.transfers = Transfers(self.ledger)
        self.metering = Metering(periods_per_day, days, self.membership, found)
        self.law = Rules(periods_per_day, days)
        self._markets = Markets(
            periods_per_day, self.law.on, lambda day: self._days.known(day).readings, self.addresses
        )
        self.postings = Postings(self.ledger, lambda: self.settling.offices(), found)
        self.settling = Settling(days, self.law, self._markets, self.postings, found)
        self.late = LateReconciliations(
            days, self.law, self.settling, self.metering, self.postings, self.payments, found
        )
        self.grid = GridLimits(
            periods_per_day, self.law, self.membership, self.late, self.postings, self.payments, found
        )
        self.relief = GridRelief(self.law, self.membership, self.late, self.postings, self.payments, found)
        self.coins = NrgCoins(self.late, found)
        self.labels = SourceLabels(self.ledger, self.late, self.postings, self.payments, found)
        self.shortfalls = Shortfalls(self.ledger)
        self.sharing = Sharing(self.shortfalls, self.ledger, self.settling, self.payments, found)
        self.fund = Fund(days, self.law, self.ledger, self.postings, self.payments, found)
        self.commissions = Commissions(self.law, self._markets, self.postings, self.payments, found)

    # ------------------------------------------------------------------------------------------ what is known

    @property
    def days_in_flight(self) -> list[int]:
        """Days that something is known of and that are not final."""
        return self._days.numbers

    @property
    def members(self) -> dict[int, Member]:
        """Everybody in the market by registry number."""
        return self.membership.members

    @property
    def markets(self) -> dict[str, MarketReplay]:
        """The markets by the name of their contract; a pool from its first event on."""
        return self._markets.by_contract

    @property
    def pools(self) -> dict[str, PoolReplay]:
        """All pools by the name of their contract."""
        return {name: market for name, market in self.markets.items() if isinstance(market, PoolReplay)}

    @property
    def intermediaries(self) -> IntermediariesReplay:
        """Mandates and commissions."""
        return self.commissions.intermediaries

    def rules(self, day: int) -> MarketRules:
        """The rules that apply to a day."""
        return self.law.on(day)

    def tariffs(self, day: int) -> list[Tariff]:
        """Fallback tariffs of a day by slot: as published, else the standing tariff."""
        return self.law.tariffs(day)

    def book(self, day: int) -> Book:
        """The orders in the day-ahead market of a day that is not final."""
        return self._markets.book(day)

    def pool(self, contract: str) -> PoolReplay:
        """The pool of that name."""
        pool = self._markets.of(contract)
        assert isinstance(pool, PoolReplay)
        return pool

    def trades(self, day: int) -> dict[str, Trades]:
        """What every market contracted on a day that is not final, by the name of its contract."""
        return self._markets.trades(day)

    def contracted(self, day: int, besides: Collection[str] = ()) -> dict[int, list[int]]:
        """Net consumption by slot that members contracted so far, Wh; besides: contracts left out."""
        return self._markets.contracted(day, besides)

    def sold_relief(self, day: int) -> Mapping[int, Slots]:
        """What relief of the network was bought for a day, by member, slot and direction."""
        return {id_: self.relief.slots(id_, day) for id_ in self.relief.bought(day)}

    def source(self, id_: int, day: int) -> str | None:
        """What a member's feed-in of a day comes from, as it is on record."""
        return self.membership.source(id_, day)

    def readings(self, day: int) -> dict[int, MeterValues]:
        """What is known of the meters of a day that is not final, by member."""
        return self._days.known(day).readings

    def settlement(self, day: int) -> DaySettlement:
        """The day settled by the reference model on the readings known now."""
        return self.settling.settlement(day)

    def open_collateral(self) -> dict[tuple[int, int], int]:
        """Money locked by member and day, for the days that are not settled; that of contracts over days at day 0."""
        return self._markets.open_collateral(self._days)

    def held(self) -> dict[tuple[str, int], int]:
        """Money locked by market, by the name of its contract, and member."""
        return self._markets.held(self._days)

    @property
    def stuck(self) -> Mapping[tuple[str, int], int]:
        """Money locked by market and member that nothing but a decision of the council releases: the market failed."""
        return self._markets.stuck

    def totals(self) -> Totals:
        """Counts over all days that are settled."""
        return sum((self._totals_of(day.number) for day in self._days if day.is_settled), self._ended)

    def _totals_of(self, day: int) -> Totals:
        return totals_of(self.settlement(day), self.book(day))

    # ----------------------------------------------------------------------------------------------- applying

    def apply(self, events: Iterable[EventLike]) -> None:
        """Apply events in the chain's order."""
        for _ in self.ended_days(events):
            pass

    def ended_days(self, events: Iterable[EventLike]) -> Iterator[int]:
        """Apply events in the chain's order; yields each day that has become final, and then forgets it."""
        for event in events:
            try:
                self._take(event)
            except LedgerError as error:
                self.differences.append(f"{event.contract} {event.name}: {error}")
            if (event.contract, event.name) == _LAST_OF_A_DAY:
                yield event.args["day"]
                self._forget(event.args["day"])

    def retire_market(self, args: Args) -> None:
        """A MarketRetired."""
        self._markets.retire(args)

    def release_held(self, args: Args) -> None:
        """A HeldReleased."""
        self._markets.release_held(args)
        self.ledger.unlock(args["id"], Money(args["amount"]))

    def pledge(self, args: Args) -> None:
        """A Pledged."""
        self._markets.lots.pledge(args)

    def open_secret(self, args: Args) -> None:
        """An Opened."""
        self.differences += self._markets.lots.open(args)

    def end_settlement(self, args: Args) -> None:
        """A DaySettled."""
        self.ledger.end_settlement()
        self.sharing.end(args)
        self.settling.end(args)

    def end(self, args: Args) -> None:
        """A DayFinal."""
        self.final_days.add(args["day"])

    def _take(self, event: EventLike) -> None:
        market, handler = self._markets.of(event.contract), HANDLERS.get((event.contract, event.name))
        ignored = IGNORED.get(event.contract, frozenset()) | OFFICE if market is None else market.IGNORED
        if handler is not None:
            handler(self)(event.args)
        elif market is not None and event.name in market.EVENTS:
            self._take_from(market, event)
        elif event.name not in ignored:
            self.differences.append(f"{event.contract} {event.name}: an event that no rule explains")

    def _take_from(self, market: MarketReplay, event: EventLike) -> None:
        """What a market tells; what it locks and unlocks follows, what settling releases comes with settling."""
        moved = self._markets.apply(market, event.name, event.args)
        self.differences += moved.differences
        if moved.locks and "day" in event.args:
            self._days.changing(event.args["day"])
        for id_, amount in moved.locks:
            if amount < 0:
                self.ledger.unlock(id_, Money(-amount))
            else:
                self.ledger.lock(id_, Money(amount))
        self.postings.announced += moved.postings
        for payment in moved.payments:
            self.payments.add(*payment)
        if moved.forfeits:
            id_, to, received = moved.forfeits
            self.differences += differences(
                f"what others receive of the collateral of member {id_}", received, self.ledger.forfeit(id_, to)
            )

    def _forget(self, day: int) -> None:
        self._days.changing(day)
        self._ended += self._totals_of(day)
        self.late.keep(day)
        self.grid.keep(day)
        self.relief.keep(day)
        self.coins.keep(day, self.settlement(day).delivery.exchange)
        self.labels.keep(day, self.settlement(day).delivery.exchange)
        self.fund.keep(day, self.settlement(day), day - RING + 1)
        self._markets.forget(day)
        self.metering.forget(day)
        self._days.forget(day)


_LAST_OF_A_DAY = ("MarketRules", "DayFinal")

HANDLERS: Mapping[tuple[str, str], Callable[[Replay], Callable[[Args], None]]] = {
    ("Lots", "Pledged"): lambda replay: replay.pledge,
    ("Lots", "Opened"): lambda replay: replay.open_secret,
    ("ParticipantRegistry", "Applied"): lambda replay: replay.membership.apply_for,
    ("ParticipantRegistry", "Admitted"): lambda replay: replay.membership.admit,
    ("ParticipantRegistry", "StatusChanged"): lambda replay: replay.membership.change_status,
    ("ParticipantRegistry", "SilenceChanged"): lambda replay: replay.membership.change_silence,
    ("ParticipantRegistry", "MeterReplaced"): lambda replay: replay.membership.replace_meter,
    ("ParticipantRegistry", "MeterTakenOver"): lambda replay: replay.membership.take_over_meter,
    ("ParticipantRegistry", "ConnectionChanged"): lambda replay: replay.membership.change_connection,
    ("ParticipantRegistry", "Returned"): lambda replay: replay.membership.come_back,
    ("Meters", "MeterInstalled"): lambda replay: replay.membership.install_meter,
    ("Meters", "MeterRemoved"): lambda replay: replay.membership.remove_meter,
    ("Meters", "SourceNoted"): lambda replay: replay.membership.note_source,
    ("Meters", "PartRead"): lambda replay: replay.metering.name_meter,
    ("ParticipantRegistry", "AccountReplaced"): lambda replay: replay.membership.replace_account,
    ("MarketRules", "PriceRangeSet"): lambda replay: replay.law.set_prices,
    ("MarketRules", "RulesChanged"): lambda replay: replay.law.change,
    ("FallbackSupply", "TariffsPublished"): lambda replay: replay.law.publish,
    ("Accounts", "Deposited"): lambda replay: replay.transfers.deposit,
    ("Accounts", "Withdrawn"): lambda replay: replay.transfers.withdraw,
    ("Accounts", "CreditLimitSet"): lambda replay: replay.transfers.set_credit_limit,
    ("MeterReadings", "ReadingsAccepted"): lambda replay: replay.metering.accept,
    ("MeterReadings", "Estimated"): lambda replay: replay.metering.estimate,
    ("MeterReadings", "MeteringClosed"): lambda replay: replay.metering.close,
    ("Meters", "UnbilledChanged"): lambda replay: replay.metering.claim,
    ("Schedule", "MarketRetired"): lambda replay: replay.retire_market,
    ("Schedule", "MarketVoided"): lambda replay: replay.settling.void,
    ("Schedule", "HeldReleased"): lambda replay: replay.release_held,
    ("Schedule", "Scheduled"): lambda replay: replay.settling.schedule,
    ("Settlement", "SettlementBegun"): lambda replay: replay.settling.begin,
    ("Settlement", "Settled"): lambda replay: replay.settling.settle,
    ("Settlement", "PenaltyCharged"): lambda replay: replay.settling.charge_penalty,
    ("Settlement", "PenaltyDue"): lambda replay: replay.settling.owe_penalties,
    ("Settlement", "DaySettled"): lambda replay: replay.end_settlement,
    ("Settlement", "DayCommitted"): lambda replay: replay.late.commit,
    ("LateReconciliation", "Reconciled"): lambda replay: replay.late.reconcile,
    ("LateReconciliation", "EstimatesTakenBack"): lambda replay: replay.late.take_back,
    ("LateReconciliation", "TruedUp"): lambda replay: replay.late.true_up,
    ("GridLimits", "ModelPublished"): lambda replay: replay.grid.name_model,
    ("GridLimits", "ZonesAssigned"): lambda replay: replay.grid.assign,
    ("GridLimits", "StandingLimitSet"): lambda replay: replay.grid.set_standing,
    ("GridLimits", "LimitsPublished"): lambda replay: replay.grid.publish,
    ("GridLimits", "LimitsLowered"): lambda replay: replay.grid.lower,
    ("GridCharges", "ExcessCharged"): lambda replay: replay.grid.charge,
    ("GridCharges", "MadeGood"): lambda replay: replay.grid.make_good,
    ("GridRelief", "ReliefOffered"): lambda replay: replay.relief.note_offer,
    ("GridRelief", "ReliefBought"): lambda replay: replay.relief.buy,
    ("GridRelief", "ReliefPaid"): lambda replay: replay.relief.pay,
    ("NrgCoin", "DayCounted"): lambda replay: replay.coins.count,
    ("NrgCoin", "Credited"): lambda replay: replay.coins.credit,
    ("NrgCoin", "DayCredited"): lambda replay: replay.coins.end,
    ("NrgCoin", "CoinsCorrected"): lambda replay: replay.coins.correct,
    ("NrgCoin", "CoinsMoved"): lambda replay: replay.coins.move,
    ("SourceLabels", "SourcesChosen"): lambda replay: replay.labels.choose,
    ("SourceLabels", "PremiumAsked"): lambda replay: replay.labels.ask,
    ("SourceLabels", "WishesGathered"): lambda replay: replay.labels.gather,
    ("SourceLabels", "DayGathered"): lambda replay: replay.labels.end_gathering,
    ("SourceLabels", "DayLabelled"): lambda replay: replay.labels.label,
    ("SourceLabels", "PremiumPaid"): lambda replay: replay.labels.pay,
    ("SourceLabels", "PremiumOwed"): lambda replay: replay.labels.owe,
    ("Shortfalls", "ShortfallShared"): lambda replay: replay.sharing.begin,
    ("Shortfalls", "TakenBack"): lambda replay: replay.sharing.take,
    ("Shortfalls", "SetAside"): lambda replay: replay.sharing.set_aside,
    ("Shortfalls", "MadeGood"): lambda replay: replay.sharing.pay,
    ("Shortfalls", "Reopened"): lambda replay: replay.sharing.reopen,
    ("Shortfalls", "Restored"): lambda replay: replay.sharing.restore,
    ("Accounts", "Posted"): lambda replay: replay.postings.post,
    ("Intermediaries", "MandateGiven"): lambda replay: replay.commissions.give_mandate,
    ("Intermediaries", "CommissionPublished"): lambda replay: replay.commissions.publish,
    ("Intermediaries", "CommissionPaid"): lambda replay: replay.commissions.pay,
    ("BalancingFund", "DayOpened"): lambda replay: replay.fund.open_day,
    ("BalancingFund", "Rewarded"): lambda replay: replay.fund.reward,
    ("BalancingFund", "DayPaid"): lambda replay: replay.fund.close_day,
    _LAST_OF_A_DAY: lambda replay: replay.end,
}
"""What takes each event of the contracts that are no markets; every other one is passed over, or of a market."""
