"""Taking part, in a browser: a key, an application that it or a wallet signs, and the way to the first trade."""

import json
from typing import Any

from conftest import PATIENCE, Site
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_utils.crypto import keccak
from playwright.sync_api import Page
from support.gateway import account_of, key_of
from test_console import PASSPHRASE, require_well

PAPERS = b"the contract for the connection"
WALLET = """window.ethereum = { request: ({ method, params }) => window.asked(method, params || []) };"""


def fill(page: Page) -> None:
    page.get_by_label("also feeds in").check()
    page.get_by_label("The connection draws at most").fill("11")
    page.get_by_label("It feeds in at most").fill("5,5")
    page.get_by_label("Address of your meter's key").fill(account_of("a new meter"))
    page.get_by_label("Feeder or bus").fill("feeder 3")


def application(site: Site, account: str) -> dict[str, Any]:
    """What an account has applied with."""
    [record] = site.gateway.store.messages_of(account, 10)
    assert record.type == "Application"
    message: dict[str, Any] = record.envelope["message"]
    return message


def test_a_newcomer_makes_a_key_applies_and_sees_every_step(site: Site) -> None:
    context = site.context()
    page = site.page(context)
    page.goto(site.url + "/")
    page.get_by_role("link", name="Take part").click()
    page.wait_for_url("**/join")
    require_well(page)
    page.locator("#first").fill(PASSPHRASE)
    page.locator("#second").fill(PASSPHRASE)
    page.get_by_role("button", name="Make the key").click()
    page.locator("#sheet").wait_for()
    require_well(page)
    key = bytes.fromhex(page.locator("#secret").inner_text())
    account = str(Account.from_key(key).address)
    assert page.locator("#of").inner_text() == account
    # Nothing but the sheet is printed.
    page.emulate_media(media="print")
    shown = page.locator("main > *:visible")
    assert [one.get_attribute("id") for one in shown.all()] == ["sheet"]
    assert page.get_by_role("button", name="I have it").is_hidden()
    page.emulate_media(media="screen")
    assert page.locator("#apply").is_hidden()
    page.get_by_role("button", name="I have it").click()
    page.locator("#apply").wait_for()
    assert key.hex() not in page.content().replace(" ", "")
    fill(page)
    page.get_by_label("Papers for the registrar").set_input_files(
        {"name": "contract.pdf", "mimeType": "application/pdf", "buffer": PAPERS}
    )
    page.get_by_label("Passphrase").last.fill(PASSPHRASE)
    require_well(page)
    page.get_by_role("button", name="Sign and send").click()
    page.wait_for_url("**/admission")
    page.get_by_text("The gateway has it, and brings it to the chain.").wait_for()
    require_well(page)
    sent = application(site, account)
    salt = page.locator("#salt").inner_text()
    assert sent["documents"] == f"0x{keccak(bytes.fromhex(salt) + PAPERS).hex()}"
    # 11 kW and 5.5 kW for a quarter of an hour; "7" is a prosumer.
    assert (sent["kind"], sent["importCapacity"], sent["exportCapacity"]) == ("7", "2750", "1375")
    assert bytes.fromhex(sent["feeder"][2:]).rstrip(b"\0") == b"feeder 3"
    assert sent["meter"] == account_of("a new meter")
    site.gateway.step()
    page.get_by_role("link", name="Look again").click()
    page.get_by_text("It is on the chain, in block").wait_for()
    assert page.locator(".t-now").count() == 1
    kept = page.evaluate("JSON.stringify(localStorage)")
    assert key.hex() not in kept
    assert PASSPHRASE not in kept
    context.close()


def test_a_wallet_signs_the_application_instead(site: Site) -> None:
    context = site.context()
    page = site.page(context)
    methods: list[str] = []

    def asked(method: str, params: list[Any]) -> Any:
        methods.append(method)
        if method == "eth_requestAccounts":
            return [account_of("wallet")]
        if method == "personal_sign":
            signed = Account.sign_message(encode_defunct(text=params[0]), key_of("wallet"))
        else:
            signed = Account.sign_typed_data(key_of("wallet"), full_message=json.loads(params[1]))
        return f"0x{signed.signature.hex().removeprefix('0x')}"

    page.expose_function("asked", asked)
    page.add_init_script(WALLET)
    page.goto(site.url + "/join")
    page.get_by_role("button", name="Sign by a wallet instead").click()
    page.locator("#apply").wait_for(timeout=PATIENCE)
    assert page.locator("#account").inner_text() == account_of("wallet")
    fill(page)
    page.get_by_role("button", name="Sign and send").click()
    page.wait_for_url("**/admission")
    assert application(site, account_of("wallet"))["documents"] == f"0x{0:064x}"
    assert methods == ["eth_requestAccounts", "eth_signTypedData_v4", "personal_sign"]
    assert page.evaluate("localStorage.length") == 0
    context.close()
