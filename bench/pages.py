"""What a page of the console costs a gateway of 1,500 households, and what comes over the wire.

PYTHONPATH=.:tests:bench python -P bench/pages.py     writes bench/pages.md
"""

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.test_speed_of_pages import ONE, PAGES
from host import family_seconds, machine
from support.databases import KINDS, database, server
from support.gateway import CALENDAR, Gateway, account_of, make_gateway, make_index, town

from dem.gateway.pages.router import SESSION

HERE = Path(__file__).resolve().parent
MEMBERS, TIMES = 1_500, 40
TEXT = """# What a page costs

A gateway of {members:,} households that all order and are metered, with three days in its index. Each page is asked for
{times} times. ms: of the processor, which 95 of 100 requests do not exceed, of gateway and client together, and of a
PostgreSQL that has both the index and the gateway's own state. They do not grow with what else the machine does, as a
clock's would. kB: of the page as it comes over the wire, compressed.

| page | SQLite, ms | PostgreSQL, ms | of it the server, ms | kB |
|---|--:|--:|--:|--:|
{rows}

An index of {events:,} events was made in {made[sqlite]:.1f} s of the processor in SQLite, and in
{made[postgresql]:.1f} s in PostgreSQL, of which the server took {server:.1f} s.

What a page loads besides, once an hour: {files}.

Written by `make bench-pages` on {machine}.
"""


def measured(gateway: Gateway, servers: Callable[[], float]) -> Iterator[tuple[str, float, float, int]]:
    """By page: 95th of 100 milliseconds, the same of the server alone, and bytes. servers: seconds of the server."""
    for name, (path, who) in PAGES.items():
        gateway.web.cookies.clear()
        if who:
            account = f"0x{ONE:040x}" if who == "own" else account_of(who)
            gateway.web.cookies.set(SESSION, gateway.store.open(account, 3_600))
        spent, own = [], []
        for _ in range(TIMES):
            begin, theirs = time.process_time(), servers()
            answer = gateway.web.get(path, headers={"accept-encoding": "gzip"})
            own.append((servers() - theirs) * 1_000)
            spent.append((time.process_time() - begin) * 1_000 + own[-1])
            assert answer.status_code == 200, (name, answer.text)
        at = TIMES * 95 // 100 - 1
        yield name, sorted(spent)[at], sorted(own)[at], answer.num_bytes_downloaded


def main() -> None:
    found: dict[str, dict[str, tuple[float, float, int]]] = {}
    made: dict[str, float] = {}
    told = [*town(MEMBERS)]
    with TemporaryDirectory() as folder:
        base = Path(folder)
        for kind in KINDS:
            with database(kind, base, base) as url, database(kind, base / "index", base) as place:
                servers = partial(_seconds, base if kind == "postgresql" else None)
                begin, theirs = time.process_time(), servers()
                make_index(place, told)
                server_seconds = servers() - theirs
                made[kind] = time.process_time() - begin + server_seconds
                gateway = make_gateway(base, place, url)
                gateway.now[0] = CALENDAR.start_of(3) + 3_600.0
                found[kind] = {name: (ms, own, size) for name, ms, own, size in measured(gateway, servers)}
                sizes = {
                    name: gateway.web.get(f"/static/{name}", headers={"accept-encoding": "gzip"}).num_bytes_downloaded
                    for name in ("console.css", "noble.js", "wallet.js")
                }
                gateway.parts.index.close()
                gateway.store.close()
    rows = [
        f"| {name} | {found['sqlite'][name][0]:.0f} | {found['postgresql'][name][0]:.0f} | "
        f"{found['postgresql'][name][1]:.0f} | {found['sqlite'][name][2] / 1_000:.1f} |"
        for name in PAGES
    ]
    files = ", ".join(f"`{name}` {size / 1_000:.1f} kB" for name, size in sizes.items())
    words = {"members": MEMBERS, "times": TIMES, "rows": "\n".join(rows), "files": files, "machine": machine()}
    words |= {"events": len(told), "made": made, "server": server_seconds}
    (HERE / "pages.md").write_text(TEXT.format(**words), encoding="utf-8")


def _seconds(folder: Path | None) -> float:
    """Of the processor, of the PostgreSQL of a folder."""
    if folder is None:
        return 0.0
    [pid, *_] = (server(folder).pgdata / "postmaster.pid").read_text(encoding="ascii").split()
    return family_seconds(int(pid))


if __name__ == "__main__":
    if len(sys.argv) != 1:
        sys.exit(__doc__)
    main()
