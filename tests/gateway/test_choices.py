"""Votes, and whom a member lets trade for it: what pages tell of them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.gateway import BROKER, CALENDAR, HOME, ROOF, TERMS, Gateway, account_of, choices, make_gateway, make_index

from dem.gateway.pages.choices import Election, chosen, earliest, election, offered
from dem.gateway.pages.figures import Market

from .test_pages import logged_in

DAY = 86_400


def told() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The home votes for the roof, which is elected, and lets the broker trade for it, once and once more."""
    yield from choices()
    yield "Elections", "Voted", {"election": 1, "voter": account_of("home"), "nominee": account_of("roof")}
    yield "Elections", "Concluded", {"election": 1, "elected": [account_of("roof")]}
    for day, share in ((3, 2_500), (5, 5_000)):
        given = {"client": HOME, "intermediary": BROKER, "share": share, "firstDay": day, "replacedFrom": day}
        yield "Intermediaries", "MandateGiven", given | {"sequence": day}


@pytest.fixture
def known(tmp_path: Path) -> Iterator[Gateway]:
    made = make_gateway(tmp_path, make_index(tmp_path / "index.sqlite", told()))
    yield made
    made.store.close()


def market_of(gateway: Gateway) -> Market:
    parts = gateway.parts
    return Market(parts.index, parts.calendar, parts.configuration.zone, parts.clock())


def seen(gateway: Gateway, name: str, days: float) -> Election:
    gateway.now[0] = TERMS.opening + days * DAY
    found = election(gateway.parts, market_of(gateway), account_of(name))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("days", "number", "phase"),
    [(-1, 1, "ahead"), (0, 1, "nominating"), (13.9, 1, "nominating"), (14, 1, "voting"), (28, 1, "over"),
     (364.9, 1, "over"), (365, 2, "nominating"), (2_000, 6, "over")],
)  # fmt: skip
def test_elections_are_by_the_clock(known: Gateway, days: float, number: int, phase: str) -> None:
    found = seen(known, "home", days)
    assert (found.number, found.phase) == (number, phase)


def test_votes_are_counted_when_they_are_over(known: Gateway) -> None:
    [nominee] = seen(known, "home", 20).nominees
    assert (nominee.name, nominee.votes) == ("roof", 0)
    [nominee] = seen(known, "home", 30).nominees
    assert (nominee.votes, nominee.is_elected) == (1, True)
    voted = seen(known, "home", 20).voted
    assert voted is not None
    assert (voted.name, voted.participant) == ("roof", ROOF)
    assert seen(known, "roof", 20).voted is None
    assert (seen(known, "home", 5).stands, seen(known, "roof", 5).stands) == (False, True)
    known.now[0] = TERMS.opening + 20.0 * DAY
    # The home has voted, the roof may; and nobody sees there how another voted.
    for who, number in (("home", HOME), ("roof", ROOF)):
        text = logged_in(known, who).get(f"/members/{number}/alerts").text
        assert ("and yours is missing" in text) is (who == "roof")
    assert "You have voted for roof." in logged_in(known, "home").get("/votes").text
    for who in ("roof", "auditor"):
        text = logged_in(known, who).get("/votes").text
        assert "You have voted" not in text
        assert account_of("home") not in text
        assert ('data-type="Ballot"' in text) is (who == "roof")


def test_mandates_and_what_intermediaries_ask_for(known: Gateway) -> None:
    known.now[0] = CALENDAR.opens_at(3) + 1.0
    market = market_of(known)
    assert earliest(market) == 4
    mandate = chosen(known.parts, market, HOME)
    assert mandate is not None
    assert (mandate["share"], mandate["starts"]) == (5_000, market.local(CALENDAR.start_of(5)))
    assert chosen(known.parts, market, ROOF) is None
    assert [offered(known.parts, day)[0]["commission"] for day in (1, 8, 9)] == [300, 300, 500]
    text = logged_in(known, "home").get(f"/members/{HOME}/intermediary").text
    assert "for 50\N{NO-BREAK SPACE}% of your connection" in text or "for 50 % of your connection" in text
    assert "&#34;firstDay&#34;: &#34;4&#34;" in text


def test_a_gateway_that_does_not_know_the_terms_says_so(tmp_path: Path, index: Path) -> None:
    made = make_gateway(tmp_path, index)
    assert election(replace(made.parts, elections=None), market_of(made), account_of("home")) is None
    made.store.close()
