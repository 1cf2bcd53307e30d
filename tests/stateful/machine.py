"""A market in which everybody does anything at any time, right or wrong; after every step the invariants are checked.

They are numbered as in the rules:

2.  Money: token supply = fiat paid in - fiat paid out = tokens of the accounts contract + wallets, and the tokens of
    the accounts contract = sum of all accounts. The clearing house has nothing but what is set aside whenever no day is
    half settled.
4.  Settled once: for every member and day, all postings together are what the latest settlement says, however often
    corrections settled the day again; collateral is released once.
6.  No balance below its floor, but for what was taken back of a day's payments and is not made good; the fallback
    supplier's not either, whenever no day is half settled. Each member's locked money = collateral of its open days;
    nobody in arrears has free money. Settling and ending a day is never refused for want of money.
7.  Phases only move forward (strips cleared, metering closed, settled, final, versions of readings); a refused action
    changes nothing; what only a role may do is refused to everybody else.
8.  Sheets brought in batches = accepted + rejected, each rejection with a reason.
10. Free money above zero and locked money are covered by tokens, credit and claims; what a settlement pays is there
    until it ends (tests/support/evm/cover.py).
9.  At the end of every run all days are brought to their end, and the replay of the events gives every balance; that
    includes 1 (energy), 3 and 5 (every price and fill equals the reference model's).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from typing import Any

from support.evm.acceptance import objections
from support.evm.chain import Event, Refused
from support.evm.cover import Cover
from support.evm.faults import release_stuck, set_bookable
from support.evm.keys import Key, struct
from support.evm.market import BOUNDARY_METER, HOLDER, ROLE_KEYS, STRANGER, SUPPLIER
from support.evm.people import (
    ADMITTED,
    CONSUMER,
    DESK,
    EXITED,
    IMPLAUSIBLE,
    SUSPENDED,
    Person,
    application,
    commitment,
    readings,
    sign_readings,
    sign_sheet,
    wholesale_report,
    withdrawal,
)
from support.evm.pools import POOL, PooledMarket
from support.evm.relief import offer_whole
from support.evm.thief import FAILS
from support.rules import SMALL

from dem.deployment.plan import rules_tuple
from dem.messages.orders import OrderSheet, WholesaleReport
from dem.messages.signing import SignedSheet
from dem.model.calendar import CalendarParameters
from dem.model.ledger import Account
from dem.model.markets.wholesale import Offer, Residual, report_collateral
from dem.model.orders import Order, Side, encode_lane
from dem.model.rules import CONTRACT_PRICINGS, ImbalancePricing, MarketRules, Tariff
from dem.model.strips import LANES, pack, unpack
from dem.model.units import FROM_ZERO, PriceRange, Tick, UnitsPerWh, Wh

from .beside import BESIDE, Beside
from .congested import CONGESTION, Congested
from .dispatching import Dispatching
from .homes import Homes
from .hostile import SOME_MONEY, SUPPLIER_ID, Hostile
from .labelled import Labelled
from .lost_keys import LostKeys

APPLIED = 1
PERIOD = 60
PERIODS = 12
CALENDAR = CalendarParameters(
    opening=10_000_000,
    period_length=PERIOD,
    periods_per_day=PERIODS,
    open_lead=PERIODS * PERIOD * 3 // 2,
    gate_lead=3 * PERIOD,
    metering_lag=2 * PERIOD,
    correction_lag=PERIODS * PERIOD,
)
STRIPS = PERIODS // LANES
ALL_STRIPS = (1 << STRIPS) - 1
RULES = replace(
    SMALL,
    platform_fee=50,
    network_fee=100,
    deviation_rate=2_000,
    standing_sell=5_000,
    max_buy=60_000,
    tolerance_fixed=20,
    tolerance_share=500,
    min_order_energy=2,
    imbalance_pricing=ImbalancePricing.TWO_PRICE,
    wholesale_margin=100,
    penalty_cap=1_000,
    premium_rate=500,
    reward_share=5_000,
    commission_cap=40,
)
RING = 8
FUND, CLEARING_HOUSE, GRID_OPERATOR_ID = 1, 2, 5
CAPACITY = 300
PLENTY = 10**13
ALL_GROUPS = 1 << 32
UNAUTHORIZED = "AccessManagedUnauthorized"
BREAKABLE = ("CallAuction", "ContinuousMarket", "BilateralContracts", "WholesaleResidual", POOL, *BESIDE, CONGESTION)

FOR_CONTRACTS = {
    "Accounts.admitMarket": (STRANGER.address, 1),
    "Accounts.dismissMarket": (STRANGER.address, 1),
    "Accounts.lockCollateral": (6, 1),
    "Accounts.releaseCollateral": (6, 1),
    "Accounts.forfeitCollateral": (6, [7], [1]),
    "Accounts.hold": (0,),
    "Accounts.prepareRelease": (STRANGER.address, 6, [1]),
    "Accounts.releaseHeld": (STRANGER.address, 6, 1),
    "Accounts.post": ([(6, 1, 0), (7, -1, 0)],),
    "Accounts.postDay": ([(6, 1, 0), (7, -1, 0)],),
    "Accounts.share": ([(6, 1, 0), (7, -1, 0)], 0, False),
    "Accounts.setAuthority": (STRANGER.address,),
    "BilateralContracts.book": (1, 1, 1),
    "CallAuction.book": (999, 1, 1),
    "CallAuction.takeCommissions": (1, [6, 7]),
    "ContinuousMarket.book": (1, 1, 1),
    "MarketRules.markFinal": (1,),
    "MarketRules.markInSettlement": (1,),
    "OrderBook.book": (1, 1, 1),
    "EscrowTrades.book": (1, 1, 1),
    "CongestionTrades.book": (1, 1, 1),
    "RandomMatching.book": (1, 1, 1),
    "Schedule.ask": (STRANGER.address, 1, 6, False),
    "Schedule.bookOne": (1, 6),
    "Schedule.collect": (1, 1, 1),
    "Schedule.noteContracts": (1,),
    "Schedule.noteOrders": (1,),
    "Schedule.voidLate": (1,),
    "Shortfalls.begin": (1, 1, 1),
    "Shortfalls.reopen": (1,),
    "Shortfalls.restore": (1, 6, 1),
    "Shortfalls.setAsideFirst": (),
    "Shortfalls.take": (1, 6, [1]),
    "SettlementToken.burn": (1,),
    "SettlementToken.mint": (1,),
    "WholesaleResidual.book": (1, 1, 1),
}
"""What only contracts of the market may call, with arguments to try it with."""


@dataclass(frozen=True, slots=True)
class Phase:
    """How far a day has come."""

    cleared: int
    is_closed: bool
    version: int
    """Of the readings: rises with every correction, which makes a settled day one to be settled again."""
    is_settled: bool

    def may_become(self, later: "Phase") -> bool:
        """Whether nothing went backwards."""
        return (
            self.cleared & later.cleared == self.cleared
            and self.is_closed <= later.is_closed
            and self.version <= later.version
            and (self.is_settled <= later.is_settled or self.version < later.version)
        )


@dataclass(frozen=True, slots=True)
class State:
    """What anybody can see of the market and a refused action must not change."""

    accounts: dict[int, Account]
    wallets: dict[str, int]
    supply: int
    in_accounts: int
    last_final: int
    phases: dict[int, Phase]
    in_settlement: int
    """The day that is half settled, 0 if none is."""
    is_paused: bool


class Machine(LostKeys, Hostile, Homes, Dispatching, Beside, Congested, Labelled):
    """One market, and somebody doing something at every step."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        # In every other one the limits that members have are of both signs.
        prices = PriceRange(UnitsPerWh(-5_300)) if seed % 2 else FROM_ZERO
        self.rules = replace(RULES, prices=prices, min_sell=prices.lowest)
        self.market = PooledMarket(CALENDAR, self.rules, CALENDAR.opens_at(1) - 200)
        self.people: dict[int, Person] = {GRID_OPERATOR_ID: Person.grid_operator()}
        self.supplier = Person(SUPPLIER, None, id=SUPPLIER_ID, status=ADMITTED)
        self.applicants: list[Person] = []
        self.applications: set[tuple[object, ...]] = set()
        """All that were brought; none counts twice."""
        self.paid_in = self.paid_out = 0
        self.brought: Counter[str] = Counter()
        self.posted: dict[tuple[int, int], int] = defaultdict(int)
        self.settled: dict[tuple[int, int], int] = {}
        self.releases: Counter[tuple[int, int]] = Counter()
        self.reports: dict[int, tuple[Person, WholesaleReport, list[Offer]]] = {}
        """What desks have committed to, by day."""
        self.idle: dict[str, int | None] = {}
        """Markets without orders, and the last day of each if it is retired."""
        LostKeys.__init__(self)
        self._references = count(1)
        self._used_reference = self._reference()
        self._faces = count(1)
        self.market.listeners += [self._take_note, self._note_postings]
        Cover(self.market)
        self._do("Accounts.setCreditLimit", SUPPLIER_ID, self.random.choice((0, 0, 10**6, PLENTY)))
        if self.random.random() < 0.8:
            self.market.act("Schedule.addMarket", self.market.contracts["WholesaleResidual"].address, 1)
        self._prepare_attacks()
        self.market.act("GridLimits.assign", [6, 7, 8, 9], [1, 1, 2, 3], 1)
        for _ in range(4):
            self._apply(self._new_person())
            self._admit(self.applicants[0])
        self._crooks()
        self._plug_in()
        self._plug_in_beside()
        self.market.act("Schedule.addMarket", self.market.contracts[CONGESTION].address, 1)
        self._begin_labels()
        for desk in [person for person in self.people.values() if person.kind == DESK][:1]:
            self.market.act("WholesaleDesk.appoint", desk.id, 1)
        for person in list(self.people.values())[1:]:
            self._deposit(person, SOME_MONEY if person in self.owned else PLENTY)
        self._announce_some()
        self._move_in()
        offer_whole(self.market, self.people, 1)
        self.state = self.look()

    ACTIONS = (
        (36, "pass_time"),
        (3, "apply"),
        (2, "admit"),
        (2, "reject"),
        (2, "replace_meter"),
        (6, "change_status"),
        (3, "change_connection"),
        (9, "come_back"),
        (5, "deposit"),
        (9, "pay_out"),
        (5, "move_tokens"),
        (1, "set_credit_limit"),
        (3, "announce"),
        (3, "publish"),
        (4, "pause_or_unpause"),
        (1, "change_watchers"),
        (1, "add_market"),
        (5, "come_and_go"),
        (1, "release_held"),
        (14, "bring_orders"),
        (18, "clear"),
        (3, "appoint"),
        (16, "commit"),
        (30, "report"),
        (10, "clear_residual"),
        (10, "pay"),
        (16, "bring_readings"),
        (4, "correct"),
        (10, "close"),
        (18, "settle"),
        (8, "finalize"),
        (40, "go_on"),
        (8, "make_good"),
        (8, "spend_the_suppliers_money"),
        (3, "intrude"),
        (4, "batch"),
        (60, "attack"),
        *Hostile.ACTIONS,
        *LostKeys.ACTIONS,
        *Homes.ACTIONS,
        *Dispatching.ACTIONS,
        *Beside.ACTIONS,
        *Congested.ACTIONS,
        *Labelled.ACTIONS,
    )
    _registrar = ROLE_KEYS["registrar"]

    def step(self) -> None:
        """One action of anybody, then the invariants."""
        weights, names = zip(*self.ACTIONS, strict=True)
        (name,) = self.random.choices(names, weights)
        refusals = self.market.tally.refused.total()
        successes = self.market.tally.succeeded.total()
        getattr(self, name)()
        after = self.look()
        self.check(after)
        only_refused = self.market.tally.refused.total() > refusals and self.market.tally.succeeded.total() == successes
        if only_refused:
            # Time may have passed, and with it a pause.
            is_same = replace(after, is_paused=self.state.is_paused) == self.state
            assert is_same, f"{name} was refused and changed something"
        self.state = after

    # ------------------------------------------------------------------------------------------------- invariants

    def look(self) -> State:
        """The market as it stands."""
        call = self.market.call
        balances = self.market.balances()
        last_final = call("MarketRules", "lastFinalDay")
        days = range(last_final + 1, last_final + RING + 1)
        closed = {day: call("MeterReadings", "isClosed", day) for day in days}
        return State(
            accounts=dict(balances.accounts),
            wallets={own.address: self._tokens(own.address) for own in self._wallets()},
            supply=balances.supply,
            in_accounts=self._tokens(self.market.contracts["Accounts"].address),
            last_final=last_final,
            phases={
                day: Phase(
                    cleared=call("CallAuction", "clearedStrips", day),
                    is_closed=closed[day],
                    version=call("MeterReadings", "versionOf", day) if closed[day] else 0,
                    is_settled=closed[day] and call("Settlement", "isSettled", day),
                )
                for day in days
            },
            in_settlement=call("MarketRules", "dayInSettlement"),
            is_paused=call("Accounts", "isPaused", self.market.contracts["CallAuction"].address),
        )

    def check(self, now: State) -> None:
        """Invariants 2, 4, 6, 7 and 8."""
        assert now.supply == self.paid_in - self.paid_out == now.in_accounts + sum(now.wallets.values())
        assert now.in_accounts == sum(account.free + account.locked for account in now.accounts.values())
        shortfalls, supplier = self.market.replay.shortfalls, now.accounts[SUPPLIER_ID]
        if not now.in_settlement:
            assert shortfalls.open_claims == self.market.call("Accounts", "openClaims")
            assert now.accounts[CLEARING_HOUSE].free == shortfalls.set_aside
            assert supplier.free >= -supplier.credit_limit

        assert all(self.posted[key] == -payment for key, payment in self.settled.items())
        assert all(times == 1 for times in self.releases.values())

        collateral: Counter[int] = Counter()
        for (id_, _), locked in self.market.replay.open_collateral().items():
            collateral[id_] += locked
        for id_, account in now.accounts.items():
            floor = -account.credit_limit - shortfalls.claim_of(id_)
            assert id_ in (CLEARING_HOUSE, SUPPLIER_ID) or account.free >= floor, f"{id_} is below its floor"
            assert account.locked == collateral[id_], f"{id_} has {account.locked} locked for {collateral[id_]}"
            assert not (account.free > 0 and account.arrears > 0), f"{id_} is in arrears and has money"

        assert now.last_final >= self.state.last_final
        for day, phase in self.state.phases.items():
            assert day <= now.last_final or phase.may_become(now.phases[day]), f"day {day} went back"

        events = self.market.tally.events
        for contract, one in (("CallAuction", "Sheet"), ("MeterReadings", "Readings")):
            taken = events[f"{contract}.{one}Accepted"] + events[f"{contract}.{one}Rejected"]
            assert self.brought[contract] == taken, f"{contract}: {self.brought[contract]} brought, {taken} on record"

    def _note_postings(self, events: list[Event]) -> None:
        """Add up what a day's settlement posts to each member, and what it says it should be."""
        claims = [event.args for event in events if event.name == "Settled"]
        postings = [event.args for event in events if event.name == "Posted"]
        # Where a walk begins, the supplier, a desk that is owed penalties and the clearing house come first; then the
        # members in the order of the claims; what the offices are paid follows.
        for beginning, ahead in (("SettlementBegun", 2), ("PenaltyDue", 1)):
            if any(event.name == beginning for event in events):
                postings = postings[ahead:]
        penalties = {event.args["id"]: event.args["penalty"] for event in events if event.name == "PenaltyCharged"}
        for claim, posting in zip(claims, postings, strict=False):
            key = (claim["id"], claim["day"])
            assert posting["id"] == claim["id"]
            self.posted[key] += posting["amount"]
            self.settled[key] = sum(claim[part] for part in ("trade", "imbalance", "fees", "deviation"))
            self.settled[key] += penalties.get(claim["id"], 0)
            self.releases[key] += posting["release"] > 0
        self.releases = +self.releases

    def finish(self) -> None:
        """Bring every day with orders to its end, paused or not; nobody has to agree to it."""
        last = self._last_opened()
        for address, last_day in self.idle.items():
            if last_day is None:
                self.market.act("Schedule.retireMarket", address, last)
        if self.state.in_settlement:
            self._settle_all(self.state.in_settlement)
        self._end_contracts(last)
        while (day := self.market.call("MarketRules", "lastFinalDay") + 1) <= last:
            self._wait_until(CALENDAR.gate_closes_at(day))
            self._clear_pool(day)
            for strip in range(STRIPS):
                if not self.market.call("CallAuction", "clearedStrips", day) >> strip & 1:
                    self.market.act("CallAuction.clear", day, strip, self._pivots(day, strip), ALL_GROUPS)
            for strip in range(STRIPS):
                if self.market.call("WholesaleResidual", "reportOf", day)[1] >> strip & 1:
                    self.market.act("WholesaleResidual.clear", day, strip, *self._ticks(day, strip), ALL_GROUPS)
            for _ in range(8):
                self.lower_limits()
            self._wait_until(CALENDAR.start_of(day + 1))
            self._read_wanted(day)
            self._wait_until(CALENDAR.metering_deadline(day))
            self._pair_day(day)
            if not self.market.call("MeterReadings", "isClosed", day):
                self.market.act("MeterReadings.close", day, 100)
            self._settle_all(day)
            self.state = self.look()
            self.correct()
            self._wait_until(CALENDAR.corrections_close_at(day))
            self._settle_all(day)
            self.market.act("Settlement.finalize", day)
            self._credit_day(day)
            self._label_day(day)
            self._charge_all(day)
            self._pay_all_relief(day)
        for address, last_day in self.idle.items():
            if last_day is None or last_day <= last:
                self.market.act("Schedule.removeMarket", address)
        self._end_escrows()
        release_stuck(self.market)
        for id_, day in [place for place, locked in self.market.replay.open_collateral().items() if locked]:
            for market in (self.market.contracts[contract].address for contract in ("CallAuction", POOL)):
                if not self.market.call("Schedule", "isVoid", market, day):
                    self.market.act("Intermediaries.collect", day, [id_], market)
        self._make_all_good()
        self.end_lost_keys()
        self._end_coins()
        self.state = self.look()
        assert all(account.locked == 0 for account in self.state.accounts.values()), "collateral is left"
        assert self.state.accounts[CLEARING_HOUSE].free == 0, "something is set aside and paid to nobody"
        self._check_owner()

    def _make_all_good(self) -> None:
        """The supplier pays in what members wait for, and every one of them has all of its claims."""
        shortfalls, supplier = self.market.replay.shortfalls, self.market.account(SUPPLIER_ID)
        missing = shortfalls.open_claims - supplier.free - supplier.credit_limit
        if missing > 0:
            self.market.act("Accounts.deposit", SUPPLIER.address, missing, self._reference())
            self.paid_in += missing
        if shortfalls.to_set_aside():
            self.market.act("Shortfalls.setAside")
        for day in [day for day, shortfall in shortfalls.days.items() if shortfall.set_aside > shortfall.paid]:
            self.market.act("Shortfalls.pay", day, 1, self.market.member_count())
        waiting = [id_ for id_ in range(1, self.market.member_count() + 1) if shortfalls.claim_of(id_)]
        assert not waiting, f"{waiting} still wait"

    def _settle_all(self, day: int) -> None:
        """Everybody at once, or one by one because a market fails meanwhile."""
        broken = self.random.choice(BREAKABLE) if self.random.random() < 0.3 else None
        if broken is not None:
            set_bookable(self.market, broken, False)
        while not self.market.call("Settlement", "isSettled", day):
            is_alone = broken is not None or self._is_asked_in_vain(day)
            some = 1 if is_alone else self.random.choice((7, 8, 100))
            if self._do("Settlement.settle", day, some, may={"CorrectionsOpen"}) is not None:
                break
            self._tempt()
        if broken is not None:
            set_bookable(self.market, broken, True)

    # ---------------------------------------------------------------------------------------------------- helpers

    def _do(self, function: str, *arguments: Any, by: Key | None = None, may: Collection[str] = ()) -> Refused | None:
        """Try something as whoever may, now and then as somebody else; `may`: reasons for which it may be refused."""
        holder = HOLDER.get(function)
        if by is None and holder is not None and self.random.random() < 0.05:
            by = self.random.choice([key for key in (STRANGER, *ROLE_KEYS.values()) if key is not holder])
            may = (UNAUTHORIZED,)
            refused = self.market.attempt(function, *arguments, by=by)
            assert refused is not None, f"{function} is open to others"
        else:
            refused = self.market.attempt(function, *arguments, by=by)
        assert refused is None or refused.error in may, f"{function}{arguments} was refused: {refused}"
        return refused

    def _reference(self) -> bytes:
        return next(self._references).to_bytes(32, "big")

    def _tokens(self, holder: str) -> int:
        return self.market.call("SettlementToken", "balanceOf", holder)

    def _wallets(self) -> list[Key]:
        return [*(person.account for person in self.people.values()), *self.lost]

    def _person(self) -> Person:
        return self.random.choice([person for id_, person in self.people.items() if id_ != GRID_OPERATOR_ID])

    def _today(self) -> int:
        return max(0, self.market.now - CALENDAR.opening) // CALENDAR.day_length + 1

    def _day(self) -> int:
        """Any day that has to do with the present, and now and then one that has not."""
        today = self._today()
        return self.random.choice((self.state.last_final + 1, today, today, today + 1, max(1, today - 1), today + 9))

    def _next_day(self, is_done: Callable[[Phase], bool]) -> int:
        """Mostly the first day for which something is not done."""
        waiting = [day for day, phase in self.state.phases.items() if not is_done(phase)]
        return waiting[0] if waiting and self.random.random() < 0.8 else self._day()

    def _open_day(self) -> int:
        """The day whose auction is about to close, mostly."""
        gates = self.market.now + CALENDAR.gate_lead - CALENDAR.opening
        return max(1, gates // CALENDAR.day_length + 2) if self.random.random() < 0.9 else self._day()

    def _wait_until(self, time: int) -> None:
        self.market.now = max(self.market.now, time)

    def _pivots(self, day: int, strip: int) -> list[int]:
        return [
            outcome.pivot
            for outcome in self.market.replay.markets["CallAuction"]
            .book(day)
            .clearing[strip * LANES : (strip + 1) * LANES]
        ]

    def _residuals(self, day: int, strip: int) -> list[Residual]:
        return self.market.replay.markets["WholesaleResidual"].outcomes(day)[strip * LANES : (strip + 1) * LANES]

    def _ticks(self, day: int, strip: int) -> tuple[list[int], list[int]]:
        outcomes = self._residuals(day, strip)
        return [o.import_tick for o in outcomes], [o.export_tick for o in outcomes]

    # ------------------------------------------------------------------------------------------------------ time

    def pass_time(self) -> None:
        """A moment, or some periods."""
        self.market.now += PERIOD * self.random.choice((0, 1, 2, 3, 4, 6)) + 1

    # --------------------------------------------------------------------------------------------------- members

    def _new_person(self) -> Person:
        return Person.numbered(
            next(self._faces),
            is_metered=self.random.random() < 0.9,
            kind=self.random.choice((CONSUMER, CONSUMER, DESK)),
            import_capacity=CAPACITY,
            export_capacity=CAPACITY,
        )

    def _apply(self, person: Person) -> None:
        signed = application(self.market, person)
        self._do("ParticipantRegistry.applyFor", *signed)
        self.applications.add(signed[0])
        self.applicants.append(person)

    def _admit(self, person: Person) -> None:
        waiting = self.market.call("ParticipantRegistry", "applicationOf", person.account.address)
        refused = self.market.attempt("ParticipantRegistry.admit", person.account.address, bytes(32))
        assert refused is not None
        assert refused.error == "AnotherApplication"
        if self._do("ParticipantRegistry.admit", person.account.address, waiting) is None:
            person.id, person.status = self.market.member_count(), ADMITTED
            self.people[person.id] = person
            self.applicants.remove(person)

    def apply(self) -> None:
        """Somebody new; or somebody who cannot."""
        if len(self.people) + len(self.applicants) < 12 and self.random.random() < 0.6:
            self._apply(self._new_person())
            return
        known, fresh = self._person(), self._new_person()
        again = application(self.market, known)
        if self._may_return(known) and again[0] not in self.applications:
            return  # its keys are others by now, so it may come back
        for signed, reason in (
            (again, "ApplicationUsed" if self._may_return(known) and not self._waits(known) else "WrongStatus"),
            (application(self.market, fresh, signer=STRANGER), "NotSignedByApplicant"),
            (application(self.market, fresh, kind=3), "KindNotOpen"),
            (application(self.market, fresh, meter=BOUNDARY_METER.address), "KeyUnusable"),
        ):
            refused = self.market.attempt("ParticipantRegistry.applyFor", *signed)
            assert refused is not None
            assert refused.error == reason

    def _waits(self, person: Person) -> bool:
        """Whether somebody has applied, anew perhaps, and nobody has decided."""
        return self.market.call("ParticipantRegistry", "statusOf", person.account.address) == APPLIED

    def _may_return(self, person: Person) -> bool:
        """Whether somebody has left, and its last day can be corrected no more."""
        last_day = self.market.call("ParticipantRegistry", "member", person.id)[6]
        return person.status == EXITED and self.market.now >= CALENDAR.corrections_close_at(last_day)

    def admit(self) -> None:
        """The next applicant, or nobody."""
        if self.applicants:
            self._admit(self.applicants[0])
        else:
            self._do("ParticipantRegistry.admit", STRANGER.address, bytes(32), may=("UnknownAccount",))

    def reject(self) -> None:
        """An applicant, whose application then is of no use any more; or nobody."""
        if not self.applicants:
            self._do("ParticipantRegistry.reject", STRANGER.address, bytes(32), may=("UnknownAccount",))
            return
        person = self.applicants[0]
        waiting = self.market.call("ParticipantRegistry", "applicationOf", person.account.address)
        refused = self.market.attempt("ParticipantRegistry.reject", person.account.address, bytes(32))
        assert refused is not None
        assert refused.error == "AnotherApplication"
        if self._do("ParticipantRegistry.reject", person.account.address, waiting) is None:
            self.applicants.remove(person)
            refused = self.market.attempt("ParticipantRegistry.applyFor", *application(self.market, person))
            assert refused is not None
            assert refused.error == "ApplicationUsed"

    def replace_meter(self) -> None:
        """A new meter for somebody who has one; or the key of somebody else's."""
        person, meter = self._person(), self._new_person().account
        if self.random.random() < 0.2:
            meter = BOUNDARY_METER
        reasons = ["KeyUnusable"] * (meter is BOUNDARY_METER)
        reasons += ["WrongStatus"] * (person.meter is None or person.status == EXITED)
        if self._do("ParticipantRegistry.replaceMeter", person.id, meter.address, may=reasons) is None:
            person.take_meter(meter)

    def change_status(self) -> None:
        """Suspended, back again, gone; whether or not that is the next thing in a life cycle."""
        suspended = [person for person in self.people.values() if person.status == SUSPENDED]
        person = self.random.choice(suspended) if suspended and self.random.random() < 0.3 else self._person()
        change, start, end = self.random.choice(
            (("suspend", ADMITTED, SUSPENDED), ("reinstate", SUSPENDED, ADMITTED), ("reinstate", SUSPENDED, ADMITTED))
            + ((("exit", person.status, EXITED),) if self.random.random() < 0.4 else ())
        )
        wrong = person.status == EXITED or person.status != start
        if self._do(f"ParticipantRegistry.{change}", person.id, may=("WrongStatus",) if wrong else ()) is None:
            person.status = end

    def change_connection(self) -> None:
        """Another connection from a day on, which is not open."""
        person = self._person()
        first = self._last_opened() + self.random.choice((0, 1, 1, 2))
        reasons = {"WrongStatus"} if person.status == EXITED else set()
        reasons |= {"DayUnusable"} if first <= self._last_opened() else set()
        larger = CAPACITY * self.random.choice((1, 1, 2))
        self._do("ParticipantRegistry.changeConnection", person.id, larger, CAPACITY, first, may=reasons)

    def come_back(self) -> None:
        """Somebody who has left applies anew; its last day may still be corrected."""
        gone = [person for person in self.people.values() if person.status == EXITED]
        if not gone:
            return
        person = self.random.choice(gone)
        if self.random.random() < 0.8:
            self._do("ParticipantRegistry.disconnect", person.id, may=("WrongStatus",))
        signed = application(self.market, person, documents=self._reference())
        may = ("WrongStatus", "KeyUnusable")
        if self._do("ParticipantRegistry.applyFor", *signed, may=may) is not None:
            return
        waiting = self.market.call("ParticipantRegistry", "applicationOf", person.account.address)
        if self._do("ParticipantRegistry.admit", person.account.address, waiting) is None:
            person.status = ADMITTED

    # ----------------------------------------------------------------------------------------------------- money

    def _deposit(self, person: Person, amount: int) -> None:
        if self._do("Accounts.deposit", person.account.address, amount, self._reference()) is None:
            self.paid_in += amount

    def deposit(self) -> None:
        """Fiat comes in; sometimes for nobody, or with a reference that was used."""
        owner, case = self._person().account.address, self.random.random()
        if case < 0.8:
            self._deposit(self._person(), self.random.choice((1, 10**8, PLENTY)))
        elif case < 0.87:
            self._do("Accounts.deposit", STRANGER.address, 5, self._reference(), may=("UnknownAccountOwner",))
        elif case < 0.94:
            self._do("Accounts.deposit", owner, 0, self._reference(), may=("ZeroAmount",))
        elif self._do("Accounts.deposit", owner, 1, self._used_reference, may=("PaymentReferenceUsed",)) is None:
            self.paid_in += 1

    def pay_out(self) -> None:
        """To the bank or to the own wallet."""
        person, to_bank = self._person(), self.random.random() < 0.5
        free = self.state.accounts[person.id].free if person.id in self.state.accounts else 0
        amount = self.random.choice((1, max(1, free // 3), max(0, free), free + 1 if free > 0 else 1))
        signer = self.random.choice((person.account,) * 5 + (STRANGER,))
        changes = {"sequence": 1} if self.random.random() < 0.1 else {}
        person.sequence = max(person.sequence, len(changes))
        message = withdrawal(self.market, person, amount, to_bank, signer, **changes)
        wrong = self.random.random() < 0.1
        reasons = ["ERC20InsufficientBalance"]
        reasons += ["InsufficientFunds"] * (amount > free) + ["ZeroAmount"] * (amount == 0) + ["WrongPayout"] * wrong
        reasons += ["MoneyHeld"] * (self.state.in_settlement != 0)
        reasons += ["PaidNow"] * (person.id in self.market.replay.ledger.paid_now)
        reasons += ["NotSignedByOwner"] * (signer is STRANGER) + ["StaleSequence"] * (message[0][3] == 1)
        if to_bank != wrong:
            if self._do("Accounts.redeem", *message, self._reference(), may=reasons) is None:
                self.paid_out += amount
        else:
            self._do("Accounts.withdraw", *message, may=reasons)

    def move_tokens(self) -> None:
        """Wallets: back to the account, or to another member; never to a stranger."""
        holder, other = self._person(), self._person()
        rich = [person for person in self.people.values() if self.state.wallets.get(person.account.address)]
        if rich and self.random.random() < 0.8:
            holder = self.random.choice(rich)
        tokens = self._tokens(holder.account.address)
        amount = self.random.randint(0, tokens + 1)
        accounts = self.market.contracts["Accounts"].address
        lacking = ["ERC20InsufficientBalance"] * (amount > tokens)
        stranger = self.random.random() < 0.2
        to = STRANGER.address if stranger else other.account.address
        case = self.random.randrange(3)
        if case == 0:
            self._do("SettlementToken.approve", accounts, amount, by=holder.account)
            reasons = lacking + ["ZeroAmount"] * (amount == 0)
            self._do("Accounts.depositTokens", amount, by=holder.account, may=reasons)
        elif case == 1:
            reasons = lacking + ["NotRegistered"] * stranger
            self._do("SettlementToken.transfer", to, amount, by=holder.account, may=reasons)
        else:
            self._do("SettlementToken.approve", other.account.address, amount, by=holder.account)
            reasons = lacking + ["NotRegistered"] * stranger
            source = holder.account.address
            self._do("SettlementToken.transferFrom", source, to, amount, by=other.account, may=reasons)

    def set_credit_limit(self) -> None:
        """More or less credit for those who may have any, and for others."""
        person = self._person()
        for id_, reasons in (
            (FUND, ("NoCreditFor",)),
            (SUPPLIER_ID, ("CreditLimitExceeded", "MoneyHeld", "ClaimsOpen")),
            (person.id, ("CreditLimitExceeded" if person.kind == DESK else "NoCreditFor",)),
            (1_000, ("UnknownMember",)),
        ):
            limit = self.random.choice((0, 0, 10**6, PLENTY) if id_ == SUPPLIER_ID else (0, 10**6, PLENTY, 10 * PLENTY))
            self._do("Accounts.setCreditLimit", id_, limit, may=reasons)

    # ---------------------------------------------------------------------------------------------- rules, tariffs

    def announce(self) -> None:
        """Other rules, soon or too soon; some out of range."""
        buy = self.random.randint(0, 60_000)
        rules = MarketRules(
            platform_fee=self.random.randint(0, 100),
            network_fee=self.random.randint(0, 200),
            deviation_rate=self.random.randint(0, 5_000),
            standing_buy=buy,
            standing_sell=self.random.randint(0, buy) + self.rules.min_sell,
            max_buy=60_000,
            min_sell=self.rules.min_sell,
            tolerance_fixed=self.random.randint(0, 50),
            tolerance_share=self.random.randint(0, 1_000),
            min_order_energy=self.random.randint(1, 3),
            max_layers=self.random.randint(1, 3),
            imbalance_pricing=self.random.choice(CONTRACT_PRICINGS),
            charge_helpful=self.random.random() < 0.5,
            wholesale_margin=self.random.choice((0, 50)),
            penalty_cap=self.random.choice((0, 1_000)),
            premium_rate=100,
            reward_share=self.random.choice((0, 5_000)),
            commission_cap=self.random.choice((0, 30, 100)),
            prices=self.rules.prices,
        )
        fields = list(rules_tuple(rules))
        if self.random.random() < 0.2:
            fields[3] = fields[5] + 1
            self._do("MarketRules.announce", self._day() + 2, fields, may=("BadRule", "TooLateToChange"))
        else:
            self._do("MarketRules.announce", self._day() + 2, fields, may=("TooLateToChange",))

    def publish(self) -> None:
        """Tariffs of a day to come, or of one that has opened."""
        day = max(1, self._open_day() + self.random.choice((0, 1, 2)))
        buy = self.random.randint(10_000, 60_000)
        lane = Tariff(buy, self.random.randint(0, 10_000) + self.rules.min_sell).lane(self.rules.prices)
        words, case = [pack(day, [lane] * LANES)] * STRIPS, self.random.random()
        reasons = ["TooLateToPublish"] * (self.market.now >= CALENDAR.opens_at(day))
        reasons += ["DayStillOpen"] * (day > self.state.last_final + RING)
        reasons += ["TooEarlyToPublish"] * (day > 1 and self.market.now < CALENDAR.opens_at(day - 1))
        reasons += ["TariffOutOfRange"] * (buy > self.market.replay.rules(day).max_buy)
        if case < 0.1:
            words, reasons = words[1:], [*reasons, "WrongStripCount"]
        elif case < 0.2:
            words, reasons = [pack(day + 1, [lane] * LANES)] * STRIPS, [*reasons, "WrongTariffDay"]
        elif case < 0.3:
            words, reasons = [pack(day, [5 << 20 | 6] * LANES)] * STRIPS, [*reasons, "TariffOutOfRange"]
        self._do("FallbackSupply.publish", day, words, may=reasons)

    def pause_or_unpause(self) -> None:
        """A node stops the orders of the market, then those of all; the council does so too, or lets them go on."""
        auction, node = self.market.contracts["CallAuction"].address, self.market.new_node()
        if self.state.is_paused or self.random.random() < 0.4:
            self._do("Accounts.unpause", auction, may=() if self.state.is_paused else ("MarketIsNotPaused",))
        elif self.random.random() < 0.5:
            until = self.market.now + self.random.choice((0, 1, PERIOD, PERIODS * PERIOD, 1 << 40))
            self._do("Accounts.keepPaused", auction, until, may=("PauseOutOfRange",))
        elif self._do("Accounts.pause", auction, by=node, may=("GateTooNear",)) is None:
            gates = [self.market.calendar.gate_closes_at(day) for day in self._days_around()]
            assert not [gate for gate in gates if self.market.now < gate <= self._paused_until(auction)]
            self.market.act("Accounts.unpause", auction)
            refused = self.market.attempt("Accounts.pause", auction, by=node)
            assert refused is not None
            assert refused.error == "PausedLately"
            self.market.act("Accounts.pauseAll", by=self.market.new_node())

    def _days_around(self) -> range:
        """Days whose gates are near."""
        today = max(1, self._today())
        return range(today, today + 4)

    def _paused_until(self, market: str) -> int:
        return self.market.call("Accounts", "pausedUntil", market)

    def change_watchers(self) -> None:
        """The registry does not tell the intraday market, and tells it again; an address without code it never does."""
        market = self.market.contracts["ContinuousMarket"].address
        self.market.act("ParticipantRegistry.removeWatcher", market)
        for address in (market, STRANGER.address):
            refused = self.market.attempt("ParticipantRegistry.removeWatcher", address)
            assert refused is not None
            assert refused.error == "WatcherUnusable"
        self.market.act("ParticipantRegistry.addWatcher", market)
        for address in (market, STRANGER.address):
            refused = self.market.attempt("ParticipantRegistry.addWatcher", address)
            assert refused is not None
            assert refused.error == "WatcherUnusable"

    def add_market(self) -> None:
        """The auction is a market of the schedule already."""
        auction, first_day = self.market.contracts["CallAuction"].address, self._open_day() + self.random.choice((0, 5))
        self._do("Schedule.addMarket", auction, first_day, may=("MarketKnown", "TooLateToAdd"))

    def _last_opened(self) -> int:
        return max(0, (self.market.now + CALENDAR.open_lead - CALENDAR.opening) // CALENDAR.day_length + 1)

    def come_and_go(self) -> None:
        """A market in which nobody trades is added, retired, and removed when its last day is final."""
        opened = self._last_opened()
        if not self.idle:
            address = f"0x{next(self._faces):040x}"
            self._do("Schedule.addMarket", address, opened + self.random.randint(1, 2))
            if self._is_plugged(address):
                self.idle[address] = None
            return
        [(address, last_day)] = self.idle.items()
        if last_day is None or (last_day > opened and self.random.random() < 0.1):
            last_day = opened + self.random.choice((-1, 0, 0, 1))
            may = ("TooLateToRetire",) if last_day < opened else ()
            if last_day >= 0 and self._do("Schedule.retireMarket", address, last_day, may=may) is None:
                self.idle[address] = last_day
            return
        still_counts = last_day > self.state.last_final
        if self._do("Schedule.removeMarket", address, may=("MarketStillCounts",) if still_counts else ()) is None:
            assert not still_counts
            assert not self._is_plugged(address)
            del self.idle[address]

    def _is_plugged(self, address: str) -> bool:
        return address in {entry[0].lower() for entry in self.market.call("Schedule", "markets")}

    def release_held(self) -> None:
        """What a market holds that has failed, or that of one in order."""
        if any(self.market.replay.stuck.values()):
            release_stuck(self.market)
            return
        auction = self.market.contracts["CallAuction"].address
        if self.market.attempt("Schedule.releaseHeld", auction, [], []):
            refused = self.market.attempt("Schedule.releaseHeld", auction, [6], [1])
            assert refused is not None
            assert refused.error == "MarketInOrder"

    # ---------------------------------------------------------------------------------------------------- orders

    def _sheet(self, person: Person, day: int) -> tuple[OrderSheet, Key]:
        random = self.random
        first = random.randrange(3 * STRIPS)
        length = random.randint(1, STRIPS) if random.random() < 0.95 else 0
        cancels = random.random() < 0.1
        words = [pack(day, [0 if cancels else self._lane() for _ in range(LANES)]) for _ in range(length)]
        sequence = person.next_sequence() if random.random() < 0.95 else 1
        sheet = OrderSheet(person.account.address, day, first if random.random() < 0.3 else 0, sequence, tuple(words))
        return sheet, person.account if random.random() < 0.95 else STRANGER

    def _lane(self) -> int:
        if self.random.random() < 0.3:
            return 0
        side = self.random.choice(list(Side))
        energy = self.random.randint(2, 100) if self.random.random() < 0.99 else CAPACITY + 1
        return encode_lane(Order(1, 0, 0, side, Tick(self.random.randint(50, 56)), Wh(energy)))

    def bring_orders(self) -> None:
        """One sheet alone, or several in a batch."""
        day = self._open_day()
        if self.random.random() < 0.5:
            self._bring_order(self._person(), day)
            return
        batch = [sign_sheet(self.market, *self._sheet(self._person(), day)) for _ in range(self.random.randint(0, 3))]
        if self._do("CallAuction.submit", batch, may=self._pause()) is None:
            self.brought["CallAuction"] += len(batch)

    def _bring_order(self, person: Person, day: int) -> None:
        sheet, signer = self._sheet(person, day)
        reasons = objections(self.market, person, sheet, signer)
        if reasons or self._adds(person, sheet):
            reasons |= self._pause()
        if signer is person.account and sheet.sequence % 2:
            own = struct(sheet)[1:]
            refused = self._do("CallAuction.enterOwn", *own, by=person.account, may=reasons)
        else:
            refused = self._do("CallAuction.enter", sign_sheet(self.market, sheet, signer), may=reasons)
        assert bool(refused) == bool(reasons), f"taken in spite of {reasons}"
        self.brought["CallAuction"] += refused is None

    def _adds(self, person: Person, sheet: OrderSheet) -> bool:
        """Whether a sheet has an order that does not stand yet; a pause does not stop cancelling."""
        for n, word in enumerate(sheet.lines):
            line = self.market.call("AuctionReader", "lineOf", person.id, sheet.day, sheet.first_line + n)
            day, standing = unpack(int.from_bytes(line, "big"))
            known = standing if day == sheet.day else [0] * LANES
            if any(lane and lane != own for lane, own in zip(unpack(word)[1], known, strict=True)):
                return True
        return False

    def _pause(self) -> set[str]:
        """What refuses new orders while they are paused."""
        return {"MarketIsPaused"} if self.state.is_paused else set()

    def clear(self) -> None:
        """A strip of a day, with the right pivots or others."""
        day = self._next_day(lambda phase: phase.cleared == ALL_STRIPS)
        strip = self.random.randrange(STRIPS + (self.random.random() < 0.1))
        is_time = self.market.now >= CALENDAR.gate_closes_at(day)
        pivots = [0] * LANES
        reasons = {"GateNotClosed"} if not is_time else set()
        if strip == STRIPS:
            reasons.add("NoSuchStrip")
        elif is_time:
            pivots = self._pivots(day, strip)
            reasons |= {"AlreadyCleared"} if day <= self.state.last_final else set()
            reasons |= (
                {"AlreadyCleared"} if self.market.call("CallAuction", "clearedStrips", day) >> strip & 1 else set()
            )
            reasons |= {"DayStillOpen"} if day > self.state.last_final + RING else set()
        if self.random.random() < 0.1:
            pivots[0] += 1
            reasons |= {"WrongPivot"}
        groups = self.random.choice((0, 1, 1, ALL_GROUPS, ALL_GROUPS))
        if groups == 0:
            reasons.add("NothingToDo")
        self._do("CallAuction.clear", day, strip, pivots, groups, may=reasons)

    # -------------------------------------------------------------------------------------------------- wholesale

    def appoint(self) -> None:
        """The desk from a day on that has not opened, or that has; or somebody who is none."""
        desks = [person for person in self.people.values() if person.kind == DESK and person.status == ADMITTED]
        person = self.random.choice(desks) if desks and self.random.random() < 0.9 else self._person()
        day = max(1, self._open_day() + self.random.choice((0, 1, 1, 1)))
        objections = {
            "NotADesk": person.kind != DESK,
            "TooLateToAppoint": self.market.now >= CALENDAR.opens_at(day),
        }
        reasons = {error for error, is_true in objections.items() if is_true}
        refused = self._do("WholesaleDesk.appoint", person.id, day, by=HOLDER["WholesaleDesk.appoint"], may=reasons)
        assert bool(refused) == bool(reasons), f"appointed in spite of {reasons}"

    def commit(self) -> None:
        """The desk of a day to a report, before the gate mostly; or somebody else."""
        day = max(1, self._open_day() - (self.random.random() < 0.1))
        named = self.market.call("WholesaleDesk", "deskOf", day)
        desk = self.people[named] if named in self.people and self.random.random() < 0.95 else self._person()
        signer = desk.account if self.random.random() < 0.95 else STRANGER
        cap = self.market.replay.rules(day).penalty_cap
        offers = [self._offer(cap) for _ in range(PERIODS)]
        if self.random.random() < 0.05:
            offers[0] = replace(offers[0], penalty=cap + 1)
        report = wholesale_report(desk, day, offers, self.random.getrandbits(256))
        objections = {
            "NotSignedByDesk": signer is STRANGER,
            "TooEarlyToCommit": self.market.now < CALENDAR.opens_at(day),
            "TooLateToCommit": self.market.now >= CALENDAR.gate_closes_at(day),
            "NotTheDesk": desk.id != named,
            "AlreadyCommitted": any(self.market.call("WholesaleDesk", "commitmentOf", day)),
            "DayStillOpen": day > self.state.last_final + RING,
        }
        reasons = {error for error, is_true in objections.items() if is_true}
        refused = self._do("WholesaleDesk.commit", *commitment(self.market, desk, day, report, signer), may=reasons)
        assert bool(refused) == bool(reasons), f"committed in spite of {reasons}"
        if refused is None:
            self.reports[day] = desk, report, offers

    def report(self) -> None:
        """A desk reports what it has committed to for a day, in time mostly; or something else, or somebody else."""
        waiting = [day for day in self.reports if self.market.now < CALENDAR.gate_closes_at(day) + CALENDAR.desk_lead]
        day = max(1, self._open_day() - self.random.choice((0, 1)))
        if waiting and self.random.random() < 0.9:
            day = self.random.choice(waiting)
        gate = CALENDAR.gate_closes_at(day)
        if 0 < gate - self.market.now <= 6 * PERIOD:
            self._wait_until(gate)
            # A pause may have ended meanwhile.
            self.state = self.look()
        self._open(day, day in self.reports and self.random.random() < 0.95)

    def _open(self, day: int, is_committed: bool) -> None:
        """The commitment of a day, or what nobody has committed to."""
        gate, rules = CALENDAR.gate_closes_at(day), self.market.replay.rules(day)
        if is_committed:
            desk, report, offers = self.reports[day]
        else:
            desk, offers = self._person(), [self._offer(rules.penalty_cap) for _ in range(PERIODS)]
            report = wholesale_report(desk, day, offers)
        plugged = {entry[0].lower() for entry in self.market.call("Schedule", "markets")}
        objections = {
            "TooEarlyToReport": self.market.now < gate,
            "TooLateToReport": self.market.now >= gate + CALENDAR.desk_lead,
            "UnknownAccount": desk.id == 0,
            "WrongStatus": desk.status != ADMITTED,
            "MeterSilent": desk.id in self.market.replay.membership.silent,
            "NotTakingPart": desk.id and not self.market.replay.membership.takes_part(desk.id, day),
            "AlreadyReported": self.market.call("WholesaleResidual", "reportOf", day)[0] != 0,
            "DayStillOpen": day > self.state.last_final + RING,
            "DayDoesNotCount": self.market.contracts["WholesaleResidual"].address.lower() not in plugged,
            "NotTheDesk": desk.id != self.market.call("WholesaleDesk", "deskOf", day),
            "NotCommitted": not is_committed,
            "PenaltyAboveCap": any(offer.penalty > rules.penalty_cap for offer in offers),
            "MarketIsPaused": self._is_paused("WholesaleResidual"),
        }
        reasons = {error for error, is_true in objections.items() if is_true}
        if not reasons:
            record = self.market.replay.ledger.record(desk.id)
            if record.arrears:
                reasons.add("InArrears")
            elif report_collateral(offers, rules) and desk.id in self.market.replay.ledger.paid_now:
                reasons.add("PaidNow")
            elif record.free - report_collateral(offers, rules) < min(0, -record.credit_limit):
                reasons.add("InsufficientFunds")
        refused = self._do("WholesaleResidual.report", struct(report), may=reasons)
        assert bool(refused) == bool(reasons), f"reported in spite of {reasons}"

    def _offer(self, cap: int) -> Offer:
        price = self.random.randint(5_000, 5_600) if self.random.random() < 0.95 else -self.random.randint(1, 5_000)
        price += self.rules.prices.lowest
        capacity = (0, 30, 300, 10_000)
        return Offer(price, self.random.randint(0, cap), self.random.choice(capacity), self.random.choice(capacity))

    def clear_residual(self) -> None:
        """A strip of a day that was reported for, with the right ticks or others."""
        waiting = [day for day in self.state.phases if self.market.call("WholesaleResidual", "reportOf", day)[1]]
        day = waiting[0] if waiting and self.random.random() < 0.9 else self._day()
        desk, pending = self.market.call("WholesaleResidual", "reportOf", day)
        strips = [strip for strip in range(STRIPS) if pending >> strip & 1]
        strip = self.random.choice(strips if strips and self.random.random() < 0.8 else range(STRIPS))
        reasons = set()
        ticks = ([0] * LANES, [0] * LANES)
        if desk == 0:
            reasons.add("NotReported")
        elif not pending >> strip & 1:
            reasons.add("NothingToClear")
        else:
            ticks = self._ticks(day, strip)
            if not self.market.call("CallAuction", "clearedStrips", day) >> strip & 1:
                reasons.add("AuctionNotCleared")
        if self.random.random() < 0.1:
            ticks[self.random.randrange(2)][0] = 4_096
            reasons.add("WrongTicks")
        self._do("WholesaleResidual.clear", day, strip, *ticks, self.random.choice((1, ALL_GROUPS)), may=reasons)

    def pay(self) -> None:
        """Some members of the next day the balancing fund owes for, or of another."""
        day = self.market.call("BalancingFund", "nextDay")
        if self.random.random() < 0.2:
            day = max(1, day + self.random.choice((-1, 1)))
            may = {"ClaimsPaid", "ClaimsLapsed", "PaidOutOfOrder", "NotFinal"}
        else:
            may = {"NotFinal"} if day > self.state.last_final else set()
        may |= {"PaidNow"} if FUND in self.market.replay.ledger.paid_now else set()
        self._do("BalancingFund.pay", day, self.random.choice((1, 3, 100)), may=may)

    # --------------------------------------------------------------------------------------------------- readings

    def _reading(self) -> SignedSheet | None:
        is_dry = bool(self.dry) and self.random.random() < 0.3
        person = self.random.choice(self.dry[-3:] if is_dry else list(self.people.values()))
        if person.meter is None:
            return None
        day, first = max(1, self._today() - self.random.choice((0, 1, 1, 2))), self.random.randrange(STRIPS)
        if self.random.random() < 0.05:
            day = self._day()
        if first == 0 and self.random.random() < 0.6:
            net = [self.random.randint(-CAPACITY, CAPACITY) for _ in range(PERIODS)]
        else:
            net = [self.random.randint(-CAPACITY, CAPACITY + (self.random.random() < 0.05)) for _ in range(LANES)]
        if is_dry:
            net = [CAPACITY] * len(net)
        sheet = readings(self.market, person, day, first, net)
        return sign_readings(self.market, sheet, person.meter if self.random.random() < 0.95 else STRANGER)

    def bring_readings(self) -> None:
        """One sheet alone, or several in a batch; in time or not."""
        sheets = [sheet for _ in range(self.random.choice((1, 1, 2, 6))) if (sheet := self._reading()) is not None]
        settling = ("DayBeingSettled",) * (self.state.in_settlement != 0)
        if len(sheets) == 1:
            reasons = ("ReadingFromFuture", "CorrectionWindowClosed", "NotSignedByMeter", "NotTakingPart", *settling)
            refused = self._do("MeterReadings.enter", sheets[0], may=(*reasons, *IMPLAUSIBLE, "DayStillOpen"))
            self.brought["MeterReadings"] += refused is None
        elif self._do("MeterReadings.submit", sheets, may=settling) is None:
            self.brought["MeterReadings"] += len(sheets)

    def correct(self) -> None:
        """Another value for a day that is settled; it is as good as not settled then."""
        days = [day for day, phase in self.state.phases.items() if phase.is_settled]
        person = self.random.choice(list(self.people.values()))
        if not days or person.meter is None:
            return
        net = [self.random.randint(-CAPACITY, CAPACITY) for _ in range(PERIODS)]
        signed = sign_readings(self.market, readings(self.market, person, days[0], 0, net), person.meter)
        may = ("CorrectionWindowClosed", "NotTakingPart", *IMPLAUSIBLE)
        refused = self._do("MeterReadings.enter", signed, may=may)
        self.brought["MeterReadings"] += refused is None
        assert bool(refused) == self.market.call("Settlement", "isSettled", days[0])

    def close(self) -> None:
        """The metering of a day, if it is time."""
        day = self._next_day(lambda phase: phase.is_closed)
        reasons = {"DeadlineNotReached"} if self.market.now < CALENDAR.metering_deadline(day) else set()
        if day <= self.state.last_final or self.market.call("MeterReadings", "isClosed", day):
            reasons |= {"AlreadyClosed", "ReadingDayIsOver"}
        if day >= self.state.last_final + RING:
            reasons.add("DayStillOpen")
        if day > 1 and not self.market.call("MeterReadings", "isClosed", day - 1):
            reasons.add("ReadingsNotClosed")
        some = self.random.choice((0, 1, 3, 100))
        self._do("MeterReadings.close", day, some, may=reasons | ({"NoMembersAsked"} if some == 0 else set()))

    # ------------------------------------------------------------------------------------------------- settlement

    def settle(self) -> None:
        """Some more members of a day, if it is ready."""
        day = self._next_day(lambda phase: phase.is_settled)
        some = self.random.choice((0, 1, 1, 6, 7, 8, 9, 100, 100))
        reasons = {"NoMembersGiven"} if some == 0 else set()
        if self.market.call("Settlement", "isSettled", day) or day <= self.state.last_final:
            reasons |= {"AlreadySettled", "SettledDayIsOver", "NotReadyToSettle"}
        if self.state.in_settlement not in (0, day):
            reasons.add("OtherDayInSettlement")
        if self.market.call("Settlement", "dayOf", day)[0] and self.market.now < CALENDAR.corrections_close_at(day):
            reasons.add("CorrectionsOpen")
        is_cleared, is_closed = self.market.call("Schedule", "isComplete", day), self.state.phases.get(day)
        if not is_cleared or is_closed is None or not is_closed.is_closed:
            reasons.add("NotReadyToSettle")
        if some > 1 and self._is_asked_in_vain(day):
            reasons.add(FAILS)
        broken = self.random.choice(BREAKABLE) if some == 1 and self.random.random() < 0.3 else None
        if broken is not None:
            set_bookable(self.market, broken, False)
        refused = self._do("Settlement.settle", day, some, may=reasons)
        if broken is not None:
            set_bookable(self.market, broken, True)
        assert bool(refused) == bool(reasons), f"day {day} settled in spite of {reasons}"
        self._tempt()

    def _tempt(self) -> None:
        """While a day is being settled, one whom it has paid wants to lock that, or to take it out."""
        self.state = self.look()
        paid = sorted(self.market.replay.ledger.paid_now & self.people.keys() - {GRID_OPERATOR_ID})
        if paid and self.random.random() < 0.5:
            person = self.people[self.random.choice(paid)]
            self._fund(person, self._intraday_day(), is_return=False)
            self._bring_order(person, self._open_day())
            free = self.state.accounts[person.id].free
            if free > 0:
                may = {"MoneyHeld", "PaidNow", "ERC20InsufficientBalance"}
                refused = self._do("Accounts.withdraw", *withdrawal(self.market, person, free, False), may=may)
                assert refused, f"{person.id} takes out what it was just paid"

    def go_on(self) -> None:
        """What is due next for the first day that has not ended: days end while others trade, not only at last."""
        day, now = self.state.last_final + 1, self.market.now
        phase = self.state.phases[day]
        residual = self.market.call("WholesaleResidual", "reportOf", day)[1]
        if now < CALENDAR.gate_closes_at(day):
            return
        if phase.cleared != ALL_STRIPS:
            strip = next(strip for strip in range(STRIPS) if not phase.cleared >> strip & 1)
            groups = self.random.choice((1, ALL_GROUPS))
            self._do("CallAuction.clear", day, strip, self._pivots(day, strip), groups)
        elif not self._is_pool_cleared(day):
            self._clear_pool(day)
        elif residual:
            strip = next(strip for strip in range(STRIPS) if residual >> strip & 1)
            self._do("WholesaleResidual.clear", day, strip, *self._ticks(day, strip), ALL_GROUPS)
        elif self._unpaired(day):
            self._pair_some(day)
        elif not phase.is_closed:
            if now >= CALENDAR.metering_deadline(day):
                self._do("MeterReadings.close", day, self.random.choice((3, 100)))
        elif not phase.is_settled:
            due = self.state.in_settlement or day  # what others have begun is finished first
            may = {"CorrectionsOpen"} if due == day and now < CALENDAR.corrections_close_at(day) else set()
            some = 1 if self._is_asked_in_vain(due) else self.random.choice((1, 3, 100))
            self._do("Settlement.settle", due, some, may=may)
        elif now >= CALENDAR.corrections_close_at(day):
            self._do("Settlement.finalize", day)

    def make_good(self) -> None:
        """The supplier's money for those who wait, some of which it pays in now; then some members' parts of it."""
        shortfalls = self.market.replay.shortfalls
        if self.random.random() < 0.9:
            amount = self.random.choice((1, shortfalls.open_claims // 2 + 1, shortfalls.open_claims + 1))
            if self._do("Accounts.deposit", SUPPLIER.address, amount, self._reference()) is None:
                self.paid_in += amount
        reasons = {"DayInSettlement"} if self.state.in_settlement else set()
        if not shortfalls.to_set_aside():
            reasons.add("NothingToSetAside")
        refused = self._do("Shortfalls.setAside", may=reasons)
        assert bool(refused) == bool(reasons)
        self._pay_claims()

    def spend_the_suppliers_money(self) -> None:
        """The supplier takes out all it has, so that it has nothing to advance but its credit."""
        free = self.market.account(SUPPLIER_ID).free
        if free > 0:
            may = {"ERC20InsufficientBalance"}
            may |= {"MoneyHeld"} if self.state.in_settlement else set()
            may |= {"ClaimsOpen"} if self.market.replay.shortfalls.open_claims else set()
            message = withdrawal(self.market, self.supplier, free, True)
            if self._do("Accounts.redeem", *message, self._reference(), may=may) is None:
                self.paid_out += free

    def _pay_claims(self) -> None:
        days = self.market.replay.shortfalls.days
        day = self.random.choice([*days, 1])
        is_there = day in days and days[day].set_aside > days[day].paid
        first, some = self.random.randint(1, 12), self.random.choice((0, 1, 3, 100))
        refused = self._do("Shortfalls.pay", day, first, some, may=() if is_there else ("NothingToPay",))
        assert bool(refused) != is_there

    def finalize(self) -> None:
        """The end of a day, if it is settled, over and the next in line."""
        day = self._next_day(lambda _: False)
        reasons = {"CorrectionsOpen"} if self.market.now < CALENDAR.corrections_close_at(day) else set()
        if not self.market.call("Settlement", "isSettled", day):
            reasons.add("NotSettled")
        if day != self.state.last_final + 1:
            reasons.add("DayOutOfOrder")
        refused = self._do("Settlement.finalize", day, may=reasons)
        assert bool(refused) == bool(reasons), f"day {day} final in spite of {reasons}"

    # ------------------------------------------------------------------------------------------------------ others

    def intrude(self) -> None:
        """Somebody calls what is for the market's own contracts."""
        function = self.random.choice(list(FOR_CONTRACTS))
        by = self.random.choice((STRANGER, *ROLE_KEYS.values(), self._person().account))
        refused = self.market.attempt(function, *FOR_CONTRACTS[function], by=by)
        assert refused is not None, f"{function} is open to {by.address}"
        assert refused.error in (UNAUTHORIZED, "NotTheAccounts", "NotTheSchedule", "NotAMarket", "DayDoesNotCount")

    def batch(self) -> None:
        """Several calls in one transaction: all or nothing."""
        case = self.random.randrange(3)
        if case == 0 and len(self.people) + len(self.applicants) < 12:
            person = self._new_person()
            registry, signed = self.market.contracts["ParticipantRegistry"], application(self.market, person)
            self._do("ParticipantRegistry.multicall", [registry.encode("applyFor", *signed)])
            self.applications.add(signed[0])
            self.applicants.append(person)
        elif case == 1:
            accounts, owner = self.market.contracts["Accounts"], self._person().account.address
            calls = [accounts.encode("deposit", owner, 10, self._reference()) for _ in range(2)]
            if self.random.random() < 0.3:
                calls.append(accounts.encode("deposit", owner, 10, self._used_reference))
            self._spend_used_reference(owner)
            by = self.random.choice((ROLE_KEYS["treasurer"], ROLE_KEYS["treasurer"], STRANGER))
            may = (UNAUTHORIZED,) if by is STRANGER else ("PaymentReferenceUsed",) * (len(calls) > 2)
            if self._do("Accounts.multicall", calls, by=by, may=may) is None:
                self.paid_in += 20
        else:
            self._clear_whole_day()

    def _spend_used_reference(self, owner: str) -> None:
        if not self.market.call("Accounts", "isPaymentUsed", self._used_reference):
            self.market.act("Accounts.deposit", owner, 1, self._used_reference)
            self.paid_in += 1

    def _clear_whole_day(self) -> None:
        auction = self.market.contracts["CallAuction"]
        day = next((day for day, phase in self.state.phases.items() if not phase.cleared), None)
        if day is None or self.market.now < CALENDAR.gate_closes_at(day):
            return
        calls = [auction.encode("clear", day, s, self._pivots(day, s), ALL_GROUPS) for s in range(STRIPS)]
        self._do("CallAuction.multicall", calls)
