"""The commands around a run: help, deployment, who may call what, reconciliation, report."""

import json
import re
import shutil
import socket
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from support.commands.hamlet import Hamlet
from support.commands.node import anvil
from support.commands.shell import EMBEDDED, PROJECT, run, typed, without_pictures

COMMANDS = {
    "access": ["--out", "--account", "--network"],
    "bill": ["FOLDER", "--by", "--pdf", "names the old one"],
    "check": ["FOLDER", "everything that is wrong", "Needs no chain"],
    "clear": ["ORDERS", "--out", "--account", "--window", "--network", "participant, side,"],
    "compare": ["SCENARIO", "--out", "--account", "--period-length", "--network", "After an interruption"],
    "council": ["FOLDER holds", "show", "propose", "approve", "withdraw", "execute", "announce-sealer", "pause"],
    "day": ["SCENARIO", "--out", "--account", "--period-length", "--network", "After an interruption"],
    "demo": ["--out", "--network", "rural-sunday"],
    "deploy": [
        "SCENARIO",
        "--out",
        "--account",
        "--period-length",
        "--seat",
        "--threshold",
        "--delay",
        "--no-clerks",
        "--network",
    ],
    "clients": ["add", "list", "revoke", "gateway.md"],
    "erase": ["MEMBER", "--config", "What is on the chain stays", "privacy.md"],
    "gateway": ["--config", "index --follow", "--network"],
    "grid": ["import", "check", "recheck"],
    "health": ["FOLDER", "--node", "--depth", "--lag", "--age", "--grace", "--json", "--network"],
    "index": ["FOLDER", "--out", "--depth", "--follow", "--network"],
    "join": ["--gateway", "--out", "--annual-kwh", "--once"],
    "late": ["FOLDER", "MEMBER", "DAY", "--net", "--out", "--meter-signature", "--network"],
    "live": ["start", "status", "stop", "live.md"],
    "meters": ["agent", "show", "write", "CIM A45", "MSCONS"],
    "outbox": ["list", "paid", "pain.001", "live.md"],
    "payout": ["FOLDER", "SIGNED", "--out", "--account", "--network", "nothing out twice"],
    "prove": ["FILE", "--block", "--manifest", "asks nobody"],
    "reconcile": ["FOLDER", "--recorded", "--account", "--network"],
    "report": ["FOLDER", "report.html"],
    "role": ["--config", "operator", "household", "live.md"],
    "scenario": ["new", "first-scenario.md"],
    "sealers": ["FOLDER", "--apply", "--network", "own votes"],
    "study": ["STUDY", "--out", "--workers", "--cluster", "--no-chain", "--network", "after an interruption"],
}


def test_every_script_is_a_command_with_a_help_text():
    assert COMMANDS.keys() == {path.stem for path in (PROJECT / "scripts").glob("*.py")}
    listed = run("--help").out
    for command, words in COMMANDS.items():
        [summary] = re.findall(rf"^  {command} +(\S.*)$", listed, re.MULTILINE)
        assert len(summary.split()) > 2
        result = run(command, "--help")
        assert result.code == 0
        assert not [word for word in words if word not in result.out], result.out


def test_a_mistyped_option_is_a_usage_error():
    result = run("day", "somewhere", "--outt", "elsewhere")
    assert result.code == 2
    assert "No such option: --outt" in result.err


