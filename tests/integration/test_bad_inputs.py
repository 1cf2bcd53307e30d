"""Every bad input is refused with an error that names what was wrong, and changes nothing.

One row each: what is brought, in which phase of day 1, and the error in full.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import ape
import pytest
import rlp
from eth_utils import keccak
from model.test_scenario import FILES
from support.refusals import described
from support.signed import (
    TOO_HIGH_S,
    application,
    ask,
    bid,
    domain,
    empty_line,
    lines_sheet,
    orders_sheet,
    readings_sheet,
    registers,
    withdrawal,
)
from support.village import (
    CAPACITY,
    CONSUMER,
    CREDIT_LIMIT,
    DEPOSIT,
    FEES,
    NOBODY,
    RULES,
    STRIPS,
    SUSPENDED,
    Member,
    Village,
)
from trie import HexaryTrie

from dem.community.keys import wallet
from dem.community.scenario import load_scenario
from dem.deployment.plan import rules_tuple
from dem.errors import DemError, InputError, RefusedError
from dem.messages.members import Withdrawal
from dem.messages.orders import OrderSheet
from dem.messages.readings import ReadingSheet, Register, pack_registers
from dem.messages.signing import Domain, compact, recover, sign
from dem.model.orders import Order, lines_of
from dem.model.rules import Tariff
from dem.model.strips import pack
from dem.model.units import FROM_ZERO, parse_kwh, parse_money, parse_tariff

UNKNOWN = Member(9, wallet("village", 1, "unknown"))

# ------------------------------------------------------------------------------------------------------------ phases


def setup(village: Village) -> None:
    """The first auction has not opened."""


def opened(village: Village) -> None:
    """The auction of day 1 is open; buyer and seller have orders in it."""
    village.open_auction()
    village.place(village.buyer, bid(7, 200, 1_000), sequence=5)
    village.place(village.seller, ask(7, 100, 1_000), sequence=5)


def gate_closed(village: Village) -> None:
    opened(village)
    village.wait_until(village.calendar.gate_closes_at(1))


def delivered(village: Village) -> None:
    """Day 1 is over and cleared; the buyer's first strip is read."""
    opened(village)
    village.clear_day()
    village.wait_until(village.calendar.start_of(2))
    village.read(village.buyer, [50] * 6, sequence=5)


def settled(village: Village) -> None:
    delivered(village)
    village.close_metering()
    village.settle()


def suspended(village: Village) -> None:
    opened(village)
    village.send("registrar", village.market.registry, "suspend", village.buyer.id)


def paused(village: Village) -> None:
    opened(village)
    village.send("node", village.market.accounts, "pauseAll")


# ------------------------------------------------------------------------------------------------------ what is brought

Bring = Callable[[Village], Any]
Text = Callable[[Village], str]


@dataclass(frozen=True)
class Bad:
    """A transaction that must be refused."""

    name: str
    phase: Callable[[Village], None]
    bring: Bring
    error: Text


def error(name: str, **arguments: Any) -> Text:
    """An error whose arguments are values, or functions of the village."""
    return lambda v: described(name, **{key: a(v) if callable(a) else a for key, a in arguments.items()})


def now(v: Village) -> int:
    return v.now


def enter_orders(signed: Bring) -> Bring:
    return lambda v: v.relay(v.market.auction, "enter", signed(v))


def enter_readings(signed: Bring) -> Bring:
    return lambda v: v.relay(v.market.readings, "enter", signed(v))


def sheet(*orders: Order, **fields: int) -> Bring:
    """The buyer's next sheet."""
    return lambda v: orders_sheet(v.market, v.buyer.wallet, *orders, **{"sequence": 6, **fields})


def lines(*words: int, **fields: int) -> Bring:
    return lambda v: lines_sheet(v.market, v.buyer.wallet, *words, **{"sequence": 6, **fields})


