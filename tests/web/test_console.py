"""The console as a person has it: a browser, a keyboard, a small screen, the dark, a screen reader's rules."""

from pathlib import Path

import pytest
from conftest import Site
from support.gateway import HOME

ROOT = Path(__file__).resolve().parents[2]
AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
PAGES = {
    "community": ("", "/"),
    "login": ("", "/login"),
    "home": ("home", f"/members/{HOME}?day=1"),
    "orders": ("roof", f"/members/{HOME + 1}/orders?day=1"),
    "prices": ("home", "/prices?day=1"),
    "money": ("home", f"/members/{HOME}/money"),
    "bills": ("home", f"/members/{HOME}/bills"),
    "bill": ("home", f"/members/{HOME}/bills/town-000001"),
    "alerts": ("roof", f"/members/{HOME + 1}/alerts"),
    "readers": ("home", f"/members/{HOME}/readers"),
    "operations": ("operator", "/operations?day=2"),
    "proposals": ("council", "/proposals"),
    "audit": ("auditor", "/audit?day=1"),
    "another": ("operator", f"/members/{HOME}?day=1&purpose=a%20question"),
}
CUT = """() => [...document.querySelectorAll("main *, header *, footer *")].filter((one) => {
  const box = one.getBoundingClientRect();
  return box.width && box.right > innerWidth + 1 && getComputedStyle(one).position !== "absolute";
}).map((one) => one.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_well_at_every_width_in_light_and_dark(site: Site, name: str) -> None:
    who, path = PAGES[name]
    for scheme, width, code in (("light", 1280, "en-GB"), ("dark", 390, "en-GB"), ("light", 390, "de-DE")):
        context = site.context(who, width, scheme, code)
        page = site.page(context)
        answer = page.goto(site.url + path)
        assert answer is not None
        assert answer.status == 200
        assert page.evaluate(CUT) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        # Injected past the page's policy, which would not load it.
        page.evaluate(AXE)
        found = page.evaluate("axe.run()")
        told = [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found["violations"]]
        assert told == []
        assert len(found["passes"]) > 10
        context.close()
