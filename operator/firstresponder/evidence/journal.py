"""Messages of a unit or of the kernel, from ``journalctl``: how many, how alike, and the newest of them.

``count`` counts all matches, ``limit`` caps only the lines that are kept for showing; those are redacted and cut, so
no expression should read them. What an expression reads (``extracted``) is whole and without secrets, or left out.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

import re2
from pydantic import Field, model_validator

from firstresponder.api.base import JSON, ApiModel, Identifier, duration_seconds
from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import DurationTemplate, HostPattern, Pattern, Template
from firstresponder.api.ledger import Moment
from firstresponder.evidence.field import number, texts, texts_by_name
from firstresponder.evidence.manual_steps import Asked, ManualSteps, command_line
from firstresponder.evidence.patterns import PATTERNS, PatternSet
from firstresponder.evidence.probe import (
    Context,
    Probe,
    Reason,
    Unobserved,
    failure,
    require_whole,
    text_of,
    unparseable,
)
from firstresponder.evidence.unit import require_unit_name
from firstresponder.safety import LEFT_OUT, publishable, shown
from firstresponder.safety.markdown import code

_UNIT_OR_KERNEL: dict[str, JSON] = {
    "x-kubernetes-validations": [{"rule": "has(self.unit) != self.kernel", "message": "give unit or kernel: true"}]
}


class JournalArguments(ApiModel):
    """Messages of one unit (or of the kernel) that match a pattern: all counted, the newest kept for showing."""

    model_config = {"json_schema_extra": _UNIT_OR_KERNEL}

    unit: Template | None = None
    """The unit whose messages are read, for example $(service).service; a template."""
    kernel: bool = False
    """Reads the kernel's messages instead of a unit's."""
    since: DurationTemplate = "10m"
    """How far back to read: a duration, or $(parameter)."""
    patterns: PatternSet | None = None
    """A named set of patterns, of which a message must match one: see the table below."""
    match: HostPattern | None = None
    """A regular expression (PCRE2) that a message must match, or one in addition to the named patterns; a template."""
    limit: Annotated[int, Field(ge=0, le=100)] = 20
    """How many of the newest messages are kept; all are counted."""
    extract: Annotated[dict[Identifier, Pattern], Field(max_length=8)] = {}
    """Name to regular expression (RE2): what its first group finds most often is extracted.NAME."""

    @model_validator(mode="after")
    def _unit_or_kernel(self) -> Self:
        if (self.unit is not None) == self.kernel:
            raise ValueError("give unit or kernel: true")
        return self


LINE_LIMIT = 1024
"""Characters of one kept line."""
LINES_LIMIT = 16 * 1024
"""Characters of all kept lines together."""
EXTRACT_LIMIT = 256
"""Characters of the longest extracted text; a longer one is left out."""

_DROPPED = "a596d6fe7bfa4994828e72309e95d61e"
_SETTLE = 12
"""How often the host is asked for a record of this very look, every quarter of a second; then journald has stopped."""
_SET = 2.0
"""Seconds by which a clock is corrected without being set."""

# What the script prints: facts, one a line, each behind a #; then what journalctl prints, JSON and complaints alike;
# then facts again. Nothing is taken for true without the last line, for journalctl gives 1 where nothing matches, and
# systemd-run gives 1 for a program that was stopped at its time limit.
#
# sudo and systemd log that the look begins, so a journald that works has a record younger than $1 (microseconds, as all
# here but the uptime). The newest of all records has the time on both clocks, and the reading begins at a
# cursor that names the boot and the monotonic time, and the clock for files that hold nothing of that boot
# (sd_journal_seek_cursor: b=, m=, t=): a clock that was set moves no window.
_RECORDS = "journalctl --no-pager --output=json"
_SCRIPT = "; ".join(
    (
        "look=$1 since=$2 end=$3 endUptime=$4 endBoot=$5 unit=$6",
        "shift 6",
        "tries=0",
        f"while newest=$({_RECORDS} --quiet --lines=1 --output-fields=PRIORITY 2>/dev/null)",
        r"clock=${newest#*__REALTIME_TIMESTAMP\":\"}",
        r"clock=${clock%%\"*}",
        f'[ "${{clock:-0}}" -lt "$look" ] 2>/dev/null && [ $tries -lt {_SETTLE} ]; do tries=$((tries + 1))',
        "sleep 0.25",
        "done",
        'echo "#newest $newest"',
        "boot=${newest#*;b=} monotonic=${newest#*;m=}",
        "boot=${boot%%;*} monotonic=${monotonic%%;*}",
        'case $monotonic in "" | *[!0-9a-f]*) journalctl --no-pager --lines=0 2>&1; echo "#end"; exit 0 ;; esac',
        # Since the end of the action: by the clock as it is now, which may have been set since.
        "span=$since set=0",
        'if [ "$end" -gt 0 ]; then if [ "$endBoot" = "$boot" ]; then read -r up _ </proc/uptime',
        "set=$(($(date +%s%6N) - ${up%.*}${up#*.}0000 - end + endUptime))",
        f"[ ${{set#-}} -ge {_SET * 1e6:.0f} ] || set=0",
        "fi",
        "since=$((clock - end - set))",
        '[ "$since" -ge "$span" ] || span=$since',
        "fi",
        'echo "#span $span"',
        'echo "#set $set"',
        "[ $span -ge 0 ] || span=0",
        "from=$((0x$monotonic - span))",
        "[ $from -ge 0 ] || from=0",
        'cursor=$(printf "b=%s;m=%x;t=%x" "$boot" $from $((clock - span)))',
        # What there is to read: the oldest record, and every file with its last change and whether it can be read.
        f'echo "#oldest $({_RECORDS} --quiet --system --output-fields=PRIORITY 2>/dev/null | head -n 1)"',
        "read -r machine </etc/machine-id",
        "for directory in /run/log/journal/$machine /var/log/journal/$machine",
        'do if [ -d "$directory" ]; then find "$directory" -maxdepth 1 -name "*.journal*"'
        r' -printf "#file %T@ " \( -readable -printf "yes" -o -printf "no" \) -printf " %p\n" 2>&1; fi',
        "done",
        "cd /etc/systemd",
        'sed -n "s/^ *MaxLevelStore *= */#store /p" journald.conf journald.conf.d/*.conf'
        " /run/systemd/journald.conf.d/*.conf 2>/dev/null",
        'if [ -n "$unit" ]; then systemctl show --no-pager'
        ' --property=Id,LoadState,StandardOutput,StandardError,LogNamespace,LogLevelMax -- "$unit" 2>&1'
        ' | sed "s/^/#unit /"',
        r'systemctl cat -- "$unit" 2>/dev/null | sed -n "s/^Standard\(Output\|Error\)=\([a-z]*:\)/#sink \1 \2/p"',
        'set -- "--unit=$(systemctl show --property=Id --value -- "$unit")" "$@"',
        "fi",
        f'{_RECORDS} --all --output-fields=MESSAGE "--cursor=$cursor" "$@" 2>&1',
        'echo "#status $?"',
        # journald's own word for messages of a unit beyond its RateLimitBurst= (SD_MESSAGE_JOURNAL_DROPPED).
        f'{_RECORDS} --quiet --output-fields=MESSAGE "--cursor=$cursor" MESSAGE_ID={_DROPPED} 2>/dev/null'
        ' | sed "s/^/#dropped /"',
        'echo "#end"',
    )
).replace("do; ", "do ")
# Runs of hexadecimal digits with at least one decimal one. It begins only where a run does and never goes back, so its
# time is linear in the message; RE2 would need five times as long.
_NUMBERS = re.compile(r"(?<![0-9a-fA-F])(?:0x[0-9a-fA-F]++|[a-fA-F]*+[0-9][0-9a-fA-F]*+)")


def _argv(arguments: JournalArguments, context: Context) -> tuple[str, ...]:
    end = context.not_before or Moment(0.0)
    return (
        *("sh", "-c", _SCRIPT, "sh"),
        *(_micro(context.now), _micro(_since(arguments)), _micro(end.clock), _micro(end.uptime or 0.0)),
        end.boot.replace("-", "") if end.boot is not None and end.uptime is not None else "unknown",
        require_unit_name(arguments.unit or "") if not arguments.kernel else "",
        *(["_TRANSPORT=kernel"] if arguments.kernel else []),
        *_grep(arguments),
    )


def _micro(seconds: float) -> str:
    return str(round(seconds * 1e6))


def _grep(arguments: JournalArguments) -> list[str]:
    pattern = _pattern(arguments)
    return ["--case-sensitive=yes", f"--grep={pattern}"] if pattern is not None else []


def _which(arguments: JournalArguments) -> list[str]:
    """The options that choose the messages, for a person."""
    which = ["--dmesg"] if arguments.kernel else [f"--unit={require_unit_name(arguments.unit or '')}"]
    return which + _grep(arguments)


def _pattern(arguments: JournalArguments) -> str | None:
    """What a message must match: the named patterns, the runbook's own, or either of them. None: nothing.

    Beside named patterns an own one that a parameter leaves empty is none; alone it would match everything.
    """
    own = arguments.match
    if arguments.patterns is None:
        if own == "":
            raise Unobserved(Reason.BAD_ARGUMENT, "it is empty, which would match every message", "match")
        return own
    named = PATTERNS[arguments.patterns].expression
    return f"(?:{named})|(?:{own})" if own else named


def _since(arguments: JournalArguments) -> float:
    """How far back to read, in seconds."""
    try:
        return duration_seconds(arguments.since)
    except ValueError as error:
        raise Unobserved(Reason.BAD_ARGUMENT, str(error), "since") from None


def _parse(arguments: JournalArguments, output: CommandOutput, context: Context) -> dict[str, JSON]:
    look = _read(output)
    span = _span(look, context)
    if arguments.unit is not None:
        _require_in_journal(look)
        _require_none_dropped(look, arguments.unit)
    entries = _entries(look, _pattern(arguments) is not None, span)
    messages = [_message(each.get("MESSAGE")) for each in entries]
    known = [each for each in messages if each is not None]
    values: dict[str, JSON] = {
        "count": len(messages),
        "perMinute": round(len(messages) / max(1.0, span / 60), 3),
        "lines": _kept(known, arguments.limit),
    }
    if len(known) == len(messages):
        alike = Counter(_NUMBERS.sub("#", each) for each in known)
        values["mostRepeated"] = max(alike.values(), default=0)
        values["extracted"] = _extracted(known, arguments.extract)
    return values


@dataclass(frozen=True)
class _Look:
    """What the script printed, to its end."""

    facts: Mapping[str, Sequence[str]]
    records: Sequence[str]
    """One JSON object each."""
    complaints: Sequence[str]
    """Of journalctl, and of find about a folder that it may not list."""

    def first(self, fact: str) -> str:
        return next(iter(self.facts.get(fact, ())), "")


def _read(output: CommandOutput) -> _Look:
    require_whole(output)
    lines = text_of(output.stdout).split("\n")
    if lines[-2:] != ["#end", ""]:
        raise failure(output)
    facts: defaultdict[str, list[str]] = defaultdict(list)
    records: list[str] = []
    complaints: list[str] = []
    for line in lines[:-2]:
        if line.startswith("#"):
            fact, _, value = line[1:].partition(" ")
            facts[fact].append(value)
        else:
            (records if line.startswith("{") else complaints).append(line)
    return _Look(facts, records, complaints)


def _span(look: _Look, context: Context) -> float:
    """How many seconds are read, up to the newest record, which has to be of this very look."""
    newest = look.first("newest")
    if not newest.startswith("{"):
        if look.complaints:
            raise _complained(look.complaints[0])
        raise Unobserved(Reason.NOT_FOUND, "no journal is kept on this host: not one entry is to be seen")
    if _moments(newest)[1] < context.now:
        raise Unobserved(
            Reason.FAILED,
            "journald has written nothing since this diagnostic began, although it had to: it is stopped, stuck or far "
            "behind "
            "(systemctl status systemd-journald.service)",
        )
    span = int(look.first("span")) / 1e6
    if span < 0:
        raise Unobserved(Reason.FAILED, "the host's clock is before the moment from which on the journal counts")
    return span


def _entries(look: _Look, matching: bool, span: float) -> list[dict[str, Any]]:
    """The records that count; an empty list only when all that there is of that time was read, and holds none."""
    boot, clock, monotonic = _moments(look.first("newest"))
    begin = clock - span
    unread = _files(look, begin)
    for complaint in look.complaints:
        if not any(f" {path}" in complaint for path in unread.old):
            raise _complained(complaint)
    if unread.hidden:
        raise Unobserved(Reason.NO_PERMISSION, f"the observing account may not read {unread.hidden[0]}")
    status = look.first("status")
    if status != "0" and not (status == "1" and matching and not look.records):
        raise Unobserved(
            Reason.MISSING_PROGRAM if status == "127" else Reason.FAILED, f"journalctl ended with status {status}"
        )
    _require_reach(look, begin)
    found = [(each, *_moments(each)) for each in look.records]
    counted = (each for each, of, at, up in found if (up >= monotonic - span if of == boot else at >= begin))
    return [json.loads(each) for each in counted]


def _moments(record: str) -> tuple[str, float, float]:
    """The boot of a record, and when it was written: in Unix seconds, and by the clock that cannot be set."""
    try:
        fields = json.loads(record)
        return fields["_BOOT_ID"], int(fields["__REALTIME_TIMESTAMP"]) / 1e6, int(fields["__MONOTONIC_TIMESTAMP"]) / 1e6
    except (ValueError, KeyError, TypeError, RecursionError):
        raise unparseable("journalctl did not print one JSON object with its boot and its times a line") from None


@dataclass(frozen=True)
class _Files:
    old: Sequence[str]
    """Those that were written for the last time before what is read: whatever is wrong with them does not matter."""
    hidden: Sequence[str]
    """Those that are not old and may not be read. journalctl passes over them in silence."""


def _files(look: _Look, begin: float) -> _Files:
    old, hidden = [], []
    for fact in look.facts.get("file", ()):
        changed, readable, path = fact.split(" ", 2)
        if float(changed) < begin:
            old.append(path)
        elif readable != "yes":
            hidden.append(path)
    return _Files(old, hidden)


def _require_reach(look: _Look, begin: float) -> None:
    """What was removed for lack of space was not read. A journal that was never cut begins with record 1."""
    oldest = look.first("oldest")
    cut = re.search(r";i=1;", oldest) is None
    if not oldest or (cut and _moments(oldest)[1] > begin):
        raise Unobserved(
            Reason.FAILED,
            "the journal does not reach back as far as it is read: older records were removed "
            "(SystemMaxUse= and the like in journald.conf)",
        )


_SINKS = {
    "null": "is thrown away",
    "tty": "goes to a terminal",
    "kmsg": "goes to the kernel's log",
    "kmsg+console": "goes to the kernel's log",
    "socket": "goes to the peer of its socket",
    "fd": "goes to a descriptor that another unit opened",
    "file": "goes to a file",
    "append": "goes to a file",
    "truncate": "goes to a file",
}
_INFORMATIVE = 6
"""The level of what a program prints (syslog's ``info``)."""
_LEVELS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")


def _require_in_journal(look: _Look) -> None:
    """Raises Unobserved unless all that the unit prints goes to the journal that was read, and says where it goes."""
    unit = dict(each.partition("=")[::2] for each in look.facts.get("unit", ()))
    name = unit.get("Id", "the unit")
    if unit.get("LoadState") in {None, "not-found", "error", "bad-setting"}:
        raise Unobserved(Reason.NOT_FOUND, f"{name} is not loaded on this host ({unit.get('LoadState', 'no answer')})")
    if namespace := unit.get("LogNamespace"):
        raise Unobserved(
            Reason.NOT_FOUND,
            f"{name} logs to the journal namespace {shown(namespace, 64)}, not to the journal of the host "
            "(LogNamespace=)",
        )
    paths = dict(each.split(" ", 1) for each in look.facts.get("sink", ()))
    for stream in ("Output", "Error"):
        sink = unit.get(f"Standard{stream}", "journal")
        if sink not in {"journal", "journal+console", "inherit"}:
            where = f"Standard{stream}={paths.get(stream, sink)}"
            raise Unobserved(
                Reason.NOT_FOUND,
                f"what {name} prints {_SINKS.get(sink, 'goes elsewhere')}, not to the journal ({shown(where, 256)})",
            )
    level = unit.get("LogLevelMax", "")
    if level.isdecimal() and int(level) < _INFORMATIVE:
        raise Unobserved(
            Reason.NOT_FOUND, f"{name} logs only what is {_LEVELS[int(level)]} or worse to the journal (LogLevelMax=)"
        )
    store = (look.facts.get("store") or ["debug"])[-1].strip()
    if store in _LEVELS[:_INFORMATIVE] or (store.isdecimal() and int(store) < _INFORMATIVE):
        raise Unobserved(Reason.NOT_FOUND, f"this host's journal keeps only what is {store} or worse (MaxLevelStore=)")


def _require_none_dropped(look: _Look, unit: str) -> None:
    names = {unit, *(each.removeprefix("Id=") for each in look.facts.get("unit", ()) if each.startswith("Id="))}
    for each in look.facts.get("dropped", ()):
        words = (_message(json.loads(each).get("MESSAGE")) or "").split()
        if words and words[-1] in names:
            raise Unobserved(
                Reason.TRUNCATED, f"journald dropped messages: {shown(' '.join(words), 256)} (LogRateLimitBurst=)"
            )


def _complained(line: str) -> Unobserved:
    """journalctl says with any exit status that it may not read the journal, or could not read all of it."""
    text = shown(line, 256)
    if re.search(r"insufficient permissions|not seeing messages|Permission denied", text):
        return Unobserved(Reason.NO_PERMISSION, text)
    if text.startswith("Bad pattern"):
        return Unobserved(Reason.BAD_ARGUMENT, text, "match")
    return Unobserved(Reason.MISSING_PROGRAM if text.endswith("not found") else Reason.FAILED, text)


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
        if text:
            extracted[name] = publishable(text) if len(text) <= EXTRACT_LIMIT else LEFT_OUT
    return extracted


def _manual_steps(arguments: JournalArguments, asked: Asked) -> str:
    """In a form that is not quiet (as `cat` is): journalctl then says whether it may show all."""
    seconds = math.ceil(duration_seconds(arguments.since))
    journal = "journalctl --no-pager --output=short-iso --all"
    which = command_line(_which(arguments))
    if not asked.verifying:
        return f"{_shown_by_hand(arguments)}{journal} --since=-{seconds}s {which}"
    ago = f"$(date +%s) - {seconds}"
    return f'since=$((ended > {ago} ? ended : {ago}))\n{journal} --since="@$since" {which}'


def _shown_by_hand(arguments: JournalArguments) -> str:
    """Where the unit logs, for a person: a journal that it does not reach is none."""
    if arguments.unit is None:
        return ""
    properties = "--property=Id,LoadState,StandardOutput,StandardError,LogNamespace"
    return f"systemctl show {properties} -- {command_line([require_unit_name(arguments.unit)])}\n"


_NOT_ALL = (
    "unknown where journalctl itself says more, such as `Hint:` or `No journal files`, or where the unit does not log "
    "to the journal"
)


def _read_by_hand(arguments: JournalArguments) -> dict[str, str]:
    minutes = duration_seconds(arguments.since) / 60
    finds = (f"`{name}`: what {code(pattern)}" for name, pattern in arguments.extract.items())
    return {
        "count": f"the lines that begin with a time, 0 at `-- No entries --`; {_NOT_ALL}",
        "perMinute": f"messages / {minutes:g}; in a verification, / minutes since the end, from 1 to {minutes:g}; "
        f"{_NOT_ALL}",
        "mostRepeated": f"how often the most frequent message occurs, ignoring numbers; {_NOT_ALL}",
        "lines": f"the messages; {_NOT_ALL}",
        "extracted": f"{', '.join(finds) or 'what each pattern'} finds most often, by its first group",
    }


def _patterns(arguments: JournalArguments) -> dict[str, str]:
    match = {"match": arguments.match} if arguments.match is not None else {}
    return {**match, **{f"extract.{name}": pattern for name, pattern in arguments.extract.items()}}


PROBE = Probe(
    name="journal",
    arguments=JournalArguments,
    source="journalctl",
    fields={
        "count": number("How many messages match, however many are kept", measured=True),
        "perMinute": number("Matches per minute of the time that was read, at least one minute", measured=True),
        "mostRepeated": number("How many messages are the same but for their numbers"),
        "lines": texts("The newest matches, redacted and cut: for people, not for expressions"),
        "extracted": texts_by_name(
            "What each pattern of `extract` finds most often, by its name; left out when it finds nothing"
        ),
    },
    quoted=("lines", "extracted"),
    argv=_argv,
    parse=_parse,
    manual_steps=ManualSteps(_read_by_hand, _manual_steps),
    max_output=8 * 1024 * 1024,
    looks_back=True,
    patterns=_patterns,
)