def read(*net: int, **fields: int) -> Bring:
    """The buyer's next readings."""
    sequence, strip = fields.pop("sequence", 6), fields.pop("first_strip", 1)
    day = fields.pop("day", 1)
    data = registers(net, **{"imported": 300, **fields})
    return lambda v: readings_sheet(v.market, v.buyer.wallet, data, day, strip, sequence)


def raw(data: bytes) -> Bring:
    return lambda v: readings_sheet(v.market, v.buyer.wallet, data, 1, 1, 6)


def signed_with(change: Callable[[bytes, bytes], tuple[bytes, bytes]], make: Bring) -> Bring:
    def signed(v: Village) -> Any:
        fields, r, vs = make(v)
        return fields, *change(r, vs)

    return signed


def signed_for(make_domain: Callable[[Village], Domain]) -> Bring:
    """The buyer's sheet, right but for the chain or contract that it is signed for."""

    def signed(v: Village) -> Any:
        fields, *_ = ORDER(v)
        return fields, *compact(sign(make_domain(v), _message(fields), v.buyer.wallet.account_key))

    return signed


def _message(fields: tuple[Any, ...]) -> OrderSheet:
    return OrderSheet(*fields[:4], tuple(int.from_bytes(line, "big") for line in fields[4]))


def tampered(v: Village) -> Any:
    """The buyer's sheet with one Wh more than was signed."""
    fields, *signature = ORDER(v)
    [line] = fields[4]
    return (*fields[:4], [(int.from_bytes(line, "big") + 1).to_bytes(32, "big")]), *signature


def take(v: Village, amount: int, **fields: Any) -> Any:
    return v.relay(v.market.accounts, "withdraw", *withdrawal(v.market, v.buyer.wallet, amount, **fields))


def deposit(account: Callable[[Village], str], amount: int, reference: bytes) -> Bring:
    return lambda v: v.send("treasurer", v.market.accounts, "deposit", account(v), amount, reference)


def publish(day: int, buy: int, sell: int, strips: int = STRIPS) -> Bring:
    return lambda v: v.send("supplier", v.market.fallback, "publish", day, [pack(day, [buy << 20 | sell] * 6)] * strips)


def announce(first_day: int, **changes: int) -> Bring:
    changed = copy(RULES)
    for name, value in changes.items():
        # As it is, without the checks of the package.
        object.__setattr__(changed, name, value)
    return lambda v: v.send("council", v.market.rules, "announce", first_day, rules_tuple(changed))


def clear(strip: int, *pivots: int, groups: int = 5) -> Bring:
    return lambda v: v.relay(v.market.auction, "clear", 1, strip, [*pivots, *[0] * (6 - len(pivots))], groups)


def apply(**fields: Any) -> Bring:
    return lambda v: v.relay(
        v.market.registry, "applyFor", *application(v.market, UNKNOWN.wallet, **{"kind": CONSUMER, **fields})
    )


def apply_without_account(v: Village) -> Any:
    fields, signature = application(v.market, UNKNOWN.wallet, CONSUMER)
    return v.relay(v.market.registry, "applyFor", (NOBODY, *fields[1:]), signature)


def buyer(v: Village) -> str:
    return v.buyer.account


def signer_of(make: Bring) -> Text:
    """Whom the contract takes for the signer of a sheet."""

    def recovered(v: Village) -> str:
        fields, r, vs = make(v)
        s, v_bit = bytes([vs[0] & 0x7F]) + vs[1:], vs[0] >> 7
        return recover(domain(v.market, "CallAuction"), _message(fields), r + s + bytes([27 + v_bit]))

    return recovered


RIVAL = wallet("village", 1, "rival")
ORDER = sheet(bid(0, 100, 500))
OTHER_CHAIN = signed_for(lambda v: replace(domain(v.market, "CallAuction"), chain_id=1))
OTHER_CONTRACT = signed_for(lambda v: domain(v.market, "MeterReadings"))
READING = read(*[50] * 6)
TOO_MUCH = CAPACITY + 1

