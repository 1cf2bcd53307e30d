"""How templates become pages, in a language."""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from dem.gateway.pages.language import Language, language


@cache
def environment(code: str) -> Environment:
    """The templates of the console, with the words of a language."""
    made = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=PackageLoader("dem.gateway.pages"),
        extensions=["jinja2.ext.i18n"],
    )
    spoken = language(code)
    made.install_gettext_translations(spoken.words, newstyle=True)  # type: ignore[attr-defined]
    made.globals["it"] = spoken
    return made


def draw(template: str, spoken: Language, **values: Any) -> str:
    """A page."""
    return environment(spoken.code).get_template(template).render(**values)
