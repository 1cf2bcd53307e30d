"""A seat approves a proposal from the page, by the key in its browser or by a wallet that has a node."""

from collections.abc import Iterator
from typing import Any

import pytest
from conftest import Site
from eth_account import Account
from playwright.sync_api import Page
from support.gateway import CHAIN, CONTRACTS, Node, account_of, key_of
from test_console import PASSPHRASE, require_well
from test_join import WALLET
from test_limits import BRINGS_KEY

from dem.gateway.approvals import GAS

APPROVED = """([about, number, terms, key]) => import("/static/wallet.js").then((wallet) =>
  wallet.approval(about, number, terms, wallet.unhex(key)))"""
COUNCIL = bytes.fromhex(CONTRACTS["Council"][2:])
SELECTOR = "b759f954"
"""Of approve(uint256)."""


@pytest.fixture
def node(site: Site) -> Iterator[Node]:
    found = site.gateway.node
    yield found
    found.passed.clear()


@pytest.fixture
def page(site: Site) -> Iterator[Page]:
    """Of the home, which holds a seat."""
    context = site.context("home")
    yield site.page(context)
    context.close()


@pytest.mark.parametrize("fee", [None, 0, 7, 2 * 10**9])
@pytest.mark.parametrize("nonce", [0, 1, 127, 128, 256, 70_000])
def test_the_browser_signs_a_transaction_as_the_library_does(
    page: Page, site: Site, nonce: int, fee: int | None
) -> None:
    page.goto(site.url + "/")
    about = {"chain": CHAIN, "contracts": CONTRACTS}
    for number, who in ((1, "home"), (2**40, "roof"), (2**256 - 1, "p1")):
        made = page.evaluate(
            APPROVED, [about, str(number), {"nonce": nonce, "fee": fee, "gas": GAS}, key_of(who).hex()]
        )
        data = f"0x{SELECTOR}{number:064x}"
        fields: dict[str, Any] = {"chainId": CHAIN, "nonce": nonce, "gas": GAS, "to": COUNCIL, "value": 0}
        fields |= {"data": data, "accessList": []}
        fields |= (
            {"type": 1, "gasPrice": 0} if fee is None else {"type": 2, "maxFeePerGas": fee, "maxPriorityFeePerGas": 0}
        )
        assert made == f"0x{bytes(Account.sign_transaction(fields, key_of(who)).raw_transaction).hex()}"


def test_a_seat_approves_by_the_key_of_its_browser(page: Page, site: Site, node: Node) -> None:
    page.goto(site.url + "/proposals")
    page.locator("#elsewhere").wait_for()
    assert not page.locator("form.approves").is_visible()
    page.goto(site.url + "/login")
    page.evaluate(BRINGS_KEY, [key_of("home").hex(), PASSPHRASE])
    page.goto(site.url + "/proposals")
    require_well(page)
    page.get_by_label("Passphrase").focus()
    page.keyboard.type("another row of words")
    page.keyboard.press("Enter")
    page.locator("#told", has_text="does not open the key").wait_for()
    page.get_by_label("Passphrase").fill(PASSPHRASE)
    page.keyboard.press("Enter")
    page.wait_for_url("**/proposals?sent=1")
    page.get_by_role("status").filter(has_text="It counts as soon as it is in a block").wait_for()
    [raw] = node.passed
    assert Account.recover_transaction(raw) == account_of("home")
    require_well(page)


def test_a_seat_approves_by_a_wallet(page: Page, site: Site, node: Node) -> None:
    told: list[tuple[str, Any]] = []
    chain = [CHAIN + 1]

    def asked(method: str, parameters: list[Any]) -> Any:
        told.append((method, parameters))
        return {
            "eth_requestAccounts": [account_of("home")],
            "eth_chainId": hex(chain[0]),
            "eth_sendTransaction": "0x" + "5" * 64,
        }[method]

    page.expose_function("asked", asked)
    page.add_init_script(WALLET)
    page.goto(site.url + "/proposals")
    page.get_by_role("button", name="Approve proposal 1").click()
    page.locator("#told", has_text="on another chain").wait_for()
    assert "eth_sendTransaction" not in dict(told)
    chain[0] = CHAIN
    page.get_by_role("button", name="Approve proposal 1").click()
    page.wait_for_url("**/proposals?sent=1")
    [sent] = dict(told)["eth_sendTransaction"]
    assert sent == {"from": account_of("home"), "to": CONTRACTS["Council"], "data": f"0x{SELECTOR}{1:064x}"}
    assert node.passed == []  # it went to the wallet's own node