ON_CHAIN = [
    # orders
    Bad("order/day 0", opened, enter_orders(lines(empty_line(), day=0)), error("NoSuchDay", day=0)),
    Bad("order/day 65536", opened, enter_orders(lines(empty_line(), day=65_536)), error("NoSuchDay", day=65_536)),
    Bad(
        "order/before the opening",
        setup,
        enter_orders(ORDER),
        error("NotOpenYet", day=1, opensAt=lambda v: v.calendar.opens_at(1), time=now),
    ),
    Bad(
        "order/after the gate",
        gate_closed,
        enter_orders(ORDER),
        error("GateClosed", day=1, closedAt=lambda v: v.calendar.gate_closes_at(1), time=now),
    ),
    Bad(
        "order/paused", paused, enter_orders(ORDER), error("MarketIsPaused", market=lambda v: v.market.auction.address)
    ),
    Bad("order/empty sheet", opened, enter_orders(lines()), error("EmptySheet")),
    Bad(
        "order/a layer too many",
        opened,
        enter_orders(sheet(bid(0, 100, 500, layer=3))),
        error("LineOutOfRange", line=6, lines=6),
    ),
    Bad(
        "order/line of tomorrow",
        opened,
        enter_orders(lines(empty_line(2))),
        error("WrongDay", line=0, day=2, expected=1),
    ),
    Bad(
        "order/below the minimum",
        opened,
        enter_orders(sheet(bid(3, 100, 9))),
        error("OrderTooSmall", line=0, lane=3, energy=9, minimum=10),
    ),
    Bad(
        "order/limit without energy",
        opened,
        enter_orders(lines(pack(1, [0, 100 << 27, 0, 0, 0, 0]))),
        error("OrderTooSmall", line=0, lane=1, energy=0, minimum=10),
    ),
    Bad(
        "order/beyond the connection",
        opened,
        enter_orders(sheet(bid(11, 1, TOO_MUCH))),
        error("ExceedsCapacity", id=6, slot=11, asked=TOO_MUCH, allowed=CAPACITY),
    ),
    Bad(
        "order/beyond the connection together",
        opened,
        enter_orders(sheet(bid(7, 1, 9_001, layer=1))),
        error("ExceedsCapacity", id=6, slot=7, asked=TOO_MUCH, allowed=CAPACITY),
    ),
    Bad(
        "order/beyond the money",
        opened,
        enter_orders(sheet(bid(0, 4_095, 10_000))),
        error(
            "InsufficientFunds",
            id=6,
            needed=10_000 * (409_500 + FEES),
            available=DEPOSIT - 1_000 * (20_000 + FEES),
        ),
    ),
    Bad(
        "order/by a suspended member",
        suspended,
        enter_orders(ORDER),
        error("WrongStatus", account=buyer, status=SUSPENDED),
    ),
    Bad(
        "order/by nobody known",
        opened,
        enter_orders(lambda v: orders_sheet(v.market, UNKNOWN.wallet, bid(0, 100, 500))),
        error("UnknownAccount", account=UNKNOWN.account),
    ),
    Bad(
        "order/old sequence",
        opened,
        enter_orders(sheet(bid(0, 1, 99), sequence=4)),
        error("StaleSheet", id=6, sequence=4, last=5),
    ),
    # signatures
    Bad(
        "signature/replayed",
        opened,
        enter_orders(sheet(bid(7, 200, 1_000), sequence=5)),
        error("StaleSheet", id=6, sequence=5, last=5),
    ),
    Bad(
        "signature/of another member",
        opened,
        enter_orders(lines(empty_line(), key=RIVAL.account_key)),
        error("NotSignedByParticipant", participant=buyer, signer=lambda v: v.rival.account),
    ),
    Bad(
        "signature/for another chain",
        opened,
        enter_orders(OTHER_CHAIN),
        error("NotSignedByParticipant", participant=buyer, signer=signer_of(OTHER_CHAIN)),
    ),
    Bad(
        "signature/for another contract",
        opened,
        enter_orders(OTHER_CONTRACT),
        error("NotSignedByParticipant", participant=buyer, signer=signer_of(OTHER_CONTRACT)),
    ),
    Bad(
        "signature/of another energy",
        opened,
        enter_orders(tampered),
        error("NotSignedByParticipant", participant=buyer, signer=signer_of(tampered)),
    ),
    Bad(
        "signature/s in the upper half",
        opened,
        enter_orders(signed_with(lambda r, _: (r, TOO_HIGH_S), ORDER)),
        error("ECDSAInvalidSignatureS", s=TOO_HIGH_S),
    ),
    Bad(
        "signature/of nobody",
        opened,
        enter_orders(signed_with(lambda _, vs: (bytes(32), vs), ORDER)),
        error("ECDSAInvalidSignature"),
    ),
    # readings
    Bad(
        "reading/length",
        delivered,
        enter_readings(raw(registers([0] * 6)[:-1])),
        error("BadRegisters", bytesGiven=111),
    ),
    Bad("reading/opening only", delivered, enter_readings(raw(registers([]))), error("BadRegisters", bytesGiven=16)),
    Bad(
        "reading/beyond the day's strips",
        delivered,
        enter_readings(read(*[0] * 6, first_strip=2)),
        error("StripOutOfRange", firstStrip=2, strips=1, stripsPerDay=2),
    ),
    Bad(
        "reading/of the future",
        delivered,
        enter_readings(read(*[0] * 6, day=2, first_strip=0)),
        error("ReadingFromFuture", endsAt=lambda v: v.calendar.start_of(2) + 5_400, time=now),
    ),
    Bad(
        "reading/after the correction window",
        lambda v: v.wait_until(v.calendar.corrections_close_at(1)),
        enter_readings(READING),
        error("CorrectionWindowClosed", day=1, closedAt=lambda v: v.calendar.corrections_close_at(1), time=now),
    ),
    Bad(
        "reading/backwards import",
        delivered,
        enter_readings(raw(pack_registers([Register(300, 0)] * 3 + [Register(299, 0)] + [Register(300, 0)] * 3))),
        error("NothingPlausible", id=6, firstStrip=1),
    ),
    Bad(
        "reading/backwards export",
        delivered,
        enter_readings(raw(pack_registers([Register(300, 0)] * 2 + [Register(300, 5)] + [Register(300, 4)] * 4))),
        error("NothingPlausible", id=6, firstStrip=1),
    ),
    Bad(
        "reading/beyond the connection",
        delivered,
        enter_readings(read(0, 0, 0, 2 * TOO_MUCH, 0, 0)),
        error("NothingPlausible", id=6, firstStrip=1),
    ),
    Bad(
        "reading/generation beyond the connection",
        delivered,
        enter_readings(read(0, 0, 0, -2 * TOO_MUCH, 0, 0)),
        error("NothingPlausible", id=6, firstStrip=1),
    ),
    Bad(
        "reading/gap",
        delivered,
        enter_readings(read(*[0] * 6, imported=301)),
        error("RegisterGap", id=6, register=301, last=300),
    ),
    Bad(
        "reading/replayed",
        delivered,
        enter_readings(read(*[50] * 6, imported=0, first_strip=0, sequence=5)),
        error("StaleReading", id=6, strip=0, sequence=5, last=5),
    ),
    Bad(
        "reading/signed by the account",
        delivered,
        enter_readings(
            lambda v: readings_sheet(
                v.market, v.buyer.wallet, registers([50] * 6, 300), 1, 1, 6, v.buyer.wallet.account_key
            )
        ),
        error("NotSignedByMeter", meter=lambda v: v.buyer.meter, signer=buyer),
    ),
    Bad(
        "reading/signature of nobody",
        delivered,
        enter_readings(signed_with(lambda _, vs: (bytes(32), vs), READING)),
        error("ECDSAInvalidSignature"),
    ),
    Bad(
        "reading/unknown meter",
        delivered,
        enter_readings(lambda v: readings_sheet(v.market, UNKNOWN.wallet, registers([0] * 6))),
        error("UnknownMeter", meter=UNKNOWN.meter),
    ),
    # money
    Bad("money/deposit of nothing", setup, deposit(buyer, 0, b"\x01" * 32), error("ZeroAmount")),
    Bad(
        "money/deposit booked twice",
        setup,
        deposit(buyer, 1, b"\x06" * 32),
        error("PaymentReferenceUsed", paymentReference=b"\x06" * 32),
    ),
    Bad(
        "money/deposit for nobody known",
        setup,
        deposit(lambda _: UNKNOWN.account, 1, b"\x01" * 32),
        error("UnknownAccountOwner", account=UNKNOWN.account),
    ),
    Bad(
        "money/deposit beyond any balance",
        setup,
        deposit(buyer, 1 << 127, b"\x01" * 32),
        error("SafeCastOverflowedUintDowncast", bits=80, value=1 << 127),
    ),
    Bad(
        "money/withdrawal of more than is there",
        setup,
        lambda v: take(v, DEPOSIT + 1),
        error("InsufficientFunds", id=6, needed=DEPOSIT + 1, available=DEPOSIT),
    ),
    Bad("money/withdrawal of nothing", setup, lambda v: take(v, 0), error("ZeroAmount")),
    Bad(
        "money/withdrawal in fiat as tokens",
        setup,
        partial(take, amount=1, to_bank=True),
        error("WrongPayout", toBank=True),
    ),
    Bad(
        "money/withdrawal number 0",
        setup,
        partial(take, amount=1, sequence=0),
        error("StaleSequence", sequence=0, last=0),
    ),
    Bad(
        "money/withdrawal signed by another",
        setup,
        partial(take, amount=1, key=RIVAL.account_key),
        error("NotSignedByOwner", account=buyer, signer=lambda v: v.rival.account),
    ),
    Bad(
        "money/credit for the fund",
        setup,
        lambda v: v.send("council", v.market.accounts, "setCreditLimit", 1, CREDIT_LIMIT),
        error("NoCreditFor", id=1, kind=1),
    ),
    # roles
    Bad(
        "role/admission by a stranger",
        setup,
        lambda v: v.market.chain.send(v.stranger, v.market.registry, "admit", v.buyer.account, bytes(32)),
        error("AccessManagedUnauthorized", caller=lambda v: v.stranger.address),
    ),
    Bad(
        "role/deposit by the registrar",
        setup,
        lambda v: v.send("registrar", v.market.accounts, "deposit", v.buyer.account, 1, b"\x01" * 32),
        error("AccessManagedUnauthorized", caller=lambda v: v.market.keys["registrar"].address),
    ),
    Bad(
        "role/minting by the treasurer",
        setup,
        lambda v: v.send("treasurer", v.market.token, "mint", 1),
        error("NotTheAccounts", caller=lambda v: v.market.keys["treasurer"].address),
    ),
    # phases
    Bad(
        "phase/clearing before the gate",
        opened,
        clear(0),
        error("GateNotClosed", day=1, closesAt=lambda v: v.calendar.gate_closes_at(1), time=now),
    ),
    Bad("phase/clearing again", delivered, clear(0), error("AlreadyCleared", day=1, strip=0)),
    Bad(
        "phase/closing before the deadline",
        delivered,
        lambda v: v.relay(v.market.readings, "close", 1, 8),
        error("DeadlineNotReached", day=1, deadline=lambda v: v.calendar.metering_deadline(1), time=now),
    ),
    Bad(
        "phase/settling before the readings are closed",
        delivered,
        lambda v: v.settle(),
        error("NotReadyToSettle", day=1, isCleared=True, isMetered=False),
    ),
    Bad("phase/settling again", settled, lambda v: v.settle(), error("AlreadySettled", day=1)),
    Bad(
        "phase/final before corrections end",
        settled,
        lambda v: v.relay(v.market.settlement, "finalize", 1),
        error("CorrectionsOpen", day=1, closesAt=lambda v: v.calendar.corrections_close_at(1), time=now),
    ),
    Bad(
        "phase/final before it is settled",
        delivered,
        lambda v: v.relay(v.market.settlement, "finalize", 1),
        error("NotSettled", day=1),
    ),
    # clearing
    Bad("clearing/wrong pivot", gate_closed, clear(1, 0, 99), error("WrongPivot", slot=7, pivot=99)),
    Bad("clearing/no such strip", gate_closed, clear(2), error("NoSuchStrip", strip=2, strips=2)),
    Bad("clearing/no work", gate_closed, clear(0, groups=0), error("NothingToDo")),
    # tariffs
    Bad(
        "tariff/above the limit",
        setup,
        publish(1, 40_001, 0),
        error("TariffOutOfRange", slot=0, buy=40_001, sell=0, minSell=0, maxBuy=40_000),
    ),
    Bad(
        "tariff/sell above buy",
        setup,
        publish(1, 10, 11),
        error("TariffOutOfRange", slot=0, buy=10, sell=11, minSell=0, maxBuy=40_000),
    ),
    Bad("tariff/a strip too few", setup, publish(1, 10, 1, strips=1), error("WrongStripCount", given=1, expected=2)),
    Bad(
        "tariff/too late",
        opened,
        publish(1, 10, 1),
        error("TooLateToPublish", day=1, dueAt=lambda v: v.calendar.opens_at(1), time=now),
    ),
    # rules
    Bad("rules/too late", opened, announce(1), error("TooLateToChange", firstDay=1, earliest=3)),
    Bad(
        "rules/share above the whole",
        setup,
        announce(2, tolerance_share=10_001),
        error("BadRule", parameter="toleranceShare", value=10_001, limit=10_000),
    ),
    Bad(
        "rules/no smallest order",
        setup,
        announce(2, min_order_energy=0),
        error("BadRule", parameter="minOrderEnergy", value=0, limit=1),
    ),
    Bad("rules/no orders", setup, announce(2, max_layers=0), error("BadRule", parameter="maxLayers", value=0, limit=1)),
    # members
    Bad("member/without an account", setup, apply_without_account, error("KeyUnusable", key=NOBODY)),
    Bad("member/of a kind not open", setup, apply(kind=3), error("KindNotOpen", kind=3)),
    Bad("member/with another's meter", setup, apply(meter=RIVAL.meter), error("KeyUnusable", key=RIVAL.meter)),
    Bad(
        "member/that never applied",
        setup,
        lambda v: v.send("registrar", v.market.registry, "admit", UNKNOWN.account, bytes(32)),
        error("UnknownAccount", account=UNKNOWN.account),
    ),
    Bad(
        "member/number 0",
        setup,
        lambda v: v.send("registrar", v.market.registry, "suspend", 0),
        error("UnknownMember", id=0),
    ),
]


