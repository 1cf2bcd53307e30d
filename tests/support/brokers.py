"""Members who let an intermediary trade for them, on the embedded chain."""

from dataclasses import replace
from typing import Any

from web3.contract import Contract
from web3.types import TxReceipt

from dem.community.keys import wallet
from dem.deployment.market import ADMIN
from dem.deployment.roles import ROLES
from dem.messages.members import Commission, Mandate
from dem.messages.orders import OrderSheet
from dem.messages.signing import Domain, compact, sign
from dem.model.mechanisms import AUCTION
from dem.model.orders import BROKERED_LAYER, Order, Side, lines_of
from dem.relay.pools import selector
from dem.replay.members import KINDS

from .signed import Signed, application, empty_line
from .village import DEPOSIT, NOBODY, STRIPS, Member, Village

INTERMEDIARY = KINDS.index("intermediary")
BROKERED_LINE = BROKERED_LAYER * STRIPS
"""The first one of the brokered layers."""


def admit_intermediary(village: Village, name: str) -> Member:
    """A new member of that kind, without a meter, with money."""
    market, keys = village.market, wallet("village", 1, name)
    village.relay(market.registry, "applyFor", *application(market, keys, INTERMEDIARY, meter=NOBODY))
    village.admit(keys.account)
    village.send("treasurer", market.accounts, "deposit", keys.account, DEPOSIT, name.encode().rjust(32, b"\1"))
    return Member(market.registry.functions.memberCount().call(), keys)


def open_pool(village: Village, intermediary: Member, lead: int, first_day: int) -> Contract:
    """Its pool, plugged in from a day on. lead: seconds by which its gate is ahead of the market's."""
    market = village.market
    members = market.chain.deploy(market.keys[ADMIN], "PoolMembers", (market.registry.address, intermediary.id))
    calendar = replace(market.calendar, gate_lead=market.calendar.gate_lead + lead)
    rest = (market.rules.address, market.accounts.address, *(market.addresses[n] for n in ("Schedule", "GridLimits")))
    arguments = (market.authority.address, calendar.as_tuple(), members, *rest)
    address = market.chain.deploy(market.keys[ADMIN], AUCTION, arguments)
    for role in ROLES:
        for function in role.functions.get(AUCTION, ()):
            four_bytes = [selector(market.auction, function)]
            village.send(ADMIN, market.authority, "setTargetFunctionRole", address, four_bytes, role.id)
    village.send("council", market.contract("Schedule"), "addMarket", address, first_day)
    return market.chain.contract(AUCTION, address)


def mandate(
    village: Village,
    client: Member,
    intermediary: Member | None,
    share: int = 5_000,
    first_day: int = 1,
    sequence: int = 1,
    key: bytes | None = None,
) -> Signed:
    """A signed choice of an intermediary, or of none."""
    account = intermediary.account if intermediary else NOBODY
    message = Mandate(client.account, account, share if intermediary else 0, first_day, sequence)
    return _signed(village, message, key or client.wallet.account_key)


def commission(
    village: Village, intermediary: Member, per_wh: int, first_day: int = 2, sequence: int = 1, key: bytes | None = None
) -> Signed:
    """A signed commission."""
    message = Commission(intermediary.account, per_wh, first_day, sequence)
    return _signed(village, message, key or intermediary.wallet.account_key)


def _signed(village: Village, message: Mandate | Commission, key: bytes) -> Signed:
    contract = Domain(village.market.chain.id, village.market.addresses["Intermediaries"])
    return tuple(getattr(message, name) for name in message.__slots__), sign(contract, message, key)


def choose(village: Village, *args: Any, **kwargs: Any) -> TxReceipt:
    """Bring a mandate."""
    return village.relay(village.market.contract("Intermediaries"), "choose", *mandate(village, *args, **kwargs))


def publish(village: Village, *args: Any, **kwargs: Any) -> TxReceipt:
    """Bring a commission."""
    return village.relay(village.market.contract("Intermediaries"), "publish", *commission(village, *args, **kwargs))


def order(side: Side, slot: int, tick: int, energy: int, layer: int = 0) -> Order:
    """An order in the brokered layers."""
    return Order(1, BROKERED_LAYER + layer, slot, side, tick, energy)


def place(
    village: Village,
    auction: Contract,
    participant: Member,
    signer: Member,
    *orders: Order,
    day: int = 1,
    sequence: int = 1,
) -> TxReceipt:
    """Orders for a member in the market or a pool, signed by whoever."""
    words = lines_of(orders, day, village.calendar.periods_per_day)
    first, last = min(words), max(words)
    lines = tuple(words.get(line, empty_line(day)) for line in range(first, last + 1))
    message = OrderSheet(participant.account, day, first, sequence, lines)
    signature = sign(Domain(village.market.chain.id, auction.address), message, signer.wallet.account_key)
    sheet = (participant.account, day, first, sequence, [line.to_bytes(32, "big") for line in lines])
    return village.relay(auction, "enter", (sheet, *compact(signature)))
