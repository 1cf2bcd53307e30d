"""Contracts between two members, in their browsers: offered by one, answered by the other, accepted."""

from collections.abc import Iterator

import pytest
from conftest import Site
from playwright.sync_api import Page
from support.gateway import CALENDAR, HOME, ROOF, account_of, key_of
from test_console import PASSPHRASE, require_well
from test_limits import BRINGS_KEY

from dem.gateway.offers import Phase, offers_of
from dem.gateway.protocol import parse
from dem.messages.contracts import Proposal
from dem.messages.signing import message_hash

FIRST = 3


@pytest.fixture
def pages(site: Site) -> Iterator[dict[str, Page]]:
    """Of home and roof, each with its key in its browser, while the auction of day 3 is open."""
    before, site.gateway.now[0] = site.gateway.now[0], CALENDAR.opens_at(FIRST) + 3_600.0
    contexts = {who: site.context(who) for who in ("home", "roof")}
    made = {}
    for who, context in contexts.items():
        made[who] = site.page(context)
        made[who].goto(site.url + "/login")
        made[who].evaluate(BRINGS_KEY, [key_of(who).hex(), PASSPHRASE])
        made[who].goto(f"{site.url}/members/{HOME if who == 'home' else ROOF}/offers")
    yield made
    for context in contexts.values():
        context.close()
    site.gateway.now[0] = before


def newest(site: Site, who: str) -> Proposal:
    """What somebody has offered last."""
    [record, *_] = [one for one in site.gateway.store.messages_of(account_of(who), 100) if one.type == "Proposal"]
    made = parse("Proposal", record.envelope["message"])
    assert isinstance(made, Proposal)
    return made


def test_an_offer_is_made_answered_accepted_and_another_one_withdrawn(site: Site, pages: dict[str, Page]) -> None:
    home, roof = pages["home"], pages["roof"]
    form = home.locator("#offer")
    form.get_by_label("Its account", exact=True).fill(account_of("roof"))
    form.get_by_label("Price").fill("a quarter")
    form.get_by_label("Power").fill("2,001")
    form.get_by_label("For how many days?").fill("14")
    form.get_by_label("From", exact=True).select_option("32")
    form.get_by_label("Until", exact=True).select_option("36")
    for day in ("Sat", "Sun"):
        form.get_by_label(day).uncheck()
    form.get_by_label("Passphrase").fill(PASSPHRASE)
    home.get_by_role("button", name="Sign and offer").click()
    home.locator("#told", has_text="A price is a number").wait_for()
    form.get_by_label("Price").fill("-0,15")
    require_well(home)
    home.get_by_role("button", name="Sign and offer").click()
    home.wait_for_url("**?sent=1")
    home.get_by_text(f"You offer Member {ROOF} to buy").wait_for()
    require_well(home)
    offered = newest(site, "home")
    first = (FIRST - 1) * 96
    assert (offered.is_sale, offered.price, offered.energy) == (False, -15_000, 500)  # 2.001 kW are 500.25 Wh
    assert (offered.first_period, offered.last_period) == (first, first + 14 * 96 - 1)
    assert (offered.slots, offered.weekdays) == (0b1111 << 32, 0b11111)
    assert (offered.counterparty, offered.expiry) == (account_of("roof"), CALENDAR.gate_closes_at(FIRST))

    roof.reload()
    roof.get_by_text(f"Member {HOME} would buy from you").wait_for()
    roof.get_by_text("Answer", exact=True).click()
    roof.get_by_role("button", name="Answer with other terms").click()
    require_well(roof)
    form = roof.locator("#offer")
    assert form.get_by_label("Price").input_value() == "-0.15000"
    form.get_by_label("Price").fill("0.2")
    form.get_by_label("Passphrase").fill(PASSPHRASE)
    roof.get_by_role("button", name="Sign and offer").click()
    roof.wait_for_url("**?sent=1")
    answer = newest(site, "roof")
    assert (answer.is_sale, answer.price, answer.energy, answer.counterparty) == (True, 20_000, 500, account_of("home"))
    assert answer.answers == message_hash(offered)
    told = ("first_period", "last_period", "slots", "weekdays", "expiry")
    assert [getattr(answer, name) for name in told] == [getattr(offered, name) for name in told]

    home.reload()
    accept = home.locator("details", has=home.get_by_role("button", name="Accept it", include_hidden=True))
    accept.locator("summary").click()
    accept.get_by_label("Passphrase").fill(PASSPHRASE)
    home.get_by_role("button", name="Accept it").click()
    home.wait_for_url("**?sent=1")
    home.get_by_text("accepted, waits to be in a block").wait_for()
    require_well(home)
    withdraw = home.locator("details", has=home.get_by_role("button", name="Withdraw it", include_hidden=True))
    withdraw.get_by_label("Passphrase").fill(PASSPHRASE)
    home.get_by_role("button", name="Withdraw it").click()
    home.get_by_text("withdrawn, waits to be in a block").wait_for()
    phases = {one.proposal.price: one.phase for one in offers_of(site.gateway.parts, ROOF)}
    assert phases == {-15_000: Phase.WITHDRAWING, 20_000: Phase.ACCEPTED}


def test_an_offer_to_everybody_names_nobody(site: Site, pages: dict[str, Page]) -> None:
    page = pages["roof"]
    form = page.locator("#offer")
    form.get_by_label("to sell").check()
    form.get_by_label("everybody").check()
    form.get_by_label("Price").fill("0.1")
    form.get_by_label("Power").fill("11")  # more than its connection carries
    form.get_by_label("Passphrase").fill(PASSPHRASE)
    page.get_by_role("button", name="Sign and offer").click()
    page.locator("#told", has_text="more than your connection carries").wait_for()
    form.get_by_label("Power").fill("10")
    form.get_by_label("How long does the offer stand?").select_option("a day")
    page.get_by_role("button", name="Sign and offer").click()
    page.get_by_text("You offer everybody to sell").wait_for()
    made = newest(site, "roof")
    assert (made.counterparty, made.energy, made.slots) == (f"0x{0:040x}", 2_500, (1 << 96) - 1)
    assert made.expiry == CALENDAR.gate_closes_at(FIRST)  # the browser's clock is years ahead
    assert made.salt != bytes(32)


def test_a_contract_is_ended_by_both(site: Site, pages: dict[str, Page]) -> None:
    home, roof = pages["home"], pages["roof"]
    home.get_by_text("End contract 1 early").click()
    form = home.locator("#finish-1")
    form.get_by_label("Last day of delivery").select_option(str(FIRST + 3))
    form.get_by_label("Passphrase").fill(PASSPHRASE)
    form.get_by_role("button").click()
    home.wait_for_url("**?sent=1")
    home.get_by_text("You want it to end after").wait_for()
    require_well(home)
    roof.reload()
    roof.get_by_text("home wants it to end after").wait_for()
    end = roof.locator("details", has=roof.get_by_role("button", name="End it, too", include_hidden=True))
    end.locator("summary").click()
    require_well(roof)
    end.get_by_label("Passphrase").fill(PASSPHRASE)
    end.get_by_role("button").click()
    roof.wait_for_url("**?sent=1")
    roof.get_by_text("both have signed").wait_for()
    [kept] = site.gateway.store.joints(account_of("roof"), ["Ending"], 0)
    about = kept.record.envelope["message"]
    assert (about["number"], about["lastDay"]) == ("1", f"{FIRST + 3}")
    assert kept.consent is not None
    site.gateway.step()
    assert kept.record.id in site.gateway.node.brought
