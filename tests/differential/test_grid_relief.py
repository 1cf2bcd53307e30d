"""Relief of the network (rule 10.9) on a day of its own: what is offered, bought, delivered and paid.

Random offers, purchases and payments are with the random days (support/evm/relief.py).
"""

import pytest
from support.evm.chain import Refused
from support.evm.keys import Key, struct
from support.evm.limited import EXPORTS, FUND_ID, GRID_OPERATOR_ID, IMPORTS, NOTHING, REPORT, RULES, LimitedDay
from support.evm.market import GRID_OPERATOR, STRANGER
from support.rules import CALENDAR

from dem.messages.members import ReliefOffer, Withdrawal
from dem.model.relief import UNPAID, Bought, Relief, pack_relief
from dem.model.units import UnitsPerWh

ASKED, CEILING = 3_000, 5_000


class ReliefDay(LimitedDay):
    """The seller offers half of its connection in either direction, and the grid operator pays for it."""

    def __init__(self) -> None:
        super().__init__()
        self.offer(self.seller.account, 5_000, ASKED)
        self.offer(GRID_OPERATOR, 10_000, CEILING)

    def offer(self, owner: Key, share: int, price: int, day: int = 1, sequence: int = 1, by: Key | None = None) -> None:
        """The same in both directions."""
        price = UnitsPerWh(price)
        message = ReliefOffer(owner.address, share, price, share, price, day, sequence)
        signature = (by or owner).sign(self.market.domain("GridRelief"), message)
        self.market.act("GridRelief.offer", struct(message), signature)

    def buy(self, *bought: Bought, is_fed_in: bool = True, id_: int | None = None, day: int = 1) -> None:
        """Of the seller, in the day's first periods."""
        words = pack_relief({(slot, is_fed_in): own for slot, own in enumerate(bought)})
        self.market.act("GridRelief.buy", self.seller.id if id_ is None else id_, day, words, REPORT)

    def pay(self, reliefs: list[Relief] | None = None) -> tuple[int, int, int]:
        """What the seller, the grid operator and the fund have more by it."""
        replay, accounts = self.market.replay, (self.seller.id, GRID_OPERATOR_ID, FUND_ID)
        known = list(replay.relief.bought(1).get(self.seller.id, ())) if reliefs is None else reliefs
        before = [self.free(id_) for id_ in accounts]
        record = replay.late.record(self.seller.id, 1)
        self.market.act("GridRelief.pay", self.seller.id, 1, known, record)
        seller, grid, fund = (self.free(id_) - had for id_, had in zip(accounts, before, strict=True))
        return seller, grid, fund


@pytest.fixture
def played() -> ReliefDay:
    return ReliefDay()


SOLD = Bought(200, 300, 4_000)


def test_what_a_meter_leaves_out_is_paid_and_what_it_does_not_is_charged(played):
    played.buy(SOLD, SOLD, SOLD, SOLD)
    # All of it, some of it, nothing of it, and a day without sun.
    played.end([-300, -350, -600, *NOTHING[:9]])
    paid, charge = (200 + 150 + 0 + 200) * 4_000, (50 + 200) * RULES.deviation_rate
    assert played.pay() == (paid - charge, -paid, charge)
    assert played.reconciled()


def test_who_draws_less_is_paid_likewise(played):
    played.buy(SOLD, SOLD, is_fed_in=False)
    played.end([400, -700, *NOTHING[:10]])
    paid, charge = (100 + 200) * 4_000, 100 * RULES.deviation_rate
    assert played.pay() == (paid - charge, -paid, charge)
    assert played.reconciled()


def test_it_is_paid_once_and_anew_when_the_meter_is_known_better(played):
    played.buy(SOLD)
    played.end(None)
    missing = 200 * RULES.deviation_rate
    assert played.pay() == (-missing, 0, missing), "who is not read has delivered nothing"
    with pytest.raises(Refused, match="NothingToPay"):
        played.pay()
    played.correct(played.seller, [-300] * 12)
    assert played.pay() == (200 * 4_000 + missing, -200 * 4_000, -missing)
    assert played.reconciled()


def test_nothing_is_paid_but_what_was_bought(played):
    played.buy(SOLD)
    played.end([-300] * 12)
    dearer = pack_relief({(0, True): SOLD._replace(price=5_000)})
    for others in ([], dearer):
        with pytest.raises(Refused, match="NotBought"):
            played.pay(others)


