"""Text as whoever wrote it meant it: without escapes, percent-encoding, entities and colours.

A secret in JSON inside JSON stands between escaped quotes, one in a URL behind ``%3D``, and a terminal's colour may
stand within a key. So the rules look at the text itself and at views of it, each with one more level taken away; what
they find is hidden in the text itself.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property, lru_cache
from itertools import accumulate

from firstresponder.safety.redaction.rule import BLANK, Span

LEVELS = 4
"""How many levels are seen through: two of JSON in JSON, coloured, within a percent-encoded URL."""

# Each begins with one of a few characters, so that text without them is passed over quickly.
_ENCODED = re.compile(
    "[\x1b\\\\%&#\"'+\u00ad\u200b\u200c\u200d\u2060\ufeff-](?:"
    r"(?<=\x1b)(?:\[[0-9;?]*[A-Za-z]|\][^\x07\x1b\n]*(?:\x07|\x1b\\))"  # colours, and links
    r"|(?<=\\)(?:[\"'\\/nrt]|u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|033|e(?=\[))"
    r"|(?<=%)[0-9A-Fa-f]{2}"
    r"|(?<=&)(?:quot|apos|amp|lt|gt|#[0-9]{2,3}|#x[0-9A-Fa-f]{2});"
    r"|(?<=#)0(?:33|1[12])"  # as rsyslog writes control characters
    r"|(?<=\")\"(?:(?=[\w{/+$-])|(?<=[\w}=/+]\"\"))"  # as CSV doubles them, and SQL
    r"|(?<=')\"'\"'"  # as a shell quotes a quote
    r"|(?<=')'(?:(?=[\w{/+$-])|(?<=[\w}=/+]''))"
    r"|(?<=^\+)(?=[\w \t\"'<*-])|(?<=^-)(?=[A-Za-z_*]|  )"  # the sign of a difference
    r"|(?<=[\u00ad\u200b-\u200d\u2060\ufeff]))",  # characters without width
    re.MULTILINE,
)
_MEANT = {
    r"\n": "\n", r"\r": "\r", r"\t": "\t", r"\033": "\x1b", r"\e": "\x1b", "#033": "\x1b", "#011": "\t", "#012": "\n",
}  # fmt: skip
_APART = f"\n{BLANK}\n"


class View:
    """A text and where in another one each part of it comes from."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._origins: list[Span] = []

    @property
    def text(self) -> str:
        return "".join(self._parts)

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *accumulate(map(len, self._parts))]

    def add(self, part: str, origin: Span) -> None:
        """A part that stands for what is at the origin, which is as long where nothing is encoded."""
        if part:
            self._parts.append(part)
            self._origins.append(origin)

    def add_literally(self, text: str, start: int, end: int) -> None:
        self.add(text[start:end], (start, end))

    def begin_lines(self, signs: str) -> str:
        """Ends a line where a string begins that turns out to be one of several lines; the sign that it begins with."""
        for index in range(len(self._parts) - 1, -1, -1):
            part, (start, end) = self._parts[index], self._origins[index]
            if part.endswith("\n"):
                break
            sign = max(map(part.rfind, signs)) + 1
            if sign and len(part) == end - start:
                self._parts[index : index + 1] = part[:sign], "\n", part[sign:]
                self._origins[index : index + 1] = (
                    (start, start + sign),
                    (start + sign, start + sign),
                    (start + sign, end),
                )
                return part[sign - 1]
        return ""

    def origin(self, span: Span) -> Span:
        """Where a span of the view comes from, whole escapes included."""
        return self._at(span[0])[0], self._at(span[1] - 1)[1]

    def _at(self, index: int) -> Span:
        part = bisect_right(self._starts, index) - 1
        start, end = self._origins[part]
        if len(self._parts[part]) < end - start or start == end:
            return start, end
        start += index - self._starts[part]
        return start, start + 1


def views(text: str) -> Iterator[tuple[str, list[View]]]:
    """Each view's text and the views it was made through, the nearest to the text last; none where all is plain."""
    through: list[View] = []
    for _ in range(LEVELS):
        view = _decoded(text)
        if view is None:
            return
        through = [view, *through]
        text = view.text
        yield text, through


def _decoded(text: str) -> View | None:
    """The lines in which something is encoded, with one level less of it."""
    view = View()
    done = -1  # the end of the last line in the view
    position = 0
    sign: str | None = None  # where a string of several lines is open: the quote that ends it, or nothing that does
    for match in _ENCODED.finditer(text):
        start, end = match.span()
        if start > done:
            line = text.rfind("\n", 0, start) + 1
            if done >= 0:
                _add(view, text, position, done, sign)
                view.add("\n" if line == done + 1 else _APART, (done, done))
            position, sign = line, None
            done = text.find("\n", end)
            done = len(text) if done < 0 else done
        if _add(view, text, position, start, sign):
            sign = None
        meant = _meant(match.group())
        if meant == "\n" and sign is None:
            sign = view.begin_lines("=&" if match.group()[0] == "%" else "\"'")
        view.add(meant, (start, end))
        position = end
    if done < 0:
        return None
    _add(view, text, position, done, sign)
    return view


def _add(view: View, text: str, start: int, end: int, sign: str | None) -> bool:
    """Adds what is not encoded; whether the sign is in it, before which the last line of a string ends."""
    closing = text.find(sign, start, end) if sign else -1
    if closing >= 0:
        view.add_literally(text, start, closing)
        view.add("\n", (closing, closing))
        start = closing
    view.add_literally(text, start, end)
    return closing >= 0


def _shown(character: str) -> str:
    return character if character in "\x1b\t\n\r" or character.isprintable() else BLANK


@lru_cache(1024)
def _meant(code: str) -> str:
    if code in _MEANT:
        return _MEANT[code]
    match code[0], code[1:2]:
        case "\\", ("u" | "x"):
            return _shown(chr(int(f"0x{code[2:]}", 16)))
        case "\\", _:
            return code[1]
        case "%", _:
            return _shown(chr(int(f"0x{code[1:]}", 16)))
        case "&", _:
            return html.unescape(code)
        case (('"' | "'"), _):
            return code[0]
    return ""  # a colour, or nothing that is seen
