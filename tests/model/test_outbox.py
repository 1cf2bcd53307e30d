"""The treasurer's outbox: orders that never change, the file for the bank, and what is refused."""

from datetime import UTC, date, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from dem.commands.outbox import cli
from dem.errors import InputError
from dem.model.units import Money
from dem.roles.outbox import BankAccount, Outbox, Payout, is_iban
from dem.roles.sources import banks

PAYER = BankAccount("Gemeinde <Ost> & Co", "DE89370400440532013000")
NAMES = {"p": "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"}
ALICE = "0x" + "11" * 20


def payout(number: int, cents: int) -> Payout:
    return Payout(f"0x{number:064x}", number, ALICE, f"Member {number}", "AT611904300234573201", Money(cents * 10**6))


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path, PAYER, clock=lambda: datetime(2026, 3, 1, 12, tzinfo=UTC))


def test_the_banks_file_adds_up_and_names_every_payment(outbox: Outbox, tmp_path: Path) -> None:
    outbox.add([payout(7, 1_250), payout(8, 1)])
    root = ElementTree.parse(tmp_path / "000001.xml").getroot()

    def texts(path: str) -> list[str | None]:
        return [one.text for one in root.findall(f".//p:{path}", NAMES)]

    assert texts("CtrlSum") == ["12.51"] * 2
    assert texts("NbOfTxs") == ["2"] * 2
    assert texts("InstdAmt") == ["12.50", "0.01"]
    assert texts("Dbtr/p:Nm") == [PAYER.name]
    assert texts("CdtrAcct/p:Id/p:IBAN") == ["AT611904300234573201"] * 2
    ends = texts("EndToEndId")
    assert len({*ends}) == 2 or all(len(end or "") <= 35 for end in ends)
    assert (tmp_path / "000001.xml").stat().st_mode & 0o077 == 0


def test_the_same_payments_have_the_same_name_at_the_bank(tmp_path: Path) -> None:
    found = []
    for name, day in (("a", 1), ("b", 2)):
        Outbox(tmp_path / name, PAYER, clock=lambda day=day: datetime(2026, 3, day, tzinfo=UTC)).add([payout(7, 5)])
        root = ElementTree.parse(tmp_path / name / "000001.xml").getroot()
        found.append((root.findtext(".//p:MsgId", namespaces=NAMES), root.findtext(".//p:CreDtTm", namespaces=NAMES)))
    assert found[0][0] == found[1][0]
    assert found[0][1] != found[1][1]


def test_nothing_is_ordered_twice_and_no_order_is_overwritten(outbox: Outbox, tmp_path: Path) -> None:
    outbox.add([payout(7, 5)])
    with pytest.raises(InputError, match="was ordered before"):
        outbox.add([payout(8, 5), payout(7, 5)])
    before = (tmp_path / "000001.json").read_bytes()
    other = Outbox(tmp_path, PAYER)
    other.orders = list  # type: ignore[method-assign]  # as one that looked before
    with pytest.raises(InputError, match="let one service do so"):
        other.add([payout(9, 5)])
    assert (tmp_path / "000001.json").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000001.json", "000001.xml"]


def test_a_person_notes_once_that_an_order_was_paid(outbox: Outbox, tmp_path: Path) -> None:
    outbox.add([payout(7, 5)])
    outbox.add([payout(8, 6)])

    def asked(*words: str) -> str:
        result = CliRunner().invoke(cli, [*words])
        return result.output

    assert "noted" in asked("paid", str(tmp_path), "2", "--on", "2026-03-02")
    assert [order.paid_on for order in outbox.orders()] == [None, "2026-03-02"]
    with pytest.raises(InputError, match="noted already"):
        outbox.note_paid(2, date(2026, 3, 3))
    assert "is no order here" in asked("paid", str(tmp_path), "3")
    told = asked("list", str(tmp_path))
    assert "0.05" in told
    assert "2026-03-02" in told
    outbox.add([payout(9, 1)])
    assert len(outbox.orders()) == 3


def test_a_broken_order_stops_all_rather_than_paying_twice(outbox: Outbox, tmp_path: Path) -> None:
    outbox.add([payout(7, 5)])
    (tmp_path / "000001.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="is no order"):
        outbox.add([payout(8, 5)])


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("DE89370400440532013000", True),
        ("GB82WEST12345698765432", True),
        ("DE89370400440532013001", False),
        ("de89370400440532013000", False),
        ("DE89", False),
        ("", False),
        ("DE8937040044053201300\N{ARABIC-INDIC DIGIT TWO}", False),
    ],
)
def test_check_digits_of_an_iban(text: str, right: bool) -> None:
    assert is_iban(text) is right


@pytest.mark.parametrize(
    ("row", "why"),
    [(f"{ALICE},Ann,DE00370400440532013000", "is no IBAN"), (f"{ALICE},,DE89370400440532013000", "letters")],
)
def test_bank_accounts_that_will_not_do(tmp_path: Path, row: str, why: str) -> None:
    path = tmp_path / "banks.csv"
    path.write_text(f"account,name,iban\n{row}\n", encoding="utf-8")
    with pytest.raises(InputError, match=why):
        banks(path)()


def test_spaces_in_an_iban_are_left_away(tmp_path: Path) -> None:
    path = tmp_path / "banks.csv"
    path.write_text(f"account,name,iban\n{ALICE},Ann,DE89 3704 0044 0532 0130 00\n", encoding="utf-8")
    assert [*banks(path)().values()] == [BankAccount("Ann", "DE89370400440532013000")]
