"""Brings what is missing in batches that fit a transaction, many transactions under way at once."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from web3.contract import Contract

from dem.chain.sending import Transaction
from dem.deployment.market import RELAYER, Market
from dem.errors import ChainError, RefusedError
from dem.model.strips import strips_per_day
from dem.relay.records import Records

T = TypeVar("T")
Call = tuple[str, tuple[Any, ...]]
"""A function and its arguments."""
Tell = Callable[[str, int, int], None]
"""Told what is being done in words, how much of it is done, and how much there is."""

GAS_BUDGET = 14_000_000
"""Gas a batch is planned for, well below the cap of a transaction. The costs by which batches are planned are upper
estimates for storage that was never used before; what batches really use is learnt as they land."""
GAS_PER_SHEET = 150_000
GAS_PER_LINE = 32_000
"""Of a sheet of orders or readings."""

_CAPITALS = re.compile("(?=[A-Z])")
"""Where a word of a function's name begins."""
_HEADROOM = 1.25
"""Batches are planned for so much more than those before them used."""
_TOLD = 20
"""So often it is told how much of something is done."""
_LARGEST_SHARE = 16
"""A batch of one that needs more than so many times the estimate is too large for a transaction."""


class Relay:
    """Brings things to one market, from the accounts of its offices and its relayer."""

    def __init__(self, market: Market, tell: Tell = lambda _what, _done, _whole: None) -> None:
        self.market = market
        self.chain = market.chain
        self.records = Records(market)
        self.periods_per_day = market.calendar.periods_per_day
        self.strips = strips_per_day(self.periods_per_day)
        self.refused: list[str] = []
        """What the chain refused of the calls of `bring_each`, in its words."""
        self._tell = tell
        self._shares: dict[str, float] = {}
        """Part of the gas planned for an operation that it needs, headroom included; learnt from its transactions."""

    def complete(
        self,
        what: str,
        role: str,
        missing: Callable[[], Sequence[T]],
        transactions: Callable[[Sequence[T]], Iterable[Transaction]],
    ) -> None:
        """Send what is missing, and ask again, until nothing is.

        Raises:
            RefusedError: the chain refuses, and it is not that a batch was too large.
        """
        left = missing()
        while left:
            refusals: list[RefusedError] = []
            too_large, all_checked = False, True
            done = 0
            for landed, refusal in self.chain.send_all(self.market.keys[role], transactions(left)):
                if refusal is not None:
                    refusals.append(refusal)
                    too_large |= landed.ran_out_of_gas
                    continue
                all_checked &= landed.transaction.is_checked
                if landed.transaction.planned and landed.gas_used:
                    used = landed.gas_used / landed.transaction.planned
                    self._shares[what] = max(used, min(_HEADROOM * used, 1.0))
                before, done = done, done + landed.transaction.items
                if _TOLD * done // len(left) != _TOLD * before // len(left):
                    self._tell(what, done, len(left))
            still = missing()
            share = self._shares.get(what, 1.0)
            if too_large and share < _LARGEST_SHARE:
                self._shares[what] = max(2 * share, 1.0)
            elif still == left and all_checked:
                raise next(iter(refusals), ChainError(f"{what}: {len(left)} are missing after the chain took them"))
            left = still

    def bring(self, contract: Contract, function: str, *arguments: Any) -> None:
        """One call. What the contract would refuse is not sent, for that costs gas as well.

        Raises:
            RefusedError: it refuses.
        """
        sender = self.market.keys[RELAYER]
        why = self.chain.refusal_of(sender, contract, function, *arguments)
        if why:
            raise RefusedError(function, why)
        self.chain.send(sender, contract, function, *arguments)

    def call_for_each(
        self,
        function: str,
        where: tuple[str, Contract, int],
        missing: Callable[[], Sequence[T]],
        arguments: Callable[[T], tuple[Any, ...]],
    ) -> None:
        """One call for each that is missing, many in a transaction. where: sender's role, contract, gas of a call."""
        role, contract, gas = where
        what = _CAPITALS.sub(" ", function).lower()

        def transactions(some: Sequence[T]) -> Iterator[Transaction]:
            for batch, planned in self.within_budget(what, some, lambda _: gas):
                calls = ((function, arguments(one)) for one in batch)
                yield self.chain.multicall(contract, calls, planned=planned, items=len(batch))

        self.complete(what, role, missing, transactions)

    def bring_each(self, contract: Contract, calls: Sequence[Call], gas: int) -> None:
        """Calls in their order, many in a transaction; one that is refused is noted, and the others are brought.

        Of a transaction that fails the halves are tried, down to single calls. gas: of a call.
        """
        waiting = [*batches(calls, max(1, GAS_BUDGET // gas))][::-1]
        while waiting:
            some = waiting.pop()
            transaction = self.chain.multicall(contract, some)
            [(_, refusal)] = self.chain.send_all(self.market.keys[RELAYER], [transaction])
            if refusal is None:
                continue
            if len(some) == 1:
                self.refused.append(str(refusal))
                continue
            half = len(some) // 2
            waiting += [some[half:], some[:half]]

    def budget(self, what: str) -> int:
        """Gas by the upper estimates that a transaction may be planned for."""
        return int(GAS_BUDGET / self._shares.get(what, 1.0))

    def within_budget(
        self, what: str, items: Iterable[T], gas: Callable[[T], int], fixed: int = 0
    ) -> Iterator[tuple[list[T], int]]:
        """Batches that stay within the budget, and the gas planned for each. fixed: gas of a batch without items."""
        batch: list[T] = []
        planned = fixed
        for item in items:
            own = gas(item)
            if batch and planned + own > self.budget(what):
                yield batch, planned
                batch, planned = [], fixed
            batch.append(item)
            planned += own
        if batch:
            yield batch, planned


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Items in runs of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
