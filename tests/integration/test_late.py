"""A late reading as an office brings it: the market recomputed, what is signed written down, the proof brought."""

import csv
import json
from pathlib import Path

import pytest
from support.signed import ask, bid
from support.village import GRID_OPERATOR, RULES, Member, Village

from dem.errors import InputError
from dem.messages.signing import sign
from dem.relay.history import of_market
from dem.relay.late import LATE, bring, prepare, read_net, write_statement
from dem.replay.reconcile import reconcile

TAKEN, COUNTED = 1_000, 1_600


@pytest.fixture
def final(village: Village, buyer: Member, seller: Member) -> Village:
    """The buyer takes in period 7 what it bought; the boundary meter counts as much as all others; the day is final."""
    village.open_auction()
    village.place(buyer, bid(7, 200, TAKEN))
    village.place(seller, ask(7, 100, TAKEN))
    village.clear_day()
    village.wait_until(village.calendar.start_of(2))
    village.read(buyer, [0] * 7 + [TAKEN] + [0] * 4)
    village.read(seller, [0] * 7 + [-TAKEN] + [0] * 4)
    village.read(village.grid_operator, [0] * 12)
    village.close_metering()
    village.settle()
    village.wait_until(village.calendar.corrections_close_at(1))
    village.relay(village.market.settlement, "finalize", 1)
    return village


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "corrected.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("slot", "net_wh"), (7, COUNTED)])
    return path


def test_an_office_settles_a_final_day_late(final: Village, buyer: Member, table: Path, tmp_path: Path) -> None:
    market, domain = final.market, final.market.domain(LATE)
    message, record = prepare(of_market(market)[0].late, buyer.id, 1, table)
    write_statement(tmp_path / "late.json", domain, message, record)
    statement = json.loads((tmp_path / "late.json").read_text())
    assert statement["typed_data"]["primaryType"] == "LateReading"
    assert len(statement["record"]["proof"]) == len(record.proof)

    before = [final.free(buyer), final.free(GRID_OPERATOR)]
    bring(market, message, record, [sign(domain, message, buyer.wallet.meter_key)])
    due = (COUNTED - TAKEN) * RULES.standing_buy
    after = [final.free(buyer), final.free(GRID_OPERATOR)]
    assert market.contract(LATE).functions.runsOf(buyer.id, 1).call() == 1
    assert after[0] < before[0]
    assert after[1] - before[1] == before[0] - after[0] <= due

    replay, balances = of_market(market)
    assert all(check.ok for check in reconcile(replay, balances))
    again, _ = prepare(replay.late, buyer.id, 1, None)
    assert (again.run, again.net) == (2, message.net)


def test_the_grid_operator_and_the_member_state_it(final: Village, buyer: Member, table: Path) -> None:
    market, domain = final.market, final.market.domain(LATE)
    message, record = prepare(of_market(market)[0].late, buyer.id, 1, table)
    keys = (final.grid_operator.wallet.account_key, buyer.wallet.account_key)
    bring(market, message, record, [sign(domain, message, key) for key in keys])
    replay, balances = of_market(market)
    assert all(check.ok for check in reconcile(replay, balances))


def test_a_table_of_other_columns_or_slots_is_refused(final: Village, buyer: Member, tmp_path: Path) -> None:
    late = of_market(final.market)[0].late
    counted, path = late.counted(buyer.id, 1), tmp_path / "wrong.csv"
    for text in ("slot,kwh\n7,1\n", "slot,net_wh\n12,1\n", "slot,net_wh\n7,much\n"):
        path.write_text(text)
        with pytest.raises(InputError):
            read_net(path, counted)
    with pytest.raises(InputError):
        read_net(tmp_path / "none.csv", counted)
    with pytest.raises(InputError):
        prepare(late, 99, 1, None)
    with pytest.raises(InputError):
        prepare(late, buyer.id, 2, None)
