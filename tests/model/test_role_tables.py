"""The tables that institutions' services go by: what they say, and what of them is refused, with its place."""

from pathlib import Path

import pytest
from eth_utils.crypto import keccak

from dem.errors import InputError
from dem.grid.members import buses, expected
from dem.model.markets.dealing import Quote
from dem.model.markets.wholesale import Offer
from dem.model.rules import Tariff
from dem.model.units import FROM_ZERO, Money, Tick
from dem.relay.members import Payment
from dem.roles.sources import offers, papers, payments, quotes, tariffs

ALICE, BOB = "0x" + "11" * 20, "0x" + "22" * 20


def written(folder: Path, *lines: str) -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_desk_offers_nothing_on_days_that_its_table_does_not_know(tmp_path: Path) -> None:
    head = "day,slot,price,penalty,import_wh,export_wh"
    found = offers(written(tmp_path, head, "7,0,-0.13,0.01,20000,0", "7,1,0.2,0,0,500"), 2)
    assert found(7) == [Offer(-13_000, 1_000, 20_000, 0), Offer(20_000, 0, 0, 500)]
    assert (found(6), found(8)) == (None, None)


def test_quotes_of_an_intermediary_are_rounded_outwards(tmp_path: Path) -> None:
    found = quotes(written(tmp_path, "day,slot,buys,sells", "1,0,0.10005,0.2", "1,1,0.1,0.10001"), 2, FROM_ZERO)
    assert found(1) == [Quote(Tick(100), Tick(200)), Quote(Tick(100), Tick(101))]


def test_clients_have_the_days_of_the_market(tmp_path: Path) -> None:
    found = expected(written(tmp_path, "account,day,slot,net_wh", f"{ALICE},7,1,400", f"{BOB},7,0,-30"), 2)
    assert dict(found(7)) == {ALICE: [0, 400], BOB: [-30, 0]}
    assert not found(8)


def test_buses_are_of_members_by_account(tmp_path: Path) -> None:
    assert buses(written(tmp_path, "account,bus", f"{ALICE},LV 1", f"{BOB},LV 2"))() == {ALICE: "LV 1", BOB: "LV 2"}
    assert buses(tmp_path / "none.csv")() == {}


def test_tariffs_begin_anew_and_their_days_follow_one_another(tmp_path: Path) -> None:
    head = "day,slot,buy,sell"
    assert tariffs(written(tmp_path, head, "1,0,0.3,0.1", "2,0,0.2,0.1"), 1)(3) == [Tariff(30_000, 10_000)]
    with pytest.raises(InputError, match="after 1 comes 2"):
        tariffs(written(tmp_path, head, "1,0,0.3,0.1", "3,0,0.2,0.1"), 1)(1)


SALTS = [keccak(text=f"salt {n}") for n in range(2)]


def test_payments_and_papers_go_on_the_chain_behind_a_salt(tmp_path: Path) -> None:
    head, hexed = "account,amount,reference,salt", [salt.hex() for salt in SALTS]
    table = written(tmp_path, head, f"{ALICE},12.5,AT12-345,0x{hexed[0]}", f"{BOB},1,AT12-345,{hexed[1]}")
    first, second = payments(table)()
    assert first == Payment(ALICE, Money(1_250_000_000), keccak(SALTS[0] + b"AT12-345"))
    assert second.reference == keccak(SALTS[1] + b"AT12-345")
    (tmp_path / "contract.pdf").write_bytes(b"a contract")
    table = written(tmp_path, "account,file,salt", f"{ALICE},contract.pdf,0x{hexed[0]}")
    assert papers(table)() == {ALICE: keccak(SALTS[0] + b"a contract")}


@pytest.mark.parametrize(
    ("salts", "why"),
    [
        (["", ""], "line 2, column salt: '' must be 0x and 64"),
        (["00" * 32, ""], "line 2, column salt: .* is no random number"),
        (["0123456789abcdef" * 4, ""], "is no random number"),
        ([SALTS[0].hex(), SALTS[0].hex()], "line 3, column salt: .* is that of another row"),
    ],
)
def test_a_salt_that_hides_nothing_is_refused(tmp_path: Path, salts: list[str], why: str) -> None:
    rows = [f"{ALICE},1,a,{salts[0]}", f"{BOB},1,b,{salts[1]}"]
    with pytest.raises(InputError, match=why):
        payments(written(tmp_path, "account,amount,reference,salt", *rows))()


def test_papers_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        papers(written(tmp_path, "account,file,salt", f"{ALICE},none.pdf,{SALTS[0].hex()}"))()


def test_a_table_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.csv"
    assert (offers(path, 2)(1), quotes(path, 2, FROM_ZERO)(1), dict(expected(path, 2)(1))) == (None, None, {})


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("1,0,0.2,0,100,0",), "no slot 1 of day 1"),
        (("1,0,20000,0,100,0",), "line 2"),
        (("1,0,0.2,-1,100,0",), "penalty"),
        (("1,0,0.2,0,9999999999999,0",), "import capacity"),
        (("1,2,0.2,0,100,0",), "must be less than 2"),
        (("0,0,0.2,0,100,0",), "must be 1 or more"),
    ],
)
def test_offers_that_will_not_do(tmp_path: Path, lines: tuple[str, ...], why: str) -> None:
    path = written(tmp_path, "day,slot,price,penalty,import_wh,export_wh", *lines)
    with pytest.raises(InputError, match=why):
        offers(path, 2)(1)


def test_quotes_at_which_it_would_lose_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "day,slot,buys,sells", "1,0,0.3,0.2", "1,1,0.1,0.2")
    with pytest.raises(InputError, match="must not be above what it sells for"):
        quotes(path, 2, FROM_ZERO)(1)


@pytest.mark.parametrize(
    ("line", "why"),
    [("0x11,1,0,5", "must be an address"), (f"{ALICE},1,2,5", "must be less than 2"), (f"{ALICE},1,0,1.5", "Wh")],
)
def test_clients_that_will_not_do(tmp_path: Path, line: str, why: str) -> None:
    path = written(tmp_path, "account,day,slot,net_wh", line)
    with pytest.raises(InputError, match=why):
        expected(path, 2)(1)