def state_of(village: Village) -> dict[str, Any]:
    """All accounts, all events, and the root of every contract's storage: nothing can change without changing these."""
    market, web3 = village.market, village.market.chain.web3
    nodes = ape.networks.active_provider.evm_backend.chain.chaindb.db
    state = HexaryTrie(nodes, web3.eth.get_block("latest")["stateRoot"])
    logs = web3.eth.get_logs({"address": list(market.addresses.values()), "fromBlock": market.manifest.first_block})
    return {
        "accounts": [village.account(id_) for id_ in range(1, 10)],
        "events": [(log["address"], log["topics"], log["data"]) for log in logs],
        "storage": {name: storage_root(state, address) for name, address in market.addresses.items()},
    }


def storage_root(state: HexaryTrie, address: str) -> bytes:
    """Root of a contract's storage trie."""
    _nonce, _balance, root, _code_hash = rlp.decode(state[keccak(hexstr=address)])
    return root


def test_the_state_compared_is_all_of_it(village: Village) -> None:
    """Whatever a good input changes shows."""
    opened(village)
    before = state_of(village)
    enter_orders(sheet(ask(0, 4_095, 10)))(village)
    changed = state_of(village)
    assert changed["accounts"] == before["accounts"]  # an ask above the ceiling locks nothing
    assert len(changed["events"]) > len(before["events"])
    assert {name for name, root in changed["storage"].items() if root != before["storage"][name]} == {"CallAuction"}


