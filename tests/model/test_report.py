"""The summary and the report of a small invented trading day, whose folder is made here from scratch."""

import csv
import json
import math
import random
import re
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from fractions import Fraction
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from matplotlib.patches import PathPatch
from support.commands.shell import no_picture

from dem import report
from dem.report.charts import (
    MAX_NAMED,
    MOST_DAYS_BY_PERIOD,
    book,
    interesting_periods,
    merit_order,
    price_over_time,
    read_course,
    results_of_participants,
)
from dem.report.findings import findings
from dem.report.flows import FALLBACK, FEES, FUND, TRADE, money_flows
from dem.report.sankey import money_drawing
from dem.report.style import render
from dem.results.local_days import DAY, MONTH, by_local_time
from dem.results.reader import ResultsError, read_results
from dem.results.summary import Summary, summarise, total
from dem.results.wording import kwh, money, per_kwh, percent, price, share

FIRST = 16_929 * 96 - 8  # midnight in a place two hours ahead of UTC, in quarter-hours
PERIODS = range(FIRST, FIRST + 96)
PLATFORM_FEE, NETWORK_FEE, DEVIATION_RATE, TOLERANCE = 200, 300, 5000, 50
TICKS = range(330)  # every limit and the tick above
TARIFF = {"buy_units_per_wh": 32_000, "sell_units_per_wh": 7_900}
OWN = {"fund": 1, "clearing house": 2, "fallback supplier": 3, "operator": 4, "grid operator": 5}


def summary(folder: Path) -> Summary:
    return summarise(read_results(folder))


def write_report(folder: Path) -> Path:
    results = read_results(folder)
    return report.write_report(folder, results, summarise(results))


def hour(period: int) -> float:
    return (period - FIRST) / 4


def household(rng: random.Random, peak_wh: float) -> list[int]:
    """Net meter of one home over a sunny day: load with a morning and an evening hump, less solar power."""
    scale, shift = rng.uniform(0.6, 1.7), rng.uniform(-0.8, 0.8)
    values = []
    for period in PERIODS:
        h = hour(period) + shift
        load = 40 + 70 * math.exp(-((h - 8) ** 2) / 3) + 60 * math.exp(-((h - 12.5) ** 2) / 2)
        load += 130 * math.exp(-((h - 19.5) ** 2) / 5)
        solar = max(0.0, math.sin(math.pi * (hour(period) - 5.5) / 15)) ** 1.4 if 5.5 < hour(period) < 20.5 else 0.0
        values.append(round(load * scale * rng.uniform(0.6, 1.5) - peak_wh * solar * rng.uniform(0.85, 1.0)))
    return values


def auction(bids: list[dict[str, Any]], asks: list[dict[str, Any]]) -> tuple[int | None, int, dict[int, int]]:
    """Price, volume and fills of one period: the middle of the equilibrium ticks, the margin rationed pro rata."""
    if not bids or not asks:
        return None, 0, {}

    def demand(tick: int) -> int:
        return sum(o["energy_wh"] for o in bids if o["limit_ticks"] >= tick)

    def supply(tick: int) -> int:
        return sum(o["energy_wh"] for o in asks if o["limit_ticks"] <= tick)

    low = min(t for t in TICKS if supply(t) >= demand(t + 1))
    high = max(t for t in TICKS if demand(t) >= supply(t - 1))
    tick = (low + high) // 2
    volume = min(demand(tick), supply(tick))
    fills: dict[int, int] = {}
    for side, sign in ((bids, 1), (asks, -1)):
        inside = [o for o in side if sign * o["limit_ticks"] > sign * tick]
        fills |= {o["order"]: o["energy_wh"] for o in inside}
        rest = volume - sum(o["energy_wh"] for o in inside)
        marginal = [o for o in side if o["limit_ticks"] == tick]
        whole, run = sum(o["energy_wh"] for o in marginal), 0
        for order in marginal:
            fills[order["order"]] = (run + order["energy_wh"]) * rest // whole - run * rest // whole
            run += order["energy_wh"]
    return (tick, volume, fills) if volume else (None, 0, {})


