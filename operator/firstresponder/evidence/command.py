"""What a program printed that the read-only policy knows: ``text``, or its ``lines``, or its ``json``, or a table as
``jc`` reads it.

Expressions read it whole, so it is never altered: text that holds what could be a secret is withheld, and JSON comes
without such values. Only exit status 0 is an observation. A program that ended well and had nothing to say observed
that; one that complained instead did not, and a table without a row is none.
"""

from __future__ import annotations

import json

import jc

from firstresponder.api.base import JSON
from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import CommandArguments
from firstresponder.evidence.by_hand import ByHand
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
from firstresponder.safety import CommandRefused, check_command, may_be_secret, neutralise

JC_PARSERS = frozenset(
    {"dpkg-l", "free", "id", "iostat", "lsmod", "mpstat", "proc-diskstats", "proc-interrupts"}
    | {"proc-loadavg", "proc-meminfo", "proc-net-dev", "proc-net-netstat", "proc-softirqs", "proc-stat", "proc-swaps"}
    | {"proc-uptime", "proc-version", "proc-vmstat", "ps", "ss", "sysctl", "systemctl", "systemctl-lj", "systemctl-ls"}
    | {"systemctl-luf", "uname", "vmstat", "wc"}
)
"""The parsers that are used: those of the programs that the policy knows, but for those that take anything for an
answer (uptime, ls) or read times as if they were of the operator's own time zone (date, stat, who)."""
OUTPUT_LIMIT = 16 * 1024
"""Bytes of the longest output; more would be cut, and a part is not the truth."""


def _argv(arguments: CommandArguments, context: Context) -> tuple[str, ...]:
    del context
    try:
        check_command(arguments.argv)
    except CommandRefused as refused:
        raise Unobserved(Reason.BAD_ARGUMENT, str(refused)) from None
    if arguments.output == "jc" and arguments.parser not in JC_PARSERS:
        known = ", ".join(sorted(JC_PARSERS))
        text = f"parser: {arguments.parser} is not among the parsers of jc that are used: {known}"
        raise Unobserved(Reason.BAD_ARGUMENT, text)
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
    if arguments.output == "jc":
        return {"jc": _table(arguments, text)}
    if may_be_secret(text):
        raise Unobserved(Reason.WITHHELD, "the output holds what could be a secret")
    if neutralise(text, OUTPUT_LIMIT, lines=True) != text:
        raise unparseable("the output has control characters")
    if arguments.output == "lines":
        return {"lines": text.removesuffix("\n").split("\n") if text else []}
    return {"text": text.removesuffix("\n")}


def _table(arguments: CommandArguments, text: str) -> JSON:
    """What jc makes of it. Raises Unobserved."""
    try:
        value = public_json(json.dumps(jc.parse(str(arguments.parser), text, quiet=True)))
    except Exception as problem:  # jc is many parsers by many hands, and hosts print what none of them foresaw
        raise unparseable(f"jc cannot read it as {arguments.parser}: {type(problem).__name__}") from None
    if not value:
        raise unparseable(f"jc found nothing in it as {arguments.parser} that may be kept")
    return value


PROBE = Probe(
    name="command",
    arguments=CommandArguments,
    source="command",
    fields={
        "text": "With `output: text`: what it printed, without the last line feed",
        "lines": "With `output: lines`: the same as a list of lines",
        "json": "With `output: json`: the JSON that it printed, without what could be a secret",
        "jc": "With `output: jc`: what the parser makes of it, with its names and units, without what could be a "
        f"secret; parsers are {', '.join(f'`{name}`' for name in sorted(JC_PARSERS))}",
    },
    quoted=("text", "lines", "json", "jc"),
    argv=_argv,
    parse=_parse,
    by_hand=ByHand(
        lambda arguments: {
            "text": "all that was printed",
            "lines": "the lines that were printed",
            "json": "the JSON that was printed",
            "jc": f"what `jc --{arguments.parser}` makes of what was printed",
        }
    ),
    max_output=OUTPUT_LIMIT,
)
