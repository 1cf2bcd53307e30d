"""NRGcoin (rule 17): coins for feeding in where others draw, after Mihaylov et al. 2014.

The bit-exact model of NrgCoin.sol. Coins are counted in millionths.
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dem.model.markets.auction import Column
from dem.model.positions import Grid

COIN_DECIMALS = 6
COIN = 10**COIN_DECIMALS
"""Units of one coin."""
WHOLE = 10**6
"""What the curve is where feed-in and draw are equal."""
STEPS, LAST = 64, 1_024
"""Entries of the table for each whole z, and where it ends."""


@cache
def curve() -> tuple[int, ...]:
    """floor(10^6 exp(-k / 64)), k = 0 to 1,024, as the contract has it."""
    return tuple(int(WHOLE * np.exp(-np.longdouble(k) / STEPS)) for k in range(LAST + 1))


def weight_down(distance: int, width: int) -> int:
    """10^6 exp(-distance^2 / width), linear between the entries of the table, rounded down.

    distance: between feed-in and draw, Wh. width: Wh squared.
    """
    k, rest = divmod(STEPS * distance * distance, width)
    if k >= LAST:
        return 0
    here, there = curve()[k : k + 2]
    return (here * width - (here - there) * rest) // width


@dataclass(frozen=True, slots=True)
class CoinTerms:
    """per_export: units for a Wh fed in where feed-in and draw are equal. per_import: units charged for a Wh drawn
    where nothing is fed in. width: how fast the first falls where they are not equal, Wh squared."""

    per_export: int = COIN // 10
    per_import: int = COIN // 5
    width: int = 200 * 10**6

    def as_tuple(self) -> tuple[int, int, int]:
        """In the order of the Solidity struct."""
        return self.per_export, self.per_import, self.width


DEFAULT_TERMS = CoinTerms()
"""0.1 coins and 0.2 coins a Wh, and a width of 200 kWh squared, as in the published example."""


class Sums(NamedTuple):
    """What all meters fed in and drew, Wh by slot."""

    exported: tuple[int, ...]
    imported: tuple[int, ...]


class Coins(NamedTuple):
    """A member's units of a day."""

    minted: int
    charged: int

    @property
    def net(self) -> int:
        """What its balance changes by."""
        return self.minted - self.charged


NO_COINS = Coins(0, 0)


def sums_of(net: Grid) -> Sums:
    """Of a day. net: a row per member, a column per slot, Wh; zero where nobody has read it."""
    exported, imported = np.maximum(0, -net).sum(axis=0), np.maximum(0, net).sum(axis=0)
    return Sums(tuple(exported.tolist()), tuple(imported.tolist()))


def coins_down(net: Column, sums: Sums, terms: CoinTerms) -> Coins:
    """Of a member's day. net: Wh by slot. Each slot is rounded down: who is minted loses, who is charged gains < 1."""
    minted = charged = 0
    for energy, exported, imported in zip(net.tolist(), *sums, strict=True):
        if energy < 0:
            minted += -energy * terms.per_export * weight_down(abs(exported - imported), terms.width) // WHOLE
        elif energy > 0 and imported:
            charged += energy * terms.per_import * imported // (imported + exported)
    return Coins(minted, charged)


def as_read(net: Column, estimated: NDArray[np.bool_]) -> Column:
    """What counts for coins: nothing where nobody has read it."""
    return np.where(estimated, 0, net)
