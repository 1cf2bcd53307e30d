"""Test vectors that the model writes and the contracts' tests in tests/forge read: `make vectors`.

One case a line, integers as they are, orders as `0x` and five bytes a lane. The same seed gives the
same file, byte for byte.

clearing.json: the orders of one period, by participant and layer; the outcome; what each order trades.
settlement.json: a period cleared and delivered; what each participant pays for imbalance and deviation.
messages.json: messages to a gateway and texts of logins; the envelope or the signature, as clients have to come to it.
"""

import json
from pathlib import Path
from random import Random

import numpy as np
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_utils.address import to_checksum_address

from dem.gateway.protocol import KINDS, TYPES, VERSION, parse, seal
from dem.messages.readings import Register, pack_registers
from dem.messages.signing import Domain, sign
from dem.model.markets.auction import OrderBook, clear, fills, fills_of_day
from dem.model.orders import MAX_ENERGY, Order, Side, encode_lane, lines_of
from dem.model.positions import auction_trades, positions
from dem.model.rules import CONTRACT_PRICINGS, MAX_TARIFF, MarketRules, Tariff
from dem.model.settlement import Delivery, settle
from dem.model.units import FROM_ZERO, MAX_TICK, PriceRange, Tick, UnitsPerWh, Wh
from support import PROJECT

FOLDER = PROJECT / "tests" / "vectors"
BOOKS = 1_000
SETTLEMENTS = 300

# Ticks and energies to draw from: orders that meet, a community's, and the ends of what a lane holds.
_RANGES = (FROM_ZERO, PriceRange(UnitsPerWh(-100_000), 100), PriceRange(UnitsPerWh(-99_900), 150))
_KINDS = (
    ((0, 6), (1, 5)),
    ((MAX_TICK - 4, MAX_TICK), (1, 9)),
    ((80, 300), (50, 4_000)),
    ((100, 103), (50, 4_000)),
    ((0, MAX_TICK), (1, MAX_ENERGY)),
    ((0, 2), (MAX_ENERGY, MAX_ENERGY)),
)


def clearing_cases(seed: int = 5) -> list[dict]:
    random = Random(seed)
    cases = []
    for _ in range(BOOKS):
        orders = _book(random)
        # The model is given them in any order; what it returns must not depend on it.
        shuffled = random.sample(orders, len(orders))
        clearing = clear(shuffled)
        filled = dict(zip(map(id, shuffled), fills(shuffled, clearing), strict=True))
        cases.append(
            {
                "orders": "0x" + "".join(f"{encode_lane(order):010x}" for order in orders),
                "pivot": clearing.pivot,
                "price": clearing.price or 0,
                "volume": clearing.volume,
                "rationed": 0 if clearing.rationed is None else clearing.rationed + 1,
                "share": clearing.share,
                "marginal": clearing.marginal,
                "fills": [filled[id(order)] for order in orders],
            }
        )
    return cases


def settlement_cases(seed: int = 11) -> list[dict]:
    random = Random(seed)
    cases = []
    for n in range(SETTLEMENTS):
        orders = _book(random, participants=6)
        clearing = clear(orders)
        book, participants = OrderBook.of(orders), np.arange(1, 8)
        prices = random.choice(_RANGES)
        trades = auction_trades(book, fills_of_day(book, [clearing]), [clearing], prices)
        bought, sold, payments = positions([trades], participants, 1)
        metered = [_near(random, c) for c in (bought - sold)[:, 0].tolist()]
        if n % 5 == 0:  # an area in balance
            metered[-1] -= sum(metered)
        near = random.randint(prices.lowest, prices.lowest + 5)
        buy, sell = sorted(random.choice((_tariff(random) + prices.lowest, near)) for _ in "bs")[::-1]
        tariff = Tariff(UnitsPerWh(buy), UnitsPerWh(sell))
        rules = _rules(random, prices)
        delivery = Delivery(
            tariffs=[tariff],
            prices=[clearing.price],
            participants=participants,
            has_meter=np.ones(7, bool),
            bought=bought,
            sold=sold,
            metered=np.array([metered]).T,
            payments=payments,
        )
        settled = settle(rules, delivery)
        cases.append(
            {
                "pricing": int(rules.imbalance_pricing),
                "chargeHelpful": rules.charge_helpful,
                "toleranceFixed": rules.tolerance_fixed,
                "toleranceShare": rules.tolerance_share,
                "deviationRate": rules.deviation_rate,
                "lowest": prices.lowest,
                "tick": prices.tick,
                "buy": tariff.buy,
                "sell": tariff.sell,
                "isTraded": clearing.price is not None,
                "price": clearing.price or 0,
                "contracted": settled.contracted[:, 0].tolist(),
                "metered": metered,
                "imbalance": settled.imbalance_units[:, 0].tolist(),
                "deviation": settled.deviation[:, 0].tolist(),
                "fallbackSupply": settled.fallback(),
                "surplus": int(settled.area.surplus[0]),
            }
        )
    return cases


def message_cases(seed: int = 7) -> list[dict]:
    """Every type of message with random values and with those at the ends, in envelopes; and texts of logins."""
    random = Random(seed)
    return [
        *(_message(random, name, ends) for name in TYPES for ends in (True, False)),
        _order_sheet(random),
        _reading_sheet(random),
        *(_login(random, text) for text in ("dem.example.org wants you to sign in", "für Österreich\n電")),
    ]


