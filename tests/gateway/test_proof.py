"""Prove my bill: what a page tells of a proof, and that a proof that was changed is none."""

import json
from pathlib import Path

import pytest
from support.gateway import HOME, PROVEN, make_gateway, make_index, proven

from dem.errors import InputError
from dem.replay.evidence import Evidence, check, read

from .test_pages import logged_in


def test_a_page_shows_what_is_proven_and_gives_it_as_a_file(tmp_path: Path) -> None:
    market = make_gateway(tmp_path, make_index(tmp_path / "index.sqlite", [proven()]))
    browser, shown = logged_in(market, "home"), check(read(PROVEN))
    text = browser.get(f"/members/{HOME}/proof").text
    for told in (shown.hash, "13.642\N{NO-BREAK SPACE}kWh", "2.19474667 EUR", "18.55251732 EUR", "as settled"):
        assert told in text
    assert "not as settled" not in text
    answer = browser.get(f"/members/{HOME}/proof?as_file=true")
    assert answer.headers["content-disposition"] == f'attachment; filename="proof-{HOME}-2.json"'
    assert check(Evidence.model_validate_json(answer.text)).hash == shown.hash
    told = market.client("home").get(f"/v1/members/{HOME}/proof", day=2)
    assert Evidence.model_validate(told) == read(PROVEN)
    market.store.close()


def test_what_was_settled_otherwise_is_told(tmp_path: Path, index: Path) -> None:
    market = make_gateway(tmp_path, index)
    assert "not as settled" in logged_in(market, "home").get(f"/members/{HOME}/proof").text
    market.store.close()


@pytest.mark.parametrize(
    ("way", "text", "where"),
    [
        (("metered", 0), f"0x{1:064x}", "settlement"),
        (("contracted", 3), f"0x{0:064x}", "settlement"),
        (("prices", 1), f"0x{0:064x}", "settlement"),
        (("path", 0), f"0x{0:064x}", "settlement"),
        (("settlement", "contract"), f"0x{1:040x}", "account proof"),
        (("accounts", "storage_proof", 0), "0xc0", "storage proof"),
        (("accounts", "storage_proof", 0), "0x", "storage proof"),
        (("settlement", "account_proof", 0), "0x123", "account proof"),
        (("header", "stateRoot"), f"0x{1:064x}", "account proof"),
    ],
)
def test_a_proof_that_was_changed_names_the_part(way: tuple[str | int, ...], text: str, where: str) -> None:
    record = json.loads(PROVEN.read_text())
    inside = record
    for key in way[:-1]:
        inside = inside[key]
    inside[way[-1]] = text
    with pytest.raises(InputError) as caught:
        check(Evidence.model_validate(record))
    assert caught.value.where == where


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "Invalid JSON"), ("[]", "object"), ('{"v": "dem-proof/2"}', "'dem-proof/1'"), (None, "cannot be read")],
)
def test_a_file_that_is_no_proof(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "proof.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(InputError) as caught:
        read(file)
    assert said in str(caught.value)
    assert str(file) in str(caught.value)
