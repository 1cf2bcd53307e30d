"""A browser, and a gateway that it asks over a socket of this machine."""

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from support.gateway import Gateway, account_of, agreed, choices, dispatched, make_gateway, make_index, network, proven

from dem.gateway.pages.router import SESSION
from dem.model.bills import PURCHASE, Bill, Line

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--password-store=basic"]
"""As root, on a machine without a screen and without a store of passwords, for which it would wait."""
PATIENCE = 600_000
"""Milliseconds after which something that must come is given up: no test waits so long, however busy the machine."""


@dataclass
class Site:
    """The console at an address. faults: what a browser complained of; strangers: requests to other hosts."""

    url: str
    gateway: Gateway
    browser: Browser
    faults: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def context(self, who: str = "", width: int = 1280, scheme: str = "light", code: str = "en-GB") -> BrowserContext:
        """A browser of somebody."""
        made = self.browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, locale=code, reduced_motion="reduce"
        )
        made.set_default_timeout(PATIENCE)
        if who:
            token = self.gateway.store.open(account_of(who), 3_600)
            made.add_cookies([{"name": SESSION, "value": token, "url": self.url}])
        return made

    def page(self, context: BrowserContext) -> Page:
        """A page whose complaints and requests are noted."""
        page = context.new_page()
        page.on("console", lambda told: self.faults.append(told.text) if told.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith(self.url) else self.strangers.append(asked.url))
        return page


def _bill(participant: str) -> Bill:
    lines = (
        Line("bought", PURCHASE, 12_345_678, 700, "call auction"),
        Line("ordinary supply, without a contract", PURCHASE, 98_765_432, 3_500),
    )
    span = {"span": "2023-11", "begins": "2023-11-14T22:13+00:00", "ends": "2023-11-15T22:13+00:00", "zone": "UTC"}
    sums = {"drawn_wh": 4_200, "fed_in_wh": 0, "periods": 96, "estimated": 4}
    alone = {"tariff_units": 126_000_000, "alone_units": 126_000_000}
    parts = {"energy": lines, "charges": (), "payments": (), "taxes": ()}
    return Bill(participant=participant, currency="EUR", **span, **parts, **sums, **alone)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    assert program is not None, "install chromium: `make test-web` does where apt-get can"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=OPTIONS, timeout=PATIENCE)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Gateway]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url, folder = f"http://127.0.0.1:{port}", tmp_path_factory.mktemp("site")
    index = make_index(folder / "index.sqlite", [*choices(), proven(), *dispatched(), *agreed()])
    gateway = make_gateway(folder, index, base=url, tables=network(folder))
    assert gateway.parts.bills is not None
    gateway.parts.bills.issue([_bill("home"), _bill("roof")], "town", "month", "2023-12-01T00:00:00+00:00")
    server = uvicorn.Server(uvicorn.Config(gateway.web.app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    yield url, gateway
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def site(served: tuple[str, Gateway], chromium: Browser) -> Iterator[Site]:
    """At its end, nothing may have been complained of and nobody else asked."""
    made = Site(*served, chromium)
    yield made
    assert made.faults == []
    assert made.strangers == []
