"""Pictures, sentences and tables put on one page."""

from collections.abc import Mapping
from pathlib import Path

from dem.report.charts import KIND_COLOURS, MAX_NAMED, MOST_DAYS_BY_PERIOD, draw_all
from dem.report.findings import findings, value_split
from dem.report.grid import draw_grid, finding, where_loaded, who_was_held
from dem.report.members import pages_of, write_members
from dem.report.templates import FILE, as_markup, page_template, span, together, when
from dem.results.grid import GridCheck, check_grid
from dem.results.local_days import DAY, MONTH, by_local_time
from dem.results.reader import Results
from dem.results.summary import Summary
from dem.results.wording import kwh, listed, money, of_kind, percent, price

MOST_ROWS = 2_000
"""Of a table of participants or accounts; beyond, the page would get too heavy."""


def write_report(folder: Path, results: Results, summary: Summary) -> Path:
    """Write `report.html` into the output folder that the results were read from, and the pages of its members."""
    path = folder / FILE
    text = _render(results, summary, pages_of(results), check_grid(folder, results))
    path.write_text(text, encoding="utf-8")
    write_members(folder, results)
    return path


def _render(results: Results, summary: Summary, pages: Mapping[str, str], check: GridCheck | None) -> str:
    status = results.readings["status"].value_counts()
    people, accounts = summary.participants, results.accounts
    left_out = max(0, len(people) - MOST_ROWS)
    half = MOST_ROWS // 2
    return page_template("page.html.j2").render(
        run=results.run,
        pages=pages,
        when=when(results),
        span=span(results),
        by_day=results.run.days > MOST_DAYS_BY_PERIOD,
        named=len(people) <= MAX_NAMED,
        summary=summary,
        settled=listed([of_kind(group.participants, group.kind) for group in summary.groups]),
        shown=[*people[:half], *people[-half:]] if left_out else people,
        left_out=left_out,
        spans=[found for found in (by_local_time(results, MONTH), by_local_time(results, DAY)) if len(found) > 1],
        cards=_cards(summary),
        says={
            name: together(text) for name, text in {**findings(results, summary), **_of_grid(check, results)}.items()
        },
        has_grid=check is not None,
        has_dispatcher=check is not None and check.is_dispatched,
        held=[] if check is None else who_was_held(check, results)[:MOST_ROWS],
        split=value_split(summary),
        pictures=as_markup(draw_all(results, summary, pages) | (draw_grid(check, results) if check else {})),
        accounts=accounts,
        few_accounts=accounts[~accounts["kind"].isin(KIND_COLOURS)] if len(accounts) > MOST_ROWS else accounts,
        estimated=int(status.get("estimated", 0)),
        corrected=int(status.get("corrected", 0)),
    )


def _of_grid(check: GridCheck | None, results: Results) -> dict[str, str]:
    return {} if check is None else {"grid": finding(check, results), "network": where_loaded(check)}


def _outside(summary: Summary) -> dict[str, str]:
    """What neighbours could not do for each other."""
    pair, amounts, note = "Imported / exported", (summary.imported_wh, summary.exported_wh), "of {} drawn, {} fed in"
    if summary.is_island:
        pair, amounts, note = "Shed / curtailed", (summary.shed_wh, summary.curtailed_wh), "beside {} drawn, {} fed in"
    return {
        "label": f"{pair}, kWh",
        "figure": " / ".join(kwh(wh).removesuffix(" kWh") for wh in amounts),
        "note": note.format(kwh(summary.consumed_wh), kwh(summary.generated_wh)),
    }


def _saved(summary: Summary) -> list[dict[str, str]]:
    """Against both measures, side by side, as far as the run says."""
    everybody = f"all {len(summary.participants)} participants together"
    measures = (
        ("Better than if nobody traded", summary.gained_units, "under the same rules"),
        ("Better than tariffs only", summary.saved_units, everybody),
    )
    return [
        {"label": label, "figure": money(units, summary.currency), "note": note}
        for label, units, note in measures
        if units is not None
    ]


def _returned(summary: Summary) -> str:
    """What the fund gave back."""
    units = summary.returned_units
    return f"; returned {money(units, summary.currency)}" if units else ""


def _cards(summary: Summary) -> list[dict[str, str]]:
    currency = summary.currency
    cards = [
        {
            "label": "Traded between neighbours",
            "figure": kwh(summary.traded_wh),
            "note": f"in {summary.periods_traded} of {summary.periods} periods",
        },
        {
            "label": "Mean price",
            "figure": price(summary.mean_price, currency),
            "note": "weighted by volume",
        },
        *_saved(summary),
        {
            "label": "Consumption covered by local trade",
            "figure": percent(summary.market_self_sufficiency),
            "note": "0.0 % without the market",
        },
        {
            "label": "Consumption met by neighbours physically",
            "figure": percent(summary.physical_self_sufficiency),
            "note": "all that was not shed" if summary.is_island else "the same without the market",
        },
        _outside(summary),
        {
            "label": f"Fees / balancing fund, {currency}",
            "figure": " / ".join(money(units, "").strip() for units in (summary.fees_units, summary.fund_units)),
            "note": f"of it deviation charges {money(summary.deviation_units, currency)}{_returned(summary)}",
        },
    ]
    return [{name: together(text) for name, text in card.items()} for card in cards]
