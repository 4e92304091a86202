"""What a program printed that the read-only policy knows: ``text``, or its ``lines``, or its ``json``, or a table as
``jc`` reads it.

Expressions read it whole, so text that holds what could be a secret is withheld altogether; JSON and tables have a
mark where such a value was. Only exit status 0 is an observation. A program that ended well and had nothing to say
observed that; one that complained instead did not, and a table without a row is none.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal, Self

import jc
from pydantic import Field, StringConstraints, model_validator

from firstresponder.api.base import JSON, ApiModel
from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import Template
from firstresponder.evidence.field import anything, text, texts
from firstresponder.evidence.manual_steps import ManualSteps
from firstresponder.evidence.probe import Context, Probe, Reason, Unobserved, completed, failure, text_of, unparseable
from firstresponder.evidence.public_json import public_json
from firstresponder.safety import CommandRefused, check_command, is_withheld, may_be_secret, neutralise
from firstresponder.safety.command_policy import PROGRAMS, arguments_of, options_of

_JC_PARSER: dict[str, JSON] = {
    "x-kubernetes-validations": [
        {"rule": "has(self.parser) == (self.output == 'jc')", "message": "output: jc needs a parser, no other output"}
    ]
}


class CommandArguments(ApiModel):
    """One read-only program that the policy knows, for what no other probe observes."""

    model_config = {"json_schema_extra": _JC_PARSER}

    argv: Annotated[list[Template], Field(min_length=1, max_length=32)]
    """A read-only program and its arguments; no shell reads them."""
    output: Literal["text", "lines", "json", "jc"] = "text"
    """How the output is read, and the name of the field that holds it; jc reads tables by a parser of that name."""
    parser: Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z][a-z0-9_-]*$")] | None = None
    """The parser of jc for the program, for example free; given with output: jc only."""

    @model_validator(mode="after")
    def _parser_for_jc(self) -> Self:
        if (self.parser is not None) != (self.output == "jc"):
            raise ValueError("output: jc needs a parser, no other output")
        return self


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
        raise Unobserved(Reason.BAD_ARGUMENT, refused.problem, refused.element) from None
    if arguments.output == "jc" and arguments.parser not in JC_PARSERS:
        known = ", ".join(sorted(JC_PARSERS))
        text = f"{arguments.parser} is not among the parsers of jc that are used: {known}"
        raise Unobserved(Reason.BAD_ARGUMENT, text, "parser")
    return tuple(arguments.argv)


def _parse(arguments: CommandArguments, output: CommandOutput, context: Context) -> dict[str, JSON]:
    del context
    text = completed(output)
    if not text.strip() and text_of(output.stderr).strip():
        raise failure(output)
    if arguments.output == "json":
        value = public_json(text)
        if value is None:
            raise unparseable(f"{arguments.argv[0]} printed no JSON")
        return {"json": _required(value)}
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
        raise unparseable(f"jc found nothing in it as {arguments.parser}")
    return _required(value)


def _required(value: JSON) -> JSON:
    """The value, of which a part may be withheld. Raises Unobserved when all of it is."""
    if isinstance(value, str) and is_withheld(value):
        raise Unobserved(Reason.WITHHELD, "the output holds what could be a secret")
    return value


_PROGRAMS = "".join(f"| `{name}` | {options_of(name)} | {arguments_of(name)} |\n" for name in sorted(PROGRAMS))
_NOTES = (
    "The programs, and what may follow each; everything else is refused, by lint and by the operator.\n\n"
    f"| Program | Options | Arguments |\n| --- | --- | --- |\n{_PROGRAMS}"
)

PROBE = Probe(
    name="command",
    arguments=CommandArguments,
    source="command",
    fields={
        "text": text("With `output: text`: what it printed, without the last line feed"),
        "lines": texts("With `output: lines`: the same as a list of lines"),
        "json": anything("With `output: json`: the JSON that it printed; what could be a secret is withheld"),
        "jc": anything(
            "With `output: jc`: what the parser makes of it, with its names and units, without what could be a "
            f"secret; parsers are {', '.join(f'`{name}`' for name in sorted(JC_PARSERS))}"
        ),
    },
    notes=_NOTES,
    quoted=("text", "lines", "json", "jc"),
    argv=_argv,
    parse=_parse,
    manual_steps=ManualSteps(
        lambda arguments: {
            "text": "all that was printed",
            "lines": "the lines that were printed",
            "json": "the JSON that was printed",
            "jc": f"what `jc --{arguments.parser}` makes of what was printed",
        }
    ),
    max_output=OUTPUT_LIMIT,
)
