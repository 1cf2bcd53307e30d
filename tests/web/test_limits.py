"""Standing limits in a browser: what its script signs is what the protocol says, and what the member wished."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple
from typing import Any

import pytest
from conftest import Site
from eth_account import Account
from playwright.sync_api import Page
from support.gateway import CALENDAR, CHAIN, CONTRACTS, HOME, ROOF, account_of, key_of
from test_console import PASSPHRASE, require_well
from test_join import WALLET

from dem.gateway.protocol import KINDS, parse, seal
from dem.messages.contracts import Proposal
from dem.messages.orders import OrderSheet
from dem.messages.signing import Domain, digest, sign
from dem.model.orders import Order, Side, orders_of
from dem.model.units import Tick, Wh

BRINGS_KEY = """async ([key, passphrase]) => {
  const { keep, keyOf } = await import("/static/wallet.js");
  await keep(keyOf(key), passphrase);
}"""
ENVELOPE = """async ([contract, type, message, key]) => {
  const { envelope, market, unhex } = await import("/static/wallet.js");
  return envelope(await market(), contract, type, message, unhex(key));
}"""
DIGEST = """async ([contract, type, fields, message]) => {
  const { digestOf, hex, market } = await import("/static/wallet.js");
  const told = await market();
  return hex(digestOf({ ...told, types: { [type]: fields } }, contract, type, message));
}"""
TICKS = """async ([scale, prices]) => {
  const { priceOf, tickDown, tickUp } = await import("/static/prices.js");
  return prices.map((text) => [priceOf(text), tickDown(scale, priceOf(text)), tickUp(scale, priceOf(text))]);
}"""


@pytest.fixture
def page(site: Site) -> Iterator[Page]:
    """Of the home, whose key is in its browser, while the auction of day 3 is open."""
    before, site.gateway.now[0] = site.gateway.now[0], CALENDAR.opens_at(3) + 3_600.0
    context = site.context("home")
    page = site.page(context)
    page.goto(site.url + "/login")
    page.evaluate(BRINGS_KEY, [key_of("home").hex(), PASSPHRASE])
    yield page
    context.close()
    site.gateway.now[0] = before


def test_the_browser_signs_every_message_as_the_protocol_does(page: Page) -> None:
    sample = {"address": account_of("home"), "bool": True, "bytes32": f"0x{5:064x}", "bytes": "0x00ff"}
    for type_, kind in KINDS.items():
        words = [f"0x{n:064x}" for n in (1, 2**255)]
        values = {name: words if of == "bytes32[]" else sample.get(of, "200") for name, of in type_.TYPE}
        message = parse(type_.__name__, values)
        domain = Domain(CHAIN, CONTRACTS[kind.contract])
        wanted = seal(domain, message, sign(domain, message, key_of("home"))).model_dump()
        told = page.evaluate(ENVELOPE, [kind.contract, type_.__name__, values, key_of("home").hex()])
        assert told | {"contract": told["contract"].lower()} == wanted | {"contract": wanted["contract"].lower()}


def test_the_browser_signs_prices_below_zero_as_the_protocol_does(page: Page) -> None:
    home, roof, word = account_of("home"), account_of("roof"), bytes(range(32))
    proposal = Proposal(home, roof, True, -8_000, Wh(500), 96, 191, 1, 127, 2**40, bytes(32), word)
    message = {
        name: f"0x{value.hex()}" if of == "bytes32" else value if of in ("address", "bool") else str(value)
        for (name, of), value in zip(Proposal.TYPE, astuple(proposal), strict=True)
    }
    told = page.evaluate(
        DIGEST, ["BilateralContracts", "Proposal", [f"{of} {name}" for name, of in Proposal.TYPE], message]
    )
    assert told == digest(Domain(CHAIN, CONTRACTS["BilateralContracts"]), proposal).hex()


def test_prices_become_ticks_from_the_lowest_price_on(page: Page) -> None:
    scale = {"lowest": -50_000, "tick": 100, "most": 4_095}
    told = page.evaluate(TICKS, [scale, ["0", "-0.5", "0,25", "0.25001", "1", "-0.00001"]])
    assert told == [[0, 500, 500], [-50_000, 0, 0], [25_000, 750, 750], [25_001, 750, 751], [100_000, 1_500, 1_500],
                    [-1, 499, 500]]  # fmt: skip
    for text in ("", "a", "0.123456", "1e3", "--1", "1.", "0x10"):
        assert page.evaluate("async (t) => (await import('/static/prices.js')).priceOf(t)", text) is None


def orders(site: Site, day: int) -> list[Order]:
    """What the newest sheet of the home for a day orders."""
    newest = next(
        one.envelope["message"]
        for one in site.gateway.store.in_places(account_of("home"), 100)
        if one.envelope["message"].get("day") == str(day)
    )
    sheet = parse("OrderSheet", newest)
    assert isinstance(sheet, OrderSheet)
    return [one for n, word in enumerate(sheet.lines) for one in orders_of(HOME, day, n, word, 96)]


def states(site: Site) -> Counter[str]:
    """Of the sheets that the home has sent."""
    sent = site.gateway.store.messages_of(account_of("home"), 1_000)
    return Counter(str(one.state) for one in sent if one.type == "OrderSheet")


def test_limits_are_signed_for_a_month_changed_and_paused(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/members/{HOME}/limits")
    assert page.locator("[name=kind]:checked").get_attribute("value") == "tariffs"
    page.locator("#passphrase").fill("another row of words")
    page.get_by_role("button", name="Sign for 31 days").click()
    page.locator("#told", has_text="does not open the key").wait_for()
    page.locator("#passphrase").fill(PASSPHRASE)
    page.get_by_role("button", name="Sign for 31 days").click()
    page.wait_for_url("**/limits?signed=limits")
    # The meter drew 10 Wh in each period. Days without a tariff get the lower of the standing one, 0.28, and the last
    # one, 0.30, less fees of 0.012.
    assert orders(site, 33) == [Order(HOME, 0, slot, Side.BID, Tick(1_268), Wh(10)) for slot in range(96)]
    assert states(site) == {"held": 30, "queued": 1}
    page.get_by_text("signed, waits until").first.wait_for()
    require_well(page)

    page.get_by_label("At limits of my own").check()
    page.get_by_label("Never buy above").fill("a quarter")
    page.locator("#passphrase").fill(PASSPHRASE)
    page.get_by_role("button", name="Sign for 31 days").click()
    page.locator("#told", has_text="A limit is a number").wait_for()
    page.get_by_label("Never buy above").fill("0,1234")
    page.get_by_role("button", name="Sign for 31 days").click()
    page.wait_for_load_state()
    page.get_by_text("never above 0.123").first.wait_for()
    assert orders(site, 3)[0].tick == Tick(1_111)  # 0.1234 less 0.012, rounded down
    assert page.get_by_label("Never buy above").input_value() == "0,1234"
    require_well(page)
    site.gateway.step()

    page.locator("#passphrase").fill(PASSPHRASE)
    page.get_by_role("button", name="Pause trading").click()
    page.wait_for_url("**/limits?signed=pause")
    page.get_by_text("paused: no order").first.wait_for()
    assert {day: orders(site, day) for day in (3, 4, 33)} == {3: [], 4: [], 33: []}
    assert states(site) == {"held": 30, "queued": 1, "in_block": 2, "replaced": 60}
    kept = page.evaluate("JSON.stringify(localStorage)")
    assert key_of("home").hex() not in kept
    assert PASSPHRASE not in kept


def test_a_browser_without_the_key_is_led_to_it(site: Site, page: Page) -> None:
    page.evaluate("localStorage.clear()")
    page.goto(f"{site.url}/members/{HOME}/limits")
    page.get_by_role("link", name="Put it here first.").click()
    page.wait_for_url(f"**/login?next=/members/{HOME}/limits")


def test_a_wallet_signs_for_as_many_days_as_one_says(site: Site) -> None:
    before, site.gateway.now[0] = site.gateway.now[0], CALENDAR.opens_at(3) + 3_600.0
    context = site.context("roof")
    page = site.page(context)
    signed: list[int] = []

    def asked(method: str, params: list[Any]) -> Any:
        if method == "eth_requestAccounts":
            return [account_of("roof")]
        assert method == "eth_signTypedData_v4"
        signed.append(int(json.loads(params[1])["message"]["day"]))
        made = Account.sign_typed_data(key_of("roof"), full_message=json.loads(params[1]))
        return f"0x{made.signature.hex().removeprefix('0x')}"

    def sent() -> dict[int, str]:
        """The newest sheet of each day: its first word."""
        found = site.gateway.store.in_places(account_of("roof"), 100)
        return {int(one.envelope["message"]["day"]): one.envelope["message"]["lines"][0][-20:] for one in found}

    page.expose_function("asked", asked)
    page.add_init_script(WALLET)
    page.goto(f"{site.url}/members/{ROOF}/limits")
    assert not page.get_by_label("Passphrase").is_visible()
    require_well(page)
    page.get_by_label("For how many days?").fill("2")
    page.get_by_role("button", name="Sign by the wallet").click()
    page.wait_for_url("**/limits?signed=limits")
    assert signed == [3, 4]
    assert {*sent()} == {3, 4}
    assert all(int(word, 16) for word in sent().values())
    page.get_by_role("button", name="Pause trading").click()
    page.wait_for_url("**/limits?signed=pause")
    assert signed == [3, 4, 3, 4]  # those that are signed, and no other
    assert not any(int(word, 16) for word in sent().values())
    context.close()
    site.gateway.now[0] = before
