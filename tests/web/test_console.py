"""The console as a person has it: a browser, a keyboard, a small screen, the dark, a screen reader's rules."""

import json
from pathlib import Path

import pytest
from conftest import Site
from playwright.sync_api import Page
from support.gateway import HOME, account_of, key_of

from dem.gateway.pages.language import LANGUAGES
from dem.gateway.pages.router import SPOKEN

ROOT = Path(__file__).resolve().parents[2]
AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
PASSPHRASE = "a row of plain words"
PAGES = {
    "community": ("", "/"),
    "login": ("", "/login"),
    "join": ("", "/join"),
    "admission": ("home", "/admission"),
    "home": ("home", f"/members/{HOME}?day=1"),
    "orders": ("roof", f"/members/{HOME + 1}/orders?day=1"),
    "limits": ("home", f"/members/{HOME}/limits"),
    "prices": ("home", "/prices?day=1"),
    "offers": ("home", f"/members/{HOME}/offers"),
    "intermediary": ("home", f"/members/{HOME}/intermediary"),
    "proof": ("home", f"/members/{HOME}/proof?day=2"),
    "votes": ("home", "/votes"),
    "money": ("home", f"/members/{HOME}/money"),
    "bills": ("home", f"/members/{HOME}/bills"),
    "bill": ("home", f"/members/{HOME}/bills/town-000001"),
    "alerts": ("roof", f"/members/{HOME + 1}/alerts"),
    "readers": ("home", f"/members/{HOME}/readers"),
    "privacy": ("home", f"/members/{HOME}/privacy"),
    "operations": ("operator", "/operations?day=2"),
    "network": ("grid", "/network?day=1"),
    "network-expected": ("grid", "/network?day=2"),
    "proposals": ("council", "/proposals"),
    "audit": ("auditor", "/audit?day=1"),
    "another": ("operator", f"/members/{HOME}?day=1&purpose=a%20question"),
}
CUT = """() => [...document.querySelectorAll("main *, header *, footer *")].filter((one) => {
  const box = one.getBoundingClientRect();
  return box.width && box.right > innerWidth + 1 && getComputedStyle(one).position !== "absolute";
}).map((one) => one.outerHTML.slice(0, 120))"""


OPENED = 'document.querySelectorAll("details").forEach((one) => { one.open = true; })'
TOLD = """async () => {
  const found = await axe.run();
  const nodes = (one) => one.nodes.map((node) => node.html.slice(0, 200));
  return [found.violations.map((one) => [one.id, nodes(one)]), found.passes.length];
}"""
LOOKS = (("light", 1280), ("dark", 390))


def require_well(page: Page, is_english: bool = True) -> None:
    """Nothing is cut, and no rule of access is broken, at both widths."""
    page.evaluate(OPENED)  # what is folded away is looked at, too
    for scheme, width in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert page.evaluate(CUT) == [], width
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if is_english:  # the rules look at no words
            # Injected past the page's policy, which would not load it.
            page.evaluate(AXE)
            violations, passes = page.evaluate(TOLD)
            assert violations == [], (scheme, width)
            assert passes > 10


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_well_at_every_width_in_light_and_dark(site: Site, name: str) -> None:
    who, path = PAGES[name]
    context = site.context(who)
    page = site.page(context)
    for code in LANGUAGES:
        context.add_cookies([{"name": SPOKEN, "value": code, "url": site.url}])
        answer = page.goto(site.url + path)
        assert answer is not None
        assert answer.status == 200
        require_well(page, code == LANGUAGES[0])
    context.close()


def test_from_an_empty_browser_to_the_own_home_by_keyboard_alone(site: Site) -> None:
    context = site.context()
    page = site.page(context)
    page.goto(site.url + "/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('href')") == "/login":
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/login")
    page.locator("#key").focus()
    page.keyboard.type(key_of("home").hex())
    for _ in range(2):
        page.keyboard.press("Tab")
        page.keyboard.type(PASSPHRASE)
    page.keyboard.press("Enter")
    page.locator("#unlock").wait_for()
    assert page.locator("#account").input_value() == account_of("home")
    kept = page.evaluate("JSON.stringify(localStorage)")
    assert key_of("home").hex() not in kept
    assert PASSPHRASE not in kept
    page.locator("#passphrase").focus()
    page.keyboard.type("another row of words")
    page.keyboard.press("Enter")
    page.locator("#told", has_text="does not open the key").wait_for()
    page.locator("#passphrase").fill("")
    page.locator("#passphrase").focus()
    page.keyboard.type(PASSPHRASE)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/members/{HOME}")
    assert page.get_by_role("heading", level=1).inner_text() == "home"
    cookies = context.cookies()
    assert [one["httpOnly"] for one in cookies] == [True]
    for name in ("Orders", "Limits", "Prices", "Money", "Bills"):
        page.get_by_role("link", name=name, exact=True).click()
        page.locator(f"nav a[aria-current]:has-text('{name}')").wait_for()
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("link", name="Log in").wait_for()
    assert context.cookies() == []
    context.close()


def test_a_new_key_is_shown_once_and_kept_sealed(site: Site) -> None:
    context = site.context()
    page = site.page(context)
    page.goto(site.url + "/login")
    page.locator("#first").fill(PASSPHRASE)
    page.locator("#second").fill(PASSPHRASE + "x")
    page.get_by_role("button", name="Keep it here").click()
    page.locator("#told", has_text="two passphrases differ").wait_for()
    page.locator("#second").fill(PASSPHRASE)
    page.get_by_role("button", name="Keep it here").click()
    page.locator("#sheet").wait_for()
    secret = page.locator("#secret").inner_text().replace(" ", "")
    assert len(secret) == 64
    assert int(secret, 16)
    kept = json.loads(page.evaluate("localStorage.getItem('dem-key')"))
    assert secret not in json.dumps(kept)
    page.get_by_role("button", name="I have it").click()
    assert secret not in page.content().replace(" ", "")
    # Who has a key that is nobody's can log in, and sees what everybody sees.
    page.locator("#passphrase").fill(PASSPHRASE)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Log out").wait_for()
    assert page.url == site.url + "/"
    context.close()


def test_a_first_visit_is_small_and_the_next_pages_smaller(site: Site) -> None:
    context = site.context("home")
    page = site.page(context)
    asked: list[float] = []
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    # As it came over the wire, headers included; nothing where the browser had it already.
    wire.on("Network.loadingFinished", lambda told: asked.append(told["encodedDataLength"]))
    page.goto(site.url + PAGES["home"][1])
    assert 5_000 < sum(asked) <= 150_000
    for name in ("orders", "prices", "money", "bills"):
        asked.clear()
        page.goto(site.url + PAGES[name][1].replace(str(HOME + 1), str(HOME)))
        assert 500 < sum(asked) <= 30_000, name
    context.close()
