"""How the end is verified: what has to hold, how often it is looked at, and for how long."""

from __future__ import annotations

from collections.abc import Iterator

from firstresponder.api.base import duration_seconds
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import RunbookSpec
from firstresponder.runbooks.names import compiled, diagnostics_behind, names_in
from firstresponder.runbooks.page.look import looks
from firstresponder.runbooks.page.occasion import Occasion
from firstresponder.runbooks.page.outcome import follows, halt
from firstresponder.safety.markdown import code, fenced, table

_NOT_RECOVERED = halt(EscalationReason.NOT_RECOVERED)


def verification(occasion: Occasion, spec: RunbookSpec) -> Iterator[str]:
    verify = spec.verify
    gap = 2 * duration_seconds(verify.interval)
    yield "## Verify"
    acted = "In every shell give first the line `ended=…` that **Act** printed. If nothing was done, the end is now:"
    yield acted if spec.actions else "The end is now. In every shell give first the line that this prints:"
    yield fenced("date +ended=%s", "sh")
    yield (
        f"Look from {verify.initial_delay} after the end on, every {verify.interval}. It is verified, and over, once "
        f"every criterion was true in every look for {occasion.argument(verify.window)}. One that is false or unknown, "
        f"or more than {gap:g} s between two looks, begins that time anew. Not verified within {verify.timeout} of the "
        "end: it failed."
    )
    rows = ((code(each.name), code(occasion.expression(each.require))) for each in verify.criteria)
    yield table(("Criterion", "True if"), rows)
    if verify.fail_when:
        yield "It failed at once if one of these is true, and only if it is:"
        rows = ((code(each.name), code(occasion.expression(each.when))) for each in verify.fail_when)
        yield table(("Worse", "True if"), rows)
    sources = [*(each.require for each in verify.criteria), *(each.when for each in verify.fail_when)]
    if any("baseline" in compiled(each, names_in(spec)).names for each in sources):
        yield "`baseline` are the values that you saw under **Look**, before anything was done."
    failed = f"If it failed: {follows(occasion, verify.on_failure)}"
    yield failed if verify.not_recovered is not None else f"{failed} If nothing was done: {_NOT_RECOVERED}"
    needed = diagnostics_behind(spec, sources)
    yield "Look by these commands, and read them as under **Look**:"
    yield from looks(occasion, [each for each in spec.diagnostics if each.name in needed], {}, verifying=True)
