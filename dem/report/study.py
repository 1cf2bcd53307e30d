"""The page of a study: how the arms differ, how sure that is, and for whom."""

from pathlib import Path

from dem.formats import write_whole
from dem.lab.study.findings import METRICS, Findings
from dem.lab.study.words import effect_tables, figure, study_checks, unit, with_interval
from dem.report.study_charts import draw_study
from dem.report.templates import as_markup, page_template, together
from dem.results.wording import plural

STUDY = "study.html"
_FEW = 0.05
"""Below which chance, after correction, a difference is told."""


def write_study_page(folder: Path, findings: Findings) -> Path:
    """Write study.html into the folder."""
    path = folder / STUDY
    study = findings.study
    days = findings.days
    page = page_template("study.html.j2").render(
        study=study,
        title=study.title or study.name,
        baseline=study.compared_with,
        first=str(days["date"].min()),
        last=str(days["date"].max()),
        runs=f"{len(days):,}",
        dates=days["date"].nunique(),
        weeks=days["week"].nunique(),
        seeds=len(study.every_seed),
        points=study.points if study.sweeps else [],
        cards=_cards(findings),
        tables=list(effect_tables(findings)),
        says={name: together(text) for name, text in _says(findings).items()},
        pictures=as_markup(draw_study(findings)),
        checks=study_checks(findings),
    )
    write_whole(path, page.encode())
    return path


def _cards(findings: Findings) -> list[dict[str, str]]:
    """What the arms save, at the first point."""
    point = findings.study.points[0].label
    means = findings.means[(findings.means["metric"] == "saved") & (findings.means["point"] == point)]
    return [
        {
            "label": f"{row['arm']}: saved a day",
            "figure": together(f"{figure(row['mean'])} {findings.currency}"),
            "note": f"{with_interval(row, signed=False)}, by all members, against the tariffs alone",
        }
        for row in findings.rows(means)[:4]
    ]


def _says(findings: Findings) -> dict[str, str]:
    """What each picture shows, in numbers."""
    members = findings.members
    worse = members[members["saved_units"] < 0].groupby("arm", sort=False)["participant"].nunique()
    count = members["participant"].nunique()
    at_a_loss = ", ".join(f"{arm} {int(worse.get(arm, 0))}" for arm in (one.name for one in findings.study.arms))
    return {
        "effects": _sure(findings),
        "sweeps": "Each mark is the mean over all days and seeds at one value, with its 95 % interval.",
        "members": f"Of {count} {plural('member', count)}, so many lose with some seed: {at_a_loss}.",
    }


def _sure(findings: Findings) -> str:
    """The differences in what is saved that are no chance."""
    rows = findings.effects[findings.effects["metric"] == METRICS[0].name]
    found = [
        f"{row['arm']}{' at ' + row['point'] if row['point'] else ''} by {with_interval(row, signed=True)}"
        for row in findings.rows(rows)
        if row["p_holm"] < _FEW
    ]
    what = f"{unit(METRICS[0], findings.currency)}"
    if not found:
        return "No arm differs from the baseline in what is saved by more than chance could bring."
    return (
        f"What is saved, {what}, differs from “{findings.study.compared_with}” by more than chance: {'; '.join(found)}."
    )
