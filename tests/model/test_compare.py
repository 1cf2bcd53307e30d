"""Set-ups of the market side by side: how a result splits, what must hold, and the page."""

import json
import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from dem.commands.compare import print_comparison
from dem.replay.reconcile import Check
from dem.report import write_comparison
from dem.report.comparison_charts import MARKET_COLOURS, bars
from dem.results.changes import figures, sentences
from dem.results.compare import FALLBACK, UNCONTRACTED, WHOLESALE, Comparison, ComparisonError, compare
from dem.results.reader import CALL_AUCTION, Results, ResultsError, read_results
from dem.results.savings import split_rows
from dem.results.summary import summarise
from dem.results.wording import kwh, money

from .test_report import Page, trading_day, write

BUY, SELL, FEE = 100, 20, 5
FIRST, DAILY = 19_998, 6
TABLES: Mapping[str, tuple[str, ...]] = {
    "orders": ("order", "participant", "side", "period", "limit_ticks", "energy_wh", "status", "reason"),
    "clearing": ("period", "price_ticks", "volume_wh"),
    "fills": ("order", "filled_wh", "amount_units"),
    "schedule": ("participant", "period", "contracted_wh"),
    "readings": ("participant", "period", "metered_wh", "status"),
    "accounts": ("account", "kind", "opening_units", "deposited_units", "withdrawn_units", "closing_units"),
}
IDENTITY, IMBALANCE, CONTRACT, CHARGE, PERIOD, PARTICIPANT = range(6)


