"""Proposals in words, and words of proposals."""

import pytest
from support.council import Governed
from support.village import RULES

from dem.deployment.market import Market
from dem.errors import InputError
from dem.governance.council import calls_in_words, in_words


@pytest.mark.parametrize(
    "words",
    [
        "ParticipantRegistry.suspend 6",
        "Council.setThreshold 2 and ParticipantRegistry.exit 7",
        "Authority.grantRole 1 {council} 86400",
        "Accounts.unpause {council}",
        "Accounts.keepPaused {council} 1790000000",
        "Council.takePause {council}",
        "ParticipantRegistry.admit {council} 0x" + "5e" * 32,
        "ParticipantRegistry.addWatcher {council}",
        "Schedule.addMarket {council} 3",
        "Replacements.announce 6 {council} 0x" + "5e" * 65,
        "Replacements.allow 6 {council}",
        "LateReconciliation.allow 0x" + "5e" * 32,
    ],
)
def test_words_and_calls_are_the_same(governed: Governed, market: Market, words: str) -> None:
    words = words.format(council=governed.council.address)
    assert in_words(market.addresses, calls_in_words(market, words.split())) == words


def test_roles_go_by_name(governed: Governed, market: Market) -> None:
    [named] = calls_in_words(market, ["Authority.revokeRole", "registrar", governed.council.address])
    assert named == governed.call(market.authority, "revokeRole", 1, governed.council.address)


def test_new_rules_are_those_of_their_day_but_for_what_is_said(market: Market) -> None:
    calls = calls_in_words(market, ["MarketRules.announce", "5", "platformFee=77", "chargeHelpful=true"])
    said = in_words(market.addresses, calls)
    assert said.startswith("MarketRules.announce 5 platformFee=77 networkFee=20 ")
    assert f"standingBuy={RULES.standing_buy} " in said
    assert " chargeHelpful=True " in said


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("", "is none of ParticipantRegistry.admit"),
        ("Accounts.post 1", "'Accounts.post' is none of"),
        ("Council.seat", r"takes 1 arguments: holder \(address\)"),
        ("Council.seat somebody", "'somebody' is no address"),
        ("ParticipantRegistry.admit 0x" + "00" * 20 + " 0x5e", "'0x5e' is no hash of 32 bytes"),
        ("Council.setThreshold -1", "'-1' must be a whole number"),
        ("MarketRules.announce", "firstDay: '' must be a whole number"),
        ("MarketRules.announce 9 fee=7", "'fee' is none of platformFee"),
        ("MarketRules.announce 9 chargeHelpful=1", "'1' must be true or false"),
        ("Council.setThreshold 1 and Council.seats", "'Council.seats' is none of"),
        (
            "Council.setThreshold 1 and ParticipantRegistry.suspend 6 and Council.setThreshold 1",
            "proposal: 'Council.setThreshold 1' is there twice",
        ),
    ],
)
def test_words_that_are_no_proposal(market: Market, words: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        calls_in_words(market, words.split() or [""])


def test_what_nobody_understands_is_shown_as_it_is(governed: Governed, market: Market) -> None:
    strange = [(governed.seats[0].address, b"\1\2\3\4"), (market.registry.address, b"\1\2\3\4")]
    assert in_words(market.addresses, strange) == f"{strange[0][0]} 0x01020304 and {strange[1][0]} 0x01020304"
