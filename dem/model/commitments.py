"""What a settled day leaves in one word (rule 12.7): a Merkle tree over the members, hashed with the day's prices.

A leaf is a member's number and the hashes of what it contracted and what its meter counted, as signed lanes. Pairs are
sorted, as OpenZeppelin's MerkleProof has them. The tree is that of its peaks: the complete trees of 2^level members,
one for each bit of their number, the smallest ones joined first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from eth_utils.crypto import keccak
from numpy.typing import NDArray

from dem.model.imbalance import imbalance_prices, mid_prices, penalties
from dem.model.markets.auction import Column
from dem.model.positions import Grid
from dem.model.readings import READING_BIAS
from dem.model.rules import MarketRules, Tariff
from dem.model.settlement import DaySettlement
from dem.model.strips import DAY_BITS, LANE_BITS, LANES
from dem.model.units import PriceRange, UnitsPerWh

WORD_BYTES = 32

_SHORT_AREA = 256 - DAY_BITS
_LONG_AREA = _SHORT_AREA + LANES
_AT_BOUNDARY = _LONG_AREA + LANES


_ESTIMATED = 1 << LANE_BITS - 1


def signed_words(net: Grid, estimated: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
    """Net energies (Wh, a row per member and a column per slot) as words of six signed lanes: rows, strips, bytes.

    estimated: where flags are set; nowhere without it.
    """
    rows, slots = net.shape
    flags = 0 if estimated is None else estimated * _ESTIMATED
    octets = (net + READING_BIAS + flags).astype(">u8").view(np.uint8).reshape(rows, slots // LANES, LANES, 8)
    words = np.zeros((rows, slots // LANES, WORD_BYTES), np.uint8)
    words[:, :, DAY_BITS // 8 :] = octets[:, :, ::-1, 8 - LANE_BITS // 8 :].reshape(rows, slots // LANES, -1)
    return words


def strips_of(net: Column, estimated: NDArray[np.bool_] | None = None) -> list[int]:
    """One member's net energies by slot, Wh, as words; estimated: where flags are set."""
    flags = None if estimated is None else estimated[np.newaxis, :]
    return [int.from_bytes(word.tobytes(), "big") for word in signed_words(net[np.newaxis, :], flags)[0]]


def words_hash(words: Sequence[int]) -> bytes:
    """The hash of some words."""
    return keccak(b"".join(word.to_bytes(WORD_BYTES, "big") for word in words))


@dataclass(frozen=True, slots=True, eq=False)
class DayPrices:
    """The imbalance prices of a day by slot, units/Wh, and what tells who pays a charge or a penalty.

    short, long: what the short pay and the long receive. area: 1 where the area is short, -1 where it is long, else 0.
    at_boundary: where the boundary meter counts. penalties: rates of the upper market, None on a day without any.
    scale: from whose lowest price the words count.
    """

    short: Column
    long: Column
    area: Column
    at_boundary: NDArray[np.bool_]
    penalties: Column | None
    scale: PriceRange

    def words(self) -> list[int]:
        """As the contracts have them: a word of prices for each strip, then one of penalty rates if there are any."""
        words = []
        for first in range(0, len(self.short), LANES):
            word = int(self.at_boundary[first]) << _AT_BOUNDARY
            for k in range(LANES):
                slot = first + k
                pair = Tariff(UnitsPerWh(int(self.short[slot])), UnitsPerWh(int(self.long[slot])))
                word |= pair.lane(self.scale) << k * LANE_BITS
                word |= int(self.area[slot] > 0) << _SHORT_AREA + k | int(self.area[slot] < 0) << _LONG_AREA + k
            words.append(word)
        if self.penalties is None:
            return words
        lanes = self.penalties.reshape(-1, LANES).tolist()
        return words + [sum(rate << k * LANE_BITS for k, rate in enumerate(strip)) for strip in lanes]


def day_prices(rules: MarketRules, settlement: DaySettlement, at_boundary: NDArray[np.bool_]) -> DayPrices:
    """The prices that a day was settled at. at_boundary: by slot."""
    day, area = settlement.delivery, settlement.area.imbalance
    buy, sell = (np.array([getattr(tariff, side) for tariff in day.tariffs], np.int64) for side in ("buy", "sell"))
    middle = mid_prices(buy, sell, day.prices, rules.prices)
    pricing, one = rules.imbalance_pricing, np.ones_like(area)
    short, long = (imbalance_prices(pricing, sign * one, area, buy, sell, middle, day.unknown) for sign in (1, -1))
    has_penalties = day.exchange is not None and (day.exchange.penalties[day.exchange.net != 0] > 0).any()
    rates = penalties(area, day.exchange, day.unknown)[1] if day.exchange is not None and has_penalties else None
    return DayPrices(short, long, np.sign(area), at_boundary, rates, rules.prices)