def test_no_more_is_bought_than_is_offered_and_for_no_other_price(played):
    for bought, error in (
        (Bought(401, 100, 4_000), "NotOffered"),
        (Bought(400, 401, 4_000), "NotOffered"),
        (Bought(1, 0, ASKED - 1), "PriceOutOfRange"),
        (Bought(1, 0, CEILING + 1), "PriceOutOfRange"),
    ):
        with pytest.raises(Refused, match=error):
            played.buy(bought)
    with pytest.raises(Refused, match="NotOffered"):
        played.buy(Bought(501, 0, 4_000), is_fed_in=False)
    with pytest.raises(Refused, match="NotOffered"):
        played.buy(SOLD, id_=played.neighbour.id)
    with pytest.raises(Refused, match="NotOffered"):
        played.buy(SOLD, id_=GRID_OPERATOR_ID)
    played.buy(Bought(EXPORTS // 2, EXPORTS // 2, ASKED), Bought(1, 0, CEILING))


def test_it_is_bought_once_in_order_and_before_the_auction_opens(played):
    [first], [second] = (pack_relief({(slot, True): SOLD}) for slot in (0, 6))
    drawn = first._replace(is_fed_in=False)
    for words in ([], [second, first], [first, first], [first, drawn], [first._replace(strip=2)]):
        with pytest.raises(Refused, match="NoRelief"):
            played.market.act("GridRelief.buy", played.seller.id, 1, words, REPORT)
    played.market.act("GridRelief.buy", played.seller.id, 1, [drawn, first, second], REPORT)
    with pytest.raises(Refused, match="BoughtAlready"):
        played.buy(SOLD)
    played.open()
    with pytest.raises(Refused, match="AuctionHasOpened"):
        played.buy(SOLD)


def test_without_the_grid_operators_word_nothing_is_bought():
    played = LimitedDay()
    message = ReliefOffer(played.seller.account.address, 10_000, UnitsPerWh(0), 10_000, UnitsPerWh(0), 1, 1)
    signature = played.seller.account.sign(played.market.domain("GridRelief"), message)
    played.market.act("GridRelief.offer", struct(message), signature)
    words = pack_relief({(0, True): Bought(1, 0, 1)})
    with pytest.raises(Refused, match="PriceOutOfRange"):
        played.market.act("GridRelief.buy", played.seller.id, 1, words, REPORT)


def test_offers_are_signed_in_order_and_in_time(played):
    seller = played.seller.account
    with pytest.raises(Refused, match="StaleMessage"):
        played.offer(seller, 1, 0)
    with pytest.raises(Refused, match="NotSignedBy"):
        played.offer(seller, 1, 0, sequence=2, by=STRANGER)
    with pytest.raises(Refused, match="NotAMember"):
        played.offer(STRANGER, 1, 0)
    with pytest.raises(Refused, match="ShareTooLarge"):
        played.offer(seller, 10_001, 0, sequence=2)
    played.market.now = CALENDAR.opens_at(2)
    with pytest.raises(Refused, match="TooLateToOffer"):
        played.offer(seller, 1, 0, day=3, sequence=2)
    played.offer(seller, 1, 0, day=4, sequence=2)
    assert [played.market.replay.relief.offer(played.seller.id, day).drawn for day in (1, 3, 4)] == [5_000, 5_000, 1]


def test_an_offer_of_before_holds_for_the_days_it_was_for(played):
    """What is taken back for a later day changes nothing for a day that will be bought for."""
    played.market.now = CALENDAR.opens_at(1)
    played.offer(played.seller.account, 0, 0, day=3, sequence=2)
    played.buy(SOLD, day=2)
    with pytest.raises(Refused, match="NotTheNextDay"):
        played.buy(SOLD, day=3)
    played.market.now = CALENDAR.opens_at(2)
    with pytest.raises(Refused, match="NotOffered"):
        played.buy(SOLD, day=3)


def test_relief_is_never_dearer_than_the_dearest_tariff_may_be(played):
    dearest = played.market.replay.rules(1).max_buy
    played.offer(GRID_OPERATOR, 10_000, 2**32 - 1, sequence=2)
    with pytest.raises(Refused, match="PriceOutOfRange"):
        played.buy(SOLD._replace(price=dearest + 1))
    played.buy(SOLD._replace(price=dearest))


def test_the_fallback_supplier_does_not_advance_what_the_grid_operator_lacks(played):
    """A grid operator and a friend of its would have its credit, and never pay it back."""
    played.market.act("Accounts.setCreditLimit", GRID_OPERATOR_ID, 0)
    played.buy(SOLD)
    played.end([-300] * 12)
    with pytest.raises(Refused, match="NotCovered"):
        played.pay()
    played.market.act("Accounts.deposit", GRID_OPERATOR.address, 200 * 4_000, b"grid".ljust(32))
    assert played.pay() == (200 * 4_000, -200 * 4_000, 0)
    assert played.reconciled()


def test_nor_what_a_member_lacks_that_has_taken_its_pay_out(played):
    """The reading that was paid for is corrected when the money is gone."""
    played.buy(*[SOLD] * 12, is_fed_in=False)
    played.end([300] * 12)
    played.pay()
    account = played.seller.account
    amount = played.free(played.seller.id)
    message = Withdrawal(account.address, amount, False, played.seller.next_sequence())
    signature = account.sign(played.market.domain("Accounts"), message)
    played.market.act("Accounts.withdraw", struct(message), signature)
    played.correct(played.seller, [500] * 12)
    with pytest.raises(Refused, match="NotCovered"):
        played.pay()


def test_who_left_before_the_day_is_neither_paid_nor_charged(played):
    played.buy(SOLD)
    played.market.act("ParticipantRegistry.exit", played.seller.id)
    played.end(None)
    assert played.market.replay.relief.due(played.seller.id, 1) == UNPAID
    with pytest.raises(Refused, match="NotReconciled"):
        played.pay()


def test_only_the_dispatcher_buys(played):
    with pytest.raises(Refused, match="AccessManagedUnauthorized"):
        played.market.act("GridRelief.buy", played.seller.id, 1, [], REPORT, by=STRANGER)


def test_a_dispatcher_and_a_member_take_no_more_than_what_was_offered_at_the_highest_price(played):
    """Whoever buys of a friend what would never have flowed pays what the grid operator agreed to, and is found out."""
    most = Bought(EXPORTS // 2, EXPORTS // 2, CEILING)
    played.buy(*[most] * 12)
    played.end(NOTHING)
    seller, grid, _ = played.pay()
    assert seller == -grid == 12 * (EXPORTS // 2) * CEILING
    assert IMPORTS >= EXPORTS
