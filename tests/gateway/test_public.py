"""What the public is not told of a period does not follow from what it is told: see docs/guide/gateway.md."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.gateway import Gateway, auction, make_gateway, make_index

from dem.gateway.app import describe
from dem.gateway.pages.router import router
from dem.gateway.reads import Index
from dem.model.orders import Order, Side
from dem.model.units import Tick, Wh

LEAST, DAY, PRICE = 3, 2, 150
_ENDLESS = "/v1/events"
_GETS = [path for path, methods in describe()["paths"].items() if "get" in methods and path != _ENDLESS]
ROUTES = sorted({*_GETS, *(one.path for one in router.routes if isinstance(one, APIRoute) and "GET" in one.methods)})


@dataclass(frozen=True)
class Period:
    """So many orders on each side are better than the price, and so many are at it."""

    bids: int
    asks: int
    at_the_price: int
    volume: int

    @property
    def is_told(self) -> bool:
        return min(self.bids, self.asks) >= LEAST and self.volume > 0


counts = st.sampled_from([0, LEAST - 1, LEAST, LEAST + 1])
# Whole kWh, for pages round; and so many that no two amounts have the difference of two others by chance: hypothesis
# likes ends of ranges and what it drew before, so what it draws is but a seed.
volumes = st.integers(0, 2**32).map(lambda seed: Random(seed).randrange(10**6, 10**9) * 1_000)
periods = st.lists(
    st.builds(Period, counts, counts, counts, volumes), min_size=3, max_size=6, unique_by=lambda one: one.volume
)


SLOW = settings(
    max_examples=5, deadline=None, database=None, phases=(Phase.generate,), suppress_health_check=[*HealthCheck]
)


def index_of(folder: Path, found: Sequence[Period]) -> Path:
    orders: dict[int, list[Order]] = {}
    for slot, period in enumerate(found):
        groups = ((Side.BID, 1, period.bids), (Side.ASK, -1, period.asks), (Side.BID, 0, period.at_the_price))
        for number, (side, better, count) in enumerate(groups, start=1):
            for id_ in range(100 * number, 100 * number + count):
                orders.setdefault(id_, []).append(Order(id_, 0, slot, side, Tick(PRICE + better), Wh(10)))
    cleared = [
        {"slot": slot, "price": PRICE if one.volume else 0, "volume": one.volume} for slot, one in enumerate(found)
    ]
    return make_index(folder / "index.sqlite", auction(DAY, orders, cleared))


def answers(gateway: Gateway, index: Path) -> dict[str, str]:
    """Everything that somebody who has not logged in may get, of every route that there is."""
    gateway.web.app.state.parts = replace(gateway.parts, index=Index(index))
    found = {}
    for path, asked in product(ROUTES, ({}, {"day": DAY})):
        answer = gateway.web.get(path, params=asked)
        if answer.status_code == 200:
            found[f"{path} {asked}"] = answer.text
    gateway.web.app.state.parts.index.close()
    return found


def amounts(texts: dict[str, str]) -> set[int]:
    """Every number in them, in Wh: as it is, and taken for kWh."""
    found = {float(word.replace(",", "")) for text in texts.values() for word in re.findall(r"\d[\d,]*\.?\d*", text)}
    return {round(number * unit) for number in found for unit in (1, 1_000)}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, index: Path) -> Iterator[Gateway]:
    made = make_gateway(tmp_path_factory.mktemp("public"), index)
    made.parts.configuration.least_traders = LEAST
    yield made
    made.store.close()


@SLOW
@given(found=periods, data=st.data())
def test_the_public_is_told_the_same_whatever_is_withheld(
    gateway: Gateway, found: list[Period], data: st.DataObject
) -> None:
    """So no sum and no difference of what it is told, of one resource or of several, tells what is withheld."""
    others = [
        one if one.is_told else replace(one, volume=data.draw(st.just(0) | volumes, label="withheld")) for one in found
    ]
    # With the other volume it must be withheld as well.
    others = [other if one.is_told == other.is_told else one for one, other in zip(found, others, strict=True)]
    with TemporaryDirectory() as first, TemporaryDirectory() as second:
        told = answers(gateway, index_of(Path(first), found))
        assert told == answers(gateway, index_of(Path(second), others))
    assert {path.split(" ")[0] for path in told} >= {"/", "/v1/days", "/v1/market", "/v1/tariffs", "/v1/rules"}


@SLOW
@given(found=periods)
def test_no_subtraction_gives_what_is_withheld(gateway: Gateway, found: list[Period]) -> None:
    """Every number that is told, less every other one, and less the sum of what is told of the day."""
    with TemporaryDirectory() as folder:
        numbers = amounts(answers(gateway, index_of(Path(folder), found)))
    shown = [one.volume for one in found if one.is_told]
    hidden = {one.volume for one in found if not one.is_told}
    sums = (hidden | {sum(one.volume for one in found if not one.is_told), sum(one.volume for one in found)}) - {0}
    sums -= {sum(shown)}
    assert not sums & (numbers | {one - other for one, other in product(numbers, {*numbers, *shown, sum(shown)})})
    if shown:
        assert sum(shown) in numbers
