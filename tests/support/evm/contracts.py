"""Bilateral contracts of a test market: what people sign, what speaks against it, and the model that follows."""

from collections.abc import Sequence
from dataclasses import replace

from dem.messages.contracts import Acceptance, Ending, Proposal, Revocation
from dem.messages.signing import message_hash
from dem.model.markets.bilateral import ALL_WEEKDAYS, Contract, Profile, is_in_default
from dem.model.orders import MAX_ENERGY, Side
from dem.model.units import Money
from dem.replay.bilateral import BilateralReplay
from dem.replay.market import ROLLING

from .acceptance import capacity_of, credit_for_orders
from .chain import NOBODY, Event
from .keys import Key, struct
from .market import Market
from .people import ADMITTED, EXITED, Person

MARKET = "BilateralContracts"
NOTHING = bytes(32)

Brought = tuple[tuple, bytes, str, int, bytes]
"""The arguments of `conclude`."""


def conclusion(
    market: Market, proposal: Proposal, proposer: Key, accepter: str, accepting: Key, expiry: int | None = None
) -> Brought:
    """A proposal and its acceptance by `accepter`, signed with these keys. expiry: of the acceptance."""
    domain = market.domain(MARKET)
    acceptance = Acceptance(message_hash(proposal), proposal.expiry if expiry is None else expiry)
    accepted = accepting.sign(domain, acceptance)
    return struct(proposal), proposer.sign(domain, proposal), accepter, acceptance.expiry, accepted


def revocation(
    market: Market, message: Proposal | Acceptance | Ending, signer: Key, account: str | None = None
) -> tuple[bytes, str, bytes]:
    """The arguments of `revoke`. account: whose it is, if not the signer's."""
    revoked = message_hash(message)
    return revoked, account or signer.address, signer.sign(market.domain(MARKET), Revocation(revoked))


def ending(market: Market, message: Ending, buyer: Key, seller: Key) -> tuple[tuple, bytes, bytes]:
    """The arguments of `end`."""
    domain = market.domain(MARKET)
    return struct(message), buyer.sign(domain, message), seller.sign(domain, message)


