"""What the community, or a member, used and paid by local day and by month.

Days have 23 and 25 hours where clocks change.
"""

from dataclasses import dataclass

import pandas as pd

from dem.results.reader import OUTSIDERS, Results
from dem.results.summary import Bill

DAY, MONTH = "%a %d %b %Y", "%B %Y"


@dataclass(frozen=True, slots=True)
class LocalSpan:
    """A local day, or a month, as far as the run holds it."""

    name: str
    hours: float
    bill: Bill


def by_local_time(results: Results, span: str, rows: pd.DataFrame | None = None) -> list[LocalSpan]:
    """The local days of a run, or its months, in order; span: how a time names its own, DAY or MONTH.

    rows: of the bills, if not those of the community.
    """
    columns = list(Bill.__slots__)
    names = pd.Series([results.run.local_start(period).strftime(span) for period in results.periods], results.periods)
    bills = results.bills[~results.kinds_of(results.bills).isin(OUTSIDERS)] if rows is None else rows
    sums = bills.groupby(names.reindex(bills["period"]).to_numpy())[columns].sum()
    hours = names.value_counts(sort=False) * results.run.period_seconds / 3_600
    sums = sums.reindex(hours.index, fill_value=0)
    return [
        LocalSpan(str(name), float(hours[name]), Bill(*row))
        for name, row in zip(sums.index, sums.to_numpy().tolist(), strict=True)
    ]
