"""Back-ups as the guide has them, made while the gateway works, and what a gateway knows that was restored from one."""

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from sqlalchemy import make_url
from support.databases import BINARIES, database
from support.gateway import METER, Gateway, make_gateway, sheet

from dem.model.mechanisms import AUCTION

FILE = f"meter,direction,start,kwh\n{METER},import,2026-03-01T00:00Z,1.25\n".encode()


def copy(url: str, other: str, folder: Path) -> None:
    """What an operator does."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(make_url(url).database or "")) as db:
            db.execute("VACUUM INTO ?", (make_url(other).database,))
        return
    for command in (
        ["pg_dump", "--format=custom", f"--file={folder / 'dump'}", url],
        ["pg_restore", "--no-owner", f"--dbname={other}", str(folder / "dump")],
    ):
        subprocess.run([BINARIES / command[0], *command[1:]], check=True, timeout=120)


def test_what_was_backed_up_is_there_again(
    gateway: Gateway, tmp_path: Path, index: Path, state: str, shared: Path
) -> None:
    home, metering = gateway.client("home"), gateway.client("metering")
    id_ = home.send(AUCTION, sheet())
    taken = metering.deliver("a.csv", FILE)
    gateway.client("operator").get("/v1/members/6/energy", purpose="a test", first_day=1, last_day=1)
    (tmp_path / "other").mkdir()
    with database("sqlite" if state.startswith("sqlite") else "postgresql", tmp_path / "other", shared) as other:
        copy(state, other, tmp_path)
        lost = home.send(AUCTION, sheet(sequence=2))  # after the back-up
        restored = make_gateway(tmp_path, index, other)
        restored.now[0] = gateway.now[0]
        again = restored.client("home")
        assert again.status(id_)["state"] == "queued"
        assert len(again.get("/v1/access")) == 1
        assert restored.client("metering").deliver("a.csv", FILE) == taken | {"is_known": True}
        # Numbers go on, and what came after the back-up is brought again by who signed it.
        before = restored.store.newest()
        assert again.send(AUCTION, sheet(sequence=2)) == lost
        assert restored.store.newest() == before + 3
        restored.step()
        assert again.status(lost)["state"] == "in_block"
        restored.store.close()
