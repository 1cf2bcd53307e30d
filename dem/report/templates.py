"""What all pages share: their templates and a few words."""

import re
from collections.abc import Mapping
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from dem.report.style import Picture
from dem.results.reader import Results
from dem.results.wording import exactly, figure, kwh, money, percent, plural

FILE = "report.html"
"""The page of a run."""


def page_template(name: str) -> Template:
    """A page of this package, with the filters that pages use; `css` is set."""
    parts = files("dem.report")
    loader = FunctionLoader(lambda file: (parts / file).read_text(encoding="utf-8"))
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=loader
    )
    environment.filters.update(kwh=kwh, percent=percent, plural=plural, count=lambda number: f"{number:,}")
    environment.filters["energy"] = lambda wh: kwh(wh).removesuffix(" kWh")
    environment.filters["money"] = lambda units: money(units, "").strip()
    environment.filters.update(exactly=exactly, figure=figure)
    environment.globals["css"] = Markup((parts / "page.css").read_text(encoding="utf-8"))
    return environment.get_template(name)


def as_markup(pictures: Mapping[str, Picture]) -> dict[str, tuple[Markup, Markup]]:
    """Pictures, wide and narrow, for a page."""
    return {name: (Markup(picture.wide), Markup(picture.narrow)) for name, picture in pictures.items()}


def together(text: str) -> str:
    """No line break between a number and its unit."""
    return re.sub(r"(?<=\d) (?=%|kWh|[A-Z]{3})", "\N{NO-BREAK SPACE}", text)


def span(results: Results) -> str:
    """How long a run is, by local days."""
    days = len(results.firsts(by_day=True))
    return "the day" if days == 1 else f"the {days} days"


def when(results: Results) -> str:
    first = results.run.local_start(results.periods[0])
    if len(results.firsts(by_day=True)) == 1:
        return f"{first:%A}, {first.day} {first:%B %Y}"
    last = results.run.local_start(results.periods[-1])
    return f"{first.day} {first:%B %Y} to {last.day} {last:%B %Y}"
