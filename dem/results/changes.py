"""A comparison for people: a table of figures, and what changed from the first set-up to the last."""

from collections.abc import Callable
from fractions import Fraction

from dem.results.compare import UNCONTRACTED, UPPER_GRID, Comparison, SetUp
from dem.results.savings import of_community
from dem.results.wording import kwh, listed, money, percent, plural, price, share


def figures(comparison: Comparison) -> list[tuple[str, list[str]]]:
    """(what, a figure for each set-up) in reading order; a row without figures is a heading."""
    currency, set_ups = comparison.currency, comparison.set_ups

    def row(what: str, figure: Callable[[SetUp], str]) -> tuple[str, list[str]]:
        return what, [figure(set_up) for set_up in set_ups]

    def amount(what: str, units: Callable[[SetUp], int | None]) -> tuple[str, list[str]]:
        def figure(set_up: SetUp) -> str:
            value = units(set_up)
            return "none" if value is None else money(value, "").strip()

        return row(what, figure)

    def energy(what: str, wh: Callable[[SetUp], int]) -> tuple[str, list[str]]:
        return row(what, lambda set_up: kwh(wh(set_up)).removesuffix(" kWh"))

    def off_contract(set_up: SetUp) -> str:
        return kwh(set_up.deviated_wh).removesuffix(" kWh") if set_up.has_contracts else "none"

    def per_kwh(what: str, units: Callable[[SetUp], Fraction | None]) -> tuple[str, list[str]]:
        return row(what, lambda set_up: price(units(set_up), "").removesuffix(" /kWh"))

    def traded(name: str) -> Callable[[SetUp], int]:
        return lambda set_up: set_up.traded.get(name, 0)

    def came_from(name: str) -> Callable[[SetUp], int]:
        return lambda set_up: set_up.sources.get(name, 0)

    def paid_by(kind: str, share_of: int = 1) -> Callable[[SetUp], int]:
        return lambda set_up: round(Fraction(sum(g.bill.paid_units for g in set_up.groups if g.kind == kind), share_of))

    rows = [
        row("Played", lambda s: "without a chain" if s.summary.without_chain else "on a chain"),
        (f"Money, {currency}", []),
        amount("Tariffs alone", lambda s: s.community.tariff_only_units),
        amount("Paid by all participants", lambda s: s.community.paid_units),
        amount("  of it fees", lambda s: s.community.fees_units),
        amount("  of it to the balancing fund", lambda s: s.summary.fund_units),
        amount("  of it for energy, to others", _for_energy),
        amount("Returned by the fund, in no bill", lambda s: s.summary.returned_units),
        amount("Saved against nobody trading", comparison.gained_units),
        amount("Saved against the tariffs", lambda s: s.community.saved_units),
        amount("  gained by trade", lambda s: s.split.trade),
        amount("  without a contract, by the imbalance price", lambda s: s.split.uncontracted),
        amount("  without a contract, charges", lambda s: -s.split.charge),
        amount("  own forecast error", lambda s: -s.split.error),
        amount("Gains from trade by stated limits", lambda s: s.gains_units),
        amount("Deviation charges", lambda s: s.community.deviation_units),
        amount(
            "Imbalance cost above the fallback supply",
            lambda s: s.summary.imbalance_cost_units if s.has_contracts else None,
        ),
    ]
    for kind, count in comparison.kinds.items():
        rows.append(amount(f"Paid by {count} {plural(kind, count)}", paid_by(kind)))
        if count > 1:
            rows.append(amount("  each", paid_by(kind, count)))
    rows.append(row("Participants better / worse off", lambda s: f"{s.better_off} / {s.worse_off}"))
    rows.append(("Energy, kWh", []))
    rows.append(energy("Traded", lambda s: s.traded_wh))
    rows += [energy(f"  {name}", traded(name)) for name in comparison.markets]
    rows.append(energy("Drawn at the meters", lambda s: s.community.consumed_wh))
    rows += [
        energy(f"  from {name}", came_from(name))
        for name in (*comparison.markets, UNCONTRACTED, *UPPER_GRID)
        if any(set_up.sources.get(name) for set_up in set_ups)
    ]
    if any(set_up.summary.cuts for set_up in set_ups):
        rows.append(energy("Held back or cut off", lambda s: s.summary.shed_wh + s.summary.curtailed_wh))
    if any(set_up.summary.relief for set_up in set_ups):
        rows.append(
            energy("  of it relief that was bought", lambda s: s.summary.relief.delivered_wh if s.summary.relief else 0)
        )
        rows.append(
            amount(f"  for which was paid, {currency}", lambda s: s.summary.relief.units if s.summary.relief else None)
        )
    rows += [
        row("Covered by local trade", lambda s: percent(s.covered)),
        row("  by neighbours, physically", lambda s: percent(s.physical)),
        row("Energy off contract", off_contract),
        (f"Price, {currency}/kWh", []),
        per_kwh("Mean, by energy", lambda s: s.mean_price),
        per_kwh("Lowest", lambda s: s.cheapest),
        per_kwh("Highest", lambda s: s.dearest),
    ]
    return rows


