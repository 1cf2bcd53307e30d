"""Limits of the network (rule 10) on a day of their own: what orders they refuse, what going beyond them costs.

Random zones, limits and charges are with the random days (support/evm/grid.py).
"""

import pytest
from support.evm.chain import Refused
from support.evm.keys import struct
from support.evm.limited import EXPORTS, FUND_ID, GRID_OPERATOR_ID, NOTHING, REPORT, RULES, ZONE, LimitedDay
from support.evm.market import STRANGER
from support.evm.people import Person, register, sign_sheet
from support.rules import CALENDAR

from dem.messages.members import Mandate
from dem.messages.orders import OrderSheet
from dem.model.limits import Publication, Share, ZoneLimit, pack_shares
from dem.model.orders import BROKERED_LAYER, Order, Side, encode_lane
from dem.model.strips import LANES, pack
from dem.model.units import Tick, Wh
from dem.replay.members import KINDS


@pytest.fixture
def played() -> LimitedDay:
    return LimitedDay()


HALF = Share(5_000, 5_000)


# ------------------------------------------------------------------------------------------------------ orders


def test_orders_go_as_far_as_the_limit(played):
    played.limit(HALF)
    played.open()
    with pytest.raises(Refused, match=r"ExceedsLimit\(7, 0, 401, 400\)"):
        played.order(played.seller, Side.ASK, 401)
    with pytest.raises(Refused, match=r"ExceedsLimit\(7, 0, 501, 500\)"):
        played.order(played.seller, Side.BID, 501)
    played.order(played.seller, Side.ASK, 400)
    played.order(played.seller, Side.ASK, EXPORTS, strip=1)
    played.order(played.neighbour, Side.ASK, EXPORTS)


def test_orders_of_all_layers_count_together(played):
    played.limit(HALF)
    played.open()
    played.order(played.seller, Side.ASK, 300)
    with pytest.raises(Refused, match=r"ExceedsLimit\(7, 0, 401, 400\)"):
        played.order(played.seller, Side.ASK, 101, layer=1)
    played.order(played.seller, Side.ASK, 100, layer=1)


def test_a_limit_is_rounded_down(played):
    played.limit(Share(10_000, 1_237))
    played.open()
    with pytest.raises(Refused, match=r"ExceedsLimit\(7, 0, 99, 98\)"):
        played.order(played.seller, Side.ASK, 99)  # 800 x 0.1237 = 98.96


def test_without_a_publication_the_standing_limit_holds(played):
    played.market.act("GridLimits.setStanding", ZONE, 10_000, 2_500, 1)
    played.open()
    with pytest.raises(Refused, match="ExceedsLimit"):
        played.order(played.seller, Side.ASK, 201, strip=1)
    played.order(played.seller, Side.ASK, 200, strip=1)


def test_a_publication_takes_the_place_of_the_standing_limit(played):
    played.market.act("GridLimits.setStanding", ZONE, 10_000, 2_500, 1)
    played.limit()
    played.open()
    played.order(played.seller, Side.ASK, EXPORTS)


def test_a_later_publication_replaces_what_it_names(played):
    played.limit(HALF)
    played.limit(Share())
    played.open()
    played.order(played.seller, Side.ASK, EXPORTS)


def test_who_has_a_zone_no_more_has_no_limits(played):
    played.limit(HALF)
    played.market.act("GridLimits.assign", [played.seller.id], [0], 1)
    played.open()
    played.order(played.seller, Side.ASK, EXPORTS)


# ----------------------------------------------------------------------------------------------------- charges


def test_what_is_beyond_a_limit_earns_nothing_and_costs_the_deviation_rate(played):
    played.limit(HALF)
    played.end([-400, -401, -700, 0, 0, 0] + [-800] * 6)
    before = [played.free(id_) for id_ in (played.seller.id, FUND_ID)]
    played.charge(played.seller)
    after = [played.free(id_) for id_ in (played.seller.id, FUND_ID)]
    # 1 and 300 Wh beyond 400; the tolerance is 100 Wh.
    units = 301 * RULES.standing_sell + 200 * RULES.deviation_rate
    assert [a - b for a, b in zip(after, before, strict=True)] == [-units, units]
    assert played.reconciled()


