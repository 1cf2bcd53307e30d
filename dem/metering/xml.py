"""XML of strangers: read once, with the lines of its elements, and without anything that XML can do but hold data."""

import xml.sax
import xml.sax.handler
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from xml.sax.xmlreader import Locator

import defusedxml.sax
from defusedxml import DefusedXmlException

from dem.errors import InputError
from dem.tables import Cell

_DEEPEST = 32
_MOST_ELEMENTS = 5_000_000
_LONGEST_TEXT = 1_000


@dataclass(slots=True)
class Element:
    """An element by its local name: what an operator's namespace is called changes with every version of a format."""

    path: Path
    line: int
    name: str
    attributes: dict[str, str]
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def wrong(self, why: str) -> InputError:
        """The error that refuses this element."""
        return InputError(f"{self.path}, line {self.line}, {self.name}", self.text[:80] or None, why)

    def all(self, *names: str) -> Iterator["Element"]:
        """Its elements of these names, however deep, but none inside of one that is found."""
        for child in self.children:
            if child.name in names:
                yield child
            else:
                yield from child.all(*names)

    def one(self, *names: str) -> "Element":
        """The only element of these names, right below or else deeper.

        Raises:
            InputError: there is none, or there are several.
        """
        found = [child for child in self.children if child.name in names] or [*self.all(*names)]
        if len(found) != 1:
            raise self.wrong(f"must have one {names[0]}, and has {len(found)}")
        return found[0]

    def attribute(self, name: str) -> str:
        """An attribute.

        Raises:
            InputError: it is not there.
        """
        if name not in self.attributes:
            raise self.wrong(f"lacks the attribute {name}")
        return self.attributes[name]

    def time(self) -> float:
        """Its text as unix time.

        Raises:
            InputError: it is no time with an offset.
        """
        try:
            found = datetime.fromisoformat(self.text)
        except ValueError:
            found = None
        if found is None or found.tzinfo is None:
            raise self.wrong("must be a time with its offset, such as 2026-03-01T23:00Z")
        return found.timestamp()

    def energy(self, per_one: int) -> int:
        """Its text in millionths of a Wh. per_one: so many make 1."""
        return Cell(self.path, self.line, self.name, self.text).multiple(per_one, "millionths of a Wh")


def parse(path: Path, content: bytes) -> Element:
    """The root of a document.

    Raises:
        InputError: it is no XML, declares types or entities, or is deeper or larger than any reading needs.
    """
    reader = _Reader(path)
    try:
        defusedxml.sax.parseString(content, reader, forbid_dtd=True)
    except DefusedXmlException as error:
        why = "declares types or entities, as no delivery of readings does: it may be an attack"
        raise InputError(f"{path}, line {reader.line}", type(error).__name__, why) from error
    except xml.sax.SAXParseException as error:
        raise InputError(f"{path}, line {error.getLineNumber()}", None, f"is no XML: {error.getMessage()}") from error
    except (LookupError, UnicodeError, ValueError) as error:
        raise InputError(str(path), None, f"is in no encoding that can be read: {error}") from error
    return reader.root.children[0]


class _Reader(xml.sax.handler.ContentHandler):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._locator: Locator | None = None
        self._count = 0
        self.root = Element(path, 1, "document", {})
        self._open = [self.root]

    def setDocumentLocator(self, locator: Locator) -> None:  # noqa: N802 - as SAX calls it
        self._locator = locator

    @property
    def line(self) -> int:
        """Where reading has come to."""
        return (self._locator and self._locator.getLineNumber()) or 1

    def startElement(self, name: str, attrs: xml.sax.xmlreader.AttributesImpl) -> None:  # noqa: N802
        self._count += 1
        if len(self._open) > _DEEPEST or self._count > _MOST_ELEMENTS:
            what = f"{_DEEPEST} levels" if len(self._open) > _DEEPEST else f"{_MOST_ELEMENTS} elements"
            raise InputError(f"{self._path}, line {self.line}", None, f"has more than {what}: no readings need that")
        attributes = {key.rpartition(":")[2]: attrs.getValue(key) for key in attrs.getNames()}
        element = Element(self._path, self.line, name.rpartition(":")[2], attributes)
        self._open[-1].children.append(element)
        self._open.append(element)

    def endElement(self, name: str) -> None:  # noqa: N802, ARG002
        element = self._open.pop()
        element.text = element.text.rstrip()

    def characters(self, content: str) -> None:
        element = self._open[-1]
        element.text += content if element.text else content.lstrip()
        if len(element.text) > _LONGEST_TEXT:
            raise element.wrong(f"has a text longer than {_LONGEST_TEXT} letters")
