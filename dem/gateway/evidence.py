"""Proofs of members' own days, made of what the index has and of what a node proves (`eth_getProof`)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dem.chain.proofs import slot_of
from dem.errors import ChainError, RequestError
from dem.gateway.reads import Index, Row
from dem.model.calendar import CalendarParameters
from dem.model.commitments import commitment_of, leaves_of, path_of, strips_of, words_hash
from dem.model.ledger import GRID_OPERATOR
from dem.model.positions import Grid
from dem.model.strips import LANES
from dem.replay.evidence import COMMITMENTS, PENALTIES, PRICES, PURSES, Evidence, Part, header_of

Ask = Callable[[str, list[Any]], Any]
"""A node's answer to a question; a ChainError if it gives none."""
_COMMITTED = """
SELECT commitment, block, log_index FROM settlement_day_committed WHERE day = :day
ORDER BY block DESC, log_index DESC LIMIT 1
"""
_OF_THE_DAY = """
SELECT id, slot, net_wh, {flag} AS is_estimated, block, log_index FROM {table}
WHERE id IN (SELECT id FROM participant_registry_admitted WHERE id <= :last)
  AND day = :day AND (block, log_index) < (:block, :log_index)
"""
_CONTRACTED = f"{_OF_THE_DAY.format(table='scheduled', flag='0')} ORDER BY block, log_index"
_METERED = " UNION ALL ".join(_OF_THE_DAY.format(table=name, flag="is_estimated") for name in ("reading", "estimate"))
_METERED += " ORDER BY block, log_index"
"""Later ones take the place of earlier ones."""
_LAST = """
SELECT max(id) AS members FROM participant_registry_admitted WHERE (block, log_index) < (:block, :log_index)
"""
_EXCHANGED = """
SELECT r.id, c.slot, c.volume * CASE c.direction WHEN 1 THEN -1 ELSE 1 END AS net_wh
FROM wholesale_residual_residual_cleared AS c JOIN wholesale_residual_reported AS r ON r.day = c.day
WHERE c.day = :day AND c.volume > 0
"""
"""What the wholesale desk delivers by definition: imports are fed in."""
_LOWEST = "SELECT lowest FROM price_range"
_KEPT = 8
"""Days whose trees are kept, for the next member that asks."""
_RING = 8
"""Of days, in which the settlement has its prices (Ring.sol)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Tree:
    """What a day is committed to. rows: where a member's energies are."""

    rows: Mapping[int, int]
    contracted: Grid
    metered: Grid
    estimated: NDArray[np.bool_]
    leaves: Sequence[bytes]
    prices: Sequence[int]

    def words(self, member: int) -> tuple[list[int], list[int]]:
        """What a member contracted, and what its meter counted."""
        row = self.rows.get(member)
        if row is None:
            nothing = strips_of(np.zeros(self.contracted.shape[1], np.int64))
            return nothing, nothing
        return strips_of(self.contracted[row]), strips_of(self.metered[row], self.estimated[row])


