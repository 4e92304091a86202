"""Secrets and personal data out of text that is shown.

It errs on the side of hiding. Text is redacted whole and capped afterwards, or a cut secret would no longer be known.
Lines stay lines: what is hidden over several of them is hidden in each. What is known of secrets is in
:mod:`firstresponder.safety.redaction`; here it is looked for, in the text and in what its escapes stand for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import reduce

from firstresponder.safety.redaction import commands, encoded, forms, keyed, markup, personal, said, sources, vendors
from firstresponder.safety.redaction.encoded import hidden_in_base64
from firstresponder.safety.redaction.lines import hidden_in_lines
from firstresponder.safety.redaction.rule import BLANK, MARK, Finder, Rule, Span
from firstresponder.safety.redaction.view import View, views

REDACTED = "[redacted]"

_MARK = re.compile(re.escape(REDACTED))
_CONTROL = str.maketrans({BLANK: " ", MARK: " "})
_LINES = re.compile(r"[^\n]+")


_PASSES = 8
"""As often it is looked again at what is left next to what was hidden; more than two are hardly ever needed."""
_SHORT, _REMEMBERED = 200, 8192
"""Texts of at most so many characters are remembered, and so many of them."""
_FINDERS: tuple[Finder, ...] = (
    *forms.RULES,
    *sources.URLS,
    *keyed.RULES,
    *said.RULES,
    *markup.RULES,
    *encoded.RULES,
    *vendors.RULES,
    *commands.RULES,
    *sources.RULES,
    *personal.RULES,
    hidden_in_lines,
)


def redact(text: str) -> str:
    """The text with secrets and personal data replaced by ``[redacted]``; what named them stays, and so do lines.

    Known: values of keys such as password, token, secret or api_key, also on the lines below; Authorization and
    Cookie headers; bearer and JSON Web Tokens; private keys; password hashes; passwords in SQL, XML and directives;
    the keys that vendors mark by a prefix; URLs of webhooks and signed URLs; passwords in the short options of known
    clients, in .pgpass and in data source names; user and password in URLs; e-mail addresses; payment card numbers;
    IBANs; phone numbers with a plus or a name. Escapes, percent-encoding, entities, colours and base64 are seen
    through. docs/security.md says what is claimed and what is not.
    """
    if text in _harmless:
        return text
    redacted = _looked_through(text)
    if redacted == text:
        _remember(text)
    return redacted


def look_through(texts: Iterable[str]) -> None:
    """Find out which of many texts are harmless, all together, so that ``redact`` need not look at each by itself.

    Most patterns occur in none of the texts, and for that they are looked for once: no pattern of ``Rule`` looks
    beyond its match, so what occurs in a text occurs in all of them joined by line feeds too. What may stand for
    something else (an escape, a mark), or takes several lines, is left to ``redact``.
    """
    plain = {text for text in texts if len(text) <= _SHORT and text not in _harmless and _is_plain(text)}
    together = "\n".join(plain)
    occurring = [each for each in _FINDERS if not isinstance(each, Rule) or each.occurs_in(together)]
    for text in plain:
        if not any(True for finder in (_in_base64, *occurring) for _ in finder(text)):
            _remember(text)


def _is_plain(text: str) -> bool:
    return text.isprintable() and REDACTED not in text and next(views(text), None) is None


_harmless: dict[str, None] = {}
"""Short texts of which nothing is hidden, the oldest first: a triage redacts a thousand, mostly those of the last one.
No secret stays in memory for it."""


def _remember(text: str) -> None:
    if len(text) <= _SHORT:
        _harmless[text] = None
        if len(_harmless) > _REMEMBERED:
            del _harmless[next(iter(_harmless))]


def _looked_through(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()  # RE2 reads UTF-8, which has no half surrogate pairs
    finders = (_in_base64, *_FINDERS)
    for _ in range(_PASSES):
        redacted = _redacted(text, finders)
        if redacted == text:
            break
        text = redacted
        marked = "\n".join(line for line in text.split("\n") if REDACTED in line)
        if _redacted(marked, finders) == marked:  # so that redacting twice changes nothing more
            break
    return text


def _in_base64(text: str) -> Iterator[Span]:
    """One level deep, so that no text can make it go down and down."""
    return hidden_in_base64(text, lambda meant: _redacted(meant, _FINDERS))


def _redacted(text: str, finders: tuple[Finder, ...]) -> str:
    plain = text.translate(_CONTROL)
    spans = _found(plain, finders)
    for view, through in views(plain):
        spans += (_origin(span, through) for span in _found(view, finders))
    return _masked(text, spans)


def _origin(span: Span, through: list[View]) -> Span:
    return reduce(lambda reached, view: view.origin(reached), through, span)


def may_be_secret(text: str, key: str | None = None) -> bool:
    """Whether a text may not be kept: for what it is, or for what the key before it says."""
    return redact(text) != text or (key is not None and redact(f"{key}={text}") != f"{key}={text}")


def _found(text: str, finders: tuple[Finder, ...]) -> list[Span]:
    """What each finder hides, with what the ones before it hid blanked out."""
    found: list[Span] = [match.span() for match in _MARK.finditer(text)]
    text = text.replace(REDACTED, MARK * len(REDACTED))
    for finder in finders:
        spans = list(finder(text))
        if spans:
            found += spans
            text = _replaced(text, spans, lambda part: BLANK * len(part))
    return found


def _masked(text: str, spans: list[Span]) -> str:
    return _replaced(text, spans, lambda _: REDACTED)


def _replaced(text: str, spans: list[Span], by: Callable[[str], str]) -> str:
    """The text with each span replaced, those that touch as one, and each line of them by itself."""
    parts: list[str] = []
    position = 0
    for start, end in _joined(spans):
        parts += text[position:start], _LINES.sub(lambda match: by(match.group()), text[start:end])
        position = end
    return "".join([*parts, text[position:]])


def _joined(spans: list[Span]) -> Iterator[Span]:
    start, end = -1, -1
    for each in sorted(spans):
        if each[0] > end:
            if end > start:
                yield start, end
            start = each[0]
        end = max(end, each[1])
    if end > start:
        yield start, end