class Tiny:
    """A folder written line by line; what the settlement holds follows from trades, meters and imbalance prices."""

    def __init__(self) -> None:
        self.trades: list[tuple[str, str, int, int, int]] = []  # market, who, period, energy (sold: negative), price
        self.meters: dict[tuple[str, int], tuple[int, int, int]] = {}  # energy, imbalance price, charge
        self.orders: list[tuple[str, int, int, int, int]] = []  # who, period, energy (ask: negative), limit, filled

    def trade(self, who: str, energy: int, price: int, market: str = "intraday", period: int = 0) -> None:
        self.trades.append((market, who, FIRST + period, energy, price))

    def meter(self, who: str, energy: int, price: int = BUY, charge: int = 0, period: int = 0) -> None:
        self.meters[who, FIRST + period] = (energy, price, charge)

    def order(self, who: str, energy: int, filled: int = 0, limit: int = 0, period: int = 0) -> None:
        self.orders.append((who, FIRST + period, energy, limit, filled))

    def results(self, folder: Path) -> Results:
        folder.mkdir(parents=True)
        settlement = []
        for (who, period), (metered, price, charge) in self.meters.items():
            own = [(energy, at) for _, name, when, energy, at in self.trades if (name, when) == (who, period)]
            contracted = sum(energy for energy, _ in own)
            settlement.append(
                {"participant": who, "period": period, "contracted_wh": contracted, "metered_wh": metered,
                 "imbalance_wh": metered - contracted, "trade_units": sum(energy * at for energy, at in own),
                 "imbalance_units": (metered - contracted) * price,
                 "fees_units": sum(abs(energy) for energy, _ in own) * FEE, "deviation_units": charge}
            )  # fmt: skip
        area = []
        for period in range(FIRST, FIRST + DAILY):
            rows = [row for row in settlement if row["period"] == period]
            net = sum(row["imbalance_wh"] for row in rows)
            fallback = net * (BUY if net > 0 else SELL)
            paid = sum(row["imbalance_units"] + row["deviation_units"] for row in rows)
            area.append(
                {"period": period, "imbalance_wh": net, "imbalance_price_units_per_wh": "", "fallback_wh": net,
                 "fallback_units": fallback, "fund_units": paid - fallback}
            )  # fmt: skip
        tables: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        for number, (who, period, energy, limit, filled) in enumerate(self.orders):
            cells = (number, who, "bid" if energy > 0 else "ask", period, limit, abs(energy), "accepted", "")
            tables["orders"].append(dict(zip(TABLES["orders"], cells, strict=True)))
            tables["fills"].append({"order": number, "filled_wh": filled, "amount_units": 0})
        priced = dict.fromkeys(period for _, period, _, _, filled in self.orders if filled > 0)
        tables["clearing"] = [{"period": period, "price_ticks": 0, "volume_wh": 0} for period in priced]
        tables["settlement"], tables["area"] = settlement, area
        tables["tariffs"] = [
            {"period": row["period"], "buy_units_per_wh": BUY, "sell_units_per_wh": SELL} for row in area
        ]
        tables["participants"] = [
            {"participant": who, "kind": who.rstrip("0123456789"), "import_capacity_wh": 0, "export_capacity_wh": 0}
            for who in dict.fromkeys(who for who, _ in self.meters)
        ]
        tables["trades"] = [
            {"market": market, "participant": who, "period": period, "bought_wh": max(0, energy),
             "sold_wh": max(0, -energy), "amount_units": energy * price}
            for market, who, period, energy, price in self.trades
        ]  # fmt: skip
        columns = {"trades": ("market", "participant", "period", "bought_wh", "sold_wh", "amount_units"), **TABLES}
        for name, rows in tables.items():
            write(folder / f"{name}.csv", rows, list(columns[name] if name in columns else rows[0]))
        run = {
            "scenario": "tiny", "title": "Tiny", "currency": "EUR", "period_seconds": 86_400 // DAILY,
            "periods_per_day": DAILY, "utc_offset_hours": 0, "first_period": FIRST, "days": 1, "invariants": [],
        }  # fmt: skip
        (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
        return read_results(folder)


@pytest.fixture
def tiny() -> Tiny:
    return Tiny()


def split(tiny: Tiny, folder: Path) -> dict[str, int]:
    """The first row, split; its parts must add up."""
    row = split_rows(tiny.results(folder / "run")).iloc[0]
    assert row["saved_units"] == row["trade"] + row["uncontracted"] - row["charge"] - row["error"]
    return {name: int(row[name]) for name in ("trade", "uncontracted", "charge", "error")}


def checks(comparison: Comparison) -> list[bool]:
    return [check.ok for check in comparison.checks]


class TestSplit:
    @pytest.mark.parametrize(("energy", "margin"), [(50, BUY - 60), (-50, 60 - SELL)])
    def test_a_contract_that_is_kept_gains_its_margin_to_the_tariff(
        self, tiny: Tiny, tmp_path: Path, energy: int, margin: int
    ) -> None:
        tiny.trade("consumer1", energy, 60)
        tiny.meter("consumer1", energy)
        assert split(tiny, tmp_path) == {"trade": 50 * (margin - FEE), "uncontracted": 0, "charge": 0, "error": 0}

    @pytest.mark.parametrize(("price", "error"), [(SELL, 20 * (BUY - SELL)), (60, 20 * (BUY - 60)), (BUY, 0)])
    def test_energy_not_taken_costs_what_it_is_bought_back_below_the_tariff(
        self, tiny: Tiny, tmp_path: Path, price: int, error: int
    ) -> None:
        tiny.trade("consumer1", 50, 60)
        tiny.meter("consumer1", 30, price)
        assert split(tiny, tmp_path) == {"trade": 50 * (40 - FEE), "uncontracted": 0, "charge": 0, "error": error}

    def test_a_buyer_that_fed_in_failed_its_whole_contract_and_no_more(self, tiny: Tiny, tmp_path: Path) -> None:
        tiny.trade("prosumer1", 50, 60)
        tiny.meter("prosumer1", -30, 30)
        found = split(tiny, tmp_path)
        assert found["error"] == 50 * (BUY - 30)
        assert found["uncontracted"] == 30 * (30 - SELL)

    @pytest.mark.parametrize(("metered", "margin"), [(80, BUY - 60), (-80, 60 - SELL)])
    def test_energy_without_a_contract_gains_by_a_better_imbalance_price(
        self, tiny: Tiny, tmp_path: Path, metered: int, margin: int
    ) -> None:
        tiny.meter("prosumer1", metered, 60)
        assert split(tiny, tmp_path) == {"trade": 0, "uncontracted": 80 * margin, "charge": 0, "error": 0}

    def test_what_is_traded_back_is_forecast_error_at_the_average_price_of_its_side(
        self, tiny: Tiny, tmp_path: Path
    ) -> None:
        tiny.trade("consumer1", 30, 60, CALL_AUCTION)
        tiny.trade("consumer1", 20, 70)
        tiny.trade("consumer1", -20, 40)
        tiny.meter("consumer1", 30)
        cost = 30 * 60 + 20 * 70
        found = split(tiny, tmp_path)
        assert found["error"] == cost * 20 // 50 - 20 * 40 + 2 * 20 * FEE
        assert found["trade"] == 30 * BUY - (cost - cost * 20 // 50) - 30 * FEE

    def test_trading_back_may_gain(self, tiny: Tiny, tmp_path: Path) -> None:
        tiny.trade("prosumer1", -50, 40)
        tiny.trade("prosumer1", 50, 22)
        tiny.meter("prosumer1", 0)
        assert split(tiny, tmp_path) == {"trade": 0, "uncontracted": 0, "charge": 0, "error": -50 * (18 - 2 * FEE)}

    @pytest.mark.parametrize(
        ("ordered", "own"),
        [
            (None, 0),  # nobody knows what it expected
            (50, 100),  # it had ordered what it got
            (90, 60),  # of 100 Wh beyond the contract 40 found no seller
            (150, 0),
            (400, 0),
        ],
    )
    def test_a_charge_is_own_forecast_error_but_for_what_found_no_partner(
        self, tiny: Tiny, tmp_path: Path, ordered: int | None, own: int
    ) -> None:
        tiny.trade("consumer1", 50, 60, CALL_AUCTION)
        if ordered is not None:
            tiny.order("consumer1", ordered, filled=50)
        tiny.meter("consumer1", 150, charge=700)
        found = split(tiny, tmp_path)
        assert (found["error"], found["charge"]) == (7 * own, 700 - 7 * own)

    def test_what_another_market_filled_since_has_found_a_partner(self, tiny: Tiny, tmp_path: Path) -> None:
        tiny.order("consumer1", 90, filled=50)
        tiny.trade("consumer1", 50, 60, CALL_AUCTION)
        tiny.trade("consumer1", 40, 70)
        tiny.meter("consumer1", 190, charge=100)
        assert split(tiny, tmp_path)["charge"] == 0

    def test_an_order_for_the_other_way_excuses_nothing(self, tiny: Tiny, tmp_path: Path) -> None:
        tiny.order("prosumer1", -90)
        tiny.meter("prosumer1", 100, charge=100)
        assert split(tiny, tmp_path)["charge"] == 0

    def test_a_charge_on_a_contract_not_kept_is_own_forecast_error(self, tiny: Tiny, tmp_path: Path) -> None:
        tiny.trade("consumer1", 50, 60)
        tiny.meter("consumer1", 10, BUY, charge=100)
        assert split(tiny, tmp_path) == {"trade": 50 * 35, "uncontracted": 0, "charge": 0, "error": 100}


def random_day(seed: int, folder: Path) -> Results:
    """Many markets, all inside the tariffs, and wild meters; charged only for contracts that were not kept."""
    rng, tiny = random.Random(seed), Tiny()
    for period in range(DAILY):
        for who in (f"{kind}{number}" for kind in ("consumer", "prosumer", "retailer") for number in range(8)):
            contracted = 0
            for _ in range(rng.randrange(4)):
                energy = rng.choice((-1, 1)) * rng.randint(1, 900)
                market = rng.choice((CALL_AUCTION, "intraday", "bilateral"))
                tiny.trade(who, energy, rng.randint(SELL + FEE, BUY - FEE), market, period)
                contracted += energy
            metered = rng.choice((0, contracted, rng.randint(-2_000, 2_000)))
            kept_not = contracted * (metered - contracted) < 0 and metered * contracted >= 0
            charge = rng.randrange(9_999) if kept_not else 0
            tiny.meter(who, metered, rng.randint(SELL, BUY), charge, period)
    return tiny.results(folder)


class TestChecks:
    @pytest.mark.parametrize("seed", range(8))
    def test_nobody_loses_but_by_its_own_error_where_the_premises_hold(self, seed: int, tmp_path: Path) -> None:
        comparison = compare({"all": random_day(seed, tmp_path / "run")})
        assert checks(comparison) == [True] * 6
        only = comparison.last
        assert only.split.saved == only.community.saved_units == only.summary.saved_units
        assert any(member.saved_units < 0 for member in only.members)  # or the claim would be idle

    @pytest.mark.parametrize(
        ("price", "charge", "imbalance", "broken"),
        [
            (60, 0, BUY, []),
            (BUY - FEE, 0, BUY, []),
            (BUY - FEE + 1, 0, BUY, [CONTRACT, PERIOD, PARTICIPANT]),
            (60, 1, BUY, [CHARGE]),
            (60, 50 * 35 + 1, BUY, [CHARGE, PERIOD, PARTICIPANT]),
            (60, 0, BUY + 1, [IMBALANCE]),
        ],
    )
    def test_each_check_can_fail(
        self, tiny: Tiny, tmp_path: Path, price: int, charge: int, imbalance: int, broken: list[int]
    ) -> None:
        tiny.trade("consumer1", 50, price)
        tiny.meter("consumer1", 90, imbalance, charge)
        found = checks(compare({"all": tiny.results(tmp_path / "run")}))
        assert [number for number, ok in enumerate(found) if not ok] == broken

    def test_a_loss_in_one_period_may_be_made_good_in_another(self, tiny: Tiny, tmp_path: Path) -> None:
        for period, price in enumerate((99, 40)):
            tiny.trade("consumer1", 50, price, "bilateral", period)
            tiny.meter("consumer1", 50, period=period)
        found = checks(compare({"bilateral": tiny.results(tmp_path / "run")}))
        assert (found[PERIOD], found[PARTICIPANT]) == (False, True)

    def test_names_the_worst_case(self, tiny: Tiny, tmp_path: Path) -> None:
        for who, charge in (("consumer1", 5), ("consumer2", 7)):
            tiny.meter(who, 90, charge=charge, period=2)
        results = tiny.results(tmp_path / "run")
        detail = compare({"plain": results, "all": results}).checks[CHARGE].detail
        assert "not so: plain 2, all 2; at worst consumer2 at 08:00 in plain by 7 units" in detail


class TestFigures:
    def test_a_wholesale_desk_is_no_part_of_the_community(self, tiny: Tiny, tmp_path: Path) -> None:
        tiny.trade("consumer1", 40, 60, "wholesale")
        tiny.trade("wholesale_desk", -40, 60, "wholesale")
        tiny.trade("consumer1", 30, 50)
        tiny.trade("prosumer1", -30, 50)
        tiny.meter("consumer1", 100)
        tiny.meter("prosumer1", -20)
        tiny.meter("wholesale_desk", 0)
        found = compare({"all": tiny.results(tmp_path / "run")}).last
        assert {member.participant for member in found.members} == {"consumer1", "prosumer1"}
        assert {group.kind for group in found.groups} == {"consumer", "prosumer"}
        assert found.traded == {"wholesale": 40, "intraday": 30}
        assert found.sources == {"intraday": 20, UNCONTRACTED: 0, WHOLESALE: 40, FALLBACK: 40}
        assert found.deviated_wh == 30 + 10

    def test_delivered_energy_goes_to_markets_in_proportion(self, tiny: Tiny, tmp_path: Path) -> None:
        for market, energy in (("bilateral", 10), ("intraday", 20), (CALL_AUCTION, 70)):
            tiny.trade("consumer1", energy, 50, market)
            tiny.trade("prosumer1", -energy, 50, market)
        tiny.meter("consumer1", 33)
        tiny.meter("prosumer1", -100)
        found = compare({"all": tiny.results(tmp_path / "run")}).last
        assert found.delivered_wh == 33
        assert abs(found.sources[CALL_AUCTION] - 23.1) < 1
        assert abs(found.sources["bilateral"] - 3.3) < 1

    def test_prices_range_over_all_markets(self, tiny: Tiny, tmp_path: Path) -> None:
        for price, energy in ((30, 10), (60, 20)):
            tiny.trade("consumer1", energy, price, f"market {price}")
            tiny.trade("prosumer1", -energy, price, f"market {price}")
        tiny.meter("consumer1", 30)
        tiny.meter("prosumer1", -30)
        found = compare({"all": tiny.results(tmp_path / "run")}).last
        assert (found.cheapest, found.mean_price, found.dearest) == (30, 50, 60)

    def test_gains_by_limits_need_orders(self, tiny: Tiny, tmp_path: Path) -> None:
        tiny.meter("consumer1", 30)
        assert compare({"all": tiny.results(tmp_path / "a")}).last.gains_units is None
        tiny.order("consumer1", 30, filled=20, limit=3)
        tiny.order("prosumer1", -30, filled=20, limit=1)
        tiny.trade("consumer1", 20, 200, CALL_AUCTION)
        tiny.trade("prosumer1", -20, 200, CALL_AUCTION)
        tiny.meter("prosumer1", -30)
        assert compare({"all": tiny.results(tmp_path / "b")}).last.gains_units == 20 * 2 * 100


class TestTrades:
    def test_without_the_table_the_fills_say_who_traded(self, plain: Results, auction: Results) -> None:
        assert plain.trades.empty
        assert set(auction.trades["market"]) == {CALL_AUCTION}
        bought, sold = (int(auction.trades[name].sum()) for name in ("bought_wh", "sold_wh"))
        assert bought == sold == summarise(auction).traded_wh
        assert int(auction.trades["amount_units"].sum()) == 0

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("50,0,3000", "51,0,3000", "1 Wh and 0 units more"),
            ("50,0,3000", "50,0,2999", "0 Wh and 1 units more"),
            ("50,0,3000", "60,10,3000", "each side has a row of its own"),
            ("50,0,3000", "-50,0,3000", "negative energy"),
            ("50,0,3000", "fifty,0,3000", "not an integer"),
            ("market", "exchange", "missing column market"),
        ],
    )
    def test_tables_that_do_not_fit_are_refused(
        self, tiny: Tiny, tmp_path: Path, old: str, new: str, message: str
    ) -> None:
        tiny.trade("consumer1", 50, 60)
        tiny.meter("consumer1", 50)
        tiny.results(tmp_path / "run")
        path = tmp_path / "run" / "trades.csv"
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
        with pytest.raises(ResultsError, match=message.replace("1 Wh", "-?1 Wh").replace("1 units", "-?1 units")):
            read_results(tmp_path / "run")

    def test_a_folder_whose_settlement_knows_more_than_the_fills_is_refused(self, tmp_path: Path) -> None:
        folder = trading_day(tmp_path / "run", consumers=2, prosumers=1)
        lines = (folder / "fills.csv").read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if line.split(",")[1] in ("0", "filled_wh")]
        (folder / "fills.csv").write_text("".join(kept), encoding="utf-8")
        with pytest.raises(ResultsError, match=r"fills\.csv: participant .* more than the trades add up to"):
            read_results(folder)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    trading_day(folder / "plain", trade=False)
    trading_day(folder / "auction")
    return folder


