"""Messages as the contracts take them: the struct as a tuple, and its signature."""

from collections.abc import Sequence
from typing import Any

from dem.community.keys import Wallet
from dem.deployment.market import Market
from dem.messages.members import Application, Withdrawal
from dem.messages.orders import (
    IntradayCancellation,
    IntradayFunding,
    IntradayOrder,
    OrderSheet,
    WholesaleCommitment,
    WholesaleReport,
)
from dem.messages.readings import ReadingSheet, Register, pack_registers
from dem.messages.signing import Domain, SignedSheet, compact, message_hash, sign, struct
from dem.model.markets.wholesale import Offer, report_words
from dem.model.orders import Order, Side, lines_of
from dem.model.strips import LANES, pack

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
BIAS = 1 << 38
"""Signed lanes hold energy + BIAS."""
ESTIMATED = 1 << 39
NO_ENERGY = sum(BIAS << 40 * k for k in range(LANES))
"""Six signed lanes of zero."""

TOO_HIGH_S = b"\x7f".ljust(32, b"\xff")
"""The only values of s above half the curve's order that a compact signature can express are near this one."""

Signed = tuple[tuple[Any, ...], bytes]


def domain(market: Market, contract: str) -> Domain:
    """The EIP-712 domain of one of the market's contracts."""
    return Domain(market.chain.id, market.addresses[contract])


def bid(slot: int, tick: int, energy: int, layer: int = 0) -> Order:
    """An order to buy; whose it is, the sheet says."""
    return Order(1, layer, slot, Side.BID, tick, energy)


def ask(slot: int, tick: int, energy: int, layer: int = 0) -> Order:
    """An order to sell."""
    return Order(1, layer, slot, Side.ASK, tick, energy)


def orders_sheet(market: Market, wallet: Wallet, *orders: Order, day: int = 1, sequence: int = 1) -> SignedSheet:
    """A sheet with these orders."""
    words = lines_of(orders, day, market.calendar.periods_per_day)
    first, last = min(words), max(words)
    filled = [words.get(line, empty_line(day)) for line in range(first, last + 1)]
    return lines_sheet(market, wallet, *filled, day=day, first_line=first, sequence=sequence)


def lines_sheet(
    market: Market,
    wallet: Wallet,
    *words: int,
    day: int = 1,
    first_line: int = 0,
    sequence: int = 1,
    key: bytes | None = None,
) -> SignedSheet:
    """A sheet of raw words, for what no order can express; signed with another key than the wallet's if given."""
    message = OrderSheet(wallet.account, day, first_line, sequence, words)
    signature = sign(domain(market, "CallAuction"), message, key or wallet.account_key)
    return (wallet.account, day, first_line, sequence, [word.to_bytes(32, "big") for word in words]), *compact(
        signature
    )


def empty_line(day: int = 1) -> int:
    """A line without orders."""
    return pack(day, [0] * LANES)


def registers(net: Sequence[int], imported: int = 0, exported: int = 0) -> bytes:
    """Cumulative registers from these opening values on, for net energy by period."""
    readings = [Register(imported, exported)]
    for energy in net:
        imported, exported = imported + max(energy, 0), exported + max(-energy, 0)
        readings.append(Register(imported, exported))
    return pack_registers(readings)


def readings_sheet(
    market: Market,
    wallet: Wallet,
    data: bytes,
    day: int = 1,
    first_strip: int = 0,
    sequence: int = 1,
    key: bytes | None = None,
) -> SignedSheet:
    """A meter's sheet of registers."""
    message = ReadingSheet(wallet.meter, day, first_strip, sequence, data)
    signature = sign(domain(market, "MeterReadings"), message, key or wallet.meter_key)
    return (wallet.meter, day, first_strip, sequence, data, message.substituted), *compact(signature)


def application(
    market: Market,
    wallet: Wallet,
    kind: int,
    meter: str | None = None,
    import_capacity: int = 10_000,
    export_capacity: int = 10_000,
    key: bytes | None = None,
) -> Signed:
    """A signed request for admission."""
    meter = wallet.meter if meter is None else meter
    message = Application(
        wallet.account, meter, kind, import_capacity, export_capacity, b"feeder 1".ljust(32, b"\0"), b"\x11" * 32
    )
    fields = tuple(getattr(message, name) for name in message.__slots__)
    return fields, sign(domain(market, "ParticipantRegistry"), message, key or wallet.account_key)


SALT = b"salt".ljust(32, b"\0")


def wholesale_report(wallet: Wallet, offers: Sequence[Offer], day: int = 1) -> WholesaleReport:
    """What the wholesale desk offers, by slot."""
    return report_of_words(wallet, *report_words(day, offers), day=day)


def report_of_words(
    wallet: Wallet, prices: Sequence[int], imports: Sequence[int], exports: Sequence[int], day: int = 1
) -> WholesaleReport:
    """A report of raw words."""
    return WholesaleReport(wallet.account, day, tuple(prices), tuple(imports), tuple(exports), SALT)


def commitment(
    market: Market, wallet: Wallet, report: WholesaleReport, day: int | None = None, key: bytes | None = None
) -> Signed:
    """What commits a desk to a report; signed with another key than the wallet's if given."""
    message = WholesaleCommitment(wallet.account, report.day if day is None else day, message_hash(report))
    return struct(message), sign(domain(market, "WholesaleDesk"), message, key or wallet.account_key)


def withdrawal(
    market: Market, wallet: Wallet, amount: int, to_bank: bool = False, sequence: int = 1, key: bytes | None = None
) -> Signed:
    """A signed request to pay out."""
    message = Withdrawal(wallet.account, amount, to_bank, sequence)
    signature = sign(domain(market, "Accounts"), message, key or wallet.account_key)
    return (wallet.account, amount, to_bank, sequence), signature


def intraday(market: Market, wallet: Wallet, message: IntradayOrder | IntradayCancellation | IntradayFunding) -> Signed:
    """A message to the intraday market, signed by this wallet, be it the participant's or not."""
    fields = tuple(getattr(message, name) for name in message.__slots__)
    return fields, sign(domain(market, "ContinuousMarket"), message, wallet.account_key)


def high_s(signature: bytes) -> bytes:
    """The other signature that the same key and message have, which the contracts refuse."""
    s = CURVE_ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])


def signed_lanes(*energies: int) -> int:
    """Six signed lanes of net energy, without a day."""
    return sum(energy + BIAS << 40 * k for k, energy in enumerate(energies))
