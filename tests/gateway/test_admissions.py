"""A newcomer's page: how far its admission is, and nothing about anybody else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.gateway import CALENDAR, HOME, Gateway, account_of, make_gateway, make_index, sheet

from dem.gateway.pages.admissions import of
from dem.gateway.pages.figures import Market
from dem.messages.members import Application
from dem.model.mechanisms import AUCTION
from dem.model.units import Wh

from .test_pages import logged_in


def application(documents: int = 1) -> Application:
    capacities = (Wh(5_000), Wh(0))
    return Application(
        account_of("newcomer"), account_of("its meter"), 6, *capacities, bytes(32), bytes([documents] * 32)
    )


def on_chain(*told: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What the registry says of the newcomer."""
    about = {"account": account_of("newcomer"), "meter": account_of("its meter"), "kind": 6}
    papers = {"importCapacity": 5_000, "exportCapacity": 0, "feeder": bytes(32), "documents": bytes(32)}
    for one in told:
        yield {
            "applied": ("ParticipantRegistry", "Applied", about | papers),
            "rejected": ("ParticipantRegistry", "Rejected", {"account": account_of("newcomer")}),
            "admitted": ("ParticipantRegistry", "Admitted", about | {"id": 8, "firstDay": 3}),
            "paid": ("Accounts", "Deposited", {"id": 8, "amount": 10**9, "paymentReference": bytes([2] * 32)}),
        }[one]


def steps(gateway: Gateway, name: str = "newcomer") -> list[str]:
    parts = gateway.parts
    market = Market(parts.index, parts.calendar, parts.configuration.zone, parts.clock())
    participant = parts.index.participant_of(account_of(name))
    found: dict[str, str] = of(parts, market, account_of(name), participant)["steps"]
    assert [*found] == ["sent", "decided", "begins", "money", "limits"]
    return [*found.values()]


LATER = ["later"] * 3


def test_an_application_is_followed_through_the_gateway(gateway: Gateway) -> None:
    newcomer = gateway.client("newcomer", log_in=False)
    assert steps(gateway) == ["now", "later", *LATER]
    newcomer.send("ParticipantRegistry", application())
    assert steps(gateway) == ["now", "later", *LATER]
    gateway.step()
    assert steps(gateway) == ["done", "now", *LATER]
    gateway.node.refusals[newcomer.send("ParticipantRegistry", application(2))] = "KeyUnusable(key=0x1)"
    gateway.step()
    assert steps(gateway) == ["failed", "later", *LATER]
    assert "KeyUnusable(key=0x1)" in logged_in(gateway, "newcomer").get("/admission").text


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (["applied"], ["done", "now", *LATER]),
        (["applied", "rejected"], ["done", "failed", *LATER]),
        (["applied", "rejected", "applied"], ["done", "now", *LATER]),
        (["applied", "admitted"], ["done", "done", "now", "now", "now"]),
        (["applied", "admitted", "paid"], ["done", "done", "now", "done", "now"]),
    ],
)
def test_the_registry_decides(tmp_path: Path, told: list[str], expected: list[str]) -> None:
    gateway = make_gateway(tmp_path, make_index(tmp_path / "index.sqlite", on_chain(*told)))
    gateway.now[0] = CALENDAR.opens_at(3) + 3_600.0
    assert steps(gateway) == expected
    gateway.store.close()


def test_the_way_ends_with_limits(tmp_path: Path) -> None:
    gateway = make_gateway(tmp_path, make_index(tmp_path / "index.sqlite", on_chain("applied", "admitted", "paid")))
    gateway.now[0] = CALENDAR.start_of(3) + 1.0
    gateway.client("newcomer").send(AUCTION, sheet("newcomer", day=6))
    assert steps(gateway) == ["done"] * 5
    assert 'href="/members/8/limits"' in logged_in(gateway, "newcomer").get("/admission").text
    gateway.store.close()


@pytest.mark.parametrize("who", ["home", "operator", "auditor", "registrar", "stranger"])
def test_nobody_sees_anothers_admission(gateway: Gateway, who: str) -> None:
    gateway.client("newcomer", log_in=False).send("ParticipantRegistry", application())
    answer = logged_in(gateway, who).get("/admission", params={"account": account_of("newcomer"), "purpose": "x"})
    assert answer.status_code == 200
    assert account_of(who) in answer.text
    assert account_of("newcomer") not in answer.text
    assert "0x" + "01" * 32 not in answer.text
    assert gateway.store.accesses(HOME, 0, 10) == []
