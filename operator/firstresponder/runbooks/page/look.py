"""What to observe, on which host, and how to read it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from firstresponder.api.diagnostics import Diagnostic
from firstresponder.evidence.catalogue import PROBES
from firstresponder.runbooks.page.render_context import RenderContext
from firstresponder.safety.markdown import code, fenced, prose, table

_CLIENT = "your own machine, as a client of the service"


def looks(
    context: RenderContext, diagnostics: Sequence[Diagnostic], paths: dict[str, list[str]], *, verifying: bool = False
) -> Iterator[str]:
    """Each diagnostic: its commands, and where its values stand in what they print."""
    for diagnostic in diagnostics:
        yield f"### {code(diagnostic.name)} on {_place(context, diagnostic)}"
        yield fenced(context.commands(diagnostic, verifying=verifying), "sh")
        if not verifying:
            yield _reading(context, diagnostic, paths.get(diagnostic.name, ()))


def _place(context: RenderContext, diagnostic: Diagnostic) -> str:
    if PROBES[diagnostic.probe].by_operator(diagnostic.arguments):
        return _CLIENT
    return prose(context.hosts[diagnostic.role].name)


def _reading(context: RenderContext, diagnostic: Diagnostic, paths: Collection[str]) -> str:
    how_to_read = context.fields(diagnostic)
    rows = []
    for field, how in how_to_read.items():
        read = [code(f"{diagnostic.name}.{path}") for path in paths if path.partition(".")[0] == field]
        if read:
            rows.append((", ".join(read), how))
    if not rows:
        return "No condition reads it: it informs the person who decides."
    return table(("Value", "How to read it"), rows)
