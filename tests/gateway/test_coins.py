"""NRGcoins through the gateway: transfers that members sign, and what each has."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.gateway import HOME, ROOF, Gateway, account_of, make_gateway, make_index

from dem.errors import RequestError
from dem.gateway.relaying import _arguments
from dem.messages.members import CoinTransfer
from dem.messages.signing import struct

from .test_pages import logged_in

CONTRACT = "NrgCoin"
TOLD: list[tuple[str, str, dict[str, Any]]] = [
    (CONTRACT, "Credited", {"id": HOME, "day": 1, "minted": 2_000_000, "charged": 12_500_001}),
    (CONTRACT, "Credited", {"id": ROOF, "day": 1, "minted": 80_000_000, "charged": 0}),
    (CONTRACT, "Credited", {"id": ROOF, "day": 2, "minted": 1_000_000, "charged": 0}),
    (CONTRACT, "CoinsCorrected", {"id": ROOF, "day": 1, "minted": 70_000_000, "charged": 1}),
    (CONTRACT, "CoinsMoved", {"from": ROOF, "to": HOME, "amount": 20_000_000, "sequence": 1}),
]
"""The home drew and the roof fed in; a late reading took some of it back, and then the roof gave some away."""


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Gateway]:
    made = make_gateway(tmp_path, make_index(tmp_path / "index.sqlite", TOLD))
    yield made
    made.store.close()


def test_a_transfer_is_brought_as_its_owner_signed_it(market: Gateway) -> None:
    message = CoinTransfer(account_of("roof"), account_of("home"), 5, 2)
    id_ = market.client("roof").send(CONTRACT, message)
    market.step()
    assert market.node.brought == [id_]
    record = market.store.message(id_)
    assert record is not None
    told, signature = _arguments(market.relaying._message(record))
    assert (told, len(signature)) == (struct(message), 65)
    with pytest.raises(RequestError, match="NotSignedBySender"):
        market.client("home").send(CONTRACT, message)


def test_a_member_sees_its_coins_to_the_millionth(market: Gateway) -> None:
    roof = market.client("roof").get(f"/v1/members/{ROOF}/coins")
    assert roof["coins"] == "50.999999"
    assert roof["days"] == [
        {"day": 2, "minted": "1.000000", "charged": "0.000000"},
        {"day": 1, "minted": "70.000000", "charged": "0.000001"},
    ]
    [given] = roof["moves"]
    assert (given["other"], given["coins"]) == (HOME, "-20.000000")
    home = market.client("home").get(f"/v1/members/{HOME}/coins")
    assert (home["coins"], home["moves"][0]["coins"]) == ("9.499999", "20.000000")


def test_coins_are_beside_the_money_on_its_page_of_who_has_any(market: Gateway) -> None:
    page = logged_in(market, "roof").get(f"/members/{ROOF}/money").text
    assert "51.000" in page
    assert 'id="give-coins"' in page
    assert 'data-contract="NrgCoin"' in page
    assert "NRGcoins" not in logged_in(market, "p2").get("/members/2/money").text
    others = logged_in(market, "operator").get(f"/members/{ROOF}/money?purpose=a+question").text
    assert "51.000" in others
    assert 'id="give-coins"' not in others
