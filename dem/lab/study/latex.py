"""Tables of a study for a paper."""

from collections.abc import Sequence
from math import isnan
from typing import TYPE_CHECKING

import pandas as pd

from dem.lab.study.design import Study

if TYPE_CHECKING:
    from dem.lab.study.findings import Metric

_SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"} | {
    sign: f"\\{sign}" for sign in "&%$#_{}"
}
_STARS = ((0.001, "^{***}"), (0.01, "^{**}"), (0.05, "^{*}"))


def means_as_latex(means: pd.DataFrame, metrics: Sequence["Metric"], study: Study, currency: str) -> str:
    """A table for each point: a row for each metric, a column for each arm."""
    caption = "Means with 95\\,\\% intervals, clustered by week."
    return _tables(means, metrics, study, currency, caption)


def effects_as_latex(effects: pd.DataFrame, metrics: Sequence["Metric"], study: Study, currency: str) -> str:
    """The same of the differences to the baseline, starred by Holm's p."""
    caption = (
        f"Differences to {_escaped(study.compared_with)}, paired by day and seed, with 95\\,\\% intervals clustered by "
        "week. Corrected over the arms by Holm: $^{*}p<.05$, $^{**}p<.01$, $^{***}p<.001$."
    )
    return _tables(effects, metrics, study, currency, caption)


def _figure(mean: float, low: float, high: float, stars: str = "") -> str:
    if isnan(mean):
        return "--"
    if isnan(low):
        return f"${mean:.3f}$"
    return f"${mean:.3f}{stars}$ {{\\scriptsize$[{low:.3f}, {high:.3f}]$}}"


def _stars(p: float) -> str:
    return next((stars for most, stars in _STARS if p < most), "")


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(sign, sign) for sign in text)


def _tables(frame: pd.DataFrame, metrics: Sequence["Metric"], study: Study, currency: str, caption: str) -> str:
    parts = ["% needs \\usepackage{booktabs}\n"]
    for point, of_point in frame.groupby("point", sort=False):
        arms = list(dict.fromkeys(of_point["arm"]))
        cells = {(row["arm"], row["metric"]): row for row in of_point.to_dict("records")}
        rows = []
        for metric in metrics:
            unit = _escaped(metric.unit.replace("CUR", currency))
            found = [cells[arm, metric.name] for arm in arms]
            figures = [_figure(one["mean"], one["low"], one["high"], _stars(one.get("p_holm", 1.0))) for one in found]
            rows.append([f"{_escaped(metric.title)} ({unit})", *figures])
        title = ", ".join(filter(None, (study.title or study.name, str(point))))
        parts.append(_table(rows, arms, f"{_escaped(title)}. {caption}"))
    return "\n".join(parts)


def _table(rows: list[list[str]], arms: list[str], caption: str) -> str:
    lines = [
        r"\begin{table}",
        rf"\caption{{{caption}}}",
        rf"\begin{{tabular}}{{l{'r' * len(arms)}}}",
        r"\toprule",
        rf"{' & '.join(['', *map(_escaped, arms)])} \\",
        r"\midrule",
        *(rf"{' & '.join(row)} \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"
