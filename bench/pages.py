"""What a page of the console costs a gateway of 1,500 households, and what comes over the wire.

PYTHONPATH=.:tests python bench/pages.py     writes bench/pages.md
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.test_speed_of_pages import ONE, PAGES
from host import machine
from support.databases import KINDS, database
from support.gateway import CALENDAR, Gateway, account_of, make_gateway, make_index, town

from dem.gateway.pages.router import SESSION

HERE = Path(__file__).resolve().parent
MEMBERS, TIMES = 1_500, 40
TEXT = """# What a page costs

A gateway of {members:,} households that all order and are metered, with three days in its index. Each page is asked for
{times} times. ms: of the processor, which 95 of 100 requests do not exceed, of gateway and client together. They do not
grow with what else the machine does, as a clock's would. Where the gateway's own state is in PostgreSQL, that server's
own time is not in them. kB: of the page as it comes over the wire, compressed.

| page | state in SQLite, ms | in PostgreSQL, ms | kB |
|---|--:|--:|--:|
{rows}

What a page loads besides, once an hour: {files}.

Written by `make bench-pages` on {machine}.
"""


def measured(gateway: Gateway) -> Iterator[tuple[str, float, int]]:
    """By page: 95th of 100 milliseconds, and bytes."""
    for name, (path, who) in PAGES.items():
        gateway.web.cookies.clear()
        if who:
            account = f"0x{ONE:040x}" if who == "own" else account_of(who)
            gateway.web.cookies.set(SESSION, gateway.store.open(account, 3_600))
        spent = []
        for _ in range(TIMES):
            begin = time.process_time()
            answer = gateway.web.get(path, headers={"accept-encoding": "gzip"})
            spent.append((time.process_time() - begin) * 1_000)
            assert answer.status_code == 200, (name, answer.text)
        yield name, sorted(spent)[TIMES * 95 // 100 - 1], answer.num_bytes_downloaded


def main() -> None:
    found: dict[str, dict[str, tuple[float, int]]] = {}
    with TemporaryDirectory() as folder:
        base = Path(folder)
        index = make_index(base / "index.sqlite", town(MEMBERS))
        for kind in KINDS:
            with database(kind, base, base) as url:
                gateway = make_gateway(base, index, url)
                gateway.now[0] = CALENDAR.start_of(3) + 3_600.0
                found[kind] = {name: (ms, size) for name, ms, size in measured(gateway)}
                sizes = {
                    name: gateway.web.get(f"/static/{name}", headers={"accept-encoding": "gzip"}).num_bytes_downloaded
                    for name in ("console.css", "noble.js", "wallet.js")
                }
                gateway.parts.index.close()
                gateway.store.close()
    rows = [
        f"| {name} | {found['sqlite'][name][0]:.0f} | {found['postgresql'][name][0]:.0f} | "
        f"{found['sqlite'][name][1] / 1_000:.1f} |"
        for name in PAGES
    ]
    files = ", ".join(f"`{name}` {size / 1_000:.1f} kB" for name, size in sizes.items())
    told = {"members": MEMBERS, "times": TIMES, "rows": "\n".join(rows), "files": files, "machine": machine()}
    (HERE / "pages.md").write_text(TEXT.format(**told), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 1:
        sys.exit(__doc__)
    main()
