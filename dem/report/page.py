"""Pictures, sentences and tables put on one page."""

import re
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from dem.report.charts import draw_all
from dem.report.findings import findings, value_split
from dem.results import Results, read_results
from dem.summary import Summary, kwh, money, percent, plural, price, summarise

FILE = "report.html"


def write_report(folder: Path) -> Path:
    """Write `report.html` into the output folder of a run. Raises `ResultsError` if a table is missing or wrong."""
    results = read_results(folder)
    path = folder / FILE
    path.write_text(render_report(results), encoding="utf-8")
    return path


def render_report(results: Results) -> str:
    summary = summarise(results)
    parts = files("dem.report")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(kwh=kwh, percent=percent, plural=plural, count=lambda number: f"{number:,}")
    environment.filters["energy"] = lambda wh: kwh(wh).removesuffix(" kWh")
    environment.filters["money"] = lambda units: money(units, "").strip()
    template = environment.from_string((parts / "page.html.j2").read_text(encoding="utf-8"))
    pictures = {
        name: (Markup(picture.wide), Markup(picture.narrow)) for name, picture in draw_all(results, summary).items()
    }
    return template.render(
        css=Markup((parts / "page.css").read_text(encoding="utf-8")),
        run=results.run,
        when=_when(results),
        summary=summary,
        cards=_cards(summary),
        says={name: _together(text) for name, text in findings(results, summary).items()},
        split=value_split(summary),
        pictures=pictures,
        accounts=results.accounts,
        estimated=sum(reading.status == "estimated" for reading in results.readings),
        corrected=sum(reading.status == "corrected" for reading in results.readings),
    )


def _together(text: str) -> str:
    """No line break between a number and its unit."""
    return re.sub(r"(?<=\d) (?=%|kWh|[A-Z]{3})", "\N{NO-BREAK SPACE}", text)


def _when(results: Results) -> str:
    first = results.run.local_start(results.periods[0])
    if results.run.days == 1:
        return f"{first:%A}, {first.day} {first:%B %Y}"
    last = results.run.local_start(results.periods[-1])
    return f"{first.day} {first:%B %Y} to {last.day} {last:%B %Y}"


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
        {
            "label": "Better than tariffs only",
            "figure": money(summary.saved_units, currency),
            "note": f"all {len(summary.participants)} participants together",
        },
        {
            "label": "Consumption covered by local trade",
            "figure": percent(summary.market_self_sufficiency),
            "note": "0.0 % without the market",
        },
        {
            "label": "Consumption met by neighbours physically",
            "figure": percent(summary.physical_self_sufficiency),
            "note": "the same without the market",
        },
        {
            "label": "Imported / exported",
            "figure": f"{kwh(summary.imported_wh).removesuffix(' kWh')} / {kwh(summary.exported_wh)}",
            "note": f"of {kwh(summary.consumed_wh)} drawn, {kwh(summary.generated_wh)} fed in",
        },
        {
            "label": "Fees",
            "figure": money(summary.fees_units, currency),
            "note": "to the operator and the grid operator",
        },
        {
            "label": "Deviation charges",
            "figure": money(summary.deviation_units, currency),
            "note": f"balancing fund in all {money(summary.fund_units, currency)}",
        },
    ]
    return [{name: _together(text) for name, text in card.items()} for card in cards]