@pytest.mark.parametrize("bad", ON_CHAIN, ids=lambda bad: bad.name)
def test_the_chain_refuses(village: Village, bad: Bad) -> None:
    bad.phase(village)
    expected, before = bad.error(village), state_of(village)
    with pytest.raises(RefusedError) as caught:
        bad.bring(village)
    assert caught.value.why == expected
    assert state_of(village) == before


# ----------------------------------------------------------------------------------------- values of the Python package

DOMAIN = Domain(1, NOBODY)
KEY = RIVAL.account_key


def sign_one(message: Any) -> Callable[[], Any]:
    return lambda: sign(DOMAIN, message, KEY)


VALUES: list[tuple[str, Callable[[], Any], str]] = [
    ("energy NaN", lambda: parse_kwh("NaN"), "'NaN'"),
    ("energy negative", lambda: parse_kwh("-1.5"), "'-1.5'"),
    ("energy finer than a Wh", lambda: parse_kwh("0.0005"), "'0.0005'"),
    ("money infinite", lambda: parse_money("inf"), "'inf'"),
    ("money too fine", lambda: parse_money("0.000000001"), "'0.000000001'"),
    ("tariff in scientific notation", lambda: parse_tariff("3e-1"), "'3e-1'"),
    ("price between ticks", lambda: FROM_ZERO.parse("0.0855"), "'0.0855'"),
    ("price above the highest tick", lambda: FROM_ZERO.parse("4.096"), "'4.096'"),
    ("order without energy", lambda: bid(0, 100, 0), "0 must be 1.."),
    ("order of too much energy", lambda: bid(0, 100, 1 << 27), str(1 << 27)),
    ("order above the highest tick", lambda: ask(0, 4_096, 1), "4096"),
    ("order of a fraction", lambda: bid(0, 100, 1.5), "1.5"),
    ("order of neither side", lambda: Order(1, 0, 0, 2, 100, 1), "2 must be"),
    ("order beyond the day", lambda: lines_of([bid(12, 100, 1)], 1, 12), "12 must be 0..11"),
    ("order twice in a period", lambda: lines_of([bid(0, 100, 1)] * 2, 1, 12), "shares its layer and slot"),
    ("tariff that buys above it sells", lambda: Tariff(10, 11), "11 must be -524288..10"),
    ("tariff beyond its bits", lambda: Tariff(1 << 20, 0), str(1 << 20)),
    ("rules with a share above the whole", lambda: replace(RULES, tolerance_share=10_001), "10001"),
    ("rules with a standing tariff above the limit", lambda: replace(RULES, standing_buy=40_001), "40001"),
    ("register beyond 64 bits", lambda: pack_registers([Register(1 << 64, 0)]), str(1 << 64)),
    ("register negative", lambda: pack_registers([Register(0, -1)]), "-1 must be"),
    ("signed day beyond its bits", sign_one(OrderSheet(NOBODY, 1 << 32, 0, 1, ())), str(1 << 32)),
    ("signed sequence negative", sign_one(ReadingSheet(NOBODY, 1, 0, -1, b"")), "-1 must be"),
    ("signed for no address", sign_one(Withdrawal("nobody", 1, True, 1)), "'nobody' must be an address"),
    ("signed amount of a fraction", sign_one(Withdrawal(NOBODY, 0.5, True, 1)), "0.5"),
]


