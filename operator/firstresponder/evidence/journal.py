"""Messages of a unit or of the kernel, from ``journalctl``: how many, how alike, and the newest of them.

``count`` counts all matches, ``limit`` caps only the lines that are kept for showing; those are redacted and cut, so
no expression should read them. What an expression reads (``extracted``) is whole and without secrets, or left out.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any

import re2

from firstresponder.api.base import JSON, duration_seconds
from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import JournalArguments
from firstresponder.evidence.by_hand import Asked, ByHand, command_line
from firstresponder.evidence.probe import (
    Context,
    Probe,
    Reason,
    Unit,
    Unobserved,
    failure,
    require_whole,
    text_of,
    unparseable,
)
from firstresponder.evidence.unit import require_unit_name
from firstresponder.safety import may_be_secret, shown
from firstresponder.safety.markdown import code

LINE_LIMIT = 1024
"""Characters of one kept line."""
LINES_LIMIT = 16 * 1024
"""Characters of all kept lines together."""
EXTRACT_LIMIT = 256
"""Characters of the longest extracted text; a longer one is left out."""

# journalctl gives 1 when nothing matches, and systemd-run gives 1 for a program that was stopped at its time limit.
# Only one that came to its end is followed by the last line, which no JSON line can look like. Where no journal
# is kept at all it prints nothing and gives 0, so the last line also tells whether there is any entry to be seen.
# Complaints are let in among the lines: what sudo and others have to say on the error output is not about the journal.
_ANY = "journalctl --quiet --no-pager --lines=1 --output=json --output-fields=_BOOT_ID 2>&1 | head -c 1"
_SCRIPT = f'journalctl "$@" 2>&1; status=$?; any=$({_ANY}); echo "journalctl=$status any=$any"'
_END = re.compile(r"(.*?)^journalctl=([0-9]+) any=(.?)\n", re.DOTALL | re.MULTILINE)
# Runs of hexadecimal digits with at least one decimal one. It begins only where a run does and never goes back, so its
# time is linear in the message; RE2 would need five times as long.
_NUMBERS = re.compile(r"(?<![0-9a-fA-F])(?:0x[0-9a-fA-F]++|[a-fA-F]*+[0-9][0-9a-fA-F]*+)")


def _argv(arguments: JournalArguments, context: Context) -> tuple[str, ...]:
    return (
        *("sh", "-c", _SCRIPT, "sh"),
        *("--no-pager", "--output=json", "--all", "--output-fields=MESSAGE"),
        f"--since=@{_start(arguments, context):.6f}",
        *_which(arguments),
    )


def _which(arguments: JournalArguments) -> list[str]:
    """The options that choose the messages."""
    which = ["--dmesg"] if arguments.kernel else [f"--unit={require_unit_name(arguments.unit or '')}"]
    match = ["--case-sensitive=yes", f"--grep={arguments.match}"] if arguments.match is not None else []
    return which + match


def _start(arguments: JournalArguments, context: Context) -> float:
    """Where to read from, in Unix seconds of the host's clock."""
    try:
        start = context.now - duration_seconds(arguments.since)
    except ValueError as error:
        raise Unobserved(Reason.BAD_ARGUMENT, f"since: {error}") from None
    if context.not_before is not None and context.not_before > context.now:
        raise Unobserved(Reason.FAILED, "the host's clock is before the moment from which on the journal counts")
    return max(start, context.not_before or 0.0, 0.0)


def _parse(arguments: JournalArguments, output: CommandOutput, context: Context) -> dict[str, JSON]:
    start = _start(arguments, context)
    messages = _messages(_entries(output, matching=arguments.match is not None), start)
    known = [each for each in messages if each is not None]
    minutes = max(1.0, (context.now - start) / 60)
    values: dict[str, JSON] = {
        "count": len(messages),
        "perMinute": round(len(messages) / minutes, 3),
        "lines": _kept(known, arguments.limit),
    }
    if len(known) == len(messages):
        alike = Counter(_NUMBERS.sub("#", each) for each in known)
        values["mostRepeated"] = max(alike.values(), default=0)
        values["extracted"] = _extracted(known, arguments.extract)
    return values


def _entries(output: CommandOutput, *, matching: bool) -> list[dict[str, Any]]:
    """The journal entries; an empty list only when the journal was read to its end and has none."""
    require_whole(output)
    found = _END.fullmatch(text_of(output.stdout))
    if found is None:
        raise failure(output)
    lines, status = found[1].split("\n")[:-1], int(found[2])
    if complaints := [line for line in lines if not line.startswith("{")]:
        raise _complained(complaints[0], status)
    if status != 0 and not (status == 1 and matching and not lines):
        raise Unobserved(Reason.FAILED, f"journalctl ended with status {status}")
    if found[3] != "{":
        raise Unobserved(Reason.NOT_FOUND, "no journal is kept on this host: not one entry is to be seen")
    try:
        return [json.loads(line) for line in lines]
    except (ValueError, RecursionError):
        raise unparseable("journalctl did not print one JSON object a line") from None


