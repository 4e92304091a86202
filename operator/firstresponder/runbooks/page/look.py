"""What to look at, on which host, and how to read it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from firstresponder.api.diagnostics import Diagnostic
from firstresponder.runbooks.page.occasion import Occasion
from firstresponder.safety.markdown import code, fenced, prose, table

_CLIENT = "your own machine, as a client of the service"


def looks(
    occasion: Occasion, diagnostics: Sequence[Diagnostic], paths: dict[str, list[str]], *, verifying: bool = False
) -> Iterator[str]:
    """Each diagnostic: its commands, and where its values stand in what they print."""
    for diagnostic in diagnostics:
        yield f"### {code(diagnostic.name)} on {_place(occasion, diagnostic)}"
        yield fenced(occasion.commands(diagnostic, verifying=verifying), "sh")
        if not verifying:
            yield _reading(occasion, diagnostic, paths.get(diagnostic.name, ()))


def _place(occasion: Occasion, diagnostic: Diagnostic) -> str:
    if diagnostic.http is not None and diagnostic.http.from_ == "operator":
        return _CLIENT
    return prose(occasion.hosts[diagnostic.role].name)


def _reading(occasion: Occasion, diagnostic: Diagnostic, paths: Collection[str]) -> str:
    told = occasion.fields(diagnostic)
    rows = []
    for field, how in told.items():
        read = [code(f"{diagnostic.name}.{path}") for path in paths if path.partition(".")[0] == field]
        if read:
            rows.append((", ".join(read), how))
    return table(("Value", "How to read it"), rows) if rows else "No condition reads it: it is for whoever decides."
