"""One sentence or two per picture, computed from the data."""

from fractions import Fraction

from dem.report.charts import book, interesting_periods
from dem.report.flows import FALLBACK, IMBALANCE, TRADE, money_flows
from dem.results.reader import Results
from dem.results.summary import Summary
from dem.results.wording import UNITS_PER_CURRENCY, kwh, listed, money, of_kind, percent, price, share

NO_TRADE = "Nothing was traded: no bid met an ask."


def findings(results: Results, summary: Summary) -> dict[str, str]:
    return {
        "merit": merit(results),
        "price": price_over_time(results, summary),
        "energy": energy(summary),
        "cut": cut(summary),
        "money": flows(results, summary),
        "imbalance": imbalance(results, summary),
        "participants": participants(summary),
        "invariants": invariants(results),
    }


def merit(results: Results) -> str:
    """The cheapest against the dearest of the periods shown."""
    periods = interesting_periods(results)
    if not periods:
        return NO_TRADE
    prices = results.traded["price_ticks"].to_dict()
    low, high = (pick(periods, key=lambda period: prices[period]) for pick in (min, max))
    if prices[low] == prices[high]:
        return f"The price was the same in every period shown: {_met(results, low)}."
    plenty = "Where more was offered for each kWh wanted, the price was lower"
    lead = plenty if _abundance(results, low) > _abundance(results, high) else "Each period finds its own price"
    return f"{lead}: {_met(results, low)}; {_met(results, high)}."


def _met(results: Results, period: int) -> str:
    wanted, offered = _sizes(results, period)
    units = int(results.traded["price_ticks"][period]) * results.run.prices.tick
    value = price(units, results.run.currency)
    return f"at {results.run.clock(period)}, with {kwh(offered)} offered for {kwh(wanted)} wanted, it was {value}"


def _abundance(results: Results, period: int) -> Fraction:
    wanted, offered = _sizes(results, period)
    return Fraction(offered, wanted)


def _sizes(results: Results, period: int) -> tuple[int, int]:
    bids, asks = book(results, period)
    return int(bids.sum()), int(asks.sum())


def price_over_time(results: Results, summary: Summary) -> str:
    if summary.mean_price is None:
        return NO_TRADE
    volumes = results.traded["volume_wh"]
    tariffs = results.tariffs.loc[volumes.index]
    buy, sell = (
        share(int((volumes * tariffs[side]).sum()), summary.traded_wh) or Fraction(0)
        for side in ("buy_units_per_wh", "sell_units_per_wh")
    )
    mean, currency = summary.mean_price, summary.currency
    return (
        f"Neighbours traded at {price(mean, currency)} on average, weighted by volume: "
        f"{_apart(buy - mean, currency, 'below', 'above')} what the fallback supplier asks for the same energy "
        f"and {_apart(mean - sell, currency, 'above', 'below')} what it pays."
    )


def _apart(gap: Fraction, currency: str, positive: str, negative: str) -> str:
    return f"{price(abs(gap), currency)} {positive if gap >= 0 else negative}"


def energy(summary: Summary) -> str:
    traded, uncontracted, imported = (
        percent(share(energy_wh, summary.consumed_wh))
        for energy_wh in (summary.delivered_wh, summary.shared_wh - summary.delivered_wh, summary.imported_wh)
    )
    text = (
        f"Of {kwh(summary.consumed_wh)} drawn at the meters, {traded} was bought from neighbours and delivered, "
        f"{uncontracted} came from neighbours without a contract and {imported} was imported."
    )
    if not summary.generated_wh:
        return text
    exported = percent(share(summary.exported_wh, summary.generated_wh))
    return f"{text} Of {kwh(summary.generated_wh)} fed in, {exported} was exported."


def cut(summary: Summary) -> str:
    """On an island, or within limits of the network."""
    shed, curtailed = summary.shed_wh, summary.curtailed_wh
    wanted, offered = summary.consumed_wh + shed, summary.generated_wh + curtailed
    contracted = sum(group.contracted_wh for group in summary.cuts)
    if not summary.is_island:
        sold = summary.relief
        relief = (
            ""
            if sold is None
            else f" {kwh(sold.delivered_wh)} of it was relief that the grid operator bought of {sold.members} members "
            f"for {money(sold.units, summary.currency)}."
        )
        return (
            f"Limits of the network held back {kwh(shed)} of {kwh(wanted)} that would have been drawn and "
            f"{kwh(curtailed)} of {kwh(offered)} that would have been fed in. {kwh(contracted)} of it had been "
            f"contracted.{relief}"
        )
    return (
        f"Without an upper grid {kwh(summary.consumed_wh)} of {kwh(wanted)} wanted were served; {kwh(shed)} of load "
        f"were shed and {kwh(curtailed)} of {kwh(offered)} that could have been generated were curtailed. "
        f"{kwh(contracted)} of what was cut had been contracted."
    )


