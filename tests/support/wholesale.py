"""A village with a wholesale desk: its reports, and what becomes of them."""

from collections.abc import Mapping

from web3.types import TxReceipt

from dem.community.keys import wallet
from dem.messages.orders import WholesaleReport
from dem.messages.signing import struct
from dem.model.markets.wholesale import Offer
from dem.replay.members import KINDS

from .signed import application, commitment, wholesale_report
from .village import PERIODS, Member, Village

DESK = KINDS.index("wholesale_desk")
CLOSED = Offer(0, 0, 0, 0)
"""Of a slot in which the desk trades nothing."""


def admit_desk(village: Village, name: str = "desk") -> Member:
    """A wholesale desk, without a meter."""
    market, own = village.market, wallet("village", 1, name)
    village.relay(market.registry, "applyFor", *application(market, own, DESK, meter="0x" + "00" * 20))
    village.admit(own.account)
    number = market.registry.functions.memberCount().call()
    village.send("council", market.accounts, "setCreditLimit", number, 10**12)
    return Member(number, own)


def appointed_desk(village: Village, name: str = "desk") -> Member:
    """A wholesale desk that is the desk of all days."""
    desk = admit_desk(village, name)
    appoint(village, desk)
    return desk


def plug_in(village: Village, first_day: int = 1) -> None:
    """The residual becomes a market of the schedule."""
    village.send(
        "council",
        village.market.contract("Schedule"),
        "addMarket",
        village.market.addresses["WholesaleResidual"],
        first_day,
    )


def offers(by_slot: Mapping[int, Offer]) -> list[Offer]:
    """A day's offers, nothing in the other slots."""
    return [by_slot.get(slot, CLOSED) for slot in range(PERIODS)]


def appoint(village: Village, desk: Member, first_day: int = 1) -> TxReceipt:
    """It is the desk from a day on."""
    return village.send("council", village.market.contract("WholesaleDesk"), "appoint", desk.id, first_day)


def commit(village: Village, desk: Member, message: WholesaleReport) -> TxReceipt:
    """The desk commits to a report, while the auction of its day is open."""
    signed = commitment(village.market, desk.wallet, message)
    return village.relay(village.market.contract("WholesaleDesk"), "commit", *signed)


def reveal(village: Village, message: WholesaleReport) -> TxReceipt:
    """The report itself."""
    return village.relay(village.market.contract("WholesaleResidual"), "report", struct(message))


def report(village: Village, desk: Member, by_slot: Mapping[int, Offer], day: int = 1) -> TxReceipt:
    """What the desk offers for a day: committed to while its auction is open, reported at the gate."""
    message = wholesale_report(desk.wallet, offers(by_slot), day)
    village.wait_until(village.calendar.opens_at(day))
    commit(village, desk, message)
    village.wait_until(village.calendar.gate_closes_at(day))
    return reveal(village, message)


def trade(village: Village, desk: Member, by_slot: Mapping[int, Offer], day: int = 1) -> TxReceipt:
    """The same, and the auction is cleared: its book is what the village makes of it."""
    receipt = report(village, desk, by_slot, day)
    village.clear_day(day)
    return receipt


def clear(
    village: Village, strip: int, imports: Mapping[int, int], exports: Mapping[int, int] | None = None, day: int = 1
) -> TxReceipt:
    """One strip; ticks of the last to be served by lane."""
    ticks = ([by_lane.get(k, 0) for k in range(6)] for by_lane in (imports, exports or {}))
    return village.relay(village.market.contract("WholesaleResidual"), "clear", day, strip, *ticks, 100)
