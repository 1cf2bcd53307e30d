"""A published result on orders that meet two by two; docs/science.md has its row."""

from dem.model.markets.pairs import Limit, meet

BIDS = [Limit(tick, 1, place) for place, tick in enumerate((670, 660, 650, 640, 630, 600))]
OFFERED = ((100, 1), (200, 1), (300, 2), (400, 2), (610, 1))
ASKS = [Limit(tick, energy, place) for place, (tick, energy) in enumerate(OFFERED, len(BIDS))]
MEETINGS = ((6, 3), (10, 5), (7, 2), (9, 4), (8, 0), (9, 5), (8, 1))
"""Who meets whom: an ask and a bid, by their place."""


def test_pymarkets_meetings_trade_as_published():
    """Its prices are 3.70, 4.25, 5.15, 4.85, 5.00 and 4.80; its gain is 21.5. Ours are in ticks of a hundredth."""
    pairs = meet(BIDS, ASKS, ((bid, ask - len(BIDS)) for ask, bid in MEETINGS))
    limits = [one.tick for one in (*BIDS, *ASKS)]
    assert [(limits[pair.bid] + limits[pair.ask]) / 2 for pair in pairs] == [370, 425, 515, 485, 500, 480]
    assert sum(pair.energy * (limits[pair.bid] - limits[pair.ask]) for pair in pairs) == 2_150