def test_what_is_drawn_beyond_a_limit_is_paid_as_ever_and_costs_the_deviation_rate(played):
    played.limit(HALF)
    played.end([900] * 6 + [0] * 6)
    played.charge(played.seller)
    assert played.market.call("GridCharges", "chargedOf", 7, 1) == 6 * 300 * RULES.deviation_rate
    assert played.reconciled()


def test_the_same_is_not_charged_twice(played):
    played.limit(HALF)
    played.end([-700] * 12)
    played.charge(played.seller)
    with pytest.raises(Refused, match="NothingToCharge"):
        played.charge(played.seller)


def test_who_keeps_its_limits_or_has_none_pays_nothing(played):
    played.limit(HALF)
    played.end([-400] * 6 + [-900] * 6, neighbours=[-900] * 12)
    with pytest.raises(Refused, match="NothingToCharge"):
        played.charge(played.seller)  # beyond its connection where it has no limit
    with pytest.raises(Refused, match="NotLimited"):
        played.charge(played.neighbour)


def test_each_period_counts_by_itself(played):
    """Nobody pays for energy fed in beyond a limit by drawing beyond one, or by feeding in at other times."""
    played.market.act(
        "GridLimits.limit",
        1,
        [ZoneLimit(ZONE, strip, pack_shares([HALF] * LANES)) for strip in (0, 1)],
        REPORT,
    )
    played.end([-500] * 6 + [600] * 6)
    played.charge(played.seller)
    assert played.market.call("GridCharges", "chargedOf", 7, 1) == 6 * 100 * RULES.standing_sell
    assert played.reconciled()


def test_a_day_that_nobody_has_read_counts_as_fed_in_in_full(played):
    """A true-up pays for what the registers show, so silence gains nothing."""
    played.limit(HALF)
    played.end(None)
    played.charge(played.seller)
    excess = EXPORTS - 400
    whole = 6 * (excess * RULES.standing_sell + (excess - 100) * RULES.deviation_rate)
    assert played.market.call("GridCharges", "chargedOf", 7, 1) == whole
    played.correct(played.seller, [-400] * 12)
    played.charge(played.seller)
    assert played.market.call("GridCharges", "chargedOf", 7, 1) == 0
    assert played.reconciled()


def test_a_late_reading_is_charged_as_well_and_a_lower_one_is_paid_back(played):
    played.limit(HALF)
    played.end([-400] * 12)
    for net in ([-700] * 6, [-500] * 6):
        played.correct(played.seller, net + [-400] * 6)
        played.charge(played.seller)
    assert played.market.call("GridCharges", "chargedOf", 7, 1) == 6 * 100 * RULES.standing_sell
    assert played.reconciled()


def test_the_day_must_be_final(played):
    played.limit(HALF)
    played.end([-700] * 12)
    record = played.market.replay.late.record(played.seller.id, 1)
    with pytest.raises(Refused, match="NotFinal"):
        played.market.act("GridCharges.charge", 7, 2, played.publications, record)
    with pytest.raises(Refused, match="NotLimited"):
        played.market.act("GridCharges.charge", GRID_OPERATOR_ID, 1, played.publications, record)


def test_nobody_brings_other_limits(played):
    played.limit(HALF)
    played.end([-700] * 12)
    [own] = played.publications
    shares = pack_shares([Share(0, 0)] * LANES)
    for wrong in (
        (),
        (own, own),
        (own._replace(is_late=True),),
        (Publication(False, (ZoneLimit(ZONE, 0, shares),)),),
        (own, Publication(False, (ZoneLimit(ZONE, 255, shares),))),
    ):
        with pytest.raises(Refused, match="NotPublished"):
            played.charge(played.seller, publications=wrong)


# -------------------------------------------------------------------------------------------------- lowered limits


def test_the_grid_operator_makes_good_what_it_takes_after_the_gate(played):
    played.limit()
    played.trade(600)
    played.lower(HALF)
    played.end([0] * 6 + [-400] * 6, [0] * 6 + [600] * 6)
    before = [played.free(id_) for id_ in (played.seller.id, GRID_OPERATOR_ID)]
    played.charge(played.seller, "makeGood")
    after = [played.free(id_) for id_ in (played.seller.id, GRID_OPERATOR_ID)]
    # 200 Wh in six periods that had to be bought back; 100 of them are beyond the tolerance.
    units = 6 * 100 * RULES.deviation_rate
    assert [a - b for a, b in zip(after, before, strict=True)] == [units, -units]
    assert played.reconciled()


