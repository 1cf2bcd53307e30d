"""The wholesale desk: what it reports, and what it makes of what the auction left over."""

from dem.deployment.market import RELAYER
from dem.messages.orders import WholesaleCommitment, WholesaleReport
from dem.messages.signed import Signed, for_contract
from dem.messages.signing import struct
from dem.model.mechanisms import MECHANISMS
from dem.model.strips import LANES
from dem.relay.batches import Relay
from dem.replay.replay import Replay
from dem.replay.wholesale import ResidualReplay

CONTRACT = MECHANISMS["wholesale"].contract
DESK = "WholesaleDesk"
"""Who the desk of a day is, and what it has committed to."""
GROUPS_A_TRANSACTION = 64
"""Groups of members that one transaction clears a strip of the residual for."""


def appoint(relay: Relay, desk: str, first_day: int) -> None:
    """The desk from a day on, unless it is the desk already. desk: address of its account."""
    contract, [id_] = relay.market.contract(DESK), relay.records.ids_of([desk])
    if contract.functions.deskOf(first_day).call() != id_:
        relay.chain.send(relay.market.keys["council"], contract, "appoint", id_, first_day)


def commit(relay: Relay, signed: Signed[WholesaleCommitment]) -> None:
    """What the desk of a day commits to, unless it has or the gate has closed."""
    contract, day = relay.market.contract(DESK), signed.message.day
    gate = relay.market.calendar.gate_closes_at(day)
    if relay.chain.now() >= gate or any(contract.functions.commitmentOf(day).call()):
        return
    relay.bring(contract, "commit", *for_contract(signed))


def report(relay: Relay, message: WholesaleReport) -> None:
    """The report that the desk of a day has committed to, unless it is there or it is too late.

    Raises:
        RefusedError: the desk cannot cover it, or has committed to another one.
    """
    residual, day = relay.market.contract(CONTRACT), message.day
    reported, _ = residual.functions.reportOf(day).call()
    if reported or relay.chain.now() >= residual.functions.reportDueAt(day).call():
        return
    relay.bring(residual, "report", struct(message))


def clear_residual(relay: Relay, day: int, replay: Replay) -> None:
    """What the auction left over, with the marginal limits of the model."""
    residual = relay.market.contract(CONTRACT)
    _, pending = residual.functions.reportOf(day).call()
    market = replay.markets[CONTRACT]
    assert isinstance(market, ResidualReplay)
    outcomes = market.outcomes(day)
    while pending:
        strip = (pending & -pending).bit_length() - 1
        own = outcomes[strip * LANES : (strip + 1) * LANES]
        ticks = [outcome.import_tick for outcome in own], [outcome.export_tick for outcome in own]
        relay.chain.send(relay.market.keys[RELAYER], residual, "clear", day, strip, *ticks, GROUPS_A_TRANSACTION)
        _, pending = residual.functions.reportOf(day).call()
