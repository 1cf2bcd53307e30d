"""What stands beside the auction and the other ways to trade: markets of pairs, trades in escrow, and coins.

Whether each refuses just what it should is asked by tests/differential, too. Here everything else happens meanwhile,
and money, schedule and coins have to be the model's all the same. No escrow is paid twice.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from support.evm.chain import Event, Refused
from support.evm.keys import Key, key, struct
from support.evm.market import STRANGER
from support.evm.people import ADMITTED, CONSUMER, DESK, Person, sign_sheet
from support.evm.pools import PooledMarket

from dem.messages.contracts import EscrowRelease, EscrowTrade, Revocation
from dem.messages.members import CoinTransfer
from dem.messages.orders import OrderSheet
from dem.messages.signing import message_hash
from dem.model.ledger import FIRST_PARTICIPANT
from dem.model.strips import LANES
from dem.model.units import Wh
from dem.replay.escrow import EscrowReplay
from dem.replay.lots import pledge_of
from dem.replay.market import RING

from .trading import MEMBERSHIP, MONEY

PAIRS = ("OrderBook", "RandomMatching")
ESCROW, COIN, LOTS = "EscrowTrades", "NrgCoin", "Lots"
BESIDE = (*PAIRS, ESCROW)
"""Markets of the schedule."""
SEATS = 3
"""From so many secrets with a deputy on, only these count."""
ALL = 1 << 32


@dataclass(frozen=True)
class Traded:
    """A trade with its sides' keys, the buyer's first, and the three that release its escrow."""

    trade: EscrowTrade
    sides: tuple[Key, Key]
    keys: Sequence[Key]

    @property
    def escrow(self) -> int:
        """Money units."""
        return self.trade.energy * self.trade.slots.bit_count() * self.trade.price


class Beside:
    """Part of the machine."""

    random: Random
    market: PooledMarket
    people: dict[int, Person]
    owned: Any
    home: Person
    state: Any
    _do: Callable[..., Refused | None]
    _try: Callable[..., Refused | None]
    _today: Callable[[], int]
    _open_day: Callable[[], int]
    _member: Callable[[], Person]
    _words: Callable[[int, int], tuple[int, ...]]
    _strips: Callable[[], int]
    _reference: Callable[[], bytes]
    _wait_until: Callable[[int], None]

    ACTIONS = (
        (14, "order_for_pairs"),
        (8, "pair"),
        (5, "draw_lots"),
        (9, "fund_escrow"),
        (3, "release_escrow"),
        (4, "expire_escrow"),
        (2, "revoke_escrow"),
        (9, "credit_coins"),
        (3, "correct_coins"),
        (4, "give_coins"),
    )

    def _plug_in_beside(self) -> None:
        """All of them count from the first day on."""
        for contract in BESIDE:
            self.market.act("Schedule.addMarket", self.market.contracts[contract].address, 1)
        self.seats = [self.market.new_node() for _ in range(SEATS)]
        self.pledged: dict[int, set[int]] = defaultdict(set)
        """Seats that have pledged a secret for a day and not opened it, by day."""
        self.traded: dict[bytes, Traded] = {}
        """Trades by the hash of what is signed, funded or not."""
        self.escrows: dict[int, Traded] = {}
        """Those that were funded, by number."""
        self.escrows_paid: Counter[int] = Counter()
        self.market.listeners.append(self._note_beside)

    def _note_beside(self, events: list[Event]) -> None:
        """No escrow is paid twice, and coins are the model's with every event that tells of them."""
        coins: set[int] = set()
        for event in events:
            if event.contract == ESCROW and event.name in ("Released", "ReleasedByReadings"):
                self.escrows_paid[event.args["number"]] += 1
                assert self.escrows_paid[event.args["number"]] == 1, f"escrow {event.args['number']} is paid twice"
            if event.contract == ESCROW and event.name == "Funded":
                self.escrows[event.args["number"]] = self.traded[bytes(event.args["message"])]
            if event.contract == COIN:
                coins |= {event.args[name] for name in ("id", "from", "to") if name in event.args}
        for id_ in coins:
            self._check_coins(id_)

    def _check_coins(self, id_: int) -> None:
        found, model = self.market.call(COIN, "balanceOf", id_), self.market.replay.coins.balances[id_]
        assert found == model, f"member {id_} has {found} coins, by the model {model}"

    def _end_escrows(self) -> None:
        """Nobody releases what is left in escrow, so the readings do."""
        for number in sorted(self._escrow_replay().unpaid):
            self.market.act(f"{ESCROW}.expire", number)

    def _end_coins(self) -> None:
        """Coins of who was settled late are corrected, and then everybody has those of the model."""
        for id_, day in self.market.replay.coins.to_correct():
            self._correct(id_, day, ())
        for id_ in range(FIRST_PARTICIPANT, self.market.member_count() + 1):
            self._check_coins(id_)

    def _last_final(self) -> int:
        return self.market.call("MarketRules", "lastFinalDay")

    def _innocents(self) -> list[Person]:
        """Who carries out no attack, for what these gain is counted to the unit."""
        return [one for one in self.people.values() if one.kind in (CONSUMER, DESK) and one not in self.owned]

    def _innocent(self) -> Person:
        """One of them; mostly one who may trade."""
        own = self._innocents()
        silent = self.market.replay.membership.silent
        here = [one for one in own if one.status == ADMITTED] + [self.home]
        able = [one for one in here if one.id not in silent and self._has_money(one)]
        return self.random.choice(able if able and self.random.random() < 0.9 else own or [self._member()])

    def _has_money(self, person: Person) -> bool:
        return self.market.replay.ledger.record(person.id).free > 0

    # --------------------------------------------------------------------------------------------- markets of pairs

    def order_for_pairs(self) -> None:
        """A sheet in one of the two, alone or in a batch, by its member or by somebody else."""
        random, contract, person = self.random, self.random.choice(PAIRS), self._innocent()
        day, length = self._open_day(), random.randint(1, self._strips())
        sheet = OrderSheet(person.account.address, day, 0, person.next_sequence(), self._words(day, length))
        signer = person.account if random.random() < 0.95 else STRANGER
        may = ["NotOpenYet", "GateClosed", "DayStillOpen", "ExceedsCapacity", "OrderTooSmall", "TradesWithItself"]
        may += [
            *MEMBERSHIP,
            *MONEY,
            "ExceedsLimit",
            "LineOutOfRange",
            *["NotSignedByParticipant"] * (signer is STRANGER),
        ]
        signed = sign_sheet(self.market, sheet, signer, contract)
        case = random.random()
        if case < 0.2:
            self._do(f"{contract}.submit", [signed] * random.choice((1, 2)), may=("MarketIsPaused",))
        elif case < 0.4:
            self._try(f"{contract}.enterOwn", *struct(sheet)[1:], by=person.account, may=may)
        else:
            self._try(f"{contract}.enter", signed, may=may)

    def _unpaired(self, day: int) -> list[str]:
        """Markets of pairs with orders for a day that have not all met."""
        return [
            contract
            for contract in PAIRS
            if self.market.replay.markets[contract].book(day).has_orders
            and not self.market.call(contract, "isCleared", day)
        ]

    def pair(self) -> None:
        """A slot of a day, or some pairs of it; too early or too late."""
        days = [day for day in self.state.phases if self._unpaired(day)]
        day = self.random.choice(days) if days and self.random.random() < 0.95 else max(1, self._open_day())
        contract = self.random.choice(self._unpaired(day) or PAIRS)
        self._pair_slot(contract, day, self.random.randrange(self.market.calendar.periods_per_day))

    def _pair_slot(self, contract: str, day: int, slot: int) -> None:
        may = ("GateNotClosed", "AlreadyPaired", "NotDrawn", "DayStillOpen")
        self._try(f"{contract}.pair", day, slot, self.random.choice((1, 2, ALL)), may=may)

    def _left_to_pair(self, contract: str, day: int) -> list[int]:
        paired = self.market.call(contract, "pairedSlots", day)
        return [slot for slot in range(self.market.calendar.periods_per_day) if not paired >> slot & 1]

    def _pair_day(self, day: int) -> None:
        """All of it, once the lot is known in any case."""
        for contract in self._unpaired(day):
            for slot in self._left_to_pair(contract, day):
                self.market.act(f"{contract}.pair", day, slot, ALL)

    def _pair_some(self, day: int) -> None:
        """What is due next of a day whose gate has closed."""
        contract = self.random.choice(self._unpaired(day))
        for slot in self._left_to_pair(contract, day)[: self.random.choice((1, LANES, 2 * LANES))]:
            self._pair_slot(contract, day, slot)

    def draw_lots(self) -> None:
        """Seats pledge secrets for a day, and vouch for each other's; or some open them."""
        day = min(self.pledged, default=0)
        if day and self.random.random() < 0.6:
            self._open_secrets(day)
            return
        day = max(1, self._open_day())
        for n in self.random.sample(range(SEATS), self.random.choice((1, SEATS))):
            seat, deputy = self.seats[n], self.seats[(n + 1) % SEATS]
            hashed = pledge_of(day, seat.address, self._secret(day, n))
            may = ("NoTimeToPledge", "AlreadyPledged", "DayStillOpen")
            if self._do(f"{LOTS}.pledge", day, hashed, deputy.address, by=seat, may=may) is None:
                self.pledged[day].add(n)
            by = deputy if self.random.random() < 0.9 else seat
            may = ("NoTimeToPledge", "NotTheDeputy", "DeputyOfAnother")
            self._do(f"{LOTS}.vouch", day, seat.address, by=by, may=may)
        if self.random.random() < 0.5:
            self._open_secrets(day)

    def _secret(self, day: int, n: int) -> bytes:
        return bytes([n + 1]) * 16 + day.to_bytes(16)

    def _open_secrets(self, day: int) -> None:
        """Of a day, by whoever knows them; its gate is waited for if it is near."""
        gate, period = self.market.calendar.gate_closes_at(day), self.market.calendar.period_length
        if 0 < gate - self.market.now <= 6 * period:
            self._wait_until(gate)
        for n in sorted(self.pledged[day]):
            secret = self._secret(day, n) if self.random.random() < 0.9 else bytes(32)
            may = ("NoTimeToOpen", "NotPledged")
            if self._do(f"{LOTS}.open", day, self.seats[n].address, secret, may=may) is None:
                self.pledged[day].discard(n)
        if self.market.now >= gate + period or not self.pledged[day]:
            del self.pledged[day]

    # --------------------------------------------------------------------------------------------- trades in escrow

    def _escrow_replay(self) -> EscrowReplay:
        market = self.market.replay.markets[ESCROW]
        assert isinstance(market, EscrowReplay)
        return market

    def fund_escrow(self) -> None:
        """A trade that both sides have signed, perhaps for the second time; or one that somebody else has."""
        random, known = self.random, [*self.traded.values()]
        traded = random.choice(known[-3:]) if known and random.random() < 0.1 else self._new_trade()
        trade, signers = traded.trade, [*traded.sides]
        may = {"BadTerm", "ExceedsCapacity", "TooManyTrades", "TradeUsed", "TradeExpired", "DayNotOpen", "GateClosed"}
        may |= {"DayStillOpen", *MEMBERSHIP, *MONEY} | ({"TradeWithItself"} if trade.buyer == trade.seller else set())
        if random.random() < 0.05:
            signers[random.randrange(2)] = STRANGER
            may.add("NotSignedBy")
        domain = self.market.domain(ESCROW)
        signatures = [signer.sign(domain, trade) for signer in signers]
        self._try(f"{ESCROW}.fund", struct(trade), *signatures, may=may)

    def _new_trade(self) -> Traded:
        random, first = self.random, 700_000 + 3 * len(self.traded)
        buyer, seller = self._innocent(), self._innocent()
        if buyer is seller and random.random() < 0.8:
            seller = self._innocent()
        sides = buyer.account, seller.account
        keys = [key(first + n) for n in range(3)]
        trade = EscrowTrade(
            *(one.address for one in (*sides, *keys)),
            day=max(1, self._open_day()),
            slots=random.randint(1, (1 << self.market.calendar.periods_per_day) - 1),
            energy=Wh(random.choice((2, *[3, 30, 100] * 4, 301))),
            price=random.choice((1, 10_000, 10_000, 60_000)),
            expiry=self.market.now + random.choice((0, *[1_000] * 19)),
            salt=self._reference(),
        )
        traded = self.traded[message_hash(trade)] = Traded(trade, sides, keys)
        return traded

    def release_escrow(self) -> None:
        """As two of three keys sign, or one twice, or somebody else; the whole of it, or another sum."""
        random, unpaid = self.random, self._escrow_replay().unpaid
        if not self.escrows:
            return
        due = [number for number in unpaid if number not in self._escrow_replay().delivered]
        number = random.choice(due if due and random.random() < 0.9 else [*self.escrows])
        keys, escrow = self.escrows[number].keys, self.escrows[number].escrow
        to_seller, case = random.randint(0, escrow), random.random()
        to_buyer = escrow - to_seller + (case < 0.05)
        signers = random.sample(keys, 2) if case < 0.9 else [keys[0], random.choice((keys[0], STRANGER))]
        may = {"NotFunded", "TooLateToRelease"} | ({"NotTheEscrow"} if case < 0.05 else set())
        may |= {"SignedByOne", "NotAKeyOf"} if case >= 0.9 else set()
        message = EscrowRelease(number, to_seller, to_buyer)
        signatures = [signer.sign(self.market.domain(ESCROW), message) for signer in signers]
        refused = self._try(f"{ESCROW}.release", *struct(message), *signatures, may=self._unless_settling(may))
        assert refused is not None or 0.05 <= case < 0.9, "released by one key, or by another sum"

    def expire_escrow(self) -> None:
        """One whose day is final, or any."""
        replay = self._escrow_replay()
        due = [*replay.delivered] if replay.delivered and self.random.random() < 0.8 else [*self.escrows]
        number = self.random.choice(due or [1])
        reasons = set() if number in replay.unpaid else {"NotFunded", "NoSuchTrade"}
        if number in replay.unpaid and number not in replay.delivered:
            reasons.add("DayNotFinal")
        refused = self._try(f"{ESCROW}.expire", number, may=self._unless_settling(reasons))
        assert refused is not None or not reasons, f"escrow {number} expired in spite of {reasons}"

    def _unless_settling(self, reasons: Collection[str]) -> Collection[str]:
        return {*reasons, "MoneyHeld"} if self.state.in_settlement else reasons

    def revoke_escrow(self) -> None:
        """A side's signature of a trade, which may be funded."""
        known = [*self.traded.items()]
        if not known or self.random.random() < 0.5:
            self._new_trade()  # nobody brings it
            known = [*self.traded.items()]
        hashed, traded = self.random.choice(known[-3:])
        signer = self.random.choice(traded.sides)
        signature = signer.sign(self.market.domain(ESCROW), Revocation(hashed))
        self._try(f"{ESCROW}.revoke", hashed, signer.address, signature, may=("TradeUsed",))

    # -------------------------------------------------------------------------------------------------------- coins

    def credit_coins(self) -> None:
        """Some members of a final day are counted or credited, or of one that is not final, or lapsed."""
        last = self._last_final()
        day = max(0, last - self.random.choice((0, 0, 0, 1, 2, 9, -1)))
        waiting = [one for one in range(max(1, last - RING + 2), last + 1) if not self._is_credited(one)]
        if waiting and self.random.random() < 0.7:
            day = waiting[0]
        self._walk(day, self.random.random() < 0.1, self.random.choice((0, 1, 3, 100, 100, 100)))

    def _is_credited(self, day: int) -> bool:
        return bool(self.market.call(COIN, "isCredited", day))

    def _walk(self, day: int, is_other: bool, members: int) -> None:
        """The one that is due, or the other."""
        is_counted = day in self.market.replay.coins.sums
        function = "creditDay" if is_counted != is_other else "countDay"
        objections = {
            "NoMembersGiven": members == 0,
            "DayNotFinal": not 0 < day <= self._last_final(),
            "DayLapsed": self.market.now >= self.market.calendar.start_of(day + RING),
            "AlreadyCounted": function == "countDay" and is_counted,
            "NotCounted": function == "creditDay" and not is_counted,
            "AlreadyCredited": function == "creditDay" and self._is_credited(day),
        }
        reasons = {error for error, is_true in objections.items() if is_true}
        refused = self._try(f"{COIN}.{function}", day, members, may=reasons)
        assert bool(refused) == bool(reasons), f"{function} of day {day} in spite of {reasons}"

    def _credit_day(self, day: int) -> None:
        """All of it, if there is still time."""
        while self.market.now < self.market.calendar.start_of(day + RING) and not self._is_credited(day):
            self._walk(day, False, 100)

    def correct_coins(self) -> None:
        """Of who was settled late, or of anybody; by what is on record, or not."""
        coins = self.market.replay.coins
        due = coins.to_correct()
        if due and self.random.random() < 0.9:
            id_, day = self.random.choice(due)
        elif coins.sums:
            day = self.random.choice([*coins.sums])
            id_ = self.random.randint(FIRST_PARTICIPANT, self.market.replay.late.day(day).members)
        else:
            return
        may = () if (id_, day) in due else ("NotCredited", "NotReconciled", "NothingToCorrect", "DayNotFinal")
        self._correct(id_, day, may)

    def _correct(self, id_: int, day: int, may: Collection[str]) -> None:
        coins, late = self.market.replay.coins, self.market.replay.late
        words, before = [*coins.words(day)], coins.before(id_, day)
        if may and self.random.random() < 0.5:
            before, may = [word + 1 for word in before], (*may, "NotOnRecord")
        refused = self._try(f"{COIN}.correct", id_, day, *words, before, tuple(late.record(id_, day)), may=may)
        assert bool(refused) == bool(may), f"coins of {id_}, day {day}: corrected in spite of {may}"

    def give_coins(self) -> None:
        """To another member, as many as there are or more; signed by whose they are, or not."""
        random, coins = self.random, self.market.replay.coins
        rich = [person for id_, person in self.people.items() if coins.balances[id_] > 0]
        giver = random.choice(rich) if rich and random.random() < 0.9 else self._member()
        receiver, balance = self._member(), coins.balances[giver.id]
        amount = random.choice((0, 1, max(0, balance), max(0, balance) + 1))
        signer = giver.account if random.random() < 0.95 else STRANGER
        message = CoinTransfer(giver.account.address, receiver.account.address, amount, giver.next_sequence())
        objections = {
            "NotSignedBy": signer is STRANGER,
            "NotAMember": min(giver.id, receiver.id) < FIRST_PARTICIPANT,
            "TooFewCoins": amount > balance,
        }
        reasons = {error for error, is_true in objections.items() if is_true}
        signature = signer.sign(self.market.domain(COIN), message)
        refused = self._try(f"{COIN}.transfer", struct(message), signature, may=reasons)
        assert bool(refused) == bool(reasons), f"coins of {giver.id} moved in spite of {reasons}"