@dataclass(frozen=True, eq=False)
class CommittedDay:
    """What a day is committed to.

    members: the highest number of one that was settled. rows: members with a position or a meter, by number.
    contracted, metered: their net energies, Wh, a row each and a column per slot. estimated: where no meter has read.
    """

    number: int
    members: int
    prices: DayPrices
    rows: Mapping[int, int]
    contracted: Grid
    metered: Grid
    estimated: NDArray[np.bool_]

    def estimates(self, member: int) -> NDArray[np.bool_]:
        """Where what counts as a member's metered energy is an estimate."""
        if member not in self.rows:
            return np.zeros(len(self.prices.short), np.bool_)
        row: NDArray[np.bool_] = self.estimated[self.rows[member]]
        return row

    def energies(self, member: int) -> tuple[Column, Column]:
        """What a member contracted, and what its meter counted."""
        if member not in self.rows:
            nothing = np.zeros_like(self.prices.short)
            return nothing, nothing
        row = self.rows[member]
        return self.contracted[row], self.metered[row]

    @cached_property
    def commitment(self) -> bytes:
        """The one word that the chain keeps."""
        return _commitment(self.number, self.prices.words(), _bagged(_peaks(self.leaves)))

    @cached_property
    def leaves(self) -> list[bytes]:
        """One for each member, the first one first."""
        return leaves_of(self.members, self.rows, self.contracted, self.metered, self.estimated)

    def proof(self, member: int) -> list[bytes]:
        """From a member's leaf to the root."""
        return path_of(member, self.leaves)


def leaves_of(
    members: int, rows: Mapping[int, int], contracted: Grid, metered: Grid, estimated: NDArray[np.bool_]
) -> list[bytes]:
    """A leaf for each member, the first one first. rows: where the others have a member's energies."""
    [nothing] = _hashes(np.zeros((1, contracted.shape[1]), np.int64))
    hashes = _hashes(contracted), _hashes(metered, estimated)
    leaves = []
    for member in range(1, members + 1):
        row = rows.get(member)
        both = (nothing, nothing) if row is None else (hashes[0][row], hashes[1][row])
        leaves.append(_leaf(member, *both))
    return leaves


def commitment_of(
    day: int, member: int, contracted: bytes, metered: bytes, prices: Sequence[int], path: Sequence[bytes]
) -> bytes:
    """The commitment that a member's day leads to. contracted, metered: hashes of its words. path: see `path_of`."""
    node = _leaf(member, contracted, metered)
    for other in path:
        node = _pair(node, other)
    return _commitment(day, prices, node)


def _leaf(member: int, contracted: bytes, metered: bytes) -> bytes:
    return keccak(member.to_bytes(WORD_BYTES, "big") + contracted + metered)


def _commitment(day: int, prices: Sequence[int], root: bytes) -> bytes:
    return keccak(day.to_bytes(WORD_BYTES, "big") + words_hash(prices) + root)


def path_of(member: int, leaves: Sequence[bytes]) -> list[bytes]:
    """From a member's leaf to the root."""
    first, peak, sizes, peaks = 0, 0, _sizes(len(leaves)), _peaks(leaves)
    while member > first + sizes[peak]:
        first, peak = first + sizes[peak], peak + 1
    at, nodes, path = member - 1 - first, list(leaves[first : first + sizes[peak]]), []
    while len(nodes) > 1:
        path.append(nodes[at ^ 1])
        at, nodes = at // 2, _paired(nodes)
    if peaks[peak + 1 :]:
        path.append(_bagged(peaks[peak + 1 :]))
    return path + peaks[:peak][::-1]


def _hashes(net: Grid, estimated: NDArray[np.bool_] | None = None) -> list[bytes]:
    return [keccak(row.tobytes()) for row in signed_words(net, estimated)]


def _pair(a: bytes, b: bytes) -> bytes:
    return keccak(min(a, b) + max(a, b))


def _paired(nodes: Sequence[bytes]) -> list[bytes]:
    return [_pair(*nodes[at : at + 2]) for at in range(0, len(nodes), 2)]


def _sizes(members: int) -> list[int]:
    """Members of each peak, the largest one first."""
    return [1 << level for level in reversed(range(members.bit_length())) if members >> level & 1]


def _peaks(leaves: Sequence[bytes]) -> list[bytes]:
    peaks, first = [], 0
    for size in _sizes(len(leaves)):
        nodes = list(leaves[first : first + size])
        while len(nodes) > 1:
            nodes = _paired(nodes)
        peaks += nodes
        first += size
    return peaks


def _bagged(peaks: Sequence[bytes]) -> bytes:
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = _pair(peak, root)
    return root
