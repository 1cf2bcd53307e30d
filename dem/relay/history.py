"""A market's history, recomputed: from the chain, or from what a run recorded."""

from collections.abc import Iterator
from pathlib import Path

from dem.chain.events import Event
from dem.deployment.market import Market, require_history
from dem.errors import ChainError, DemError, InputError
from dem.relay.records import Records
from dem.replay.record import EVENTS, Balances, read_addresses, read_balances, read_events
from dem.replay.replay import Replay

_UNFIT = (ArithmeticError, LookupError, TypeError, ValueError, RuntimeError)
"""What a replay stumbles into where events are missing."""


def of_market(market: Market) -> tuple[Replay, Balances]:
    """All events until now, and the balances.

    Raises:
        ChainError: the node does not tell all events.
    """
    require_history(market)
    records = Records(market)
    balances = records.balances()
    replay = Replay(market.calendar.periods_per_day, market.addresses)
    try:
        replay.apply(records.events_between(market.manifest.first_block, market.chain.block))
    except DemError:
        raise
    except _UNFIT as error:
        raise ChainError(
            f"the events that {market.chain.network} tells are no whole record of the market "
            f"({type(error).__name__}: {error}): connect to a node that keeps them all"
        ) from error
    return replay, balances


def market_again(market: Market) -> tuple[Replay, Iterator[Event]]:
    """A replay that has taken no event, and all of them until now."""
    replay = Replay(market.calendar.periods_per_day, market.addresses)
    return replay, Records(market).events_between(market.manifest.first_block, market.chain.block)


def run_again(folder: Path) -> tuple[Replay, Iterator[Event]]:
    """The same of what a run recorded."""
    return Replay(read_balances(folder)[0], read_addresses(folder)), read_events(folder)


def of_run(folder: Path) -> tuple[Replay, Balances]:
    """What a run recorded in its folder.

    Raises:
        InputError: a file is missing, or holds what no market can have told.
    """
    periods_per_day, balances = read_balances(folder)
    replay = Replay(periods_per_day, read_addresses(folder))
    try:
        replay.apply(read_events(folder))
    except DemError:
        raise
    except _UNFIT as error:
        why = f"is no record of a market: {type(error).__name__}: {error}"
        raise InputError(str(folder / EVENTS), None, why) from error
    return replay, balances