@pytest.fixture(scope="module")
def plain(folders: Path) -> Results:
    return read_results(folders / "plain")


@pytest.fixture(scope="module")
def auction(folders: Path) -> Results:
    return read_results(folders / "auction")


@pytest.fixture(scope="module")
def both(plain: Results, auction: Results) -> Comparison:
    return compare({"fallback only": plain, "all": auction})


class TestComparison:
    def test_agrees_with_the_summaries(self, both: Comparison) -> None:
        for set_up in both.set_ups:
            summary = set_up.summary
            assert set_up.delivered_wh == summary.delivered_wh
            assert set_up.shared_wh == summary.shared_wh
            assert set_up.traded_wh == summary.traded_wh
            assert set_up.mean_price == summary.mean_price
            assert sum(set_up.sources.values()) == summary.consumed_wh
            assert set_up.split.saved == summary.saved_units == set_up.community.saved_units
            saved = {result.participant: result.bill.saved_units for result in summary.participants}
            assert {member.participant: member.saved_units for member in set_up.members} == saved

    def test_needs_runs_of_the_same_days(self, plain: Results, tmp_path: Path) -> None:
        with pytest.raises(ComparisonError, match="nothing to compare"):
            compare({})
        other = random_day(0, tmp_path / "other")
        with pytest.raises(ComparisonError, match="period_seconds of 'plain' is 900, of 'other' 14400"):
            compare({"plain": plain, "other": other})

    def test_every_figure_is_there_for_every_set_up(self, both: Comparison) -> None:
        rows = [(what.strip(), cells) for what, cells in figures(both) if cells]
        assert all(len(cells) == 2 for _, cells in rows)
        last = dict((what, cells[-1]) for what, cells in rows)  # noqa: C402
        assert last["Saved against the tariffs"] == money(both.last.community.saved_units, "").strip()
        assert last["from call auction"] == kwh(both.last.delivered_wh).removesuffix(" kWh")
        assert dict(rows)["Mean, by energy"][0] == "none"

    def test_sentences_tell_what_changed_and_why(self, both: Comparison) -> None:
        text = " ".join(sentences(both))
        change = both.last.community.paid_units - both.first.community.paid_units
        assert f"together pay {money(abs(change), 'EUR')} {'more' if change > 0 else 'less'} than" in text
        assert f"{kwh(both.last.traded_wh)} were bought at" in text
        assert "physically it was" in text
        assert "The meters did not show the same" not in text

    def test_sentences_are_honest_when_it_got_worse(self, plain: Results, auction: Results) -> None:
        text = " ".join(sentences(compare({"all": auction, "fallback only": plain})))
        assert re.search(r"together pay [\d.,]+ EUR more than", text)
        assert "Nothing was traded with" in text
        assert "off contract" not in text  # without a contract there is nothing to be off

    def test_says_when_meters_differ(self, plain: Results, tmp_path: Path) -> None:
        other = read_results(trading_day(tmp_path / "other", seed=2))
        comparison = compare({"plain": plain, "other": other})
        assert not comparison.same_meters
        assert "The meters did not show the same" in sentences(comparison)[0]

    def test_one_run_is_shown_without_a_change(self, auction: Results) -> None:
        assert sentences(compare({"all": auction})) == ["Only \u201call\u201d was run: nothing to compare."]

    def test_prints_figures_sentences_and_checks(
        self, both: Comparison, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "300")
        print_comparison(both)
        text = capsys.readouterr().out
        assert "Paid by 9 consumers" in text
        marks = [line.split()[0] for line in text.splitlines() if line.startswith(("ok", "BROKEN"))]
        assert marks == ["ok" if check.ok else "BROKEN" for check in both.checks]


