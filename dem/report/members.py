"""A page for every member: what it paid, and why."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dem.report.charts import MOST_DAYS_BY_PERIOD, Array, Course, read_course, time_marks
from dem.report.steps import HEIGHT, WIDTH, Panel, panel
from dem.report.templates import FILE, page_template, together, when
from dem.results.local_days import DAY, MONTH, by_local_time
from dem.results.reader import Results
from dem.results.statements import NOT_DRAWN, NOT_FED_IN, SUPPLY, SURPLUS, Statement, Statements
from dem.results.wording import WH_PER_KWH, kwh, listed, money, per_kwh, percent, price, share

FOLDER = "members"
MOST_PAGES = 200
"""Members who get a page unasked; of a larger community those who are asked for."""
_MOST_ERRORS = 5
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class WorstPeriod:
    """A period in which a forecast error cost something."""

    start: str
    contracted_wh: int
    metered_wh: int
    units: int


def pages_of(results: Results) -> dict[str, str]:
    """Where the page of each member is, from the folder of the run; nowhere if there are too many."""
    names = list(Statements.members(results))
    return {name: _page(number, name) for number, name in enumerate(names)} if len(names) <= MOST_PAGES else {}


def write_members(folder: Path, results: Results, only: Iterable[str] = ()) -> list[Path]:
    """Write the pages of these members, or of everybody if there are not too many; returns them.

    Raises:
        StatementError: nobody is called that.
    """
    statements = Statements(results)
    wanted = list(only) or list(pages_of(results))
    found = [statements[name] for name in wanted]
    if not found:
        return []
    (folder / FOLDER).mkdir(exist_ok=True)
    course, template = read_course(results), page_template("member.html.j2")
    numbers, paths = {name: number for number, name in enumerate(statements)}, []
    for statement in found:
        path = folder / _page(numbers[statement.participant], statement.participant)
        panels = list(_panels(results, statement, course)) if len(statement.rows) else []
        worst = list(_worst(results, statement))
        page = template.render(
            run=results.run,
            when=when(results),
            it=statement,
            cards=[{name: together(text) for name, text in card.items()} for card in _cards(results, statement)],
            why=[together(sentence) for sentence in _why(results, statement, worst)],
            panels=panels,
            box=f"0 0 {WIDTH} {HEIGHT}",
            marks=_marks(results, course),
            step=course.step,
            worst=worst,
            spans=[spans for span in (MONTH, DAY) if len(spans := by_local_time(results, span, statement.rows)) > 1],
            back=f"../{FILE}",
        )
        path.write_text(page, encoding="utf-8")
        paths.append(path)
    return paths


def _page(number: int, name: str) -> str:
    """A name that no file can have becomes a number."""
    return f"{FOLDER}/{name if _PLAIN.fullmatch(name) else f'member {number + 1}'}.html"


# Words --------------------------------------------------------------------------------------------------------


def _cards(results: Results, it: Statement) -> Iterator[dict[str, str]]:
    currency = results.run.currency
    taxes = sum(line.units for line in it.taxes)
    yield {
        "label": "Left its account" if it.movement_units >= 0 else "Came to its account",
        "figure": money(abs(it.movement_units), currency),
        "note": f"with levies and VAT {money(it.taxed_units, currency)}" if taxes else "all payments together",
    }
    if it.gained_units is not None:
        yield {
            "label": "Trading brought it" if it.gained_units >= 0 else "Trading cost it",
            "figure": money(abs(it.gained_units), currency),
            "note": f"without any trade the bill is {money(it.alone_units or 0, currency)}",
        }
    if it.split is not None:
        yield {
            "label": "Its forecast errors cost" if it.split.error >= 0 else "Its forecast errors brought",
            "figure": money(abs(it.split.error), currency),
            "note": "contracts not kept, or traded back",
        }
        yield {
            "label": "Drawn / fed in",
            "figure": f"{kwh(it.drawn_wh).removesuffix(' kWh')} / {kwh(it.fed_in_wh)}",
            "note": f"by the tariffs alone {money(it.tariff_units, currency)}",
        }


def _why(results: Results, it: Statement, dearest: Sequence[WorstPeriod]) -> Iterator[str]:
    if it.rows.empty:
        yield "It has no meter and traded nothing in its own name: its account moves by the payments below."
        return
    currency = results.run.currency
    yield from _energy(it, currency)
    yield from _held_back(results, it)
    if it.gained_units is not None and it.alone_units is not None:
        verb = "less" if it.gained_units >= 0 else "more"
        yield (
            f"If nobody had traded under the same rules, its bill would be {money(it.alone_units, currency)}. It is "
            f"{money(it.bill_units, currency)}, {money(abs(it.gained_units), currency)} {verb}."
        )
    if it.split is not None:
        yield _against_tariffs(it, currency)
    for worst in dearest[:1]:
        had = f"bought {kwh(worst.contracted_wh)}" if worst.contracted_wh >= 0 else f"sold {kwh(-worst.contracted_wh)}"
        did = f"drew {kwh(worst.metered_wh)}" if worst.metered_wh >= 0 else f"fed in {kwh(-worst.metered_wh)}"
        cost = money(worst.units, currency)
        yield f"Its dearest forecast error was at {worst.start}: it had {had} and {did}. That cost {cost}."


def _energy(it: Statement, currency: str) -> Iterator[str]:
    if not it.drawn_wh and not it.fed_in_wh:
        yield "Its meter showed nothing. What it paid is for energy that it bought, or sold, and did not need or have."
        return
    for what, verb, whole, sign, ordinary, other in (
        ("Of {} drawn", "bought and drawn", it.drawn_wh, 1, SUPPLY, "was ordinary supply at"),
        ("Of {} fed in", "sold and fed in", it.fed_in_wh, -1, SURPLUS, "was ordinary surplus at"),
    ):
        if not whole:
            continue
        metered, kept = sign * it.rows["metered_wh"], sign * it.rows["kept_wh"]
        contracted = int(kept[metered > 0].clip(lower=0).sum())
        rest = next((line for line in it.energy if line.what == ordinary), None)
        text = f"{what.format(kwh(whole))}, {percent(share(contracted, whole))} was {verb} by contract"
        if rest is not None and rest.energy_wh:
            at = price(Fraction(rest.units, rest.energy_wh), currency)
            text += f", {percent(share(abs(rest.energy_wh), whole))} {other} {at} on average"
        yield f"{text}."


def _held_back(results: Results, it: Statement) -> Iterator[str]:
    """By limits of the network, or on an island that had too little or too much."""
    own = results.cuts[results.cuts["participant"] == it.participant]
    parts = [
        f"{kwh(int(own[column].sum()))} that it would have {verb}"
        for column, verb in (("shed_wh", "drawn"), ("curtailed_wh", "fed in"))
        if own[column].sum()
    ]
    if parts:
        contracted = kwh(int(own["contracted_wh"].sum()))
        yield f"Held back were {listed(parts)}, in {own['period'].nunique()} periods. {contracted} had been contracted."


def _against_tariffs(it: Statement, currency: str) -> str:
    assert it.split is not None
    saved = it.tariff_units - it.bill_units
    parts = [
        f"contracts {_brought(it.split.trade, currency)}",
        f"energy without a contract {_brought(it.split.uncontracted - it.split.charge, currency)}",
        f"its own forecast errors {_brought(-it.split.error, currency)}",
    ]
    return (
        f"The same meters cost {money(it.tariff_units, currency)} by the fallback tariffs alone. Against that it "
        f"{'saved' if saved >= 0 else 'lost'} {money(abs(saved), currency)}: {', '.join(parts)}."
    )


def _brought(units: int, currency: str) -> str:
    return f"{'brought' if units >= 0 else 'cost'} {money(abs(units), currency)}"


def _worst(results: Results, it: Statement) -> Iterator[WorstPeriod]:
    """Of the periods in which a forecast error cost anything, the dearest first."""
    rows = sorted(zip(it.rows["error_units"].tolist(), it.rows["period"].tolist(), strict=True), reverse=True)
    for units, period in rows[:_MOST_ERRORS]:
        if units > 0:
            row = it.rows.loc[period]
            start = results.run.clock(int(period))
            yield WorstPeriod(start, int(row["contracted_wh"]), int(row["metered_wh"]), units)


# Pictures -----------------------------------------------------------------------------------------------------


def _marks(results: Results, course: Course) -> list[tuple[float, str]]:
    first, last = float(course.edges[0]), float(course.edges[-1])
    marks = time_marks(results, course.edges, wide=True)
    return [((at - first) / (last - first) * 100, label) for at, label in marks.items()]


def _panels(results: Results, it: Statement, course: Course) -> Iterator[Panel]:
    """What its meter showed and what it had contracted; and at which prices it traded, between the tariffs."""
    rows = it.rows.select_dtypes(exclude="category").reindex(results.periods, fill_value=0)
    firsts = results.firsts(results.run.days > MOST_DAYS_BY_PERIOD)

    def total(column: "pd.Series[Any]") -> Array:
        sums: Array = np.add.reduceat(column.to_numpy(float), firsts) / WH_PER_KWH
        return sums

    kept, metered = rows["kept_wh"], rows["metered_wh"]
    keeps_up, keeps_down = total(kept.clip(lower=0)), -total(kept.clip(upper=0))
    supply, surplus = total(rows[f"{SUPPLY} wh"]), -total(rows[f"{SURPLUS} wh"])
    not_drawn, not_fed_in = -total(rows[f"{NOT_DRAWN} wh"]), total(rows[f"{NOT_FED_IN} wh"])
    nothing = np.zeros_like(supply)
    areas = [
        ("local", nothing, keeps_up),
        ("imported", keeps_up, keeps_up + supply),
        ("missed", keeps_up + supply, keeps_up + supply + not_drawn),
        ("local", nothing, -keeps_down),
        ("exported", -keeps_down, -keeps_down - surplus),
        ("missed", -keeps_down - surplus, -keeps_down - surplus - not_fed_in),
    ]
    yield panel(f"kWh / {course.step}", course.edges, areas, [("meter", total(metered))])
    trades = results.trades[results.trades["participant"].astype(str) == it.participant]
    lines = [("buy", course.buy), ("sell", course.sell)]
    for css, side, sign in (("bought", "bought_wh", 1), ("sold", "sold_wh", -1)):
        own = trades[trades[side] > 0].groupby("period")[[side, "amount_units"]].sum()
        own = own.reindex(results.periods, fill_value=0)
        energy, units = (np.add.reduceat(own[name].to_numpy(float), firsts) for name in (side, "amount_units"))
        with np.errstate(invalid="ignore", divide="ignore"):
            lines.append((css, np.where(energy > 0, sign * units / energy * per_kwh(1), np.nan)))
    yield panel(f"{results.run.currency}/kWh", course.edges, [("band", course.sell, course.buy)], lines, signed=True)