def _message(random: Random, name: str, ends: bool) -> dict:
    def value(kind: str) -> object:
        if kind == "address":
            return to_checksum_address(random.randbytes(20))
        if kind == "bool":
            return ends
        if kind.startswith("bytes"):
            words = [f"0x{random.randbytes(32).hex()}" for _ in range(random.randint(1, 16))]
            some = f"0x{random.randbytes(random.choice((0, 33))).hex()}"
            return {"bytes32": words[0], "bytes32[]": words, "bytes": some}[kind]
        is_signed = kind.startswith("int")
        bits = int(kind.removeprefix("int" if is_signed else "uint")) - is_signed
        return str((-(1 << bits) if is_signed else (1 << bits) - 1) if ends else random.randrange(1 << bits))

    fields = {field: value(kind) for field, kind in TYPES[name].TYPE}
    return _sealed(random, name, fields)


def _order_sheet(random: Random) -> dict:
    orders = [
        Order(1, layer, slot, random.choice((Side.BID, Side.ASK)), Tick(random.randint(0, MAX_TICK)), Wh(1 + slot))
        for layer in range(2)
        for slot in range(96)
    ]
    lines = [f"0x{word:064x}" for word in lines_of(orders, 365, 96).values()]
    told = [
        {"layer": o.layer, "slot": o.slot, "isAsk": o.side is Side.ASK, "tick": o.tick, "energyWh": o.energy}
        for o in orders
    ]
    fields = {"participant": "", "day": "365", "firstLine": "0", "sequence": "7", "lines": lines}
    return _sealed(random, "OrderSheet", fields) | {"orders": {"day": 365, "periods": 96, "orders": told}}


def _reading_sheet(random: Random) -> dict:
    shown = [(7 * n, (1 << 40) + 3 * n) for n in range(97)]
    registers = pack_registers([Register(Wh(imported), Wh(exported)) for imported, exported in shown])
    fields = {"meter": "", "day": "365", "firstStrip": "0", "sequence": "1"}
    fields |= {"registers": f"0x{registers.hex()}", "substituted": "0"}
    return _sealed(random, "ReadingSheet", fields) | {"registers": shown}


def _sealed(random: Random, name: str, fields: dict) -> dict:
    """A message that its sender signs."""
    key, kind = random.randbytes(32), KINDS[TYPES[name]]
    if kind.sender:
        fields[kind.sender] = Account.from_key(key).address
    contracts = {kind.contract: to_checksum_address(random.randbytes(20))}
    domain = Domain(random.randrange(1, 1 << 53), contracts[kind.contract])
    message = parse(name, fields)
    types = {name: [f"{type_} {field}" for field, type_ in TYPES[name].TYPE]}
    return {
        "key": f"0x{key.hex()}",
        "market": {"protocol": VERSION, "chain": domain.chain_id, "contracts": contracts, "types": types},
        "contract": kind.contract,
        "type": name,
        "message": fields,
        "expected": seal(domain, message, sign(domain, message, key)).model_dump_json(),
    }


def _login(random: Random, text: str) -> dict:
    key = random.randbytes(32)
    signature = Account.sign_message(encode_defunct(text=text), key).signature
    return {"key": f"0x{key.hex()}", "text": text, "expected": f"0x{bytes(signature).hex()}"}


def files() -> dict[Path, str]:
    """What the folder should hold."""
    cases = {
        "clearing.json": clearing_cases(),
        "settlement.json": settlement_cases(),
        "messages.json": message_cases(),
    }
    return {
        FOLDER / name: "[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in rows) + "\n]\n"
        for name, rows in cases.items()
    }


def _book(random: Random, participants: int = 12) -> list[Order]:
    """A book of one slot by participant and layer; some are empty or one-sided, some long."""
    ticks, energies = random.choice(_KINDS)
    sides = random.choice(((Side.BID, Side.ASK),) * 9 + ((Side.BID,), (Side.ASK,)))
    keys = [(i, layer) for i in range(1, participants + 1) for layer in range(3)]
    size = random.choice((0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, len(keys) if random.random() < 0.2 else 7))
    return [
        Order(i, layer, 0, random.choice(sides), Tick(random.randint(*ticks)), Wh(random.randint(*energies)))
        for i, layer in sorted(random.sample(keys, size))
    ]


def _near(random: Random, contracted: int) -> int:
    """As contracted, a little off, far off, a part of it."""
    share = abs(contracted) // 5 + 30
    near = (0, random.randint(-share, share), random.randint(-5_000, 5_000))
    return random.choice((*(contracted + wh for wh in near), random.randint(min(0, contracted), max(0, contracted))))


def _tariff(random: Random) -> int:
    return random.choice((random.randint(5_000, 40_000), random.randint(0, MAX_TARIFF)))


def _rules(random: Random, prices: PriceRange) -> MarketRules:
    return MarketRules(
        platform_fee=UnitsPerWh(50),
        network_fee=UnitsPerWh(200),
        deviation_rate=UnitsPerWh(random.choice((0, 1_000, MAX_TARIFF))),
        standing_buy=UnitsPerWh(30_000),
        standing_sell=UnitsPerWh(8_000),
        max_buy=UnitsPerWh(MAX_TARIFF + prices.lowest),
        tolerance_fixed=Wh(random.choice((0, 10, 300))),
        tolerance_share=random.choice((0, 1, 333, 500, 10_000)),
        min_order_energy=Wh(1),
        max_layers=4,
        imbalance_pricing=random.choice(CONTRACT_PRICINGS),
        charge_helpful=random.random() < 0.3,
        min_sell=prices.lowest,
        prices=prices,
    )


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for path, text in files().items():
        path.write_text(text, encoding="ascii")
        print(f"{path.relative_to(Path.cwd())}: {len(text):,} bytes")


if __name__ == "__main__":
    main()
