"""How the end is verified: what has to hold, how often it is checked, and for how long."""

from __future__ import annotations

from collections.abc import Iterator

from firstresponder.api.base import duration_seconds
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import RunbookSpec
from firstresponder.runbooks.page.look import looks
from firstresponder.runbooks.page.outcome import follows, halt
from firstresponder.runbooks.page.render_context import RenderContext
from firstresponder.runbooks.symbols import compiled, diagnostics_behind, names_in
from firstresponder.safety.markdown import code, fenced, table

_NOT_RECOVERED = halt(EscalationReason.NOT_RECOVERED)


def verification(context: RenderContext, spec: RunbookSpec) -> Iterator[str]:
    verify = spec.verify
    gap = 2 * duration_seconds(verify.interval)
    yield "## Verify"
    acted = "In every shell, run the line `ended=…` that **Act** printed first. If nothing was done, take the time now:"
    yield acted if spec.actions else "Take the time now, and run the line that this prints first in every shell:"
    yield fenced("date +ended=%s", "sh")
    yield (
        f"Check every {verify.interval}, starting {verify.initial_delay} after the end. It is verified once every "
        f"criterion was true in every check for {context.argument(verify.window)}. A criterion that is false or "
        f"unknown, or a gap of more than {gap:g} s, restarts that window. Not verified within {verify.timeout} of the "
        "end: it failed."
    )
    rows = ((code(each.name), code(context.expression(each.require))) for each in verify.criteria)
    yield table(("Criterion", "True if"), rows)
    if verify.fail_when:
        yield "It has failed, without waiting longer, if one of these is true:"
        rows = ((code(each.name), code(context.expression(each.when))) for each in verify.fail_when)
        yield table(("Worse", "True if"), rows)
    sources = [*(each.require for each in verify.criteria), *(each.when for each in verify.fail_when)]
    if any("baseline" in compiled(each, names_in(spec)).names for each in sources):
        yield "`baseline` stands for the values under **Look**, from before anything was changed."
    failed = f"If it failed: {follows(context, verify.on_failure)}"
    yield failed if verify.not_recovered is not None else f"{failed} If nothing was done: {_NOT_RECOVERED}"
    needed = diagnostics_behind(spec, sources)
    yield "Check with these commands, and read them as under **Look**:"
    yield from looks(context, [each for each in spec.diagnostics if each.name in needed], {}, verifying=True)
