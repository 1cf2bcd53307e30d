"""NRGcoin (rule 17) on the contracts: coins of a final day, corrections, transfers, and what is refused."""

from random import Random

import numpy as np
import pytest
from support.evm.chain import Refused
from support.evm.keys import Key, struct
from support.evm.limited import NOTHING, LimitedDay
from support.evm.market import STRANGER
from support.evm.people import Person
from support.rules import CALENDAR

from dem.messages.members import CoinTransfer
from dem.model.coins import CoinTerms, Sums, coins_down

CONTRACT = "NrgCoin"
FED_IN = [-700, -100, -300, 0, 50, -800, *[0] * 6]
DRAWN = [600, 100, 0, 400, 900, 0, *[0] * 6]
ALL = 1_000


class CoinDay(LimitedDay):
    """A day whose coins are counted and credited."""

    def count(self, at_once: int = ALL) -> None:
        while self.market.replay.coins.sums.get(1) is None:
            self.market.act(f"{CONTRACT}.countDay", 1, at_once)

    def credit(self, at_once: int = ALL) -> None:
        while not self.market.call(CONTRACT, "isCredited", 1):
            self.market.act(f"{CONTRACT}.creditDay", 1, at_once)

    def correct_coins(self, person: Person, **changes: object) -> None:
        coins, late = self.market.replay.coins, self.market.replay.late
        exported, imported = coins.words(1)
        words = {"exported": exported, "imported": imported, "before": coins.before(person.id, 1), **changes}
        self.market.act(f"{CONTRACT}.correct", person.id, 1, *words.values(), late.record(person.id, 1))

    def give(self, giver: Key, receiver: Key, amount: int, sequence: int = 1, by: Key | None = None) -> None:
        message = CoinTransfer(giver.address, receiver.address, amount, sequence)
        signature = (by or giver).sign(self.market.domain(CONTRACT), message)
        self.market.act(f"{CONTRACT}.transfer", struct(message), signature)

    def balance(self, person: Person) -> int:
        return self.market.call(CONTRACT, "balanceOf", person.id)

    def is_sound(self) -> bool:
        """Every coin is where the replay has it, and no money has moved for any."""
        people = (self.buyer, self.seller, self.neighbour)
        assert [self.balance(person) for person in people] == [
            self.market.replay.coins.balances[person.id] for person in people
        ]
        return self.reconciled()


@pytest.fixture
def played() -> CoinDay:
    day = CoinDay()
    day.open()
    return day


def test_coins_are_those_of_the_model_and_move_no_money(played):
    played.end(FED_IN, DRAWN)
    money = [played.free(person.id) for person in (played.buyer, played.seller)]
    played.count()
    played.credit()
    assert [played.free(person.id) for person in (played.buyer, played.seller)] == money
    assert played.balance(played.seller) > 0 > played.balance(played.buyer)
    assert played.is_sound()


@pytest.mark.parametrize("at_once", [1, 2])
def test_walks_in_parts_come_to_the_same(at_once):
    balances = []
    for some in (at_once, ALL):
        day = CoinDay()
        day.open()
        day.end(FED_IN, DRAWN, Random(3).choices(range(-500, 500), k=12))
        day.count(some)
        day.credit(some)
        assert day.is_sound()
        balances.append([day.balance(person) for person in (day.buyer, day.seller, day.neighbour)])
    assert balances[0] == balances[1]


def test_what_nobody_has_read_counts_nothing_until_a_late_reading_does(played):
    played.end(None, DRAWN)
    played.count()
    played.credit()
    assert played.balance(played.seller) == 0
    played.correct(played.seller, FED_IN)
    played.correct_coins(played.seller)
    assert played.is_sound()
    with pytest.raises(Refused, match="NothingToCorrect"):
        played.correct_coins(played.seller)


def test_a_correction_mints_the_difference_at_the_days_sums(played):
    played.end(FED_IN, DRAWN)
    played.count()
    played.credit()
    before, exported, imported = played.balance(played.buyer), *played.market.replay.coins.sums[1]
    less = [energy // 2 for energy in DRAWN]
    played.correct(played.buyer, less)
    for spoilt in ({"before": [0, 0]}, {"exported": [0, 0]}, {"imported": [0, 0]}):
        with pytest.raises(Refused, match="NotOnRecord"):
            played.correct_coins(played.buyer, **spoilt)
    played.correct_coins(played.buyer)
    sums = Sums(exported, imported)
    change = coins_down(np.array(less), sums, CoinTerms()).net - coins_down(np.array(DRAWN), sums, CoinTerms()).net
    assert played.balance(played.buyer) - before == change > 0
    assert played.is_sound()


def test_coins_move_by_their_owners_word_alone(played):
    played.end(FED_IN, DRAWN)
    played.count()
    played.credit()
    seller, buyer = played.seller.account, played.buyer.account
    had = played.balance(played.seller)
    for refused, error in (
        ((seller, buyer, had + 1), "TooFewCoins"),
        ((buyer, seller, 1), "TooFewCoins"),
        ((seller, STRANGER, 1), "NotAMember"),
        ((STRANGER, seller, 1), "NotAMember"),
        ((seller, buyer, 1, 0), "StaleMessage"),
        ((seller, buyer, 1, 1, STRANGER), "NotSignedBy"),
    ):
        with pytest.raises(Refused, match=error):
            played.give(*refused)
    played.give(seller, buyer, had)
    with pytest.raises(Refused, match="StaleMessage"):
        played.give(seller, buyer, 0)
    assert played.balance(played.seller) == 0
    assert played.is_sound()


def test_days_are_credited_once_in_order_and_in_time(played):
    act = played.market.act
    with pytest.raises(Refused, match="DayNotFinal"):
        act(f"{CONTRACT}.countDay", 1, ALL)
    played.end(FED_IN, DRAWN)
    for function in ("countDay", "creditDay"):
        with pytest.raises(Refused, match="NoMembersGiven"):
            act(f"{CONTRACT}.{function}", 1, 0)
        with pytest.raises(Refused, match="DayNotFinal"):
            act(f"{CONTRACT}.{function}", 0, ALL)
    with pytest.raises(Refused, match="NotCounted"):
        act(f"{CONTRACT}.creditDay", 1, ALL)
    played.count(1)
    with pytest.raises(Refused, match="AlreadyCounted"):
        act(f"{CONTRACT}.countDay", 1, ALL)
    with pytest.raises(Refused, match="NotCredited"):
        played.correct_coins(played.seller)
    played.market.now = CALENDAR.start_of(9)
    with pytest.raises(Refused, match="DayLapsed"):
        act(f"{CONTRACT}.creditDay", 1, ALL)
    played.market.now = CALENDAR.start_of(9) - 1
    played.credit()
    with pytest.raises(Refused, match="AlreadyCredited"):
        act(f"{CONTRACT}.creditDay", 1, ALL)
    assert played.is_sound()


@pytest.mark.parametrize("seed", range(4))
def test_random_days(seed):
    random = Random(f"coins/{seed}")
    played = CoinDay()
    played.open()
    nets = [[random.randint(-800, 1_000) for _ in NOTHING] if random.random() < 0.8 else None for _ in range(3)]
    played.end(*nets)
    played.count(random.choice((1, 2, ALL)))
    played.credit(random.choice((1, 2, ALL)))
    for person in (played.buyer, played.seller, played.neighbour):
        if random.random() < 0.5:
            played.correct(person, [random.randint(-800, 1_000) for _ in NOTHING])
            played.correct_coins(person)
    assert played.is_sound()
