"""A village with a wholesale desk: its reports, and what becomes of them."""

from collections.abc import Mapping

from web3.types import TxReceipt

from dem.replay import KINDS
from dem.wallets import wallet
from dem.wholesale import Offer

from .signed import application, wholesale_report
from .village import PERIODS, Member, Village

DESK = KINDS.index("wholesale_desk")
CLOSED = Offer(0, 0, 0, 0)
"""Of a slot in which the desk trades nothing."""


def admit_desk(village: Village, name: str = "desk") -> Member:
    """A wholesale desk, without a meter."""
    market, own = village.market, wallet("village", 1, name)
    village.relay(market.registry, "applyFor", *application(market, own, DESK, meter="0x" + "00" * 20))
    village.send("registrar", market.registry, "admit", own.account)
    number = market.registry.functions.memberCount().call()
    village.send("council", market.accounts, "setCreditLimit", number, 10**12)
    return Member(number, own)


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


def report(village: Village, desk: Member, by_slot: Mapping[int, Offer], day: int = 1) -> TxReceipt:
    """What the desk offers for a day."""
    signed = wholesale_report(village.market, desk.wallet, offers(by_slot), day)
    return village.relay(village.market.contract("WholesaleResidual"), "report", *signed)


def clear(
    village: Village, strip: int, imports: Mapping[int, int], exports: Mapping[int, int] | None = None, day: int = 1
) -> TxReceipt:
    """One strip; ticks of the last to be served by lane."""
    ticks = ([by_lane.get(k, 0) for k in range(6)] for by_lane in (imports, exports or {}))
    return village.relay(village.market.contract("WholesaleResidual"), "clear", day, strip, *ticks, 100)
