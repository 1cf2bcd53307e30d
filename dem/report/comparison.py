"""The page that shows several set-ups of a market side by side."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path

from dem.report.comparison_charts import draw_comparison
from dem.report.findings import NO_TRADE
from dem.report.templates import as_markup, page_template, span, together, when
from dem.results.changes import figures, quoted, sentences
from dem.results.compare import Comparison, SetUp, compare
from dem.results.reader import Results
from dem.results.wording import kwh, money, percent, plural, price

COMPARISON = "compare.html"
MOST_ROWS = 2_000
"""Participants in the table, the best of them."""


def write_comparison(folder: Path, runs: Mapping[str, Results]) -> tuple[Comparison, Path]:
    """Compare the runs, the plainest first, and write compare.html into the folder."""
    comparison = compare(runs)
    path = folder / COMPARISON
    path.write_text(_render(comparison), encoding="utf-8")
    return comparison, path


def _render(comparison: Comparison) -> str:
    results = comparison.first.results
    return page_template("comparison.html.j2").render(
        comparison=comparison,
        without_chain=[set_up.name for set_up in comparison.set_ups if set_up.summary.without_chain],
        run=results.run,
        when=when(results),
        span=span(results),
        cards=[{name: together(text) for name, text in card.items()} for card in _cards(comparison)],
        changes=[together(sentence) for sentence in sentences(comparison)],
        figures=figures(comparison),
        members=_members(comparison)[:MOST_ROWS],
        says={name: together(text) for name, text in _findings(comparison).items()},
        pictures=as_markup(draw_comparison(comparison)),
    )


def _members(comparison: Comparison) -> list[tuple[str, list[str], list[str]]]:
    """Of everybody what it saved against the tariffs in each set-up, and of what that is the sum in the last; best
    first."""
    saved = [{member.participant: member.saved_units for member in s.members} for s in comparison.set_ups]

    def figures_of(units: Iterable[int | None]) -> list[str]:
        return ["none" if value is None else money(value, "").strip() for value in units]

    return [
        (
            member.participant,
            figures_of(one.get(member.participant) for one in saved),
            figures_of((member.split.trade, member.split.uncontracted - member.split.charge, -member.split.error)),
        )
        for member in comparison.last.members
    ]


def _cards(comparison: Comparison) -> list[dict[str, str]]:
    first, last, currency = comparison.first, comparison.last, comparison.currency
    return [
        *_saved(comparison),
        {
            "label": "Consumption covered by local trade",
            "figure": percent(last.covered),
            "note": f"was {percent(first.covered)}; physically {percent(last.physical)}",
        },
        {
            "label": "Mean price between neighbours",
            "figure": price(last.mean_price, currency),
            "note": f"{kwh(last.traded_wh)} traded",
        },
    ]


def _saved(comparison: Comparison) -> list[dict[str, str]]:
    """Of all participants together, against nobody trading and against the tariffs alone."""
    last, currency, gained = comparison.last, comparison.currency, comparison.gained_units(comparison.last)
    paid = last.community.paid_units
    better = f"; {last.better_off} of {len(last.members)} are better off"
    measures = (("nobody trading", gained, ""), ("the tariffs alone", last.community.saved_units, better))
    return [
        {
            "label": f"Saved against {measure}",
            "figure": money(units, currency),
            "note": f"{money(paid, currency)}, instead of {money(paid + units, currency)}{more}",
        }
        for measure, units, more in measures
        if units is not None
    ]


def _findings(comparison: Comparison) -> dict[str, str]:
    """What each picture shows, in numbers."""
    return {
        "cost": _cost(comparison),
        "participants": _participants(comparison),
        "price": _price(comparison),
        "sources": _sources(comparison),
        "imbalance": _imbalance(comparison),
    }


def _cost(comparison: Comparison) -> str:
    """Best and worst set-up of each group of more than one."""
    currency, parts = comparison.currency, []
    for kind, count in comparison.kinds.items():
        if count < 2 and len(comparison.kinds) > 1:
            continue
        paid = {s: group.bill.paid_units for s in comparison.set_ups for group in s.groups if group.kind == kind}
        best, worst = min(paid, key=lambda s: paid[s]), max(paid, key=lambda s: paid[s])
        of_best, of_worst = (_each(paid[set_up], count, currency) for set_up in (best, worst))
        if paid[best] == paid[worst]:
            parts.append(f"{plural(kind, count)} fare the same in every set-up, {of_best}")
        else:
            ends = f"best with {quoted(best)}, {of_best}, and worst with {quoted(worst)}, {of_worst}"
            parts.append(f"{plural(kind, count)} fare {ends}")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."


def _each(units: int, count: int, currency: str) -> str:
    each = round(Fraction(units, count))
    return f"{money(abs(each), currency)} {'paid' if each >= 0 else 'received'} each"


def _participants(comparison: Comparison) -> str:
    last, currency = comparison.last, comparison.currency
    best, worst = last.members[0], last.members[-1]
    erring = max(last.members, key=lambda member: member.split.error)
    text = (
        f"With {quoted(last)}, {last.better_off} of {len(last.members)} participants do better than by the tariffs "
        f"alone: results range from {money(worst.saved_units, currency)} ({worst.participant}) to "
        f"{money(best.saved_units, currency)} ({best.participant})"
    )
    if erring.split.error <= 0:
        return f"{text}."
    return (
        f"{text}. Own forecast errors cost all of them {money(last.split.error, currency)}, most {erring.participant} "
        f"with {money(erring.split.error, currency)}."
    )


def _price(comparison: Comparison) -> str:
    means = {set_up: set_up.mean_price for set_up in comparison.set_ups if set_up.mean_price is not None}
    if not means:
        return NO_TRADE
    low, high = min(means, key=lambda s: means[s]), max(means, key=lambda s: means[s])
    currency, last = comparison.currency, list(means)[-1]
    lowest, highest = price(means[low], currency), price(means[high], currency)
    text = f"On average, weighted by energy, neighbours paid {lowest}"
    if lowest == highest:
        text += " in every set-up that traded" if len(means) > 1 else ""
    else:
        text += f" with {quoted(low)} and {highest} with {quoted(high)}"
    ends = f"{price(last.cheapest, currency)} to {price(last.dearest, currency)}"
    return f"{text}; with {quoted(last)} anything from {ends}."


def _sources(comparison: Comparison) -> str:
    first, last = comparison.first, comparison.last

    def imported(set_up: SetUp) -> str:
        return percent(None if set_up.physical is None else 1 - set_up.physical)

    grid = (
        f"The upper grid brings {imported(last)} whatever the set-up"
        if all(imported(set_up) == imported(last) for set_up in comparison.set_ups)
        else f"The upper grid brings {imported(last)} with {quoted(last)} and {imported(first)} with {quoted(first)}"
    )
    best = max(comparison.set_ups, key=lambda set_up: set_up.delivered_wh)
    if not best.delivered_wh:
        return f"{grid}; nothing was contracted between neighbours."
    return (
        f"{grid}. Of the rest, most is bought from neighbours with {quoted(best)}: {kwh(best.delivered_wh)} of "
        f"{kwh(best.shared_wh)}."
    )


def _imbalance(comparison: Comparison) -> str:
    currency, set_ups = comparison.currency, [one for one in comparison.set_ups if one.has_contracts]
    if not set_ups:
        return "Nothing was contracted, so nothing is off contract."
    least, most = (pick(set_ups, key=lambda set_up: set_up.deviated_wh) for pick in (min, max))
    cheap, dear = (pick(set_ups, key=lambda set_up: set_up.summary.fund_units) for pick in (min, max))
    little, much = (money(set_up.summary.fund_units, currency) for set_up in (cheap, dear))
    return (
        f"{kwh(least.deviated_wh)} are off contract with {quoted(least)}, {kwh(most.deviated_wh)} with {quoted(most)}. "
        f"It costs least with {quoted(cheap)}, {little}, and most with {quoted(dear)}, {much}."
    )