def flows(results: Results, summary: Summary) -> str:
    found = money_flows(results)
    local = sum(flow.units for flow in found if flow.cause == TRADE)
    paid = sum(flow.units for flow in found if flow.receiver == FALLBACK)
    got = sum(flow.units for flow in found if flow.payer == FALLBACK and flow.cause == IMBALANCE)
    currency = summary.currency
    parts = [
        f"{money(round(local), currency)} stayed in the neighbourhood as payment for local energy",
        f"{money(round(paid), currency)} went to the fallback supplier for what was short",
    ]
    if got:
        parts.append(f"{money(round(got), currency)} came from it for surplus")
    return (
        f"{listed(parts)}. Fees took {money(summary.fees_units, currency)} and the balancing fund "
        f"{money(summary.fund_units, currency)}."
    )


def imbalance(results: Results, summary: Summary) -> str:
    area = results.area["imbalance_wh"]
    short, long = area[area > 0], -area[area < 0]
    currency = summary.currency
    text = (
        f"The area was short in {len(short)} of {summary.periods} periods ({kwh(int(short.sum()))}) and long in "
        f"{len(long)} ({kwh(int(long.sum()))}). For their imbalance participants paid "
        f"{money(summary.imbalance_cost_units, currency)} more than the fallback supplier is owed"
    )
    if not summary.deviation_units:
        return f"{text}; no deviation charge fell due."
    worst = int(results.balance["deviation_units"].idxmax())
    return (
        f"{text}; deviation charges added {money(summary.deviation_units, currency)}, highest at "
        f"{results.run.clock(worst)}."
    )


def participants(summary: Summary) -> str:
    if not summary.participants:
        return "Nobody was settled."
    if not any(result.bill.saved_units for result in summary.participants):
        return f"Everybody paid exactly what the fallback tariffs alone would have cost.{_against_nobody(summary)}"
    groups = [group for group in summary.groups if group.bill.saved_units or group.better_off]
    count, better = (sum(numbers) for numbers in zip(*((g.participants, g.better_off) for g in groups), strict=True))
    parts = [
        f"{of_kind(group.participants, group.kind)} {'gained' if group.bill.saved_units >= 0 else 'lost'} "
        f"{money(abs(group.bill.saved_units), summary.currency)}"
        for group in groups
    ]
    best, worst = summary.participants[0], summary.participants[-1]
    return (
        f"{better} of {count} participants did better than with the fallback tariffs alone: {listed(parts)}. "
        f"Results range from {money(worst.bill.saved_units, summary.currency)} ({_called(worst.participant)}) to "
        f"{money(best.bill.saved_units, summary.currency)} ({_called(best.participant)}).{_against_nobody(summary)}"
    )


def _against_nobody(summary: Summary) -> str:
    """What trade adds: the rules net imbalances whether anybody trades or not."""
    if summary.gained_units is None:
        return ""
    parts = [
        f"{of_kind(group.participants, group.kind)} {'pay' if group.participants > 1 else 'pays'} "
        f"{money(abs(group.gained_units), summary.currency)} "
        f"{'less' if group.gained_units >= 0 else 'more'}"
        for group in summary.groups
        if group.gained_units
    ]
    if not parts:
        return " If nobody had traded under the same rules, each of them would have paid the same."
    change = f"{money(abs(summary.gained_units), summary.currency)} {'less' if summary.gained_units >= 0 else 'more'}"
    return f" Than if nobody had traded under the same rules, all of them pay {change}: {listed(parts)}."


def invariants(results: Results) -> str:
    checked = results.run.invariants
    failed = [invariant.name for invariant in checked if not invariant.ok]
    if not checked:
        return "No invariant was checked."
    if failed:
        return f"{len(failed)} of {len(checked)} invariants do not hold: {', '.join(failed)}."
    return f"All {len(checked)} invariants checked hold."


def value_split(summary: Summary) -> list[tuple[str, str, float]]:
    """Where the value of sharing went: (css class, label, share of the whole); empty if the parts do not add up."""
    whole = summary.sharing_value_units
    parts = [
        ("kept", "participants", summary.saved_units),
        ("fees", "fees", summary.fees_units),
        ("fund", "balancing fund", summary.fund_units),
    ]
    if whole <= 0 or sum(part for _, _, part in parts) != whole or min(part for _, _, part in parts) < 0:
        return []
    return [
        (css, f"{label} {part / UNITS_PER_CURRENCY:,.2f} ({part / whole:.0%})", part / whole)
        for css, label, part in parts
    ]


def _called(participant: str) -> str:
    return f"participant {participant}" if participant.isdigit() else participant
