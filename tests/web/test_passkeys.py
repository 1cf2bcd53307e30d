"""A passkey instead of a passphrase: an authenticator as chromium has it for tests, and what it locks."""

import json
from collections.abc import Iterator

import pytest
from conftest import Site
from playwright.sync_api import CDPSession, Page
from support.gateway import HOME, account_of, key_of
from test_console import require_well


@pytest.fixture
def there(site: Site) -> Iterator[Site]:
    """By a name: an address of numbers can have no passkeys."""
    made = Site(site.url.replace("127.0.0.1", "localhost"), site.gateway, site.browser)
    yield made
    assert made.faults == []
    assert made.strangers == []


def authenticator(page: Page, has_prf: bool = True) -> tuple[CDPSession, str]:
    """A device that confirms everything."""
    wire = page.context.new_cdp_session(page)
    wire.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasPrf": has_prf}
    options |= {"hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True}
    told = wire.send("WebAuthn.addVirtualAuthenticator", {"options": options | {"automaticPresenceSimulation": True}})
    return wire, told["authenticatorId"]


def test_a_key_under_a_passkey_logs_in_and_signs_without_a_passphrase(there: Site) -> None:
    context = there.context()
    page = there.page(context)
    wire, id_ = authenticator(page)
    page.goto(there.url + "/login")
    page.locator("#key").fill(key_of("home").hex())
    require_well(page)
    page.get_by_role("button", name="Lock it by a passkey instead").click()
    page.locator("#unlock").wait_for()
    kept = json.loads(page.evaluate("localStorage.getItem('dem-key')"))
    assert kept["account"] == account_of("home")
    assert key_of("home").hex() not in json.dumps(kept)
    [credential] = wire.send("WebAuthn.getCredentials", {"authenticatorId": id_})["credentials"]
    assert page.locator("#passphrase").is_hidden()
    require_well(page)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"**/members/{HOME}")
    page.goto(f"{there.url}/members/{HOME}/money")
    form = page.locator("#withdraw")
    form.get_by_label("Amount").fill("3")
    assert form.get_by_label("Passphrase").is_hidden()
    form.get_by_role("button").click()
    page.wait_for_url("**?sent=1")
    newest = there.gateway.store.messages_of(account_of("home"), 1)[0]
    assert (newest.type, newest.envelope["message"]["amount"]) == ("Withdrawal", "300000000")
    # Without its passkey nobody opens it.
    told = {"authenticatorId": id_, "credentialId": credential["credentialId"]}
    wire.send("WebAuthn.removeCredential", told)
    form.get_by_label("Amount").fill("4")
    form.get_by_role("button").click()
    page.locator("#told", has_text="does not open the key").wait_for()
    assert there.gateway.store.messages_of(account_of("home"), 1)[0] == newest
    context.close()


def test_a_newcomer_makes_a_key_under_a_passkey_and_has_its_recovery_sheet(there: Site) -> None:
    context = there.context()
    page = there.page(context)
    authenticator(page)
    page.goto(there.url + "/join")
    page.get_by_role("button", name="Lock it by a passkey instead").click()
    page.locator("#sheet").wait_for()
    secret = page.locator("#secret").inner_text().replace(" ", "")
    assert secret not in page.evaluate("localStorage.getItem('dem-key')")
    page.get_by_role("button", name="I have it").click()
    page.locator("#apply").wait_for()
    assert page.locator("#passphrase").is_hidden()
    require_well(page)
    context.close()


def test_a_device_without_that_extension_leads_back_to_a_passphrase(there: Site) -> None:
    context = there.context()
    page = there.page(context)
    authenticator(page, has_prf=False)
    page.goto(there.url + "/join")
    page.get_by_role("button", name="Lock it by a passkey instead").click()
    page.locator("#told", has_text="Take a passphrase").wait_for()
    assert page.evaluate("localStorage.length") == 0
    context.close()


def test_by_an_address_of_numbers_no_passkey_is_offered(site: Site) -> None:
    context = site.context()
    page = site.page(context)
    page.goto(site.url + "/join")
    page.locator("#make").wait_for()
    assert page.locator("#passkey").is_hidden()
    context.close()