@pytest.mark.parametrize(("make", "words"), [row[1:] for row in VALUES], ids=[row[0] for row in VALUES])
def test_the_package_refuses(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(DemError) as caught:
        make()
    assert words in str(caught.value)


# -------------------------------------------------------------------------------------------------- a scenario's folder

FOLDERS = [
    # name, file, text, replaced by, words of the error
    ("toml broken", "scenario.toml", "seed = 1", "seed = = 1", ["scenario.toml", "is not TOML"]),
    ("toml unknown key", "scenario.toml", "seed = 1", "seed = 1\nsede = 2", ["sede: 2"]),
    ("toml seed negative", "scenario.toml", "seed = 1", "seed = -1", ["seed: -1"]),
    ("toml currency of two letters", "scenario.toml", '"EUR"', '"EU"', ["currency: 'EU'"]),
    ("toml fee NaN", "scenario.toml", "platform_fee = 0.002", "platform_fee = nan", ["platform_fee: Decimal('NaN')"]),
    (
        "toml fee infinite",
        "scenario.toml",
        "network_fee = 0.01",
        "network_fee = inf",
        ["network_fee: Decimal('Infinity')"],
    ),
    ("toml share above the whole", "scenario.toml", "share = 1000", "share = 10001", ["tolerance_share: 10001"]),
    ("toml no layers", "scenario.toml", "max_layers = 4", "max_layers = 0", ["max_layers: 0"]),
    ("toml 7 periods a day", "scenario.toml", "per_day = 6", "per_day = 7", ["periods_per_day: 7"]),
    ("toml no such date", "scenario.toml", "2016-05-04", '"2016-02-30"', ["calendar.start: '2016-02-30'"]),
    ("toml unknown strategy", "scenario.toml", '"truthful"', '"clairvoyant"', ["'clairvoyant' is no strategy"]),
    ("csv column missing", "participants.csv", "kind,", "sort,", ["participants.csv, line 1", "column kind"]),
    ("csv column unknown", "participants.csv", ",strategy\n", ",strategy,note\n", ["'note' is none of"]),
    ("csv member twice", "participants.csv", "roof,prosumer", "home,prosumer", ["line 6", "'home' is there twice"]),
    ("csv unknown kind", "participants.csv", "home,consumer", "home,konsument", ["line 5", "'konsument'"]),
    ("csv deposit NaN", "participants.csv", "20.5", "NaN", ["line 5, column deposit: 'NaN'"]),
    ("csv capacity negative", "participants.csv", "2,1000,0", "2,-1000,0", ["import_capacity_wh: '-1000'"]),
    ("csv energy NaN", "load_wh.csv", ",100,3,", ",NaN,3,", ["line 5, column home: 'NaN'"]),
    ("csv energy negative", "pv_wh.csv", ",10\n", ",-10\n", ["line 2, column roof: '-10'"]),
    ("csv line twice", "load_wh.csv", "-01T12:00", "-01T08:00", ["line 5, column start: '2016-05-01T08:00"]),
    ("csv value missing", "load_wh.csv", ",100,3,7", ",100,3", ["line 5", "3 values for 4 columns"]),
    ("csv price infinite", "prices.csv", "60.25", "inf", ["line 8, column price_per_mwh: 'inf'"]),
    ("csv price below any tariff", "prices.csv", "60.25", "-1900.25", ["prices.csv, line 8", "buy -1.65025"]),
]


@pytest.mark.parametrize(("file", "old", "new", "words"), [row[1:] for row in FOLDERS], ids=[row[0] for row in FOLDERS])
def test_the_scenario_is_refused(tmp_path: Path, file: str, old: str, new: str, words: list[str]) -> None:
    for name, text in FILES.items():
        assert name != file or old in text
        (tmp_path / name).write_text(text.replace(old, new, 1) if name == file else text)
    with pytest.raises(InputError) as caught:
        load_scenario(tmp_path)
    for word in words:
        assert word in str(caught.value)


def test_there_are_at_least_60_bad_inputs() -> None:
    names = [*(bad.name for bad in ON_CHAIN), *(row[0] for row in VALUES), *(row[0] for row in FOLDERS)]
    assert len(set(names)) == len(names) >= 60
    assert len(ON_CHAIN) >= 60
