"""What a member paid, and for what: every line of its account, exact to the Wh and the money unit.

What the meter shows beside the contracts is two things. Energy beyond them, or without any, is ordinary supply and
ordinary surplus. Energy that was contracted and not kept, bought and not drawn or sold and not fed in, is imbalance on
contracts. Both are settled at the imbalance price, so the amount of a period divides by energy without a rest.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dem.errors import DemError
from dem.model.bills import CHARGE, PURCHASE, SALE, Line
from dem.results.reader import OUTSIDERS, Results, Run
from dem.results.savings import Split, exact, split_rows

WHOLE_DAY_SECONDS = 86_400
MARKET_ACCOUNTS = ("fund", "clearing_house", "clearing house")
"""Kinds of accounts that are nobody's."""
SUPPLY = "ordinary supply, without a contract"
SURPLUS = "ordinary surplus, without a contract"
NOT_DRAWN = "bought and not drawn, sold back as imbalance"
NOT_FED_IN = "sold and not fed in, bought back as imbalance"
_SOURCES = {SUPPLY: PURCHASE, NOT_FED_IN: PURCHASE, SURPLUS: SALE, NOT_DRAWN: SALE}
_SHORTFALLS = ("taken back", "made good", "restored")
"""Causes of payments to and from the fallback supplier."""
_OPERATOR, _GRID_OPERATOR, _SUPPLIER = "operator", "grid operator", "fallback supplier"


class StatementError(DemError, ValueError):
    """Nobody of that name has an account."""


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """The account of a member over the run.

    rows: of its bills, by period, see `split_off`; error_units: lost by its own forecast error.
    energy: by source. charges: fees, deviation, penalties. payments: all money outside of the settlement, received
    negative. unpaid_units: due and not paid for want of money.
    tariff_units: the same meters at the fallback tariffs alone. alone_units: the bill if nobody had traded; None if the
    run does not say. split: why it saved or lost; None for who is no part of the community.
    taxes: levies and VAT, which are on the bill and not on the account.
    """

    participant: str
    kind: str
    rows: pd.DataFrame
    energy: tuple[Line, ...]
    charges: tuple[Line, ...]
    payments: tuple[Line, ...]
    taxes: tuple[Line, ...]
    unpaid_units: int
    tariff_units: int
    alone_units: int | None
    split: Split | None
    opening_units: int
    deposited_units: int
    withdrawn_units: int
    closing_units: int

    @property
    def bill_units(self) -> int:
        """What the settlement says it owes."""
        return sum(line.units for line in (*self.energy, *self.charges))

    @property
    def movement_units(self) -> int:
        """What left the account, as its lines have it."""
        return self.bill_units + sum(line.units for line in self.payments) - self.unpaid_units

    @property
    def account_units(self) -> int:
        """What left the account, as its balances have it."""
        return self.opening_units + self.deposited_units - self.withdrawn_units - self.closing_units

    @property
    def taxed_units(self) -> int:
        """With levies and VAT: what a bill would say."""
        return self.bill_units + sum(line.units for line in self.payments) + sum(line.units for line in self.taxes)

    @property
    def gained_units(self) -> int | None:
        """What it paid less than if nobody had traded."""
        return None if self.alone_units is None else self.alone_units - self.bill_units

    @property
    def drawn_wh(self) -> int:
        """By its meter."""
        return int(self.rows["consumed_wh"].sum())

    @property
    def fed_in_wh(self) -> int:
        """By its meter."""
        return int(self.rows["generated_wh"].sum())