def _complained(line: str, status: int) -> Unobserved:
    """journalctl says with any exit status that it may not read the journal, or could not read all of it."""
    text = shown(line, 256)
    if "insufficient permissions" in text or "not seeing messages" in text:
        return Unobserved(Reason.NO_PERMISSION, text)
    if text.startswith("Bad pattern"):
        return Unobserved(Reason.BAD_ARGUMENT, f"match: {text}")
    return Unobserved(Reason.MISSING_PROGRAM if status == 127 else Reason.FAILED, text)


def _messages(entries: list[dict[str, Any]], start: float) -> list[str | None]:
    """The messages from ``start`` on, in order; None for one that journalctl did not print."""
    messages = []
    for entry in entries:
        try:
            time = int(entry["__REALTIME_TIMESTAMP"])
        except (KeyError, TypeError, ValueError):
            raise unparseable("a journal entry has no __REALTIME_TIMESTAMP") from None
        if time >= math.floor(start * 1e6):
            messages.append(_message(entry.get("MESSAGE")))
    return messages


def _message(value: Any) -> str | None:
    """A field as journald's JSON has it: text, bytes as a list of numbers, a list of several values, or null when
    it is too large (systemd.io/JOURNAL_EXPORT_FORMATS, "Journal JSON Format")."""
    match value:
        case str():
            return value
        case [*several] if all(isinstance(each, int) and 0 <= each <= 255 for each in several):
            return text_of(bytes(several))
        case [*several]:
            parts = [_message(each) for each in several]
            return None if None in parts else "\n".join(part for part in parts if part is not None)
    return None


def _kept(messages: list[str], limit: int) -> list[str]:
    """The newest messages as they may be shown, at most ``limit`` and ``LINES_LIMIT`` characters, oldest first."""
    lines: list[str] = []
    room = LINES_LIMIT
    for message in reversed(messages[len(messages) - min(limit, len(messages)) :]):
        line = shown(message, LINE_LIMIT)
        room -= len(line)
        if room < 0:
            break
        lines.append(line)
    return lines[::-1]


def _extracted(messages: list[str], patterns: dict[str, str]) -> dict[str, JSON]:
    """For each pattern the text that it finds most often (the first such); left out when it finds nothing."""
    extracted = {}
    for name, source in patterns.items():
        try:
            pattern = re2.compile(source)
        except re2.error:
            raise Unobserved(Reason.BAD_ARGUMENT, f"extract.{name} is not a regular expression of RE2") from None
        finds = (pattern.search(message) for message in messages)
        texts = Counter(find.group(1 if pattern.groups else 0) for find in finds if find is not None)
        del texts[None]  # of a group that took no part in the match
        text = max(texts, key=texts.__getitem__, default="")
        if text and len(text) <= EXTRACT_LIMIT and not may_be_secret(text):
            extracted[name] = text
    return extracted


def _by_hand(arguments: JournalArguments, asked: Asked) -> str:
    """In a form that is not quiet (as `cat` is): journalctl tells then whether it may show all."""
    seconds = math.ceil(duration_seconds(arguments.since))
    journal = "journalctl --no-pager --output=short-iso --all"
    which = command_line(_which(arguments))
    if not asked.verifying:
        return f"{journal} --since=-{seconds}s {which}"
    ago = f"$(date +%s) - {seconds}"
    return f'since=$((ended > {ago} ? ended : {ago}))\n{journal} --since="@$since" {which}'


_NOT_ALL = "unknown where journalctl itself says more, such as `Hint:` or `No journal files`"


def _read_by_hand(arguments: JournalArguments) -> dict[str, str]:
    minutes = duration_seconds(arguments.since) / 60
    finds = (f"`{name}`: what {code(pattern)}" for name, pattern in arguments.extract.items())
    return {
        "count": f"the lines that begin with a time, 0 at `-- No entries --`; {_NOT_ALL}",
        "perMinute": f"messages / {minutes:g}; in a verification, / minutes since the end, from 1 to {minutes:g}; "
        f"{_NOT_ALL}",
        "mostRepeated": f"how often the commonest message is there, whatever its numbers are; {_NOT_ALL}",
        "lines": f"the messages; {_NOT_ALL}",
        "extracted": f"{', '.join(finds) or 'what each pattern'} finds most often, by its first group",
    }


PROBE = Probe(
    name="journal",
    arguments=JournalArguments,
    source="journalctl",
    fields={
        "count": "How many messages match, however many are kept",
        "perMinute": "Matches per minute of the time that was read, at least one minute",
        "mostRepeated": "How many messages are the same but for their numbers",
        "lines": "The newest matches, redacted and cut: for people, not for expressions",
        "extracted": "What each pattern of `extract` finds most often, by its name; left out when it finds nothing",
    },
    quoted=("lines", "extracted"),
    measures={"count": Unit.COUNT, "perMinute": Unit.PER_MINUTE},
    argv=_argv,
    parse=_parse,
    by_hand=ByHand(_read_by_hand, _by_hand),
    max_output=8 * 1024 * 1024,
)