def trading_day(folder: Path, consumers: int = 9, prosumers: int = 5, seed: int = 1, trade: bool = True) -> Path:
    """Write a consistent output folder: orders, auctions, meters, two-price settlement, accounts."""
    rng = random.Random(seed)
    buy, sell = TARIFF.values()
    kinds = {10 + i: "consumer" if i < consumers else "prosumer" for i in range(consumers + prosumers)}
    metered = {
        who: household(rng, rng.uniform(500, 1300) if kind == "prosumer" else 0.0) for who, kind in kinds.items()
    }
    orders: list[dict[str, Any]] = []
    for who, values in metered.items():
        bias = rng.uniform(0.8, 1.2)
        for period, net in zip(PERIODS, values, strict=True):
            forecast = round(net * bias * rng.uniform(0.75, 1.25))
            side, limit = ("bid", rng.randrange(110, 320)) if forecast > 0 else ("ask", rng.randrange(79, 240))
            status, reason = "accepted", ""
            if rng.random() < 0.01:
                status, reason = "rejected", "ExceedsCapacity"
            elif rng.random() < 0.02:
                status, reason = "replaced", "sheet 2"
            if forecast and trade:
                orders.append(
                    {"order": len(orders) + 1, "participant": who, "side": side, "period": period,
                     "limit_ticks": limit, "energy_wh": abs(forecast), "status": status, "reason": reason}
                )  # fmt: skip
    clearing, fills = [], []
    contracted = {(who, period): 0 for who in kinds for period in PERIODS}
    prices: dict[int, int] = {}
    for period in PERIODS:
        book = [o for o in orders if o["period"] == period and o["status"] == "accepted"]
        tick, volume, filled = auction([o for o in book if o["side"] == "bid"], [o for o in book if o["side"] == "ask"])
        clearing.append({"period": period, "price_ticks": "" if tick is None else tick, "volume_wh": volume})
        if tick is not None:
            prices[period] = tick * 100
        for order in book:
            energy = filled.get(order["order"], 0) * (1 if order["side"] == "bid" else -1)
            contracted[order["participant"], period] += energy
            amount = energy * (tick or 0) * 100
            fills.append({"order": order["order"], "filled_wh": abs(energy), "amount_units": amount})
    settlement, area = [], []
    due = dict.fromkeys([*OWN.values(), *kinds], 0)
    for index, period in enumerate(PERIODS):
        total = sum(values[index] for values in metered.values())
        mid = min(max(prices[period], sell), buy) if period in prices else (buy + sell) // 2
        paid = 0
        for who, values in metered.items():
            c, m = contracted[who, period], values[index]
            d = m - c
            rate = (buy if total > 0 else mid) if d > 0 else (sell if total < 0 else mid)
            over = max(0, abs(d) - max(TOLERANCE, abs(c) // 5)) if c and d * total >= 0 else 0
            row = {
                "participant": who, "period": period, "contracted_wh": c, "metered_wh": m, "imbalance_wh": d,
                "trade_units": c * prices.get(period, 0), "imbalance_units": d * rate,
                "fees_units": abs(c) * (PLATFORM_FEE + NETWORK_FEE), "deviation_units": over * DEVIATION_RATE,
            }  # fmt: skip
            settlement.append(row)
            due[who] += sum(row[name] for name in row if name.endswith("_units"))
            due[OWN["operator"]] -= abs(c) * PLATFORM_FEE
            due[OWN["grid operator"]] -= abs(c) * NETWORK_FEE
            paid += row["imbalance_units"] + row["deviation_units"]
        fallback = total * (buy if total > 0 else sell)
        due[OWN["fallback supplier"]] -= fallback
        due[OWN["fund"]] -= paid - fallback
        area.append(
            {"period": period, "imbalance_wh": total, "fallback_wh": total, "fallback_units": fallback,
             "imbalance_price_units_per_wh": buy if total > 0 else sell if total < 0 else mid,
             "fund_units": paid - fallback}
        )  # fmt: skip
    names = {number: kind for kind, number in OWN.items()} | kinds
    deposit = 50 * 10**8
    accounts = [
        {"account": number, "kind": kind, "opening_units": 0, "deposited_units": deposit if number in kinds else 0,
         "withdrawn_units": 0, "closing_units": (deposit if number in kinds else 0) - due[number]}
        for number, kind in names.items()
    ]  # fmt: skip
    flat = [(who, period, values[i]) for who, values in metered.items() for i, period in enumerate(PERIODS)]
    folder.mkdir(parents=True, exist_ok=True)
    tables: dict[str, list[dict[str, Any]]] = {
        "orders": orders or [dict.fromkeys(ORDER_COLUMNS, "")],
        "clearing": clearing,
        "fills": fills or [dict.fromkeys(("order", "filled_wh", "amount_units"), "")],
        "schedule": [{"participant": w, "period": p, "contracted_wh": c} for (w, p), c in contracted.items()],
        "readings": [
            {
                "participant": w,
                "period": p,
                "metered_wh": m,
                "status": "estimated" if p % 50 == 0 else "measured",
            }
            for w, p, m in flat
        ],
        "settlement": settlement,
        "tariffs": [{"period": period} | TARIFF for period in PERIODS],
        "accounts": accounts,
        "area": area,
        "participants": [
            {"participant": w, "kind": k, "import_capacity_wh": 7500, "export_capacity_wh": 2500}
            for w, k in kinds.items()
        ],
    }
    for name, rows in tables.items():
        write(
            folder / f"{name}.csv",
            rows if trade or name not in ("orders", "fills") else [],
            list(rows[0]),
        )
    run = {
        "scenario": "sunny-street", "title": "A sunny Sunday in Sunny Street", "currency": "EUR",
        "period_seconds": 900, "periods_per_day": 96, "utc_offset_hours": 2, "first_period": FIRST, "days": 1,
        "network": "anvil", "blocks": 214, "gas": {"place order": 61_234, "clear a strip": 812_345}, "seconds": 41.7,
        "invariants": [
            {"name": "1 Energy", "ok": True, "detail": "sold = bought in every period"},
            {"name": "2 Money", "ok": True, "detail": "settlement sums to zero"},
            {"name": "9 Recomputed from events", "ok": True, "detail": ""},
        ],
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    return folder


ORDER_COLUMNS = (
    "order",
    "participant",
    "side",
    "period",
    "limit_ticks",
    "energy_wh",
    "status",
    "reason",
)


def write(path: Path, rows: Iterable[dict[str, Any]], columns: list[str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def edit(folder: Path, name: str, change: Callable[[str], str]) -> None:
    path = folder / name
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trading_day(tmp_path_factory.mktemp("out") / "sunny-street")


@pytest.fixture
def spoiled(tmp_path: Path) -> Path:
    return trading_day(tmp_path / "spoiled", consumers=2, prosumers=1)


def column(folder: Path, table: str, name: str) -> list[int]:
    with (folder / table).open(newline="", encoding="utf-8") as file:
        return [int(row[name]) for row in csv.DictReader(file)]


class TestSummary:
    def test_sums_energy_as_the_tables_do(self, day: Path) -> None:
        metered = column(day, "settlement.csv", "metered_wh")
        net = column(day, "area.csv", "imbalance_wh")
        total = summary(day)
        assert total.consumed_wh == sum(m for m in metered if m > 0)
        assert total.generated_wh == -sum(m for m in metered if m < 0)
        assert total.imported_wh == sum(n for n in net if n > 0)
        assert total.exported_wh == -sum(n for n in net if n < 0)
        assert total.traded_wh == sum(column(day, "clearing.csv", "volume_wh"))
        assert total.traded_wh == total.community.bought_wh == total.community.sold_wh

    def test_trade_delivered_lies_within_energy_shared(self, day: Path) -> None:
        total = summary(day)
        assert 0 < total.delivered_wh < min(total.shared_wh, total.traded_wh)
        assert total.market_self_sufficiency == Fraction(total.delivered_wh, total.consumed_wh)
        assert total.physical_self_sufficiency == 1 - Fraction(total.imported_wh, total.consumed_wh)

    def test_value_of_sharing_is_split_to_the_unit(self, day: Path) -> None:
        total = summary(day)
        assert total.sharing_value_units == total.saved_units + total.fees_units + total.fund_units
        assert total.fund_units == total.imbalance_cost_units + total.deviation_units

    def test_savings_are_tariffs_only_less_what_was_paid(self, day: Path) -> None:
        results, total = read_results(day), summary(day)
        first = total.participants[0]
        rows = list(results.settlement[results.settlement["participant"] == first.participant].itertuples())
        alone = sum(
            max(row.metered_wh, 0) * TARIFF["buy_units_per_wh"] - max(-row.metered_wh, 0) * TARIFF["sell_units_per_wh"]
            for row in rows
        )
        due = sum(row.trade_units + row.imbalance_units + row.fees_units + row.deviation_units for row in rows)
        assert first.bill.tariff_only_units == alone
        assert first.bill.saved_units == alone - due
        saved = [result.bill.saved_units for result in total.participants]
        assert saved == sorted(saved, reverse=True)

    def test_groups_add_up_to_the_community(self, day: Path) -> None:
        total = summary(day)
        assert [(group.kind, group.participants) for group in total.groups] == [("consumer", 9), ("prosumer", 5)]
        assert sum(group.bill.saved_units for group in total.groups) == total.saved_units
        assert sum(group.bill.trade_units for group in total.groups) == 0

    def test_mean_price_is_weighted_by_volume(self, day: Path) -> None:
        total = summary(day)
        assert total.mean_price == Fraction(total.traded_units, total.traded_wh)
        trade = read_results(day).settlement["trade_units"]
        assert total.traded_units == trade[trade > 0].sum()

    def test_every_order_is_counted_once(self, day: Path) -> None:
        total = summary(day)
        assert total.orders == total.orders_accepted + total.orders_replaced + total.orders_rejected
        assert total.orders == len(column(day, "orders.csv", "order"))

    def test_a_day_without_trade_has_no_price_and_saves_nothing(self, tmp_path: Path) -> None:
        total = summary(trading_day(tmp_path / "quiet", consumers=3, prosumers=0, trade=False))
        assert total.mean_price is None
        assert total.traded_wh == total.saved_units == total.sharing_value_units == 0
        assert dict(total.rows())["Volume-weighted mean price"] == "none"

    def test_rows_read_well(self, day: Path) -> None:
        total = summary(day)
        rows = dict(total.rows())
        assert rows["Energy traded between neighbours"] == kwh(total.traded_wh)
        assert rows["Saved against the tariffs alone"] == money(total.saved_units, "EUR")
        assert rows["  by 9 consumers"].endswith(" EUR")


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (kwh(1_234_560), "1,234.6 kWh"),
        (kwh(-40), "0.0 kWh"),
        (kwh(-1500), "\N{MINUS SIGN}1.5 kWh"),
        (money(123_456_000_000, "EUR"), "1,234.56 EUR"),
        (money(-1, "EUR"), "0.00 EUR"),
        (price(32_000, "EUR"), "0.320 EUR/kWh"),
        (price(None, "EUR"), "none"),
        (percent(Fraction(1, 3)), "33.3 %"),
        (percent(share(1, 0)), "none"),
    ],
)
def test_figures_for_people(shown: str, text: str) -> None:
    assert shown == text


class TestFlows:
    def test_every_group_pays_and_receives_what_was_settled(self, day: Path) -> None:
        results = read_results(day)
        flows = money_flows(results)
        for kind in ("consumer", "prosumer"):
            own = results.participants.index[results.participants["kind"] == kind]
            rows = results.settlement[results.settlement["participant"].isin(own)]
            due = rows[["trade_units", "imbalance_units", "fees_units", "deviation_units"]].sum().sum()
            paid = sum(flow.units for flow in flows if flow.payer == kind)
            received = sum(flow.units for flow in flows if flow.receiver == kind)
            assert paid - received == pytest.approx(due)

    def test_fallback_supplier_fund_and_operators_get_theirs(self, day: Path) -> None:
        flows, total = money_flows(read_results(day)), summary(day)

        def net(group: str) -> float:
            return sum(f.units * ((f.receiver == group) - (f.payer == group)) for f in flows)

        assert net(FALLBACK) == pytest.approx(total.fallback_units)
        assert net(FUND) == pytest.approx(total.fund_units)
        assert net("operator") == pytest.approx(total.fees_units * PLATFORM_FEE / (PLATFORM_FEE + NETWORK_FEE))
        assert sum(flow.units for flow in flows if flow.cause == TRADE) == pytest.approx(total.traded_units)

    def test_fees_stay_together_where_the_accounts_do_not_divide_them(self, spoiled: Path) -> None:
        edit(spoiled, "accounts.csv", lambda text: text.replace("grid operator", "somebody"))
        receivers = {flow.receiver for flow in money_flows(read_results(spoiled)) if flow.cause == FEES}
        assert receivers == {"operators"}


class Page(HTMLParser):
    """What a test wants to know of a page: open and closed elements, references, ids, text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.references: list[str] = []
        self.tags: list[str] = []
        self.labels: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        self.ids += [values["id"] or ""] if "id" in values else []
        self.references += [values[name] or "" for name in ("href", "xlink:href", "src") if name in values]
        if values.get("role") == "img":
            self.labels.append(values.get("aria-label") or "")


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """For pages whose words are read: pictures take most of the time."""
    monkeypatch.setattr("dem.report.charts.render", no_picture)


@pytest.fixture(scope="module")
def text(day: Path) -> str:
    path = write_report(day)
    assert path == day / "report.html"
    return path.read_text(encoding="utf-8")


class TestReport:
    def test_needs_nothing_from_elsewhere(self, text: str, day: Path) -> None:
        page = Page(text)
        assert all(reference.startswith("#") or (day / reference).is_file() for reference in page.references)
        assert {"link", "script", "img", "iframe"}.isdisjoint(page.tags)
        assert "@import" not in text
        assert not re.search(r"url\((?!#)", text)

    def test_ids_are_unique_and_references_resolve(self, text: str) -> None:
        page = Page(text)
        assert len(page.ids) == len(set(page.ids))
        inside = [reference[1:] for reference in page.references if reference.startswith("#")]
        targets = inside + re.findall(r"url\(#([^)]+)\)", text)
        assert set(targets) <= set(page.ids)

    def test_every_picture_is_described_and_drawn_twice(self, text: str) -> None:
        page = Page(text)
        assert page.tags.count("svg") == len(page.labels) == 12
        assert page.tags.count("figcaption") == page.tags.count("figure") == 6
        assert all(len(label) > 60 for label in page.labels)

    def test_shows_the_figures_of_the_summary(self, text: str, day: Path) -> None:
        total, plain = summary(day), text.replace("\N{NO-BREAK SPACE}", " ")
        for figure in (kwh(total.traded_wh), money(total.saved_units, "EUR"), price(total.mean_price, "EUR")):
            assert figure in plain
        assert "All 3 invariants checked hold." in plain
        assert "A sunny Sunday in Sunny Street" in plain
        assert "Sunday, 8 May 2016" in plain

    def test_same_folder_same_page(self, text: str, day: Path) -> None:
        assert write_report(day).read_text(encoding="utf-8") == text

    def test_names_are_shown_as_text(self, spoiled: Path) -> None:
        edit(spoiled, "run.json", lambda text: text.replace("A sunny Sunday", "<script>alert(1)</script>"))
        assert "script" not in Page(write_report(spoiled).read_text(encoding="utf-8")).tags

    def test_says_so_when_an_invariant_fails(self, spoiled: Path, undrawn: None) -> None:
        edit(spoiled, "run.json", lambda text: text.replace('"ok": true', '"ok": false', 1))
        assert "1 of 3 invariants do not hold: 1 Energy." in write_report(spoiled).read_text(encoding="utf-8")

    def test_a_day_without_trade_still_has_a_report(self, tmp_path: Path) -> None:
        text = write_report(trading_day(tmp_path / "quiet", consumers=3, prosumers=0, trade=False)).read_text("utf-8")
        assert "Nothing was traded" in text
        assert Page(text).tags.count("figure") == 3

    def test_names_the_day_where_there_are_several(self, spoiled: Path, undrawn: None) -> None:
        edit(spoiled, "run.json", lambda text: text.replace('"days": 1', '"days": 2'))
        text = write_report(spoiled).read_text(encoding="utf-8")
        assert "8 May 2016 to 9 May 2016" in text
        assert "at 8 May, " in text

    def test_many_participants_are_drawn_as_a_distribution(self, tmp_path: Path) -> None:
        """However many there are, the picture has as many bars."""
        sizes = [
            render(
                "participants", partial(results_of_participants, summary(trading_day(tmp_path / str(n), n, n, n)), {})
            )
            for n in (35, 70)
        ]
        assert MAX_NAMED < 70
        assert len(sizes[1].wide) < 1.3 * len(sizes[0].wide)
        assert "dashed: the median" in sizes[0].wide

    def test_a_bar_leads_to_the_page_of_its_participant(self, tmp_path: Path) -> None:
        text = write_report(trading_day(tmp_path / "out")).read_text(encoding="utf-8")
        pages = [path.name for path in (tmp_path / "out" / "members").iterdir()]
        for page in pages:
            links = re.findall(rf'<a [^>]*href="members/{page}"[^>]*>', text)
            assert sum('tabindex="-1"' in link for link in links) >= 2, "a bar and a name, wide and narrow"
            assert any("tabindex" not in link for link in links), "for who goes by keys"

    def test_money_that_is_hardly_any_is_drawn_to_its_end(self, tmp_path: Path) -> None:
        results = read_results(trading_day(tmp_path / "out"))
        flows = money_flows(results)
        ribbons = [patch for patch in money_drawing(results, wide=True).axes[0].patches if isinstance(patch, PathPatch)]
        whole, outlined = sum(flow.units for flow in flows), [r for r in ribbons if r.get_linewidth() > 0]
        assert len(ribbons) == len(flows)
        assert len(outlined) == sum(flow.units < 0.006 * whole for flow in flows)

    def test_curves_that_go_on_beyond_the_picture_say_so(self, tmp_path: Path) -> None:
        results = read_results(trading_day(tmp_path / "out"))
        for period, axis in zip(interesting_periods(results), merit_order(results, wide=True).axes, strict=True):
            right = axis.get_xlim()[1]
            go_on = [sum(side) / 1_000 > right for side in book(results, period)]
            assert sum(line.get_marker() == ">" for line in axis.lines) == sum(go_on)

    def test_a_phone_is_told_of_what_length_a_figure_is(self, tmp_path: Path) -> None:
        results = read_results(trading_day(tmp_path / "out"))
        drawn = price_over_time(results, summarise(results), read_course(results), wide=False)
        assert drawn.axes[1].get_ylabel() == "kWh / 15 min"

    def test_two_figures_of_a_tile_share_the_unit_in_its_name(self, tmp_path: Path, undrawn: None) -> None:
        text = write_report(trading_day(tmp_path / "out")).read_text(encoding="utf-8")
        assert re.search(r"Imported / exported, kWh\D*>[\d.,]+ / [\d.,]+<", text)
        assert re.search(r"Fees / balancing fund, EUR\D*>[\d.,]+ / [\d.,]+<", text)

    def test_offices_to_which_the_market_means_nothing_are_not_counted(self, tmp_path: Path) -> None:
        whole = summary(trading_day(tmp_path / "out"))
        bill = whole.groups[0].bill
        bill = replace(bill, **{field.name: 0 for field in fields(bill)})
        office = replace(whole.groups[0], kind="grid_operator", participants=1, better_off=0, bill=bill)
        told = findings(read_results(tmp_path / "out"), replace(whole, groups=[*whole.groups, office]))["participants"]
        assert "grid operator" not in told
        assert f"of {len(whole.participants)} participants did better" in told

    def test_many_days_are_drawn_day_by_day(self, spoiled: Path) -> None:
        edit(spoiled, "run.json", lambda text: text.replace('"days": 1', f'"days": {MOST_DAYS_BY_PERIOD + 1}'))
        results = read_results(spoiled)
        course, total = read_course(results), summarise(results)
        assert course.step == "day"
        assert len(course.edges) - 1 == len(course.volume) == MOST_DAYS_BY_PERIOD + 1
        assert course.volume[0] * 1000 == pytest.approx(total.traded_wh)
        assert course.price[0] == pytest.approx(per_kwh(total.mean_price or 0))
        assert (course.short[0] - course.long[0]) * 1000 == pytest.approx(results.area["imbalance_wh"].abs().sum())
        assert course.volume[1:].sum() == 0
        assert all(math.isnan(price) for price in course.price[1:])
        page = report.write_report(spoiled, results, total).read_text(encoding="utf-8")
        assert "Price over the 15 days" in page

    def test_a_long_table_shows_both_ends(self, tmp_path: Path, undrawn: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("dem.report.page.MOST_ROWS", 4)
        day = trading_day(tmp_path / "out")
        text, total = write_report(day).read_text(encoding="utf-8"), summary(day)
        table = text[text.index("Results by participant: energy") :].partition("</table>")[0]
        names = re.findall(r'<th scope="row"><a href="members/\d+.html">(\d+)</a>', table)
        shown = [*total.participants[:2], *total.participants[-2:]]
        assert names == [result.participant for result in shown]
        assert "10 between the best and the worst are left out" in text

    def test_chooses_morning_midday_and_evening(self, day: Path) -> None:
        results = read_results(day)
        hours = [results.run.local_start(period).hour for period in interesting_periods(results)]
        assert [6 <= hours[0] < 9, 11 <= hours[1] < 14, 17 <= hours[2] < 21] == [True] * 3


class TestInputChecks:
    def test_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ResultsError, match="no such folder"):
            write_report(tmp_path / "nowhere")

    @pytest.mark.parametrize("name", ["orders.csv", "settlement.csv", "area.csv", "run.json"])
    def test_missing_file(self, spoiled: Path, name: str) -> None:
        (spoiled / name).unlink()
        with pytest.raises(ResultsError, match=f"{re.escape(name)}: missing file"):
            summary(spoiled)

    def test_missing_column(self, spoiled: Path) -> None:
        edit(spoiled, "tariffs.csv", lambda text: text.replace("sell_units_per_wh", "sell"))
        with pytest.raises(ResultsError, match=r"tariffs\.csv: missing column sell_units_per_wh"):
            summary(spoiled)

    def test_missing_key(self, spoiled: Path) -> None:
        edit(spoiled, "run.json", lambda text: text.replace('"currency"', '"money"'))
        with pytest.raises(ResultsError, match=r"run\.json: missing key currency"):
            summary(spoiled)

    @pytest.mark.parametrize(
        ("name", "old", "new", "message"),
        [
            ("tariffs.csv", ",32000,", ",0.32,", r"tariffs\.csv, line 2: buy_units_per_wh is '0\.32', not an integer"),
            ("orders.csv", "bid", "buy", r"has side 'buy'"),
            ("orders.csv", "accepted", "maybe", r"has status 'maybe'"),
            ("participants.csv", "12,prosumer", "99,prosumer", r"orders\.csv: order \d+ is of nobody"),
            ("run.json", '"days": 1', '"days": "one"', r"run\.json: days is 'one'"),
            ("run.json", "}", "", r"run\.json: not JSON"),
        ],
    )
    def test_wrong_value(self, spoiled: Path, name: str, old: str, new: str, message: str) -> None:
        edit(spoiled, name, lambda text: text.replace(old, new, 1))
        with pytest.raises(ResultsError, match=message):
            summary(spoiled)

    def test_keys_that_are_there_twice(self, spoiled: Path) -> None:
        edit(spoiled, "tariffs.csv", lambda text: text + text.splitlines(keepends=True)[-1])
        with pytest.raises(ResultsError, match=rf"tariffs\.csv: period {PERIODS[-1]} is there twice"):
            summary(spoiled)

    def test_periods_outside_of_the_run(self, spoiled: Path) -> None:
        edit(spoiled, "run.json", lambda text: text.replace(str(FIRST), str(FIRST + 1)))
        with pytest.raises(ResultsError, match=rf"period {FIRST}: not a period of the run"):
            summary(spoiled)

    @pytest.mark.parametrize(
        ("name", "column", "value", "message"),
        [
            ("settlement.csv", 5, 2**62, "trade_units has values too large"),
            ("settlement.csv", 5, 2**63, "line 2: trade_units"),
            ("readings.csv", 2, -(2**42), "metered_wh has values too large"),
            ("tariffs.csv", 1, 2**20, "buy_units_per_wh 1048576 is further from zero than any price"),
            ("tariffs.csv", 1, -(2**20), "buy_units_per_wh -1048576 is further from zero than any price"),
        ],
    )
    def test_numbers_that_would_not_add_up_exactly(
        self, spoiled: Path, name: str, column: int, value: int, message: str
    ) -> None:
        def larger(text: str) -> str:
            head, first, rest = text.split("\n", 2)
            cells = first.split(",")
            cells[column] = str(value)
            return "\n".join([head, ",".join(cells), rest])

        edit(spoiled, name, larger)
        with pytest.raises(ResultsError, match=message):
            summary(spoiled)

    def test_missing_tariff(self, spoiled: Path) -> None:
        edit(spoiled, "tariffs.csv", lambda text: "".join(text.splitlines(keepends=True)[:-1]))
        with pytest.raises(ResultsError, match=f"period {PERIODS[-1]}: no tariff"):
            summary(spoiled)

    def test_money_that_does_not_add_up(self, spoiled: Path) -> None:
        def one_unit_more(text: str) -> str:
            head, first, rest = text.split("\n", 2)
            return "\n".join([head, re.sub(r"(\d+)(\s*)$", lambda m: f"{int(m[1]) + 1}{m[2]}", first), rest])

        edit(spoiled, "area.csv", one_unit_more)
        with pytest.raises(ResultsError, match=r"area\.csv: period .* fallback_units \+ fund_units"):
            summary(spoiled)


@pytest.mark.parametrize("kinds", [("prosumer", "consumer"), ("prosumer", "intermediary")])
def test_money_flows_name_the_parties_of_a_community_in_which_no_kind_occurs_twice(
    tmp_path: Path, kinds: tuple[str, str]
) -> None:
    folder = trading_day(tmp_path / "few", consumers=1, prosumers=1)
    path = folder / "participants.csv"
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    named = [row.replace(was, is_) for row, was, is_ in zip(rows, ("consumer", "prosumer"), kinds, strict=True)]
    path.write_text("\n".join([header, *named, ""]), encoding="utf-8")
    results = read_results(folder)
    assert results.kinds_of(results.bills).groupby(results.bills["participant"].astype(str)).first().tolist() == [
        *kinds
    ]
    paid = {group.kind: group.bill.paid_units for group in summarise(results).groups}
    flows = money_flows(results)
    assert set(paid) == {*kinds}
    for kind, units in paid.items():
        moved = sum(f.units * ((f.payer == kind) - (f.receiver == kind)) for f in flows)
        assert moved == pytest.approx(units)
    assert write_report(folder).is_file()


def test_a_report_sums_up_by_local_day(tmp_path: Path, undrawn: None) -> None:
    folder = trading_day(tmp_path / "autumn", consumers=2, prosumers=1)
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    # The same periods, told in a place where their day ends an hour early and begins at 23:00.
    run |= {"timezone": "Atlantic/Canary"}
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    results = read_results(folder)
    days, months = by_local_time(results, DAY), by_local_time(results, MONTH)
    assert [(day.name, day.hours) for day in days] == [("Sat 07 May 2016", 1.0), ("Sun 08 May 2016", 23.0)]
    assert [(month.name, month.hours) for month in months] == [("May 2016", 24.0)]
    community = summary(folder).community
    assert total(day.bill for day in days) == total(month.bill for month in months) == community
    page = write_report(folder).read_text(encoding="utf-8")
    assert "2 local days" in page
    assert "Sat 07 May 2016" in page