class Statements(Mapping[str, Statement]):
    """Of everybody who has an account in a run, by name; each is made when it is asked for."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self._kinds = self.members(results)
        self._bills = by_name(results.bills)
        self._trades = by_name(results.trades)
        self._payments = by_name(results.payments)
        accounts = results.accounts.assign(account=results.accounts["account"].astype(str))
        self._accounts = accounts.set_index("account")[
            ["opening_units", "deposited_units", "withdrawn_units", "closing_units", "arrears_units", "earned_units"]
        ]
        self._split_rows = by_name(split_rows(results))

    @staticmethod
    def members(results: Results) -> dict[str, str]:
        """The kind of each."""
        kinds = results.participants["kind"].astype(str).items()
        return {str(name): kind.replace("_", " ") for name, kind in kinds if kind not in MARKET_ACCOUNTS}

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)

    def __getitem__(self, name: str) -> Statement:
        if name not in self._kinds or name not in self._accounts.index:
            raise StatementError(f"{name!r} has no account in this run")
        results, kind = self._results, self._kinds[name]
        rows = split_off(self._bills.get(name, results.bills.iloc[:0])).set_index("period", drop=False)
        split = self._split_rows.get(name)
        rows["error_units"] = 0 if split is None else exact(split["error"])
        account = {key: int(value) for key, value in self._accounts.loc[name].items()}
        alone = results.paid_without_trade
        energy = energy_lines(self._trades.get(name), rows)
        charges = tuple(charge_lines(rows))
        return Statement(
            participant=name,
            kind=kind,
            rows=rows,
            energy=energy,
            charges=charges,
            payments=tuple(self._other_payments(name, kind)),
            taxes=tuple(tax_lines(results.run, energy, charges, rows, len(results.periods))),
            unpaid_units=account["arrears_units"],
            tariff_units=sum(rows["tariff_only_units"].tolist()),
            alone_units=None if alone is None or rows.empty else alone.get(name, 0),
            split=None if split is None else Split(*(sum(split[part].tolist()) for part in Split._fields)),
            opening_units=account["opening_units"],
            deposited_units=account["deposited_units"],
            withdrawn_units=account["withdrawn_units"],
            closing_units=account["closing_units"],
        )

    def _other_payments(self, name: str, kind: str) -> Iterator[Line]:
        """Money outside of the bill; also what an office earns by its office."""
        yield from payment_lines(self._payments.get(name))
        for what, units in self._office(kind):
            if units:
                yield Line(what, CHARGE, -units)

    def _office(self, kind: str) -> Iterator[tuple[str, int]]:
        results = self._results
        if kind == _SUPPLIER:
            payments = results.payments
            shared = payments["amount_units"][payments["cause"].isin(_SHORTFALLS)]
            yield "supply of the area", int(results.area["fallback_units"].sum())
            yield "taken back and made good where days were short", -int(shared.sum())
            yield "bills that members could not pay", -int(self._accounts["arrears_units"].sum())
        elif kind == _OPERATOR:
            yield "platform fees", self._platform_fees
        elif kind == _GRID_OPERATOR:
            yield "network fees", int(results.settlement["fees_units"].sum()) - self._platform_fees
        elif kind in OUTSIDERS:
            yield "penalties of the upper market", int(results.area["penalty_units"].sum())

    @property
    def _platform_fees(self) -> int:
        """The operator settles nothing: what it earned and nobody paid it otherwise is fees."""
        for name, kind in self._kinds.items():
            if kind == _OPERATOR and name in self._accounts.index:
                own = self._payments.get(name)
                others = 0 if own is None else int(own["amount_units"].sum())
                earned, arrears = (int(self._accounts.loc[name][key]) for key in ("earned_units", "arrears_units"))
                return earned - arrears - others
        return int(self._results.settlement["fees_units"].sum())


def split_off(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of bills, with energy and amount of what their imbalance is, a column for each."""
    contracted, off, units = (exact(rows[name]) for name in ("contracted_wh", "imbalance_wh", "imbalance_units"))
    kept_not = np.where(contracted * off < 0, np.minimum(abs(contracted), abs(off)), 0) * np.sign(off)
    rest = off - kept_not
    found = {"kept_wh": contracted + kept_not}
    size = np.where(off == 0, 1, off)
    of_kept_not = units * kept_not // size
    for part, amount, positive, negative in (
        (kept_not, of_kept_not, NOT_FED_IN, NOT_DRAWN),
        (rest, units - of_kept_not, SUPPLY, SURPLUS),
    ):
        for what, is_it in ((positive, part > 0), (negative, part < 0)):
            found[f"{what} wh"] = np.where(is_it, part, 0)
            found[f"{what} units"] = np.where(is_it, amount, 0)
    return rows.assign(**found)


def energy_lines(trades: pd.DataFrame | None, rows: pd.DataFrame) -> tuple[Line, ...]:
    """Where a member's energy came from and went, purchases first. trades: its own; rows: of its bills, split off."""
    return tuple(sorted(_energy_lines(trades, rows), key=lambda line: (PURCHASE, SALE).index(line.kind)))


def _energy_lines(trades: pd.DataFrame | None, rows: pd.DataFrame) -> Iterator[Line]:
    if trades is not None:
        sums = trades.assign(is_bought=trades["bought_wh"] > 0).groupby(
            [trades["market"].astype(str), "is_bought"], sort=False
        )[["bought_wh", "sold_wh", "amount_units"]]
        found = sums.sum()
        for (market, is_bought), (bought, sold, amount) in zip(found.index, found.to_numpy().tolist(), strict=True):
            verb, kind = ("bought", PURCHASE) if is_bought else ("sold", SALE)
            yield Line(verb, kind, amount, bought - sold, market)
    for what, kind in _SOURCES.items():
        energy, units = (int(sum(rows[f"{what} {unit}"].tolist())) for unit in ("wh", "units"))
        if energy or units:
            yield Line(what, kind, units, energy)


def charge_lines(rows: pd.DataFrame) -> Iterator[Line]:
    """Fees, and what was charged besides."""
    for what, column in (
        ("fees on what was bought and sold", "fees_units"),
        ("charge for contracts not kept beyond the tolerance", "deviation_units"),
        ("penalty of the upper market", "penalty_units"),
    ):
        units = sum(rows[column].tolist())
        if units:
            yield Line(what, CHARGE, units)


def payment_lines(payments: pd.DataFrame | None) -> Iterator[Line]:
    """Money outside of the settlement, by its cause. payments: a member's own."""
    if payments is not None:
        for cause, amount in payments.groupby(payments["cause"].astype(str), sort=False)["amount_units"].sum().items():
            yield Line(str(cause), CHARGE, -int(amount))


def tax_lines(
    run: Run, energy: tuple[Line, ...], charges: tuple[Line, ...], rows: pd.DataFrame, periods: int
) -> Iterator[Line]:
    """Levies on what the meter drew and by 24 hours, then VAT on them, on purchases and on fees, rounded down.

    periods: how many the bill is for.
    """
    if rows.empty:
        return
    terms, seconds = run.bill, periods * run.period_seconds
    drawn = int(rows["consumed_wh"].sum())
    levies = [
        Line(levy.name, CHARGE, levy.units_per_wh * drawn + levy.units_per_day * seconds // WHOLE_DAY_SECONDS)
        for levy in terms.levies
    ]
    yield from levies
    if terms.vat:
        fees = sum(rows["fees_units"].tolist()) if charges else 0
        taxed = sum(line.units for line in energy if line.kind == PURCHASE) + fees + sum(levy.units for levy in levies)
        yield Line(
            "VAT on purchases, fees and levies", CHARGE, taxed * terms.vat // 10_000, 0, f"{terms.vat / 100:g} %"
        )


def by_name(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each participant."""
    return {str(name): own for name, own in rows.groupby(rows["participant"].astype(str), sort=False)}