def sentences(comparison: Comparison) -> list[str]:
    """What changed from the first set-up to the last, by how much and why."""
    first, last, currency = comparison.first, comparison.last, comparison.currency
    if first is last:
        return [f"Only {quoted(first)} was run: nothing to compare."]
    return [
        text
        for text in (
            _cost(comparison),
            _against_nobody(comparison),
            _trade(last, currency),
            _split(last, currency),
            _coverage(comparison),
            _off_contract(comparison),
            _whole(comparison),
        )
        if text
    ]


def _cost(comparison: Comparison) -> str:
    first, last, currency = comparison.first, comparison.last, comparison.currency
    old = {group.kind: group.bill.paid_units for group in first.groups}
    changes = [
        f"{group.participants} {plural(group.kind, group.participants)} "
        f"{_more(group.bill.paid_units - old[group.kind], currency)}"
        for group in last.groups
        if group.kind in old
    ]
    change = _more(last.community.paid_units - first.community.paid_units, currency)
    note = "" if comparison.same_meters else " The meters did not show the same: part of it is energy used otherwise."
    return (
        f"With {quoted(last)} the {len(last.members)} participants together pay {change} than with {quoted(first)}: "
        f"{listed(changes)}.{note}"
    )


def _for_energy(set_up: SetUp) -> int:
    """What leaves the community for energy: to the fallback supplier, and to and from wholesale desks."""
    return set_up.community.paid_units - set_up.community.fees_units - set_up.summary.fund_units


def _against_nobody(comparison: Comparison) -> str:
    """Whether trade pays: the rules net imbalances even if nobody trades."""
    last, nobody, currency = comparison.last, comparison.nobody, comparison.currency
    if nobody is None or nobody is last:
        return ""
    parts = [
        f"{_more(after - before, currency)} {what}"
        for what, before, after in (
            ("in fees", nobody.community.fees_units, last.community.fees_units),
            ("to the balancing fund", nobody.summary.fund_units, last.summary.fund_units),
            ("for energy", _for_energy(nobody), _for_energy(last)),
        )
    ]
    change = _more(last.community.paid_units - nobody.community.paid_units, currency)
    before = money(nobody.community.paid_units, currency)
    return f"If nobody trades under the same rules they pay {before}; with {quoted(last)} {change}: {listed(parts)}."


def _trade(last: SetUp, currency: str) -> str:
    """What buyers and sellers of the community got, beside the tariffs of the same periods."""
    trades = of_community(last.results, last.results.trades)
    tariffs = last.results.tariffs.reindex(trades["period"])
    parts = []
    for side, tariff, verb, whom in (
        ("bought_wh", "buy_units_per_wh", "bought", "asks"),
        ("sold_wh", "sell_units_per_wh", "sold", "pays"),
    ):
        energy = int(trades[side].sum())
        if energy:
            amount = abs(int(trades["amount_units"].where(trades[side] > 0, 0).sum()))
            alone = int((trades[side].to_numpy() * tariffs[tariff].to_numpy()).sum())
            parts.append(
                f"{kwh(energy)} were {verb} at {price(Fraction(amount, energy), currency)} on average, where the "
                f"fallback supplier {whom} {price(Fraction(alone, energy), currency)}"
            )
    if not parts:
        return f"Nothing was traded with {quoted(last)}."
    fees = price(share(last.community.fees_units, last.community.bought_wh + last.community.sold_wh), currency)
    text = "; ".join(parts)
    return f"{text}. Each side paid fees of {fees}." if last.community.fees_units else f"{text}."


