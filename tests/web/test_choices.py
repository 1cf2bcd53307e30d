"""Messages of one signature each, in a browser: a vote, an intermediary, money out."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import Site
from eth_account import Account
from eth_account.messages import encode_defunct
from playwright.sync_api import Page
from support.gateway import CHAIN, CONTRACTS, HOME, TERMS, account_of, key_of
from test_console import PASSPHRASE, require_well
from test_limits import BRINGS_KEY

from dem.gateway.pages.router import SESSION
from dem.gateway.protocol import Envelope, check
from dem.gateway.state import State
from dem.messages.members import Ballot, Opening, Withdrawal


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


def at(site: Site, page: Page, days: float) -> None:
    """The same browser so many days after the election began: what it was logged in by has expired."""
    site.gateway.now[0] = TERMS.opening + days * 86_400
    page.goto(f"{site.url}/login")
    token = site.gateway.store.open(account_of("home"), 3_600)
    page.context.add_cookies([{"name": SESSION, "value": token, "url": site.url}])


def cast(site: Site, page: Page, opener: str) -> Ballot:
    """The home votes for the roof, by its key or a wallet."""
    page.goto(f"{site.url}/votes")
    page.get_by_label("roof").check()
    page.get_by_label(opener).check()
    require_well(page)
    if (passphrase := page.locator("#vote").get_by_label("Passphrase")).is_visible():
        passphrase.fill(PASSPHRASE)
    page.locator("#vote").get_by_role("button").click()
    page.wait_for_url("**?sent=1")
    ballot = check(newest(site, "Ballot"), CHAIN, CONTRACTS).message
    assert isinstance(ballot, Ballot)
    assert (ballot.voter, ballot.election) == (account_of("home"), 1)
    return ballot


def newest(site: Site, type_: str) -> Envelope:
    found = next(one for one in site.gateway.store.messages_of(account_of("home"), 1_000) if one.type == type_)
    return Envelope.model_validate(found.envelope)


@pytest.fixture
def in_block(site: Site) -> Iterator[Callable[[Ballot], None]]:
    """Has the index tell a ballot of the home, as if the chain had taken it."""
    with sqlite3.connect(site.gateway.parts.configuration.index_place) as index:

        def tell(ballot: Ballot) -> None:
            place = (10**6, 0, "0x00", "Elections", ballot.election, HOME)
            row = (*place, f"0x{ballot.commitment.hex()}", ballot.sequence)
            index.execute("INSERT OR REPLACE INTO elections_voted VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            index.commit()

        yield tell
        index.execute("DELETE FROM elections_voted")
    index.close()


def test_one_votes_and_the_gateway_keeps_the_opening(
    site: Site, page: Page, in_block: Callable[[Ballot], None]
) -> None:
    at(site, page, 20)
    ballot = cast(site, page, "This gateway")
    envelope = newest(site, "Opening")
    opening = check(envelope, CHAIN, CONTRACTS).message
    assert isinstance(opening, Opening)
    assert (opening.election, opening.id, opening.nominee) == (1, HOME, account_of("roof"))
    assert opening.sequence == ballot.sequence
    assert envelope.id == f"0x{ballot.commitment.hex()}", "what is opened is what was committed to"
    record = site.gateway.store.message(envelope.id)
    assert record is not None
    assert record.state is State.HELD
    in_block(ballot)
    page.reload()
    page.get_by_text("This gateway opens it at the count.").wait_for()
    require_well(page)


def test_one_opens_ones_ballot_by_the_key_alone(site: Site, page: Page, in_block: Callable[[Ballot], None]) -> None:
    at(site, page, 21)
    before = len(site.gateway.store.messages_of(account_of("home"), 1_000))
    ballot = cast(site, page, "I do, on this page")
    in_block(ballot)
    assert len(site.gateway.store.messages_of(account_of("home"), 1_000)) == before + 1, "nobody is told what it says"
    assert "dem-ballot" not in page.evaluate("Object.keys(localStorage).join()")
    at(site, page, 30)
    page.goto(f"{site.url}/votes")
    page.get_by_text("Your ballot is not opened yet.").wait_for()
    page.locator("summary", has_text="as a file").click()
    require_well(page)
    file = page.locator("#file")
    file.get_by_label("Passphrase").fill(PASSPHRASE)
    with page.expect_download() as told:
        file.get_by_role("button").click()
    given = Envelope.model_validate_json(told.value.path().read_text())
    page.locator("#open").get_by_label("Passphrase").fill(PASSPHRASE)
    page.locator("#open").get_by_role("button", name="Open it").click()
    page.wait_for_url("**?sent=1")
    assert newest(site, "Opening") == given
    assert given.id == f"0x{ballot.commitment.hex()}"
    assert given.message["nominee"] == account_of("roof")


def test_what_a_wallet_has_cast_it_opens_even_if_it_signs_otherwise(
    site: Site, in_block: Callable[[Ballot], None]
) -> None:
    before = site.gateway.now[0]
    context = site.context("home")
    page = site.page(context)
    texts: list[str] = []

    def ask(method: str, params: list[str]) -> Any:
        if method == "eth_requestAccounts":
            return [account_of("home")]
        if method == "personal_sign":
            texts.append(params[0])
            signed = Account.sign_message(encode_defunct(text=f"{params[0]} {len(texts)}"), key_of("home"))
        else:
            signed = Account.sign_typed_data(key_of("home"), full_message=json.loads(params[1]))
        return f"0x{bytes(signed.signature).hex()}"

    page.expose_function("askWallet", ask)
    page.add_init_script(
        "window.ethereum = { request: ({ method, params }) => window.askWallet(method, params || []) }"
    )
    at(site, page, 22)
    page.goto(f"{site.url}/votes")
    ballot = cast(site, page, "I do, on this page")
    in_block(ballot)
    at(site, page, 30)
    page.goto(f"{site.url}/votes")
    page.locator("#open").get_by_role("button", name="Open it").click()
    page.wait_for_url("**?sent=1")
    assert newest(site, "Opening").id == f"0x{ballot.commitment.hex()}"
    # Without the copy that this browser has, it is told.
    page.evaluate("localStorage.clear()")
    page.locator("summary", has_text="as a file").click()
    page.locator("#file").get_by_role("button").click()
    page.locator("#told", has_text="This key does not open the ballot").wait_for()
    assert all(f"Ballot {ballot.sequence} in election 1" in text for text in texts)
    context.close()
    site.gateway.now[0] = before


def test_an_intermediary_is_chosen(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/members/{HOME}/intermediary")
    page.get_by_label("percent").fill("25")
    page.get_by_label("Passphrase").fill(PASSPHRASE)
    require_well(page)
    page.get_by_role("button", name="Sign and send").click()
    page.wait_for_url("**?sent=1")
    broker = {"client": account_of("home"), "intermediary": account_of("broker"), "share": "2500", "firstDay": "2"}
    assert sent(site, "Mandate") == broker
