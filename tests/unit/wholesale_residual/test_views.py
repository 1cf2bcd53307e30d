from support.refusals import refused
from support.signed import NO_ENERGY, signed_lanes
from support.village import PERIODS, Member, Village
from support.wholesale import clear, trade
from web3.contract import Contract

from dem.deployment.market import ADMIN
from dem.model.markets.wholesale import Offer

KNOWN = ("ParticipantRegistry", "MarketRules", "Schedule", "CallAuction", "Accounts", "WholesaleDesk")
AREA = [100] * PERIODS
"""An imbalance, Wh."""


def test_nothing_is_exchanged_without_a_report(residual: Contract, desk: Member) -> None:
    assert residual.functions.reportOf(1).call() == [0, 0]
    assert residual.functions.exchangeOf(1).call() == [0, []]
    assert residual.functions.penaltiesOf(1, AREA, 0).call() == [0, 0, []]


def test_a_day_without_a_report_is_cleared_at_the_deadline(
    village: Village, residual: Contract, left_over: None
) -> None:
    assert not residual.functions.isCleared(1).call()
    village.wait_until(residual.functions.reportDueAt(1).call())
    assert residual.functions.isCleared(1).call()


def test_a_day_waits_for_the_auction(village: Village, residual: Contract, desk: Member) -> None:
    village.wait_until(residual.functions.reportDueAt(1).call())
    assert not residual.functions.isCleared(1).call()


def test_the_exchange_is_known_once_all_strips_are_cleared(
    village: Village, residual: Contract, desk: Member, wanted: None
) -> None:
    trade(village, desk, {0: Offer(0, 0, 5, 5), 7: Offer(14_000, 0, 150, 0), 8: Offer(10_000, 0, 0, 9)})
    clear(village, 1, {1: 150}, {2: 100})
    assert residual.functions.exchangeOf(1).call() == [0, []]
    clear(village, 0, {0: 0})
    assert residual.functions.exchangeOf(1).call() == [desk.id, [NO_ENERGY, signed_lanes(0, -150, 9, 0, 0, 0)]]
    assert residual.functions.exchangeOf(9).call() == [0, []]
    assert residual.functions.penaltiesOf(1, AREA, 0).call() == [desk.id, 0, []]


def test_reverts_when_reports_would_be_due_after_delivery_began(village: Village) -> None:
    m, gate_lead = village.market, village.calendar.gate_lead
    known = [m.addresses[name] for name in KNOWN]
    arguments = (m.authority.address, m.calendar.as_tuple(), gate_lead + 1, *known)
    with refused("BadCalendar", parameter="deskLead", value=gate_lead + 1, limit=gate_lead):
        m.chain.deploy(m.keys[ADMIN], "WholesaleResidual", arguments)


def test_nothing_is_left_over_of_a_ring_before(residual: Contract, desk: Member) -> None:
    assert residual.functions.exchangeOf(0).call() == [0, []]
    assert residual.functions.penaltiesOf(0, AREA, 0).call() == [0, 0, []]
