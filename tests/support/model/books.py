"""Order books for the tests: short notation and random ones."""

from hypothesis import strategies as st

from dem.model.orders import Order, Side
from dem.model.units import MAX_TICK, Tick, Wh


def bid(participant: int, tick: int, energy: int, layer: int = 0) -> Order:
    """A bid in slot 0."""
    return Order(participant, layer, 0, Side.BID, Tick(tick), Wh(energy))


def ask(participant: int, tick: int, energy: int, layer: int = 0) -> Order:
    """An ask in slot 0."""
    return Order(participant, layer, 0, Side.ASK, Tick(tick), Wh(energy))


# Mostly few ticks, so that orders meet at one tick; the ends of the range, and anything between.
ticks = st.integers(0, 6) | st.sampled_from([0, 1, MAX_TICK - 1, MAX_TICK]) | st.integers(0, 4095)


def books(max_size: int = 16, max_energy: int = 1_000, slots: int = 1) -> st.SearchStrategy[list[Order]]:
    """Orders of one slot or several; a participant may both bid and ask."""
    order = st.builds(
        Order,
        participant=st.integers(1, 6),
        layer=st.integers(0, 3),
        slot=st.integers(0, slots - 1),
        side=st.sampled_from(Side),
        tick=ticks,
        energy=st.integers(1, 5) | st.integers(1, max_energy),
    )
    return st.lists(order, max_size=max_size, unique_by=lambda o: (o.participant, o.layer, o.slot))
