"""Messages of one signature each, in a browser: a vote, an intermediary, money out."""

from collections.abc import Iterator

import pytest
from conftest import Site
from playwright.sync_api import Page
from support.gateway import CHAIN, CONTRACTS, HOME, TERMS, account_of, key_of
from test_console import PASSPHRASE, require_well
from test_limits import BRINGS_KEY

from dem.gateway.pages.router import SESSION
from dem.gateway.protocol import Envelope, check
from dem.messages.members import Withdrawal


@pytest.fixture
def page(site: Site) -> Iterator[Page]:
    """Of the home, whose key is in its browser, while nominations are taken."""
    before, site.gateway.now[0] = site.gateway.now[0], TERMS.opening + 3_600.0
    context = site.context("home")
    page = site.page(context)
    page.goto(site.url + "/login")
    page.evaluate(BRINGS_KEY, [key_of("home").hex(), PASSPHRASE])
    yield page
    context.close()
    site.gateway.now[0] = before


def sent(site: Site, type_: str) -> dict[str, str | bool]:
    """The newest message of the home of a type, without its sequence."""
    found = next(one for one in site.gateway.store.messages_of(account_of("home"), 1_000) if one.type == type_)
    return {name: value for name, value in found.envelope["message"].items() if name != "sequence"}


def test_one_stands_for_election(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/votes")
    require_well(page)
    page.get_by_label("Passphrase").fill("another row of words")
    page.get_by_role("button", name="Stand for election").click()
    page.locator("#told", has_text="does not open the key").wait_for()
    page.get_by_label("Passphrase").fill(PASSPHRASE)
    page.get_by_role("button", name="Stand for election").click()
    page.wait_for_url("**?sent=1")
    assert sent(site, "Nomination") == {"nominee": account_of("home"), "election": "1"}
    require_well(page)


def test_money_is_taken_out_to_the_unit(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/members/{HOME}/money")
    form = page.locator("#withdraw")
    form.get_by_label("To my account's own wallet").check()
    form.get_by_label("Amount").fill("12.123456789")
    form.get_by_label("Passphrase").fill(PASSPHRASE)
    form.get_by_role("button").click()
    page.locator("#told", has_text="An amount is a number").wait_for()
    form.get_by_label("Amount").fill("12,12345678")
    form.get_by_role("button").click()
    page.wait_for_url("**?sent=1")
    assert sent(site, "Withdrawal") == {"account": account_of("home"), "amount": "1212345678", "toBank": False}
    require_well(page)


def test_money_goes_to_the_bank_in_whole_cents(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/members/{HOME}/money")
    form = page.locator("#withdraw")
    form.get_by_label("Amount").fill("3.505")
    form.get_by_label("Passphrase").fill(PASSPHRASE)
    form.get_by_role("button").click()
    page.locator("#told", has_text="a bank pays whole cents").wait_for()
    form.get_by_label("Amount").fill("3.50")
    form.get_by_role("button").click()
    page.wait_for_url("**?sent=1")
    assert sent(site, "Withdrawal") == {"account": account_of("home"), "amount": "350000000", "toBank": True}
    page.get_by_text("waits for the treasurer").wait_for()
    require_well(page)


def test_what_the_treasurer_pays_out_is_a_file_and_is_not_brought(site: Site, page: Page) -> None:
    before = len(site.gateway.store.messages_of(account_of("home"), 1_000))
    page.goto(f"{site.url}/members/{HOME}/money")
    form = page.locator("#payout")
    form.get_by_label("Amount").fill("0.5")
    form.get_by_label("Passphrase").fill(PASSPHRASE)
    with page.expect_download() as told:
        form.get_by_role("button", name="Sign, as a file").click()
    assert told.value.suggested_filename == f"withdrawal-{HOME}.json"
    envelope = Envelope.model_validate_json(told.value.path().read_text())
    message = check(envelope, CHAIN, CONTRACTS).message
    assert isinstance(message, Withdrawal)
    assert (message.account, message.amount, message.to_bank) == (account_of("home"), 50_000_000, True)
    page.locator("#told", has_text="Hand it to the treasurer").wait_for()
    require_well(page)
    assert len(site.gateway.store.messages_of(account_of("home"), 1_000)) == before


def test_one_votes(site: Site, page: Page) -> None:
    site.gateway.now[0] = TERMS.opening + 20 * 86_400.0
    page.goto(f"{site.url}/login")
    token = site.gateway.store.open(account_of("home"), 3_600)  # the other has expired
    page.context.add_cookies([{"name": SESSION, "value": token, "url": site.url}])
    page.goto(f"{site.url}/votes")
    page.get_by_label("roof").check()
    require_well(page)
    page.get_by_label("Passphrase").fill(PASSPHRASE)
    page.get_by_role("button", name="Vote").click()
    page.wait_for_url("**?sent=1")
    assert sent(site, "Ballot") == {"voter": account_of("home"), "election": "1", "nominee": account_of("roof")}


def test_an_intermediary_is_chosen(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/members/{HOME}/intermediary")
    page.get_by_label("percent").fill("25")
    page.get_by_label("Passphrase").fill(PASSPHRASE)
    require_well(page)
    page.get_by_role("button", name="Sign and send").click()
    page.wait_for_url("**?sent=1")
    broker = {"client": account_of("home"), "intermediary": account_of("broker"), "share": "2500", "firstDay": "2"}
    assert sent(site, "Mandate") == broker
