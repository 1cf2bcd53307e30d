"""The catalogues of bills and pages: what is said in the source, and what of it a language lacks.

python tools/catalogues.py renew    bring the catalogues to what the source says; new words are empty
python tools/catalogues.py check    name what is not translated, or in no source any more
"""

import re
import sys
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "dem" / "gateway"
LOCALE = SOURCE / "pages" / "locale"
JINJA = {"newstyle_gettext": "true", "trim_blocks": "true", "lstrip_blocks": "true"}
METHODS = [("**.py", "python"), ("**.j2", "jinja2.ext:babel_extract")]
PLACE = re.compile(r"%\((\w+)\)")


def said() -> Catalog:
    """What the source says."""
    found = Catalog(fuzzy=False)
    keywords = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}
    options = {"**.j2": JINJA}
    for _, _, message, _, _ in extract_from_dir(SOURCE, METHODS, options, keywords=keywords, strip_comment_tags=True):
        found.add(message)
    return found


def path_of(code: str) -> Path:
    """Of a language's catalogue."""
    return LOCALE / f"{code}.po"


def known(code: str) -> Catalog:
    """What a language says now."""
    path = path_of(code)
    return read_po(BytesIO(path.read_bytes() if path.exists() else b""), code)


def renew() -> None:
    """Write the catalogues anew."""
    source = said()
    for path in sorted(LOCALE.glob("*.po")):
        catalogue = known(path.stem)
        catalogue.update(source, no_fuzzy_matching=True)
        catalogue.obsolete.clear()
        keep(path.stem, catalogue)


def keep(code: str, catalogue: Catalog) -> None:
    """Write a catalogue; its head says nothing that changes."""
    catalogue.header_comment, catalogue.fuzzy = "# Words of bills and pages: see tools/catalogues.py.", False
    catalogue.mime_headers = [
        ("Language", code),
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Transfer-Encoding", "8bit"),
    ]
    text = BytesIO()
    write_po(text, catalogue, width=120, no_location=True, sort_output=True)
    head = re.compile(r'^"(Project|Report|POT|PO-|Last|Language-Team|Plural|Generated).*\n', re.MULTILINE)
    path_of(code).write_text(head.sub("", text.getvalue().decode()), encoding="utf-8")


def wrong() -> list[str]:
    """What is not as it should be, in words."""
    source, found = said(), []
    for path in sorted(LOCALE.glob("*.po")):
        catalogue = known(path.stem)
        for message in source:
            if not message.id:
                continue
            word = catalogue.get(message.id)
            if word is None or not word.string or (isinstance(word.string, tuple) and not all(word.string)):
                found.append(f"{path.name}: {message.id!r} is not translated")
                continue
            for text in word.string if isinstance(word.string, tuple) else (word.string,):
                wanted = set(PLACE.findall(message.id[-1] if isinstance(message.id, tuple) else message.id))
                if set(PLACE.findall(text)) != wanted:
                    found.append(f"{path.name}: {message.id!r} has other places than {text!r}")
        found += [f"{path.name}: {m.id!r} is in no source" for m in catalogue if m.id and source.get(m.id) is None]
    return found


if __name__ == "__main__":
    if sys.argv[1:] == ["renew"]:
        renew()
    elif sys.argv[1:] == ["check"]:
        sys.exit("\n".join(wrong()) or None)
    else:
        sys.exit(__doc__)