def _split(last: SetUp, currency: str) -> str:
    saved, parts = last.community.saved_units, last.split
    verb = "saved" if saved >= 0 else "lost"
    without = parts.uncontracted - parts.charge
    return (
        f"Against the tariffs alone they {verb} {money(abs(saved), currency)}: trade "
        f"{_brought(parts.trade, currency)}, energy without a contract {_brought(without, currency)} "
        f"(imbalance price {money(parts.uncontracted, currency)}, charges {money(-parts.charge, currency)}), and their "
        f"own forecast errors {'cost' if parts.error >= 0 else 'gained'} {money(abs(parts.error), currency)}. "
        f"{last.better_off} are better off, {last.worse_off} worse."
    )


def _coverage(comparison: Comparison) -> str:
    first, last = comparison.first, comparison.last
    physical = (
        f"physically it was {percent(last.physical)} with both"
        if first.physical == last.physical
        else f"physically it was {percent(last.physical)} instead of {percent(first.physical)}"
    )
    return (
        f"Contracts with neighbours covered {percent(last.covered)} of what was drawn instead of "
        f"{percent(first.covered)}; {physical}."
    )


def _off_contract(comparison: Comparison) -> str:
    first, last, currency = comparison.first, comparison.last, comparison.currency
    if not first.has_contracts or not last.has_contracts:
        return f"{kwh(last.deviated_wh)} are off contract with {quoted(last)}." if last.has_contracts else ""
    verb = "fell" if last.deviated_wh < first.deviated_wh else "rose"
    if last.deviated_wh == first.deviated_wh:
        return f"Energy off contract stayed at {kwh(last.deviated_wh)}."
    before, after = (money(set_up.summary.fund_units, currency) for set_up in (first, last))
    return (
        f"Energy off contract {verb} from {kwh(first.deviated_wh)} to {kwh(last.deviated_wh)}; what was paid for it "
        f"beyond the fallback supply, charges included, went from {before} to {after}."
    )


def _whole(comparison: Comparison) -> str:
    """The value of sharing is physics; set-ups only divide it."""
    first, last, currency = comparison.first, comparison.last, comparison.currency
    worth = first.summary.sharing_value_units
    if worth != last.summary.sharing_value_units or not _divides(first) or not _divides(last):
        return ""
    with_last, with_first = (
        f"{money(s.community.saved_units, currency)} to participants, {money(s.community.fees_units, currency)} to "
        f"fees and {money(s.summary.fund_units, currency)} to the balancing fund"
        for s in (last, first)
    )
    return (
        f"Energy shared by neighbours was worth {money(worth, currency)} with both; what differs is who got it: with "
        f"{quoted(last)} {with_last}; with {quoted(first)} {with_first}."
    )


def _divides(set_up: SetUp) -> bool:
    parts = (set_up.community.saved_units, set_up.community.fees_units, set_up.summary.fund_units)
    return sum(parts) == set_up.summary.sharing_value_units


def _more(units: int, currency: str) -> str:
    return f"{money(abs(units), currency)} {'more' if units > 0 else 'less'}"


def _brought(units: int, currency: str) -> str:
    return f"{'brought' if units >= 0 else 'cost'} {money(abs(units), currency)}"


def quoted(set_up: SetUp) -> str:
    """The name of a set-up in a sentence."""
    return f"\N{LEFT DOUBLE QUOTATION MARK}{set_up.name}\N{RIGHT DOUBLE QUOTATION MARK}"
