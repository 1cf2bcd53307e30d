import pytest
from support.refusals import refused
from support.signed import bid, withdrawal
from support.village import (
    BALANCING_FUND,
    CLEARING_HOUSE,
    DEPOSIT,
    FALLBACK_SUPPLIER,
    FEES,
    GRID_OPERATOR,
    OPERATOR,
    RULES,
    Member,
    Village,
    events,
)
from web3.contract import Contract

TRADE = 1_000 * 15_000
FEE = 1_000 * FEES
IMBALANCE = 500 * RULES.standing_buy
DEVIATION = (500 - 100) * RULES.deviation_rate
"""Beyond the tolerance of 100 Wh, which is also a tenth of what was contracted."""


def test_turns_contracts_and_readings_into_one_payment_a_member(
    village: Village, settlement: Contract, buyer: Member, seller: Member, short: None
) -> None:
    receipt = village.settle()
    assert events(receipt, settlement, "SettlementBegun") == [{"day": 1, "readingsVersion": 0}]
    settled = {event["id"]: event for event in events(receipt, settlement, "Settled")}
    assert list(settled) == list(range(1, 9))
    assert settled[buyer.id] == {
        "id": buyer.id,
        "day": 1,
        "trade": TRADE,
        "imbalance": 0,
        "fees": FEE,
        "deviation": 0,
    }
    assert settled[seller.id] == {
        "id": seller.id,
        "day": 1,
        "trade": -TRADE,
        "imbalance": IMBALANCE,
        "fees": FEE,
        "deviation": DEVIATION,
    }
    assert village.account(buyer) == (DEPOSIT - TRADE - FEE, 0, 0, 0)
    assert village.account(seller) == (DEPOSIT + TRADE - IMBALANCE - FEE - DEVIATION, 0, 0, 0)


def test_pays_supplier_fund_operator_and_grid_operator(village: Village, settlement: Contract, short: None) -> None:
    receipt = village.settle()
    assert events(receipt, settlement, "DaySettled") == [
        {
            "day": 1,
            "readingsVersion": 0,
            "fallbackSupply": IMBALANCE,
            "fund": DEVIATION,
            "operator": 2_000 * RULES.platform_fee,
            "grid": 2_000 * RULES.network_fee,
        }
    ]
    assert village.free(FALLBACK_SUPPLIER) == IMBALANCE
    assert village.free(BALANCING_FUND) == DEVIATION
    assert village.free(OPERATOR) == 2_000 * RULES.platform_fee
    assert village.free(GRID_OPERATOR) == 2_000 * RULES.network_fee
    assert village.free(CLEARING_HOUSE) == 0


def test_the_supplier_pays_for_a_surplus(village: Village, seller: Member, traded: None, buyer: Member) -> None:
    village.wait_until(village.calendar.start_of(2))
    village.read(buyer, [0] * 7 + [1_000] + [0] * 4)
    village.read(seller, [0] * 7 + [-1_050] + [0] * 4)
    village.close_metering()
    village.settle()
    assert village.free(FALLBACK_SUPPLIER) == -50 * RULES.standing_sell
    assert village.free(seller) == DEPOSIT + TRADE - FEE + 50 * RULES.standing_sell


def test_the_grid_operator_pays_for_losses(village: Village, buyer: Member, seller: Member, traded: None) -> None:
    village.wait_until(village.calendar.start_of(2))
    village.read(buyer, [0] * 7 + [1_000] + [0] * 4)
    village.read(seller, [0] * 7 + [-1_000] + [0] * 4)
    village.read(village.grid_operator, [0] * 7 + [90] + [0] * 4)
    village.close_metering()
    village.settle()
    assert village.free(FALLBACK_SUPPLIER) == 90 * RULES.standing_buy
    assert village.free(GRID_OPERATOR) == 2_000 * RULES.network_fee - 90 * RULES.standing_buy


def test_members_are_settled_in_as_many_steps_as_the_caller_likes(
    village: Village, settlement: Contract, buyer: Member, seller: Member, short: None
) -> None:
    village.relay(settlement, "settle", 1, 6)
    assert settlement.functions.nextMember(1).call() == 7
    assert not settlement.functions.isSettled(1).call()
    # the fallback supplier is paid first
    assert village.free(FALLBACK_SUPPLIER) == IMBALANCE
    assert village.free(CLEARING_HOUSE) == TRADE + FEE - IMBALANCE
    village.relay(settlement, "settle", 1, 2)
    assert settlement.functions.isSettled(1).call()
    assert village.free(buyer) == DEPOSIT - TRADE - FEE
    assert village.free(seller) == DEPOSIT + TRADE - IMBALANCE - FEE - DEVIATION
    assert village.free(CLEARING_HOUSE) == 0


