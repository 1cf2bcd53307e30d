"""Sharing at a price that never moves: the buyer locks what it will pay."""

from typing import NamedTuple

import numpy as np

from dem.model.positions import Trades


class Share(NamedTuple):
    """Energy that one member gives to another in a period, Wh; price: units/Wh."""

    slot: int
    buyer: int
    seller: int
    energy: int
    price: int

    @property
    def due(self) -> int:
        """What the buyer owes the seller, money units."""
        return self.energy * self.price


def trades_of(shares: list[Share]) -> Trades:
    """What is shared, a row per side."""
    rows = [
        (id_, share.slot, bought * share.energy, (1 - bought) * share.energy, (2 * bought - 1) * share.due)
        for share in shares
        for id_, bought in ((share.buyer, 1), (share.seller, 0))
    ]
    return Trades(*np.array(rows, np.int64).reshape(-1, len(Trades._fields)).T)
