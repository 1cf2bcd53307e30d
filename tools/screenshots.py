"""Pictures of the console, of a day that was played on a chain.

    PYTHONPATH=. python tools/screenshots.py RUN FOLDER

RUN is the folder of a run with its events, such as out/rural-sunday; what it had is shown at its own time.
"""

import json
import shutil
import socket
import sqlite3
import sys
import tempfile
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvicorn
from click.testing import CliRunner
from eth_utils.address import to_checksum_address
from playwright.sync_api import sync_playwright

from dem.commands.bill import cli as bill
from dem.commands.index import cli as index
from dem.deployment.market import Manifest
from dem.gateway.app import make_app
from dem.gateway.bills.book import Book
from dem.gateway.config import Configuration
from dem.gateway.pages.router import SESSION
from dem.gateway.parts import Parts
from dem.gateway.reads import Index
from dem.gateway.rights import Role
from dem.gateway.state import Store

OFFICE = to_checksum_address("0x" + "a1" * 20)
SHOTS = {
    "home": ("member", "/members/{member}", 1280, "light"),
    "home-phone": ("member", "/members/{member}", 390, "dark"),
    "prices": ("member", "/prices", 1280, "light"),
    "bill": ("member", "/members/{member}/bills/{bill}", 1280, "light"),
    "operations": ("office", "/operations", 1280, "light"),
}
"""Who opens which path, how wide, in which scheme."""
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


def ask(command: object, *words: str) -> None:
    done = CliRunner().invoke(command, words)  # type: ignore[arg-type]
    if done.exit_code:
        sys.exit(done.output)


def site(run: Path, folder: Path, port: int) -> tuple[Parts, int]:
    """A gateway of the run, at the evening of its first day, and the member that is shown: one who bought and drew."""
    ask(index, str(run), "--out", str(folder / "index.sqlite"), "--network", "ethereum:local:test")
    ask(bill, str(run), "--out", str(folder / "bills"))
    record, manifest = json.loads((run / "run.json").read_text()), Manifest.load(run / "manifest.json")
    opening = record["first_period"] * record["period_seconds"]
    with sqlite3.connect(folder / "index.sqlite") as database:
        database.execute("UPDATE calendar SET opening = ?", (opening,))
        [(member,)] = database.execute(
            "SELECT participant FROM participants WHERE kind = 'consumer' ORDER BY participant LIMIT 1"
        )
    zone = record.get("timezone") or "Etc/GMT-2"
    settings = {"name": "Our village", "timezone": zone, "currency": record["currency"], "port": port}
    configuration = Configuration(folder=folder, offices={Role.OPERATOR: [OFFICE]}, **settings)
    store = Store(configuration.state_url)
    evening = datetime.fromtimestamp(opening, UTC) + timedelta(hours=18, minutes=40)
    parts = Parts(
        configuration,
        manifest.chain_id,
        manifest.genesis,
        {name: entry["address"] for name, entry in manifest.contracts.items()},
        replace(manifest.calendar, opening=opening),
        Index(folder / "index.sqlite"),
        store,
        None,
        clock=lambda: evening,
        bills=Book(folder / "bills"),
    )
    return parts, int(member)


def main(run: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder:
        parts, member = site(run, Path(folder), port)
        account, name = (parts.index.participant(member)[key] for key in ("account", "name"))
        tokens = {"member": parts.store.open(account, 3_600), "office": parts.store.open(OFFICE, 3_600)}
        assert parts.bills is not None
        number = parts.bills.of(name)[0].number
        server = uvicorn.Server(uvicorn.Config(make_app(parts), port=port, log_level="warning"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        url = f"http://127.0.0.1:{port}"
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=OPTIONS)
            for shot, (who, path, width, scheme) in SHOTS.items():
                context = browser.new_context(
                    viewport={"width": width, "height": 900}, color_scheme=scheme, locale="en-GB"
                )
                context.add_cookies([{"name": SESSION, "value": tokens[who], "url": url}])
                page = context.new_page()
                page.set_default_timeout(120_000)
                page.goto(url + path.format(member=member, bill=number))
                page.screenshot(path=out / f"{shot}.png")
                context.close()
            browser.close()
        server.should_exit = True
        thread.join(10)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