class ContractMarket:
    """The contracts of a market, plugged into its schedule from a day on; follows their events."""

    def __init__(self, market: Market, first_day: int = 1) -> None:
        self.market = market
        self.replay = BilateralReplay(market.calendar.periods_per_day)
        self.differences: list[str] = []
        self.concluded: dict[int, Contract] = {}
        self.used: set[tuple[bytes, str]] = set()
        self.arrears: dict[int, tuple[Money, int]] = {}
        """Who is in arrears: how much, and since when."""
        self.defaults = 0
        """Contracts that ended because somebody was in default."""
        self._know_constructor()
        market.listeners.append(self.follow)
        market.act("Schedule.addMarket", market.contracts[MARKET].address, first_day)

    def _know_constructor(self) -> None:
        """The constructor's event was sent before anybody listened."""
        window = self.market.call(MARKET, "window")
        self.replay.apply("MarketOpened", {"firstWeekday": 0, "window": window})

    def follow(self, events: Sequence[Event]) -> None:
        """Let the model take the events."""
        is_booking = any(event.contract == MARKET and event.name == "Booked" for event in events)
        for event in events:
            if event.name == "ArrearsChanged":
                self._change_arrears(event.args["id"], event.args["arrears"])
            if event.contract == MARKET and is_booking:
                self._check_default(event)
            if event.contract == MARKET:
                self.differences += self.replay.apply(event.name, event.args).differences
                if event.name == "Concluded":
                    number = event.args["number"]
                    self.concluded[number] = self.replay.contracts.standing[number]
            if event.name == "DayFinal":
                self.replay.forget(event.args["day"])

    # ---------------------------------------------------------------------------------------------------- defaults

    def _change_arrears(self, id_: int, arrears: Money) -> None:
        _, since = self.arrears.pop(id_, (0, self.market.now))
        if arrears:
            self.arrears[id_] = arrears, since

    def _is_in_default(self, id_: int) -> bool:
        arrears, since = self.arrears.get(id_, (Money(0), 0))
        return is_in_default(arrears, since, self.market.now, self.market.calendar.day_length)

    def last_committed(self) -> int:
        """The last day whose gate has closed."""
        calendar = self.market.calendar
        return max(0, (self.market.now + calendar.gate_lead - calendar.opening) // calendar.day_length + 1)

    def _check_default(self, event: Event) -> None:
        """Booking ends the contracts of those in default, from the first open gate on, and of nobody else."""
        if event.name == "Ended":
            self.defaults += 1
            assert self._is_in_default(event.args["defaulter"]), f"{event.args} is not in default"
            assert event.args["lastDay"] == self.last_committed()
        if event.name == "Booked":
            fresh = range(self.replay.contracts.booked.get(event.args["day"], 0) + 1, event.args["through"] + 1)
            for number, contract in self.replay.contracts.standing.items():
                late = [id_ for id_ in (contract.buyer, contract.seller) if id_ in fresh and self._is_in_default(id_)]
                assert not late or self.last_day(number) <= self.last_committed(), f"{number} goes on: {late}"

    # -------------------------------------------------------------------------------------------------- objections

    def objections(
        self, proposal: Proposal, proposer: Person, accepter: Person, is_signed: bool, expiry: int | None = None
    ) -> set[str]:
        """Names of all errors with which the chain may refuse to conclude; it takes the contract if there is none.

        expiry: of the acceptance, if it is not the proposal's.
        """
        found = self._of_form(proposal, accepter) | self._of_terms(proposal)
        if not is_signed:
            found.add("NotSignedBy")
        if expiry is not None and self.market.now >= expiry:
            found.add("Expired")
        accepted = Acceptance(message_hash(proposal), proposal.expiry if expiry is None else expiry)
        if (message_hash(accepted), accepter.account.address) in self.used:
            found.add("ConsentRevoked")
        keys = self._keys(proposal, accepter)
        if keys & self.used:
            found.add("ProposalUsed")
        buyer, seller = (accepter, proposer) if proposal.is_sale else (proposer, accepter)
        replay, first_day = self.market.replay, self._first_day(proposal)
        for side, of_orders in ((buyer, Side.BID), (seller, Side.ASK)):
            found |= self._of_side(side, proposal)
            if side.id and proposal.energy > capacity_of(replay, side, first_day, of_orders):
                found.add("ExceedsCapacity")
        return found if found else self._of_money(proposal, buyer, seller)

    def take_up(self, proposal: Proposal, accepter: Person) -> None:
        """The proposal was concluded."""
        self.used |= self._keys(proposal, accepter)

    def _first_day(self, proposal: Proposal) -> int:
        return proposal.first_period // self.market.calendar.periods_per_day + 1

    def _keys(self, proposal: Proposal, accepter: Person) -> set[tuple[bytes, str]]:
        keys = {(message_hash(proposal), proposal.proposer)}
        if proposal.answers != NOTHING:
            keys |= {(proposal.answers, proposal.proposer), (proposal.answers, accepter.account.address)}
        return keys

    def _of_form(self, proposal: Proposal, accepter: Person) -> set[str]:
        found = set()
        if proposal.counterparty not in (NOBODY, accepter.account.address):
            found.add("NotTheCounterparty")
        if self.market.now >= proposal.expiry:
            found.add("Expired")
        if proposal.answers != NOTHING and proposal.counterparty == NOBODY:
            found.add("AnswerToNobody")
        if proposal.proposer == accepter.account.address:
            found.add("ContractWithItself")
        return found

    def _of_terms(self, proposal: Proposal) -> set[str]:
        calendar = self.market.calendar
        found = set()
        first_day = self._first_day(proposal)
        rules = self.market.replay.rules(first_day)
        least = rules.min_order_energy
        if proposal.last_period < proposal.first_period or not least <= proposal.energy <= MAX_ENERGY:
            found.add("BadTerm")
        if not rules.prices.lowest <= proposal.price <= rules.max_buy:
            found.add("PriceOutOfRange")
        if proposal.slots >> calendar.periods_per_day or proposal.weekdays > ALL_WEEKDAYS:
            found.add("BadTerm")
        if self.market.now >= calendar.gate_closes_at(first_day):
            found.add("GateClosed")
        if next(self.replay.contracts.days(self.contract(proposal, 0, 0)), None) is None:
            found.add("NothingToDeliver")
        return found

    def _of_side(self, side: Person, proposal: Proposal) -> set[str]:
        if not side.id:
            return {"UnknownAccount"}
        found = set()
        if side.status != ADMITTED:
            found.add("WrongStatus")
        if side.id in self.market.replay.membership.silent:
            found.add("MeterSilent")
        if not self.market.replay.membership.takes_part(side.id, self._first_day(proposal)):
            found.add("NotTakingPart")
        return found

    def _of_money(self, proposal: Proposal, buyer: Person, seller: Person) -> set[str]:
        found = set()
        for side, lock in zip((buyer, seller), self.locks(proposal, buyer.id, seller.id), strict=True):
            account = self.market.account(side.id)
            if account.arrears:
                found.add("InArrears")
            if lock and side.id in self.market.replay.ledger.paid_now:
                found.add("PaidNow")
            if lock > account.free + credit_for_orders(side.id, account.credit_limit):
                found.add("InsufficientFunds")
        return found

    # -------------------------------------------------------------------------------------------------------- model

    def contract(self, proposal: Proposal, buyer: int, seller: int) -> Contract:
        """The contract that a proposal would be."""
        rules = self.market.replay.rules(self._first_day(proposal))
        return Contract(
            buyer=buyer,
            seller=seller,
            price=proposal.price,
            energy=proposal.energy,
            first_period=proposal.first_period,
            end_period=proposal.last_period + 1,
            profile=Profile(proposal.slots, proposal.weekdays),
            extra=rules.extra,
            ceiling=rules.max_buy + rules.deviation_rate + rules.fees,
        )

    def locks(self, proposal: Proposal, buyer: int, seller: int) -> tuple[int, int]:
        """What concluding a proposal would lock, of buyer and seller."""
        model = replace(self.replay.contracts, standing={})
        model.conclude(1, self.contract(proposal, buyer, seller))
        return model.collateral(1)

    def may_terminate(self, number: int, people: dict[int, Person]) -> tuple[bool, int]:
        """Whether a side of a contract has left the market, and the last day it may deliver on then."""
        contract = self.concluded[number]
        last_days = []
        for id_ in (contract.buyer, contract.seller):
            if people[id_].status == EXITED:
                last_day = self.market.call("ParticipantRegistry", "member", id_)[6]
                last_days.append(max(self.last_committed(), last_day))
        return bool(last_days), min(last_days, default=0)

    def last_day(self, number: int) -> int:
        """The last day of a contract as it stands."""
        contract = self.replay.contracts.standing.get(number)
        return -(-contract.end_period // self.market.calendar.periods_per_day) if contract else 0

    def failures(self) -> list[str]:
        """Where the chain's collateral is not the model's, by member; and what the events claimed wrongly."""
        locked = self.replay.held(ROLLING)
        found = list(self.differences)
        for id_ in range(1, self.market.member_count() + 1):
            chain, model = self.market.account(id_).locked, locked.get(id_, 0)
            if chain != model:
                found.append(f"locked of member {id_}: chain {chain}, model {model}")
        return found
