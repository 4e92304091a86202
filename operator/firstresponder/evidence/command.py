"""What a program printed that the read-only policy knows: ``text``, or its ``lines``, or its ``json``.

Expressions read it whole, so it is never altered: text that holds what could be a secret is withheld, and JSON comes
without such values. Only exit status 0 is an observation. A program that ended well and had nothing to say observed
that; one that complained instead did not.
"""

from __future__ import annotations

from firstresponder.api.base import JSON
from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import CommandArguments
from firstresponder.evidence.probe import (
    Context,
    Probe,
    Reason,
    Unobserved,
    completed,
    failure,
    text_of,
    unparseable,
)
from firstresponder.evidence.public_json import public_json
from firstresponder.safety import CommandRefused, check_command, neutralise, redact

OUTPUT_LIMIT = 16 * 1024
"""Bytes of the longest output; more would be cut, and a part is not the truth."""


def _argv(arguments: CommandArguments, context: Context) -> tuple[str, ...]:
    del context
    try:
        check_command(arguments.argv)
    except CommandRefused as refused:
        raise Unobserved(Reason.BAD_ARGUMENT, str(refused)) from None
    return tuple(arguments.argv)


def _parse(arguments: CommandArguments, output: CommandOutput, context: Context) -> dict[str, JSON]:
    del context
    text = completed(output)
    if not text.strip() and text_of(output.stderr).strip():
        raise failure(output)
    if arguments.output == "json":
        value = public_json(text)
        if value is None:
            raise unparseable(f"{arguments.argv[0]} printed no JSON that may be kept")
        return {"json": value}
    if redact(text) != text:
        raise Unobserved(Reason.WITHHELD, "the output holds what could be a secret")
    if neutralise(text, OUTPUT_LIMIT, lines=True) != text:
        raise unparseable("the output has control characters")
    if arguments.output == "lines":
        return {"lines": text.removesuffix("\n").split("\n") if text else []}
    return {"text": text.removesuffix("\n")}


PROBE = Probe(
    name="command",
    arguments=CommandArguments,
    source="command",
    fields=frozenset({"text", "lines", "json"}),
    argv=_argv,
    parse=_parse,
    max_output=OUTPUT_LIMIT,
)