def test_it_does_so_once(played):
    played.limit()
    played.trade(600)
    played.lower(HALF)
    played.end([0] * 6 + [-400] * 6, [0] * 6 + [600] * 6)
    played.charge(played.seller, "makeGood")
    assert played.market.call("GridCharges", "isMadeGood", 7, 1)
    with pytest.raises(Refused, match="NothingToMakeGood"):
        played.charge(played.seller, "makeGood")


def test_limits_known_before_the_auction_are_not_made_good(played):
    played.limit(HALF, strip=1)
    played.trade(400)
    played.end([0] * 6 + [-100] * 6, [0] * 6 + [400] * 6)
    with pytest.raises(Refused, match="NothingToMakeGood"):
        played.charge(played.seller, "makeGood")


def test_who_ignores_a_lowered_limit_is_no_better_off_than_who_keeps_it():
    """Energy beyond the limit counts as if it had not flowed, so what is sold and not delivered costs the same."""
    money = []
    for fed_in in (-400, -600):
        played = LimitedDay()
        played.limit()
        played.trade(600)
        played.lower(HALF)
        played.end([0] * 6 + [fed_in] * 6, [0] * 6 + [600] * 6)
        if fed_in == -600:
            played.charge(played.seller)
        else:
            played.charge(played.seller, "makeGood")
        # Neither the area's sign nor the fees are the seller's doing: what its imbalance costs is compared.
        short = played.market.replay.late.day(1).prices.short[6]
        money.append(played.free(played.seller.id) + (0 if fed_in == -600 else 6 * 200 * short))
    kept, ignored = money
    short = played.market.replay.late.day(1).prices.short[6]
    assert ignored == kept - 6 * (200 * short + 100 * RULES.deviation_rate)


def test_two_accounts_gain_nothing_by_a_paper_sale_before_a_limit_is_lowered():
    """What is made good is no more than what was charged: whatever they trade at, together they pay it themselves."""
    together = []
    for is_paper in (False, True):
        played = LimitedDay()
        played.limit()
        if is_paper:
            played.open()
            played.order(played.seller, Side.ASK, 800, 1, tick=1)
            played.order(played.buyer, Side.BID, 800, 1, tick=1)
            played.clear()
        else:
            played.open()
            played.clear()
        played.lower(HALF)
        played.end(NOTHING, [0] * 6 + [800] * 6)
        if is_paper:
            played.charge(played.seller, "makeGood")
        together.append(played.free(played.seller.id) + played.free(played.buyer.id))
    honest, paper = together
    assert paper < honest


# ------------------------------------------------------------------------------------------------- the dispatcher


def test_nothing_waits_for_the_dispatchers_word(played):
    market = played.market
    assert not market.call("GridLimits", "isApproved", 1)
    market.now = CALENDAR.gate_closes_at(1)
    market.act("GridLimits.approve", 1, REPORT)
    assert market.call("GridLimits", "isApproved", 1)
    assert not market.call("GridLimits", "isApproved", 2)
    market.now = CALENDAR.start_of(2)
    assert market.call("GridLimits", "isApproved", 2)


def test_refuses_what_comes_too_early_or_too_late(played):
    market, words = played.market, [ZoneLimit(ZONE, 0, pack_shares([HALF] * LANES))]
    for call in (("approve", 1, REPORT), ("restrict", 1, words, "", REPORT)):
        with pytest.raises(Refused, match="GateIsOpen"):
            market.act(f"GridLimits.{call[0]}", *call[1:])
    played.open()
    with pytest.raises(Refused, match="AuctionHasOpened"):
        market.act("GridLimits.limit", 1, words, REPORT)
    for call in (("assign", [6], [1], 1), ("setStanding", 1, 1, 1, 1), ("publishModel", REPORT, 1)):
        with pytest.raises(Refused, match="DayNotOpenToChange"):
            market.act(f"GridLimits.{call[0]}", *call[1:])
    market.now = CALENDAR.start_of(1)
    with pytest.raises(Refused, match=r"PeriodTooNear\(1, 0"):
        market.act("GridLimits.approve", 1, REPORT)
    with pytest.raises(Refused, match=r"PeriodTooNear\(1, 0"):
        market.act("GridLimits.restrict", 1, words, "", REPORT)
    played.lower(HALF)
    market.now = CALENDAR.start_of(2)
    with pytest.raises(Refused, match="PeriodTooNear"):
        played.lower(HALF)