def test_after_a_correction_only_the_difference_moves(
    village: Village, settlement: Contract, ledger: Contract, buyer: Member, seller: Member, short: None
) -> None:
    village.settle()
    village.read(seller, [0] * 7 + [-600] + [0] * 4, sequence=2)
    assert not settlement.functions.isSettled(1).call()
    village.wait_until(village.calendar.corrections_close_at(1))
    receipt = village.settle()
    less = 100 * (RULES.standing_buy + RULES.deviation_rate)
    moved = [(e["id"], e["amount"]) for e in events(receipt, ledger, "Posted") if e["amount"]]
    assert moved == [
        (FALLBACK_SUPPLIER, -100 * RULES.standing_buy),
        (CLEARING_HOUSE, 100 * RULES.standing_buy),
        (seller.id, less),
        (CLEARING_HOUSE, -less),
        (BALANCING_FUND, -100 * RULES.deviation_rate),
        (CLEARING_HOUSE, 100 * RULES.deviation_rate),
    ]
    assert events(receipt, settlement, "DaySettled")[0]["readingsVersion"] == 1
    assert village.free(buyer) == DEPOSIT - TRADE - FEE
    assert village.free(seller) == DEPOSIT + TRADE - IMBALANCE - FEE - DEVIATION + less


def test_no_correction_begins_the_walk_again(
    village: Village, settlement: Contract, rules: Contract, seller: Member, short: None
) -> None:
    village.relay(settlement, "settle", 1, 6)
    assert rules.functions.dayInSettlement().call() == 1
    with refused("DayBeingSettled", day=1):
        village.read(seller, [0] * 7 + [-600] + [0] * 4, sequence=2)
    village.relay(settlement, "settle", 1, 1)
    assert settlement.functions.nextMember(1).call() == 8
    village.settle()
    assert rules.functions.dayInSettlement().call() == 0
    village.read(seller, [0] * 7 + [-600] + [0] * 4, sequence=2)


def test_however_often_readings_are_corrected_a_day_is_settled_again_once(
    village: Village, settlement: Contract, seller: Member, short: None
) -> None:
    village.settle()
    closes_at = village.calendar.corrections_close_at(1)
    for n in range(1, 4):
        village.read(seller, [0] * 7 + [-500 - n] + [0] * 4, sequence=1 + n)
        with refused("CorrectionsOpen", day=1, closesAt=closes_at, time=village.now):
            village.settle()
    village.wait_until(closes_at)
    receipt = village.settle()
    assert events(receipt, settlement, "SettlementBegun") == [{"day": 1, "readingsVersion": 3}]
    with refused("AlreadySettled", day=1):
        village.settle()


def test_days_are_settled_one_at_a_time(village: Village, settlement: Contract, short: None) -> None:
    village.clear_day(2)
    village.close_metering(2)
    village.relay(settlement, "settle", 1, 6)
    with refused("OtherDayInSettlement", day=2, other=1):
        village.settle(2)
    village.settle()
    village.settle(2)
    assert settlement.functions.isSettled(2).call()


def test_money_stays_until_the_day_is_settled_or_an_hour_is_over(
    village: Village, settlement: Contract, ledger: Contract, buyer: Member, seller: Member, short: None
) -> None:
    village.relay(settlement, "settle", 1, buyer.id)
    until = village.now + 3_600
    assert ledger.functions.heldUntil().call() == until
    still_waits = withdrawal(village.market, seller.wallet, 1)
    with refused("MoneyHeld", until=until):
        village.relay(ledger, "withdraw", *still_waits)
    village.wait_until(until)
    village.relay(ledger, "withdraw", *still_waits)
    # The buyer has its collateral back, which a walk that begins anew may ask for.
    is_settled = withdrawal(village.market, buyer.wallet, 1)
    with refused("PaidNow", id=buyer.id):
        village.relay(ledger, "withdraw", *is_settled)
    village.settle()
    assert ledger.functions.heldUntil().call() == 0
    village.relay(ledger, "withdraw", *is_settled)


def test_settles_while_orders_are_paused_and_members_suspended(
    village: Village, settlement: Contract, registry: Contract, auction: Contract, buyer: Member, short: None
) -> None:
    village.send("node", village.market.accounts, "pause", auction.address)
    village.send("registrar", registry, "suspend", buyer.id)
    village.settle()
    assert settlement.functions.isSettled(1).call()


def test_reverts_when_no_members_are_given(village: Village, settlement: Contract, short: None) -> None:
    with refused("NoMembersGiven"):
        village.relay(settlement, "settle", 1, 0)


def test_reverts_before_the_day_is_cleared(village: Village, settlement: Contract, buyer: Member) -> None:
    village.open_auction()
    village.place(buyer, bid(7, 200, 1_000))
    village.close_metering()
    with refused("NotReadyToSettle", day=1, isCleared=False, isMetered=True):
        village.settle()


def test_reverts_before_the_readings_are_closed(village: Village, settlement: Contract, traded: None) -> None:
    with refused("NotReadyToSettle", day=1, isCleared=True, isMetered=False):
        village.settle()


def test_reverts_for_a_day_that_does_not_exist(village: Village, settlement: Contract, short: None) -> None:
    with refused("NoSuchDay", day=0):
        village.relay(settlement, "settle", 0, 100)


@pytest.mark.parametrize("day", [2, 9])
def test_reverts_for_a_day_nothing_is_known_of(village: Village, settlement: Contract, short: None, day: int) -> None:
    with refused("NotReadyToSettle", day=day, isCleared=day == 2, isMetered=False):
        village.settle(day)


def test_reverts_when_settled_already(village: Village, settlement: Contract, short: None) -> None:
    village.settle()
    with refused("AlreadySettled", day=1):
        village.settle()
