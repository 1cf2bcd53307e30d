"""Votes, and whom a member lets trade for it: what pages tell of them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.gateway import (
    BROKER,
    CALENDAR,
    CHAIN,
    CONTRACTS,
    HOME,
    ROOF,
    TERMS,
    Gateway,
    account_of,
    choices,
    make_gateway,
    make_index,
)

from dem.errors import RequestError
from dem.gateway.pages.choices import Cast, Election, chosen, earliest, election, offered
from dem.gateway.pages.figures import Market
from dem.messages.members import Opening
from dem.messages.signing import Domain, digest

from .test_pages import logged_in

DAY = 86_400


def said(sequence: int = 2) -> Opening:
    """A ballot of the home."""
    return Opening(1, HOME, account_of("roof"), bytes([sequence] * 32), sequence)


def commitment(sequence: int = 2) -> bytes:
    return digest(Domain(CHAIN, CONTRACTS["Elections"]), said(sequence))


def cast() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Nobody has opened anything yet."""
    yield from choices()
    for sequence in (1, 2):
        ballot = {"election": 1, "id": HOME, "commitment": commitment(sequence), "sequence": sequence}
        yield "Elections", "Voted", ballot


def told() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The home votes anew, for the roof, which is elected, and lets the broker trade for it, once and once more."""
    yield from cast()
    yield "Elections", "Opened", {"election": 1, "id": HOME, "nominee": account_of("roof")}
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
    found = election(gateway.parts, market_of(gateway), account_of(name), {"home": HOME, "roof": ROOF}[name])
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("days", "number", "phase"),
    [(-1, 1, "ahead"), (0, 1, "nominating"), (13.9, 1, "nominating"), (14, 1, "voting"), (27.9, 1, "voting"),
     (28, 1, "counting"), (34.9, 1, "counting"), (35, 1, "over"),
     (364.9, 1, "over"), (365, 2, "nominating"), (2_000, 6, "over")],
)  # fmt: skip
def test_elections_are_by_the_clock(known: Gateway, days: float, number: int, phase: str) -> None:
    found = seen(known, "home", days)
    assert (found.number, found.phase) == (number, phase)


def test_votes_are_told_when_they_are_counted(known: Gateway) -> None:
    for days in (20, 30):
        [nominee] = seen(known, "home", days).nominees
        assert (nominee.name, nominee.votes) == ("roof", 0)
    [nominee] = seen(known, "home", 40).nominees
    assert (nominee.votes, nominee.is_elected) == (1, True)
    ballot = seen(known, "home", 40).ballot
    assert ballot is not None
    assert ballot.nominee == nominee
    assert seen(known, "roof", 40).ballot is None
    assert (seen(known, "home", 5).stands, seen(known, "roof", 5).stands) == (False, True)
    assert "Your vote counted for roof." in page_of(known, "home", 40)
    for who in ("roof", "auditor"):
        text = page_of(known, who, 40)
        assert "counted for" not in text
        assert account_of("home") not in text


@pytest.fixture
def unopened(tmp_path: Path) -> Iterator[Gateway]:
    made = make_gateway(tmp_path, make_index(tmp_path / "index.sqlite", cast()))
    yield made
    made.store.close()


def page_of(gateway: Gateway, who: str, days: float) -> str:
    gateway.now[0] = TERMS.opening + days * DAY
    return logged_in(gateway, who).get("/votes").text


def test_a_ballot_is_closed_until_somebody_opens_it(unopened: Gateway) -> None:
    assert seen(unopened, "home", 20).ballot == Cast(f"0x{commitment().hex()}", 2, False, None)
    # Before the count the home may vote anew, the roof may vote; and nobody sees there how, or that, another did.
    for who, button in (("home", "Vote anew"), ("roof", "Vote"), ("auditor", "")):
        text = page_of(unopened, who, 20)
        assert ("Your ballot is cast." in text) is (who == "home")
        assert (f"<button>{button}</button>" in text) is bool(button)
        assert ('data-type="Opening"' in text) is (who == "home")
        assert (commitment().hex() in text) is (who == "home")
    for days, words in ((20, "and yours is missing"), (30, "your ballot is not opened yet")):
        unopened.now[0] = TERMS.opening + days * DAY
        for who, number in (("home", HOME), ("roof", ROOF)):
            text = logged_in(unopened, who).get(f"/members/{number}/alerts").text
            assert (words in text) is ((who == "roof") is (days == 20))
    assert "Your ballot is not opened yet." in page_of(unopened, "home", 30)
    assert "You have not voted." in page_of(unopened, "roof", 30)
    assert "was not opened, and did not count" in page_of(unopened, "home", 40)


def test_an_opening_is_held_until_the_count(unopened: Gateway) -> None:
    unopened.now[0] = TERMS.opening + 20.0 * DAY
    home = unopened.client("home")
    old, new = (home.send("Elections", said(sequence)) for sequence in (1, 2))
    # What is signed for it is what was committed to.
    assert new == f"0x{commitment().hex()}"
    assert [home.status(id_)["state"] for id_ in (old, new)] == ["replaced", "held"]
    assert "This gateway opens it at the count." in page_of(unopened, "home", 20)
    unopened.now[0] = TERMS.opening + 28.0 * DAY + 29
    unopened.step()
    assert unopened.node.brought == []
    unopened.now[0] += 1
    unopened.step()
    assert unopened.node.brought == [new]
    assert "This gateway is to open it." in page_of(unopened, "home", 30)


def test_openings_are_held_for_voters_alone_and_not_too_early(unopened: Gateway) -> None:
    unopened.now[0] = TERMS.opening + 20.0 * DAY
    roof = unopened.client("roof")
    for opening in (said(), replace(said(), id=0)):
        with pytest.raises(RequestError, match=f"NotTheVoter: the ballot is of member {opening.id}: until the count"):
            roof.send("Elections", opening)
    with pytest.raises(RequestError, match="NotTheVoter"):
        unopened.client("nobody", log_in=False).send("Elections", replace(said(), id=0))
    with pytest.raises(RequestError, match="TooEarly: election 2 takes no ballots yet"):
        unopened.client("home").send("Elections", replace(said(), election=2))
    # At the count anybody brings what it knows: the chain looks at it.
    unopened.now[0] = TERMS.opening + 29.0 * DAY
    roof = unopened.client("roof")
    assert roof.bring(roof.envelope("Elections", said()))["state"] == "queued"


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
    assert election(replace(made.parts, elections=None), market_of(made), account_of("home"), HOME) is None
    made.store.close()
