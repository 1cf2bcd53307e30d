"""Pools of intermediaries: how they come into the schedule, who belongs to them, their orders, their commissions."""

from collections.abc import Sequence
from dataclasses import dataclass

from eth_utils.abi import function_signature_to_4byte_selector
from web3.contract import Contract

from dem.deployment.market import RELAYER, deploy_pool
from dem.deployment.roles import ROLES
from dem.governance.council import call, decide
from dem.messages.members import Commission, Mandate
from dem.messages.orders import OrderSheet
from dem.messages.signed import Signed, for_contract, sheet_for_contract
from dem.messages.signing import struct
from dem.model.calendar import CalendarParameters
from dem.model.mechanisms import AUCTION
from dem.relay.batches import GAS_BUDGET, Relay, batches
from dem.relay.settlement import finish_settlement
from dem.replay.replay import Replay

CONTRACT = "Intermediaries"
"""Commissions and mandates; each pool is a contract of its own."""
GAS_PER_CHOICE = 250_000
GAS_PER_COMMISSION = 120_000
SHEETS_A_BATCH = 8
"""Sheets of a pool in one transaction, each of at most two layers of a whole day."""


@dataclass(frozen=True, slots=True)
class NewPool:
    """A pool to be opened. intermediary: its registry number. calendar: the market's, with the pool's own gate."""

    name: str
    intermediary: int
    calendar: CalendarParameters


def open_pools(relay: Relay, pools: Sequence[NewPool]) -> None:
    """Every pool as one more auction in the schedule, by decision of the council.

    Raises:
        RefusedError: it comes too late for day 1.
    """
    market = relay.market
    schedule = market.contract("Schedule")
    for pool in pools:
        contract = deploy_pool(market, pool.name, pool.intermediary, pool.calendar)
        if contract.address in {plugged[0] for plugged in schedule.functions.markets().call()}:
            continue
        restricted = [(own.id, function) for own in ROLES for function in own.functions.get(AUCTION, ())]
        roles = [
            call(market, market.authority, "setTargetFunctionRole", contract.address, [selector(contract, name)], role)
            for role, name in restricted
        ]
        decide(market, [*roles, call(market, schedule, "addMarket", contract.address, 1)])


def lead(relay: Relay, contract: str) -> int:
    """Seconds by which a gate is ahead of the market's. contract: name of a pool's, or of the market's."""
    own: int = relay.market.contract(contract).functions.gateClosesAt(1).call()
    return relay.market.calendar.gate_closes_at(1) - own


def selector(contract: Contract, function: str) -> bytes:
    """The four bytes by which a contract knows a function."""
    return bytes(function_signature_to_4byte_selector(contract.get_function_by_name(function).signature))


def appoint(relay: Relay, commissions: Sequence[Signed[Commission]], mandates: Sequence[Signed[Mandate]]) -> None:
    """What intermediaries ask for and whom clients choose, unless the chain knows that or something newer."""
    contract = relay.market.contract(CONTRACT)
    senders = [signed.message.intermediary for signed in commissions] + [signed.message.client for signed in mandates]
    ids = relay.records.ids_of(senders)
    last = dict(zip(senders, relay.chain.ask_many(contract, "lastSequence", [(id_,) for id_ in ids]), strict=True))
    calls = [
        ("publish", for_contract(signed))
        for signed in commissions
        if signed.message.sequence > last[signed.message.intermediary]
    ]
    calls += [
        ("choose", for_contract(signed)) for signed in mandates if signed.message.sequence > last[signed.message.client]
    ]
    relay.bring_each(contract, calls, GAS_PER_CHOICE)


def submit_brokered(relay: Relay, day: int, contract: str, sheets: Sequence[Signed[OrderSheet]]) -> None:
    """Order sheets of a day with orders for clients, unless the gate has closed; sheets brought before are left out.

    contract: name of a pool's, or of the market's.
    """
    auction = relay.market.contract(contract)
    if relay.chain.now() >= auction.functions.gateClosesAt(day).call():
        return
    # Client and intermediary count their sheets each for itself, so only what it says tells a sheet apart.
    brought = {
        (args["id"], args["sequence"], args["firstLine"], *args["lines"])
        for args in (event.args for event in relay.records.events(contract, "SheetAccepted", day))
    }

    def is_left(id_: int, sheet: OrderSheet) -> bool:
        _, _, first_line, sequence, lines = struct(sheet)
        return (id_, sequence, first_line, *lines) not in brought

    ids = relay.records.ids_of(sheet.message.participant for sheet in sheets)
    left = [sheet for id_, sheet in zip(ids, sheets, strict=True) if is_left(id_, sheet.message)]
    finish_settlement(relay)
    for batch in batches(left, SHEETS_A_BATCH):
        relay.chain.send(relay.market.keys[RELAYER], auction, "submit", list(map(sheet_for_contract, batch)))


def owed_commissions(relay: Relay, day: int, replay: Replay, intermediary: int | None = None) -> dict[str, list[int]]:
    """Clients that still owe commissions for a final day, by the market's address. intermediary: to it alone."""
    found = {}
    for name in (AUCTION, *replay.pools):
        address = relay.market.addresses[name]
        due = replay.intermediaries.due(address, day)
        found[address] = [one.client for one in due if intermediary in (None, one.intermediary)]
    return found


def collect_commissions(relay: Relay, day: int, replay: Replay, intermediary: int | None = None) -> None:
    """Commissions of a final day that clients still owe, to one intermediary or to all."""
    contract = relay.market.contract(CONTRACT)
    for address, clients in owed_commissions(relay, day, replay, intermediary).items():
        for some in batches(clients, GAS_BUDGET // GAS_PER_COMMISSION):
            transaction = relay.chain.transaction(contract, "collect", day, some, address)
            [(_, refusal)] = relay.chain.send_all(relay.market.keys[RELAYER], [transaction])
            if refusal is not None:
                # One without money, whom nobody can advance it now, does not keep the others from paying.
                calls = [("collect", (day, [client], address)) for client in some]
                relay.bring_each(contract, calls, GAS_PER_COMMISSION)
