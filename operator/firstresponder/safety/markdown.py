"""Markdown (GitHub flavour) in which the texts of others are only text.

What a machine said stands in code spans, where nothing is markup; prose is escaped. So no text can add a heading, a
link, an image, a table cell or HTML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from firstresponder.safety.neutralise import neutralise

_MARKUP = re.compile(r"([\\`*_#\[\]<>|~&$])|(?<=:)(//)|(?<=www)(\.)", re.IGNORECASE)
_BLOCK = re.compile(r"^([+=:-]|[0-9]+(?=[.)]))")
_REFERENCE = re.compile(
    r"@\w|[#!][0-9]|\bgh-[0-9]|:[a-z+-][\w+-]*:|\b(?=[0-9]*[a-f])[0-9a-f]{7,40}\b",
    re.IGNORECASE,
)
"""In words that GitHub and its like turn into something: people who are notified, issues that a ``fixes`` before them
closes, emoji, commits. They do so after rendering, where an escape is gone; only in code nothing is looked for."""
_LONGEST = 1 << 20
"""Characters of a code span: more than anything that a resource can hold."""
_QUOTED = re.compile("\ue000([^\ue001]*)\ue001")
"""No text has these characters once it is neutralised."""


def quoted(text: str) -> str:
    """A part of what prose is made of, without blanks, that is to be code in it."""
    return f"\ue000{text}\ue001"


def prose(text: str) -> str:
    """Text that renders as itself, wherever it stands in a line. What would become a reference is a code span."""
    escaped = "".join(map(_word, re.split(r"(\s+)", text.strip())))
    if begins := _BLOCK.match(escaped):
        # A digit cannot be escaped, the point or bracket after it can.
        end = begins.end()
        escaped = f"\\{escaped}" if not begins[0][0].isdigit() else f"{escaped[:end]}\\{escaped[end:]}"
    return escaped or "–"


def _word(word: str) -> str:
    if not _REFERENCE.search(_QUOTED.sub("\ue000", word)):
        parts = enumerate(_QUOTED.split(word))  # every other one is quoted
        return "".join(code(part) if index % 2 else _escaped(part) for index, part in parts)
    whole = _QUOTED.sub(lambda match: match[1], word)  # no code span can stand in another
    reference = whole.lstrip("(").rstrip(".,;:!?)")
    before, _, after = whole.partition(reference)
    return f"{before}{code(reference)}{after}"


def _escaped(text: str) -> str:
    return _MARKUP.sub(lambda match: "\\" + match[0], text)


def code(text: str) -> str:
    """Text in a code span that it cannot leave (CommonMark 0.31, section 6.1), in one line: an empty line would end
    the span, and a control character would act where the page is read as it is. Empty text is a dash."""
    if not text.strip():
        return "–"
    text = neutralise(text, _LONGEST)
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    padding = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{padding}{text}{padding}{fence}"


def items(*pairs: tuple[str, str]) -> str:
    """A list of labels, each with the Markdown that it names."""
    return "\n".join(f"- **{label}:** {text}" for label, text in pairs)


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table. A pipe ends a cell even inside a code span, unless it is escaped (GFM, section 4.10)."""
    lines = [header, tuple("---" for _ in header), *(tuple(_cell(cell) for cell in row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """Every pipe after an odd number of backslashes: parsers disagree about what an even number means. So a backslash
    right before a pipe is not seen; there is no way to write it in code."""
    return re.sub(r"(\\*)\|", lambda match: match[0] if len(match[1]) % 2 else f"{match[1]}\\|", text)


def fenced(text: str, language: str = "text") -> str:
    """A code block that its text cannot leave."""
    fence = "`" * max(3, max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    return f"{fence}{language}\n{text.rstrip(chr(10))}\n{fence}"