def test_limits_are_lowered_and_never_raised(played):
    played.limit(HALF, strip=1)
    played.market.now = CALENDAR.gate_closes_at(1)
    with pytest.raises(Refused, match="SharesTooLarge"):
        played.lower(Share(5_000, 5_001))
    played.lower(Share(5_000, 100))
    with pytest.raises(Refused, match="SharesTooLarge"):
        played.lower(HALF)


@pytest.mark.parametrize(
    ("limit", "error"),
    [
        (ZoneLimit(0, 0, 0), "NoSuchPlace"),
        (ZoneLimit(1, 2, 0), "NoSuchPlace"),
        (ZoneLimit(1, 0, pack_shares([Share(10_001, 0)] * LANES)), "SharesTooLarge"),
        (ZoneLimit(1, 0, pack_shares([Share(0, 10_001)] * LANES)), "SharesTooLarge"),
        (ZoneLimit(1, 0, 1 << 240), "SharesTooLarge"),
    ],
)
def test_refuses_limits_that_cannot_be(played, limit, error):
    with pytest.raises(Refused, match=error):
        played.market.act("GridLimits.limit", 1, [limit], REPORT)


def test_nothing_is_lowered_by_what_changes_nothing(played):
    played.market.now = CALENDAR.gate_closes_at(1)
    with pytest.raises(Refused, match="NothingPublished"):
        played.lower(Share())


def test_all_limits_of_a_day_fit_one_transaction(played):
    words = [ZoneLimit(zone, 0, pack_shares([HALF] * LANES)) for zone in range(1, 601)]
    for _ in range(2):
        played.market.act("GridLimits.limit", 1, words, REPORT)
    with pytest.raises(Refused, match="TooManyLimits"):
        played.limit(HALF)
    played.end([-700] * 12)
    record = played.market.replay.late.record(played.seller.id, 1)
    call = played.market.contracts["GridCharges"].encode("charge", 7, 1, played.publications, record)
    assert len(call) < 128 * 1024, "what a node's pool takes"
    played.charge(played.seller)


def test_zones_are_no_month_ahead(played):
    with pytest.raises(Refused, match="DayNotOpenToChange"):
        played.market.act("GridLimits.assign", [6], [1], 33)
    played.market.act("GridLimits.assign", [6], [1], 32)


def test_a_client_cancels_some_of_what_its_intermediary_ordered(played):
    market, seller = played.market, played.seller
    broker = Person.numbered(60, is_metered=False, kind=KINDS.index("intermediary"))
    register(market, broker)
    mandate = Mandate(seller.account.address, broker.account.address, 5_000, 1, seller.next_sequence())
    market.act("Intermediaries.choose", struct(mandate), seller.account.sign(market.domain("Intermediaries"), mandate))
    market.act("GridLimits.limit", 1, [ZoneLimit(ZONE, n, pack_shares([HALF] * LANES)) for n in (0, 1)], REPORT)
    played.open()
    lane = encode_lane(Order(1, 0, 0, Side.ASK, Tick(100), Wh(200)))
    first = BROKERED_LAYER * 2
    for signer, energies in ((broker.account, (lane, lane)), (seller.account, (0,))):
        lines = tuple(pack(1, [energy] * LANES) for energy in energies)
        sheet = OrderSheet(seller.account.address, 1, first, seller.next_sequence(), lines)
        market.act("CallAuction.enter", sign_sheet(market, sheet, signer))


def test_refuses_everybody_else(played):
    calls = {
        "publishModel": (REPORT, 1),
        "assign": ([6], [1], 1),
        "setStanding": (1, 1, 1, 1),
        "limit": (1, [], REPORT),
        "restrict": (1, [ZoneLimit(1, 0, 0)], "", REPORT),
        "approve": (1, REPORT),
    }
    for function, arguments in calls.items():
        with pytest.raises(Refused, match="AccessManagedUnauthorized"):
            played.market.act(f"GridLimits.{function}", *arguments, by=STRANGER)