def test_a_node_that_does_not_run_is_told_in_words(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        result = run("health", tmp_path, "--network", f"ethereum:local:http://127.0.0.1:{free.getsockname()[1]}")
    assert result.code == 1
    assert "no node answers there" in result.err
    assert "Traceback" not in result.err + result.out


def test_the_installed_program_says_what_the_forked_one_says(day):
    """What makes these tests quick changes nothing."""
    assert typed("report", day) == run("report", day)


def test_a_run_on_a_node_is_deployed_asked_driven_and_checked_by_several_commands(tmp_path):
    village, out = Hamlet().write(tmp_path / "hamlet"), tmp_path / "out"
    with anvil() as node:
        network = ("--network", f"ethereum:local:{node}")
        assert "no such manifest; deploy first" in run("reconcile", out, *network).err
        deployed = run("deploy", village, "--out", out, *network)
        assert deployed.code == 0, deployed
        manifest = (out / "manifest.json").read_bytes()
        contracts = json.loads(manifest)["contracts"]
        assert all(re.search(rf"{name} +{entry['address']}", deployed.out) for name, entry in contracts.items())
        again = run("deploy", village, "--out", out, *network)
        assert (again.code, (out / "manifest.json").read_bytes()) == (0, manifest)

        access = run("access", "--out", out, *network)
        assert access.code == 0, access
        assert re.search(r"^ *Accounts +deposit +x", access.out, re.MULTILINE), access.out

        played = run("day", village, "--out", out, *network, prepare=without_pictures)
        assert played.code == 0, played
        assert (out / "manifest.json").read_bytes() == manifest
        assert run("reconcile", out, *network).code == 0
        assert run("reconcile", out, "--recorded", *network).code == 0

    with anvil() as other:
        gone = run("reconcile", out, "--network", f"ethereum:local:{other}")
    assert gone.code == 2
    assert "deployed on chain" in gone.err


def test_the_council_decides_by_commands(tmp_path):
    village, out = Hamlet().write(tmp_path / "hamlet"), tmp_path / "out"
    with anvil() as node:
        network = ("--network", f"ethereum:local:{node}")

        def council(command, *words):
            return run("council", command, *network, out, *words)

        assert run("deploy", village, "--out", out, "--delay", "1", *network).code == 0
        contracts = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["contracts"]
        seat = "0x" + "5E" * 20
        proposed = council("propose", "Council.setThreshold", "1", "and", "MarketRules.announce", "9", "networkFee=7")
        assert re.search(
            r"^1 decided, 1 of 1 approvals, ready \d{4}-.* UTC: Council.setThreshold 1 and", proposed.out, re.M
        )
        assert "MarketRules.announce 9 platformFee=" in proposed.out
        assert council("withdraw", "1").code == 0
        assert re.search("1 open, 0 of 1 approvals, 1 more of the institutions: ", council("show").out)
        assert council("approve", "1").code == 0
        time.sleep(1)
        assert council("execute", "1").code == 0
        assert re.search("1 executed, ", council("show", "--all").out)
        assert not re.search("1 executed, ", council("show").out)

        mistyped = council("propose", "Accounts.post")
        assert (mistyped.code, "'Accounts.post' is none of" in mistyped.err) == (2, True), mistyped
        refused = council("propose", "Authority.revokeRole", "node", seat)
        assert (refused.code, "NotForTheCouncil" in refused.err) == (2, True), refused
        assert "WrongState(id=9, state=0)" in council("approve", "9").err

        assert council("pause").code == 0
        auction = contracts["CallAuction"]["address"]
        again = council("pause")
        assert (again.code, "NothingToPause" in again.err) == (2, True), again
        lifted = council("propose", "Accounts.unpause", auction)
        assert lifted.code == 0, lifted
        nobody = run("sealers", out, *network)
        assert (nobody.code, "no method" in nobody.err or "knows neither" in nobody.err) == (2, True), nobody
        assert council("announce-sealer", seat).code == 0
        assert re.search(seat, council("show").out, re.IGNORECASE)


def test_seats_are_addresses():
    result = run("deploy", "--seat", "me", *EMBEDDED)
    assert (result.code, "'me' is no address with its checksum" in result.err) == (2, True), result


def test_periods_can_be_made_short(tmp_path):
    village, out = Hamlet().write(tmp_path / "hamlet"), tmp_path / "out"
    assert run("deploy", village, "--out", out, "--period-length", "60", *EMBEDDED).code == 0
    calendar = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["calendar"]
    assert calendar["period_length"] == 60
    assert calendar["gate_lead"] == 43_200 // 60


# ------------------------------------------------------------------------------------------------------ reconcile


def test_reconciliation_repeats_the_invariants_of_the_run(day):
    result = run("reconcile", day, *EMBEDDED)
    assert result.code == 0
    invariants = json.loads((day / "run.json").read_text(encoding="utf-8"))["invariants"]
    tables = "every table is what the events come to"
    assert re.findall(r"^(ok|BROKEN) +(.+) \(", result.out, re.MULTILINE) == [
        ("ok", name) for name in (*(check["name"] for check in invariants), tables)
    ]


def event_where(contract: str, name: str, argument: str):
    """Changes one number of the last such event by one."""

    def change(records: list[dict]) -> None:
        event = [r for r in records if (r.get("contract"), r.get("name")) == (contract, name)][-1]
        event["args"][argument] += 1

    return change


def balance(record: dict) -> None:
    """One unit more on the last account."""
    record["accounts"][list(record["accounts"])[-1]][0] += 1


def supply(record: dict) -> None:
    """One unit more than there is."""
    record["supply"] += 1


def order_line(records: list[dict]) -> None:
    """One Wh more in the first order of an accepted sheet."""
    lines = next(r for r in records if r.get("name") == "SheetAccepted")["args"]["lines"]
    [i] = [i for i, word in enumerate(lines) if int(word["bytes"], 16) & 0x3FFFFFF][:1]
    lines[i] = {"bytes": f"{int(lines[i]['bytes'], 16) + 1:064x}"}


@pytest.mark.parametrize(
    "tamper",
    [
        pytest.param(event_where("Accounts", "Deposited", "amount"), id="deposit"),
        pytest.param(event_where("CallAuction", "Cleared", "volume"), id="volume"),
        pytest.param(event_where("CallAuction", "Cleared", "price"), id="price"),
        pytest.param(event_where("Settlement", "Settled", "imbalance"), id="imbalance payment"),
        pytest.param(event_where("Accounts", "Posted", "amount"), id="posting"),
        pytest.param(event_where("Accounts", "Posted", "release"), id="release of collateral"),
        pytest.param(event_where("Settlement", "DaySettled", "fund"), id="income of the fund"),
        order_line,
    ],
)
def test_reconciliation_finds_one_event_that_was_tampered_with(tamper, day, tmp_path):
    path = Path(shutil.copy(day / "events.jsonl", tmp_path))
    shutil.copy(day / "balances.json", tmp_path)
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    tamper(records)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    result = run("reconcile", tmp_path, "--recorded", *EMBEDDED)
    assert result.code == 1, result
    assert re.search(r"^BROKEN ", result.out, re.MULTILINE)


@pytest.mark.parametrize("tamper", [balance, supply])
def test_reconciliation_finds_one_balance_that_was_tampered_with(tamper, day, tmp_path):
    path = Path(shutil.copy(day / "balances.json", tmp_path))
    shutil.copy(day / "events.jsonl", tmp_path)
    record = json.loads(path.read_text(encoding="utf-8"))
    tamper(record)
    path.write_text(json.dumps(record), encoding="utf-8")
    result = run("reconcile", tmp_path, "--recorded", *EMBEDDED)
    assert result.code == 1, result
    assert re.search(r"^BROKEN ", result.out, re.MULTILINE)


def test_a_record_that_lacks_a_deposit_is_broken(day, tmp_path):
    lines = (day / "events.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    lines.remove(next(line for line in lines if '"name": "Deposited"' in line))
    (tmp_path / "events.jsonl").write_text("".join(lines), encoding="utf-8")
    shutil.copy(day / "balances.json", tmp_path)
    result = run("reconcile", tmp_path, "--recorded", *EMBEDDED)
    assert result.code == 1
    assert re.search(r"^BROKEN .*account \d+: asked for \d+, free 0", result.out, re.MULTILINE), result.out


@pytest.mark.parametrize(
    ("file", "content", "named"),
    [
        ("balances.json", None, "balances.json"),
        ("balances.json", "", "balances.json"),
        ("balances.json", "{}", "balances.json"),
        ("balances.json", '{"periods_per_day": 24, "supply": 0, "accounts": {"1": [0]}, "more": []', "balances.json"),
        ("balances.json", '{"periods_per_day": 24, "supply": 0, "accounts": {"one": [0, 0, 0, 0]}}', "balances.json"),
        ("events.jsonl", None, "events.jsonl"),
        ("events.jsonl", "{}\n", "events.jsonl, line 1"),
        ("events.jsonl", "not JSON\n", "events.jsonl, line 1"),
        ("events.jsonl", '{"contract": 1}\n', "events.jsonl, line 1"),
    ],
)
def test_a_folder_without_a_readable_record_is_refused(file, content, named, day, tmp_path):
    for name in ("balances.json", "events.jsonl"):
        shutil.copy(day / name, tmp_path)
    (tmp_path / file).unlink()
    if content is not None:
        (tmp_path / file).write_text(content, encoding="utf-8")
    result = run("reconcile", tmp_path, "--recorded", *EMBEDDED)
    assert result.code == 2, result
    assert named in result.err
    assert "Traceback" not in result.err


# --------------------------------------------------------------------------------------------------------- report


class Resources(HTMLParser):
    """Everything a page would load from somewhere else, and the pages it links to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.found: list[str] = re.findall(r"@import[^;]*|url\(\s*['\"]?(?!#|data:)[^)]*", page)
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("link", "iframe", "object", "embed", "base"):
            self.found.append(tag)
        for name, value in attrs:
            loads = name in ("src", "srcset", "href", "xlink:href", "data", "poster", "action", "background")
            if loads and not (value or "").startswith(("#", "data:")):
                # In a picture a link has the other name: nothing is loaded until somebody follows it.
                if tag == "a" and name in ("href", "xlink:href"):
                    self.links.append(value or "")
                    continue
                self.found.append(f"{tag} {name}={value}")


def test_the_report_and_its_pages_of_members_load_nothing(day):
    members = sorted((day / "members").glob("*.html"))
    report, *pages = [Path(path).read_text(encoding="utf-8") for path in (day / "report.html", *members)]
    assert {*Resources(report).links} == {f"members/{path.name}" for path in members} != set()
    for page in (report, *pages):
        assert page.lstrip().lower().startswith("<!doctype html>")
        assert not Resources(page).found
        # Names of XML vocabularies are no addresses.
        assert set(re.findall(r"https?://[^\"' <)]*", page)) <= {
            "http://www.w3.org/2000/svg",
            "http://www.w3.org/1999/xlink",
        }
        assert "A hamlet for tests" in page


def test_the_report_is_drawn_from_the_tables_alone(day, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in (*day.glob("*.csv"), day / "run.json"):
        shutil.copy(path, copy)
    result = run("report", copy)
    assert result.code == 0, str(result)
    assert "Energy traded between neighbours" in result.out
    assert (copy / "report.html").read_bytes() == (day / "report.html").read_bytes()


def test_a_report_names_what_is_wrong_with_a_table(day, tmp_path):
    for path in (*day.glob("*.csv"), day / "run.json"):
        shutil.copy(path, tmp_path)
    fills = (tmp_path / "fills.csv").read_text(encoding="utf-8").splitlines()
    (tmp_path / "fills.csv").write_text("\n".join([*fills[:3], "3,many,0", *fills[4:]]) + "\n", encoding="utf-8")
    result = run("report", tmp_path)
    assert result.code == 2
    assert all(word in result.err for word in ("fills.csv", "4", "filled_wh", "many")), result.err
    assert not (tmp_path / "report.html").exists()


def test_a_folder_without_results_has_no_report(tmp_path: Path):
    result = run("report", tmp_path / "absent")
    assert result.code == 2
    assert str(tmp_path / "absent") in result.err
    assert not (tmp_path / "absent").exists()