def test_figures_stand_beyond_the_marks_beside_their_bars() -> None:
    axis = Figure().subplots()
    bars(axis, [100.0, 60.0, -5.0], "red", ["100", "60", "-5"], also=[90.0, 70.0, -8.0])
    places = [text.get_position()[0] for text in axis.texts]
    assert places[0] > 100
    assert places[1] > 70
    assert places[2] < -8


def page(folder: Path, runs: Mapping[str, Results]) -> str:
    comparison, path = write_comparison(folder, runs)
    assert path == folder / "compare.html"
    assert all(isinstance(check, Check) for check in comparison.checks)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(folders: Path, plain: Results, auction: Results) -> str:
    return page(folders, {"fallback only": plain, "all": auction})


class TestPage:
    def test_needs_nothing_from_elsewhere(self, text: str) -> None:
        found = Page(text)
        assert all(reference.startswith("#") for reference in found.references)
        assert {"link", "script", "img", "iframe"}.isdisjoint(found.tags)
        assert len(found.ids) == len(set(found.ids))

    def test_every_picture_is_described_and_drawn_twice(self, text: str) -> None:
        found = Page(text)
        assert found.tags.count("svg") == len(found.labels) == 10
        assert all(len(label) > 60 for label in found.labels)

    def test_shows_figures_and_checks(self, text: str, both: Comparison) -> None:
        plain = text.replace("\N{NO-BREAK SPACE}", " ")
        cells = [cell for _, row in figures(both) for cell in row]
        assert all(f"<td>{cell}" in plain or f'<td class="words">{cell}' in plain for cell in cells)
        assert plain.count("<b>fails</b>") == sum(not check.ok for check in both.checks)
        assert money(both.last.split.error, "EUR") in plain

    def test_same_runs_same_page(self, text: str, folders: Path, plain: Results, auction: Results) -> None:
        assert page(folders, {"fallback only": plain, "all": auction}) == text

    def test_names_are_shown_as_text(self, tmp_path: Path, plain: Results) -> None:
        assert "script" not in Page(page(tmp_path, {"<script>": plain, "b": plain})).tags

    def test_without_any_trade_there_is_no_price(self, tmp_path: Path, plain: Results) -> None:
        text = page(tmp_path, {"a": plain, "b": plain})
        assert "Nothing was traded: no bid met an ask." in text
        assert Page(text).tags.count("figure") == 4

    def test_more_markets_than_colours(self, tiny: Tiny, tmp_path: Path) -> None:
        markets = [f"pool {number}" for number in range(len(MARKET_COLOURS) + 1)]
        for market in markets:
            tiny.trade("consumer1", 10, 60, market)
            tiny.trade("prosumer1", -10, 60, market)
        tiny.meter("consumer1", 90)
        tiny.meter("prosumer1", -90)
        text = page(tmp_path, {"all": tiny.results(tmp_path / "run")})
        assert all(market in text for market in markets)
