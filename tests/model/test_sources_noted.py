"""What relays note of members' feed-in: for every member, also where another one had the same meter before."""

from types import SimpleNamespace
from typing import Any

from dem.chain.events import Event
from dem.model.meters import SOURCES
from dem.relay.members import note_sources

METER = "0x" + "11" * 20
SUN, WIND = SOURCES.index("sun"), SOURCES.index("wind")


def noted(id_: int, source: int) -> Any:
    return SimpleNamespace(args={"id": id_, "meter": METER, "source": source})


def missing(events: list[Event], sources: dict[int, str]) -> list[tuple[int, str, int]]:
    """What is brought of it."""
    member = (None, 0, 0, 0, METER, 1, 0, 0)
    chain = SimpleNamespace(
        block=9,
        ask_many=lambda _contract, _function, asked: [member for _ in asked],
        topics=lambda *_: [],
        events=lambda *_: events,
    )
    market = SimpleNamespace(
        registry=None, meters=None, addresses={"Meters": METER}, manifest=SimpleNamespace(first_block=1)
    )
    found: list[tuple[int, str, int]] = []

    def call_for_each(_name: str, _where: Any, wanted: Any, _arguments: Any) -> None:
        found.extend(wanted())

    relay: Any = SimpleNamespace(chain=chain, market=market, call_for_each=call_for_each)
    note_sources(relay, sources)
    return found


def test_the_next_tenant_of_a_meter_has_its_source_noted() -> None:
    assert missing([noted(6, SUN)], {7: "sun"}) == [(7, METER, SUN)]


def test_what_is_noted_of_a_member_is_not_noted_again() -> None:
    assert missing([noted(6, SUN), noted(7, SUN)], {7: "sun"}) == []
    assert missing([noted(7, WIND), noted(7, SUN)], {7: "sun"}) == []


def test_another_source_is() -> None:
    assert missing([noted(7, SUN), noted(7, WIND)], {7: "sun"}) == [(7, METER, SUN)]
