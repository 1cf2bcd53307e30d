"""Checks the prose of the documentation: short sentences, short lines, and links that lead somewhere.

    python tools/prose.py             check everything; print what to mend
    python tools/prose.py --long      also print every long sentence, by file

A sentence has at most 30 words; in each file one in twenty may be longer. A line has at most 120 characters. Code,
tables, headings and HTML are not prose: their lines may be as long as they must.
"""

import re
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
MOST_WORDS = 30
LONG_SHARE = 0.05
MOST_CHARACTERS = 120

FENCE = re.compile(r"^\s*(```|~~~)")
NO_PROSE = re.compile(r"^\s*(\||#|<|!\[)|^ {4,}\S|^\s*[-=|:\s]+$")
ITEM = re.compile(r"^\s*([-*+]|\d+[.)])\s+")
LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s#]*)(#[^)\s]*)?\)")
END_OF_SENTENCE = re.compile(r"(?<=[.!?])[)\"'*_`]*\s+(?=[\"'(*_`\[]*[A-Z0-9])")
ABBREVIATION = re.compile(r"\b(e\.g|i\.e|etc|cf|vs|Fig|No|pp?|al)\.$")


class Paragraph(NamedTuple):
    """Prose that belongs together, and the line it begins at."""

    line: int
    text: str


def files() -> list[Path]:
    """Everything that people read as documentation."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def paragraphs(text: str) -> list[Paragraph]:
    """The prose of a file: each paragraph and each item of a list for itself."""
    found: list[Paragraph] = []
    is_code, is_open = False, False
    for number, line in enumerate(text.splitlines(), 1):
        if FENCE.match(line):
            is_code, is_open = not is_code, False
            continue
        is_item = bool(ITEM.match(line))
        # An indented line goes on with the item above it; without one it is code.
        if is_code or not line.strip() or (NO_PROSE.match(line) and not is_item and not (is_open and line[:1] == " ")):
            is_open = False
            continue
        plain = ITEM.sub("", line).strip()
        if is_item or not is_open:
            found.append(Paragraph(number, plain))
        else:
            found[-1] = Paragraph(found[-1].line, f"{found[-1].text} {plain}")
        is_open = True
    return found


def sentences(paragraph: str) -> list[str]:
    """The sentences of a paragraph; a link counts as its words."""
    whole: list[str] = []
    for part in END_OF_SENTENCE.split(LINK.sub(r"\1", paragraph)):
        if whole and ABBREVIATION.search(whole[-1]):
            whole[-1] = f"{whole[-1]} {part}"
        else:
            whole.append(part)
    return whole


def words(sentence: str) -> int:
    """Words of a sentence: whatever holds a letter or a digit."""
    return sum(1 for word in sentence.split() if re.search(r"\w", word))


def long_lines(text: str) -> list[int]:
    """Numbers of lines of prose that are too long."""
    found, is_code = [], False
    for number, line in enumerate(text.splitlines(), 1):
        if FENCE.match(line):
            is_code = not is_code
        elif not is_code and len(line) > MOST_CHARACTERS and not line.lstrip().startswith(("|", "#", "<", "![", "[")):
            found.append(number)
    return found


def broken_links(path: Path, text: str) -> list[str]:
    """Links to files or headings of the project that are not there."""
    broken = []
    for _, target, heading in LINK.findall(text):
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        file = (path.parent / target).resolve() if target else path
        if not file.exists() or (heading and file.suffix == ".md" and heading[1:] not in anchors(file.read_text())):
            broken.append(f"{target}{heading}")
    return broken


def anchors(text: str) -> set[str]:
    """What links may name in a file: its headings, as GitHub writes them, and the names that it gives."""
    headings = re.findall(r"^#+\s+(.*?)\s*$", text, re.M)
    plain = [LINK.sub(r"\1", heading).lower() for heading in headings]
    named = re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text)
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain} | set(named)


def main() -> int:
    show_long = sys.argv[1:] == ["--long"]
    problems: list[str] = []
    notes: list[str] = []
    total, long_total = 0, 0
    for path in files():
        text, name = path.read_text(encoding="utf-8"), path.relative_to(ROOT)
        counted = [(p.line, s) for p in paragraphs(text) for s in sentences(p.text)]
        too_long = [(line, s) for line, s in counted if words(s) > MOST_WORDS]
        total, long_total = total + len(counted), long_total + len(too_long)
        is_over = len(too_long) > LONG_SHARE * len(counted)
        if is_over:
            share = len(too_long) / len(counted)
            problems.append(
                f"{name}: {len(too_long)} of {len(counted)} sentences ({share:.0%}) above {MOST_WORDS} words"
            )
        if is_over or show_long:
            details = [f"{name}:{line}: {words(s)} words: {s[:90]} ..." for line, s in too_long]
            (problems if is_over else notes).extend(details)
        problems += [f"{name}:{line}: longer than {MOST_CHARACTERS} characters" for line in long_lines(text)]
        problems += [f"{name}: link to {link}, which is not there" for link in broken_links(path, text)]
    print(
        "\n".join(
            [*problems, *notes, f"{total} sentences, {long_total} above {MOST_WORDS} words ({long_total / total:.1%})"]
        )
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
