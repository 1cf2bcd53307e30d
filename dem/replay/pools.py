"""An intermediary's pool (rule 9) as an outsider follows it."""

from dem.replay.auction import AuctionReplay


class PoolReplay(AuctionReplay):
    """A pool is a call auction among an intermediary's clients."""

    DAY = "the pool's day"