class Proofs:
    """Makes them for a market."""

    def __init__(
        self, index: Index, calendar: CalendarParameters, chain_id: int, contracts: Mapping[str, str], ask: Ask
    ) -> None:
        self._index, self._calendar, self._chain_id, self._contracts = index, calendar, chain_id, contracts
        self._ask = ask
        self._trees: dict[tuple[int, str], _Tree] = {}

    def days_of(self, first: int, last: int) -> list[int]:
        """Days that can be proven, the newest first."""
        question = (
            "SELECT DISTINCT day FROM settlement_day_committed WHERE day BETWEEN :first AND :last ORDER BY day DESC"
        )
        return [int(row["day"]) for row in self._index.rows(question, first=first, last=last)]

    def of(self, member: int, day: int) -> Evidence:
        """The proof of a member's day.

        Raises:
            RequestError: the day has no commitment yet, or what there is does not lead to it; or the node gives none.
        """
        try:
            return self._of(member, day)
        except ChainError as error:
            raise RequestError(503, "NoProof", f"the node proves nothing now: {error}") from error

    def _of(self, member: int, day: int) -> Evidence:
        rows = self._index.rows(_COMMITTED, day=day)
        if not rows:
            raise RequestError(404, "NotFound", f"day {day} is not settled yet")
        tree = self._tree(day, rows[0])
        if member > len(tree.leaves):
            raise RequestError(404, "NotFound", f"day {day} was settled without member {member}")
        contracted, metered = tree.words(member)
        block = self._ask("eth_getBlockByNumber", ["latest", False])
        settlement, accounts = (
            self._part(contract, slot_of(key, mapping), block["number"])
            for contract, key, mapping in (("Settlement", day, COMMITMENTS), ("Accounts", member, PURSES))
        )
        return Evidence(
            chain=self._chain_id,
            member=member,
            day=day,
            lowest=self._index.rows(_LOWEST)[0]["lowest"],
            header=header_of(block),
            settlement=settlement,
            accounts=accounts,
            contracted=_hex(contracted),
            metered=_hex(metered),
            prices=_hex(tree.prices),
            path=[f"0x{node.hex()}" for node in path_of(member, tree.leaves)],
        )

    def _part(self, contract: str, slot: int, block: str) -> Part:
        address = self._contracts[contract].lower()
        found = self._ask("eth_getProof", [address, [f"0x{slot:064x}"], block])
        [storage] = found["storageProof"]
        return Part(contract=address, account_proof=found["accountProof"], storage_proof=storage["proof"])

    def _tree(self, day: int, at: Row) -> _Tree:
        """What the day is committed to, as the index had it then; prices as the settlement had them."""
        key = (day, at["commitment"])
        if key not in self._trees:
            span = {"block": at["block"], "log_index": at["log_index"]}
            members = self._index.rows(_LAST, **span)[0]["members"] or 0
            told = {"last": members, "day": day} | span
            energies = [self._index.rows(question, **told) for question in (_CONTRACTED, _METERED)]
            energies.append(self._index.rows(_EXCHANGED, day=day))
            ids = sorted({int(row["id"]) for some in energies for row in some})
            rows = {id_: n for n, id_ in enumerate(ids)}
            shape = (len(ids), self._calendar.periods_per_day)
            contracted, metered, estimated = (
                np.zeros(shape, np.int64),
                np.zeros(shape, np.int64),
                np.zeros(shape, np.bool_),
            )
            for row in energies[0]:
                contracted[rows[row["id"]], row["slot"]] = row["net_wh"]
            for row in energies[1]:
                place = rows[row["id"]], row["slot"]
                metered[place], estimated[place] = row["net_wh"], row["is_estimated"]
            if GRID_OPERATOR in rows:  # where its meter has read, the losses: what it shows beyond all others
                boundary = rows[GRID_OPERATOR]
                losses = 2 * metered[boundary] - metered.sum(axis=0)
                slots = {int(row["slot"]) for row in energies[1] if row["id"] == GRID_OPERATOR}
                has_read = [slot for slot in sorted(slots) if not estimated[boundary, slot]]
                metered[boundary, has_read] = losses[has_read]
            for row in energies[2]:
                metered[rows[row["id"]], row["slot"]] += row["net_wh"]
            leaves = leaves_of(members, rows, contracted, metered, estimated)
            tree = _Tree(rows, contracted, metered, estimated, leaves, ())
            self._trees[key] = replace(tree, prices=self._prices(day, at, tree))
            while len(self._trees) > _KEPT:
                del self._trees[next(iter(self._trees))]
        return self._trees[key]

    def _prices(self, day: int, at: Row, tree: _Tree) -> list[int]:
        """Of the walk that left the commitment, as the settlement had them after its block."""
        strips = range(self._calendar.periods_per_day // LANES)
        address, block = self._contracts["Settlement"], hex(at["block"])
        words = [
            int(self._ask("eth_getStorageAt", [address, hex(slot_of(day % _RING << 16 | n, mapping)), block]), 16)
            for mapping in (PRICES, PENALTIES)
            for n in strips
        ]
        # Where a day has no penalties, those of an earlier one may stand there.
        contracted, metered = (words_hash(some) for some in tree.words(1))
        for prices in (words[: len(strips)], words):
            made = commitment_of(day, 1, contracted, metered, prices, path_of(1, tree.leaves))
            if f"0x{made.hex()}" == at["commitment"]:
                return prices
        why = f"the index leads to another commitment of day {day} than the chain has: its operator has to look"
        raise RequestError(503, "NoProof", why)


def _hex(words: Sequence[int]) -> list[str]:
    return [f"0x{word:064x}" for word in words]
