"""What the gateway forgets: by age, and of who has left; and that what is forgotten is in no file any more."""

from pathlib import Path

from click.testing import CliRunner
from sqlalchemy import func, select
from support.gateway import HOME, METER, ROOF, Gateway, account_of, make_gateway, make_index, sheet

from dem.commands.erase import cli
from dem.gateway.config import Retention
from dem.gateway.state import METADATA, NewJoint, State
from dem.messages.contracts import Revocation
from dem.messages.signing import message_hash
from dem.model.mechanisms import AUCTION

from .test_offers import BILATERAL, GATE, OPENING, THEN, acceptance

DAY = 86_400
RETENTION = Retention()


def counts(gateway: Gateway) -> dict[str, int]:
    """Rows of each table."""
    with gateway.store.engine.connect() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in METADATA.sorted_tables
        }


def fill(gateway: Gateway) -> None:
    """Something of everything that is about people: of the home and of the roof."""
    gateway.now[0] = THEN
    for who in ("home", "roof"):
        client = gateway.client(who)
        client.send(AUCTION, sheet(who, day=3))
    gateway.client("home").send(BILATERAL, OPENING)
    gateway.client("roof").send(BILATERAL, acceptance(OPENING))
    gateway.client("home").send(BILATERAL, Revocation(message_hash(acceptance(OPENING))))
    gateway.step()
    gateway.node.blocks += [[]] * 5
    gateway.step()
    told = f"meter,direction,start,kwh\n{METER},import,2023-11-15T00:00Z,1.234\n".encode()
    gateway.client("metering").deliver("file.csv", told)
    gateway.client("operator").get(f"/v1/members/{HOME}", purpose="a very private purpose")
    gateway.client("operator").get(f"/v1/members/{ROOF}", purpose="another purpose")
    gateway.store.nonce(60)
    joint = NewJoint(int(THEN) + 1, account_of("roof"), "ending", {"contract": 1})
    gateway.store.accept(f"0x{9:064x}", "Ending", account_of("home"), {"signature": "0x"}, joint=joint)
    gateway.store.agree(account_of("home"), HOME, "name", 1)
    gateway.store.withdraw_consent(HOME, "name")


def test_each_class_goes_when_its_time_is_over_and_no_sooner(gateway: Gateway) -> None:
    fill(gateway)
    full = counts(gateway)
    assert all(full[name] for name in full if name != "client"), full
    begin = gateway.now[0]
    classes = {
        "journal": (RETENTION.journal, {"journal", "token", "nonce"}),
        "messages": (RETENTION.messages, {"message", "offer", "joint"}),
        "values": (RETENTION.values, {"value", "delivery", "access", "consent"}),
    }
    gone: set[str] = {"client"}
    for days, names in classes.values():
        gateway.now[0] = begin + days * DAY - 3 * DAY
        gateway.store.forget(RETENTION)
        assert {name for name, count in counts(gateway).items() if not count} - {"token", "nonce"} == gone - {
            "token", "nonce"
        }  # fmt: skip
        gateway.now[0] = begin + days * DAY + 3 * DAY  # offers expire at a gate, two days later
        told = gateway.store.forget(RETENTION)
        gone |= names
        assert {name for name, count in counts(gateway).items() if not count} == gone
        assert all(told[name] == full[name] for name in names - {"token", "nonce"})


def test_what_is_under_way_stays_however_old(gateway: Gateway) -> None:
    fill(gateway)
    id_ = gateway.client("home").send(AUCTION, sheet(day=4, sequence=7))
    gateway.now[0] += 10_000 * DAY
    gateway.store.forget(RETENTION)
    record = gateway.store.message(id_)
    assert record is not None
    assert record.state is State.HELD
    assert counts(gateway)["message"] == 1


def test_an_offer_that_stands_keeps_what_was_answered(gateway: Gateway) -> None:
    fill(gateway)
    gateway.now[0] = GATE + RETENTION.messages * DAY
    gateway.store.forget(RETENTION)
    left = counts(gateway)
    assert (left["offer"], left["message"]) == (1, 2)


def test_who_has_left_is_erased_and_nobody_else(gateway: Gateway) -> None:
    fill(gateway)
    gone = gateway.store.erase(account_of("home"), HOME, [METER])
    assert gone == {
        "offer": 1, "joint": 1, "message": 4, "value": 1, "access": 1, "consent": 1, "journal": 17, "token": 3
    }  # fmt: skip
    assert [one.sender for one in gateway.store.messages(State.FINAL, 100)] == [account_of("roof")] * 2
    assert [row["participant"] for row in gateway.store.accesses(None, 0, 100)] == [ROOF]
    assert gateway.store.erase(account_of("home"), HOME, [METER]) == dict.fromkeys(gone, 0)


def test_an_offer_stays_until_its_acceptance_was_brought(gateway: Gateway) -> None:
    gateway.now[0] = THEN
    gateway.client("home").send(BILATERAL, OPENING)
    accepted = gateway.client("roof").send(BILATERAL, acceptance(OPENING))
    gateway.store.erase(account_of("home"), HOME, [])
    gateway.step()
    assert gateway.node.brought == [accepted]
    gateway.node.blocks += [[]] * 5
    gateway.step()
    assert gateway.store.erase(account_of("home"), HOME, [])["message"] == 1


def test_what_is_forgotten_is_in_no_file(tmp_path: Path, index: Path) -> None:
    made = make_gateway(tmp_path, index)
    fill(made)
    secret = b"a very private purpose"

    def files() -> bytes:
        with made.store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return b"".join(path.read_bytes() for path in tmp_path.glob("gateway.sqlite*"))

    assert secret in files()
    made.store.erase(account_of("home"), HOME, [METER])
    assert secret not in files()
    assert b"another purpose" in files()
    made.store.close()


def test_the_command_erases_who_has_left_and_nobody_else(tmp_path: Path) -> None:
    left = ("ParticipantRegistry", "StatusChanged", {"id": HOME, "status": 4, "lastDay": 1})
    made = make_gateway(tmp_path, make_index(tmp_path / "index.sqlite", [left]))
    fill(made)
    config = tmp_path / "gateway.toml"
    config.write_text(f'folder = "."\n[meters]\n{METER} = {HOME}\n')
    done = CliRunner().invoke(cli, [str(ROOF), "--config", str(config)])
    assert done.exit_code == 2, done.output
    assert "is admitted: only who has left is erased" in done.output
    done = CliRunner().invoke(cli, [str(HOME), "--config", str(config)])
    assert done.exit_code == 0, done.output
    assert "1 of value" in done.output
    assert made.store.messages_of(account_of("home"), 10) == []
    made.store.close()
