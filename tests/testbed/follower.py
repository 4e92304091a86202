"""A person who follows a page of `kubectl runbook render`, knowing nothing but what it says.

    page = Page(markdown)
    found = look(page, shells)          # runs the commands of each look on its host, and reads what they print
    verdict = decide(page, found)       # Verdict("Do", "restart") or Verdict("STOP", "SecurityIncident")
    ended = act(page, "restart", found, shells)
    unmet = verify(page, found, ended, shells)   # the criteria that do not hold at one look

A shell runs lines as an ordinary user on one host. What was not seen, or may not have been, is not in `found`.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from firstresponder.api.command import CommandOutput
from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.probe import Context, Reason, Unobserved
from firstresponder.expressions import Scope, compile_expression, resolve_variables
from firstresponder.expressions import Verdict as Truth

Shell = Callable[[str], CommandOutput]
Found = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Verdict:
    """What the page says to do: `Do` an action, `Go on` with another page, `Verify`, or `STOP` for a reason."""

    what: str
    name: str = ""


@dataclass
class Part:
    """What stands below one heading: shell blocks, tables (rows of cells, each as Markdown) and paragraphs."""

    title: str
    blocks: list[tuple[str, Any]] = field(default_factory=list)

    def shells(self) -> list[str]:
        return [content for kind, content in self.blocks if kind == "sh"]

    def table(self, header: str) -> list[list[str]]:
        """The rows of the table whose first column has this name; none where there is no such table."""
        tables = [content for kind, content in self.blocks if kind == "table" and content[0][0] == header]
        return tables[0][1:] if tables else []

    def text(self) -> str:
        return "\n".join(content for kind, content in self.blocks if kind == "text")


class Page:
    """The page as sections of parts; the part of a section that is below no heading of its own has an empty title."""

    def __init__(self, markdown: str) -> None:
        self.sections: dict[str, list[Part]] = {"": [Part("")]}
        section, rows = self.sections[""], list[list[str]]()
        tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
        for before, token in zip([Token("", "", 0), *tokens], tokens, strict=False):
            if before.type == "heading_open" and before.tag == "h2":
                section = self.sections[token.content] = [Part("")]
            elif before.type == "heading_open" and before.tag == "h3":
                section.append(Part(token.content))
            elif token.type == "fence":
                section[-1].blocks.append((token.info, token.content.rstrip("\n")))
            elif token.type == "table_open":
                rows = []
            elif token.type == "tr_open":
                rows.append([])
            elif before.type in {"th_open", "td_open"}:
                rows[-1].append(token.content)
            elif token.type == "table_close":
                section[-1].blocks.append(("table", rows))
            elif token.type == "inline":
                section[-1].blocks.append(("text", token.content))

    def part(self, section: str, name: str) -> Part:
        """The part whose title begins with this name, as code or as it is."""
        return next(each for each in self.sections[section] if each.title.strip("`").startswith(name))


def codes(markdown: str) -> list[str]:
    """The code spans of a line, as they render. In a cell of a table every pipe has a backslash before it."""
    (_, inline, _) = MarkdownIt("commonmark").parse(markdown)
    return [each.content for each in inline.children or [] if each.type == "code_inline"]


# Looking


def look(page: Page, shells: Mapping[str, Shell]) -> Found:
    (setting,) = page.sections["Look"][0].shells()
    return dict(_looked(page, "Look", setting, shells))


def _looked(
    page: Page, section: str, setting: str, shells: Mapping[str, Shell]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for part in page.sections[section][1:]:
        name, host = re.fullmatch(r"`(\w+)` on (\S+)", part.title).groups()  # type: ignore[union-attr]
        (commands,) = part.shells()
        rows = page.part("Look", name).table("Value")
        how = {path.removeprefix(f"{name}."): row[1] for row in rows for path in codes(row[0])}
        try:
            yield name, _read(commands, how, lambda lines: shells[host](f"{setting}\n{lines}"))  # noqa: B023
        except Unobserved:
            continue


def _read(commands: str, how: Mapping[str, str], shell: Shell) -> dict[str, Any]:
    """The values that the page names, out of what its commands print. Raises Unobserved."""
    reader = next(each for pattern, each in _READERS.items() if re.search(pattern, commands, re.MULTILINE))
    values = reader(commands, how, shell)
    named = {path.partition(".")[0] for path in how}
    return {name: value for name, value in values.items() if name in named}


def _by_probe(name: str, **arguments: Any) -> Callable[[str, Mapping[str, str], Shell], dict[str, Any]]:
    """Where the command is the probe's own, the probe reads."""

    def read(commands: str, how: Mapping[str, str], shell: Shell) -> dict[str, Any]:
        return PROBES[name].parse(PROBES[name].arguments(**arguments), shell(commands), Context(now=0, timeout=10))

    return read


def _processes(commands: str, how: Mapping[str, str], shell: Shell) -> dict[str, Any]:
    output, probe = shell(commands), PROBES["processes"]
    by = "memory" if any("most memory" in each for each in how.values()) else "cpu"
    named = re.search(r"'\*\.scope' (\S+)$", commands, re.MULTILINE)
    arguments = probe.arguments(sort_by=by, unit=named[1] if named else None)
    return probe.parse(arguments, CommandOutput(output.stdout, output.stderr, 0), Context(now=time.time(), timeout=10))


def _journal(commands: str, how: Mapping[str, str], shell: Shell) -> dict[str, Any]:
    output = shell(commands)
    lines = output.stdout.decode().splitlines()
    unit = dict(line.split("=", 1) for line in lines if re.match(r"[A-Za-z]+=", line))
    if unit and not (unit["StandardOutput"].startswith("journal") and unit["LogNamespace"] == ""):
        raise Unobserved(Reason.NOT_FOUND, f"the unit does not log to the journal: {unit}")
    none = lines[-1:] == ["-- No entries --"]
    # journalctl gives 1 where nothing matches, and complains on its error output.
    if output.stderr or output.exit_status != (1 if none else 0):
        raise Unobserved(Reason.FAILED, output.stderr.decode())
    messages = [line for line in lines if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T", line)]
    values: dict[str, Any] = {"count": len(messages), "extracted": {}}
    values["mostRepeated"] = max(Counter(re.sub(r"[0-9]+", "#", each) for each in messages).values(), default=0)
    for path, told in how.items():
        if path == "perMinute":
            values[path] = len(messages) / float(re.search(r"/ ([0-9.]+);", told)[1])  # type: ignore[index]
        if path.startswith("extracted."):
            pattern = codes(told)[codes(told).index(path.removeprefix("extracted.")) + 1].replace("\\|", "|")
            finds = Counter(found[1] for each in messages if (found := re.search(pattern, each)))
            if finds:
                values["extracted"][path.removeprefix("extracted.")] = finds.most_common(1)[0][0]
    return values


def _tcp(commands: str, how: Mapping[str, str], shell: Shell) -> dict[str, Any]:
    output = shell(commands)
    status = re.fullmatch(rb"status=([0-9]+)\n", output.stdout)
    text = b"read=142\n" if status is None or status[1] == b"124" else b"read=0\n" + output.stderr + output.stdout
    probe = PROBES["tcp"]
    return probe.parse(probe.arguments(host="x", port=1), CommandOutput(text, b"", 0), Context(now=0, timeout=10))


def _directories(commands: str, how: Mapping[str, str], shell: Shell) -> dict[str, Any]:
    du, df = (shell(line) for line in commands.split("\n"))
    complaints = [line for line in du.stderr.decode().splitlines() if not line.endswith("No such file or directory")]
    if complaints or df.exit_status != 0:
        raise Unobserved(Reason.FAILED, "; ".join(complaints))
    sizes = [(int(size), path) for size, path in (each.split("\t") for each in du.stdout.decode().splitlines())]
    total = sizes[0][0]
    (_, one), (used, other) = (line.split(None, 1) for line in df.stdout.decode().splitlines()[1:])
    share = min(round(100 * total / int(used), 1), 100.0) if one == other else 0.0
    most = max((path for size, path in sizes if size > total / 2), key=len, default=sizes[0][1])
    return {"totalBytes": total, "totalInodes": total, "sharePercent": share, "mostIn": most}


def _http(commands: str, how: Mapping[str, str], shell: Shell) -> dict[str, Any]:
    """What the page's shell says of curl's end comes last on the screen; the probe has it behind curl's own account."""
    output, probe = shell(commands), PROBES["http"]
    body, _, exitcode = output.stdout.rpartition(b"exitcode=")
    account = CommandOutput(body, output.stderr + b"exitcode=" + exitcode, output.exit_status)
    return probe.parse(probe.arguments(url="http://x/"), account, Context(now=0, timeout=10))


def _inventory(commands: str, how: Mapping[str, str], shell: Shell) -> dict[str, Any]:
    group, variable = codes(how["count"])[1], codes(how["max"])[0]
    arguments = {"path": "x", "group": group, "maximum_variable": variable}
    return _by_probe("inventory", **arguments)(commands, how, shell)


_READERS: Mapping[str, Callable[[str, Mapping[str, str], Shell], dict[str, Any]]] = {
    r"^sample before$": _processes,
    r"journalctl ": _journal,
    r"^cat /proc/meminfo": _by_probe("memory"),
    r"^systemctl show": _by_probe("unit", unit="x.service"),
    r"^curl ": _http,
    r"^sudo du ": _directories,
    r"^df ": _by_probe("disk", path="/"),
    r"ansible-inventory": _inventory,
    r"/dev/tcp/": _tcp,
    r"psql .*SELECT 1": _by_probe("postgresPing"),
}


# Deciding


class _Judge:
    """The conditions of a page, judged by what was found."""

    def __init__(self, page: Page, found: Found, baseline: Found | None = None) -> None:
        looks = {codes(part.title)[0] for part in page.sections["Look"][1:]}
        variables = [[codes(cell) for cell in row[:2]] for row in page.sections["Decide"][0].table("Name")]
        self._names = looks | {name for (name,), _ in variables} | {"baseline", "hosts", "service"}
        scope = Scope({**{name: found.get(name, {}) for name in looks}, "baseline": baseline or found})
        compiled = [(name, compile_expression(source, self._names)) for (name,), (source,) in variables]
        self._scope = resolve_variables(compiled, scope)

    def truth(self, condition: str) -> Truth:
        return compile_expression(condition, self._names).verdict(self._scope)

    def value(self, expression: str) -> Any:
        return compile_expression(expression, self._names).evaluate(self._scope).value


def decide(page: Page, found: Found) -> Verdict:
    judge = _Judge(page, found)
    parts = {part.title: part for part in page.sections["Decide"]}
    if "What stops at once" in parts:
        guards = [(judge.truth(codes(row[1])[0]), row[2]) for row in parts["What stops at once"].table("Guard")]
        if held := [then for truth, then in guards if truth is Truth.TRUE]:
            return _then(held[0])
        if any(truth is Truth.UNKNOWN for truth, _ in guards):
            return _then(parts["What stops at once"].text())
    if "Is it there?" in parts:
        symptom = parts["Is it there?"].text()
        match judge.truth(codes(symptom)[0]):
            case Truth.FALSE:
                return Verdict("Verify")
            case Truth.UNKNOWN:
                return _then(symptom)
    return _cause(parts["Which cause?"], judge)


def _cause(part: Part, judge: _Judge) -> Verdict:
    texts = [content for kind, content in part.blocks if kind == "text"]
    rules = [content for content in texts if not content.startswith("Evaluate all of them")]
    nobody_knows, none, ambiguous, hidden, _ = rules[-5:]
    rows = [(int(row[1]), judge.truth(codes(row[2])[0]), row[4]) for row in part.table("Cause")]
    holding = [row for row in rows if row[1] is Truth.TRUE]
    unknown = [row for row in rows if row[1] is Truth.UNKNOWN]
    if not holding:
        return _then(nobody_knows if unknown else none)
    likelihood, _, then = holding[0]
    margin = int(re.search(r"less than ([0-9]+) points", ambiguous)[1])  # type: ignore[index]
    if any(row[0] > likelihood - margin and row[2] != then for row in holding[1:]):
        return _then(ambiguous)
    if any(row[0] > likelihood - margin for row in unknown):
        return _then(hidden)
    return _then(then)


def _then(markdown: str) -> Verdict:
    """What a cell or a sentence says to do."""
    if found := re.search(r"\*\*STOP:\*\* `(\w+)`", markdown):
        return Verdict("STOP", found[1])
    if found := re.search(r"Do `([^`]+)`", markdown):
        return Verdict("Do", found[1])
    found = re.search(r"Go on with the page of Runbook `([^`]+)`", markdown)
    assert found, markdown
    return Verdict("Go on", found[1])


# Acting


class Stopped(Exception):
    """The page says STOP in the middle of an action."""


def act(page: Page, action: str, found: Found, shells: Mapping[str, Shell]) -> str:
    """Carry out every step; the line that tells when it ended. Raises Stopped."""
    part = page.part("Act", action)
    shell = shells[part.title.rpartition(" on ")[2]]
    judge, texts = _Judge(page, found), part.text()
    for row in part.table("Precondition"):
        if judge.truth(codes(row[1])[0]) is not Truth.TRUE:
            raise Stopped(row[2])
    enough = re.search(r"\*\*Enough once:\*\* (.*)", texts)
    setting, before, begun = "", "", False
    for intro, commands, then in _steps(part):
        if (condition := re.search(r"Only if `(.+?)` by", intro)) and judge.truth(condition[1]) is not Truth.TRUE:
            continue
        if enough is not None:
            match _Judge(page, look(page, shells)).truth(codes(enough[1])[0]):
                case Truth.TRUE if begun:
                    break
                case Truth.TRUE | Truth.UNKNOWN:
                    raise Stopped(enough[1])
        if commands.endswith("\ninstances="):
            (number,) = re.findall(r"\*\*Instances:\*\* `(.+?)`", texts)
            setting = f"{commands}{judge.value(number):.0f}\n"
            continue
        printed = shell(setting + commands).stdout.decode()
        begun = True
        before = _go_on(then, printed, before)
    return shell(part.shells()[-1]).stdout.decode()


def _steps(part: Part) -> Iterator[tuple[str, str, str]]:
    """What a step is, its commands, and when to go on."""
    for place, (kind, content) in enumerate(part.blocks):
        if kind == "text" and content.startswith("**Step "):
            (_, commands), (_, then) = part.blocks[place + 1 : place + 3]
            yield content, commands, then


def _go_on(then: str, printed: str, before: str) -> str:
    """The instance that runs, if the step printed one; raises Stopped unless it printed what lets people go on."""
    wanted = []
    if "Go on if it says" in then:
        wanted = [each for each in codes(then) if "=" in each]
    if "STOP if `status` is not 0" in then:
        wanted = ["status=0"]
    if "STOP unless the recap has" in then:
        wanted = codes(then)
    for each in wanted:
        if not re.search(rf"(^|\s){re.escape(each)}\s", printed):
            raise Stopped(f"no {each} in {printed}")
    instance = re.search(r"^InvocationID=(.*)$", printed, re.MULTILINE)
    if "another `InvocationID`" in then and (instance is None or instance[1] in {"", before}):
        raise Stopped(f"still the instance {before}")
    return instance[1] if instance else before


# Verifying


def verify(page: Page, before: Found, ended: str, shells: Mapping[str, Shell]) -> list[str]:
    """The criteria that do not hold at one look; `before` is what was seen first. Raises Stopped if it got worse."""
    (setting,) = page.sections["Look"][0].shells()
    found = dict(_looked(page, "Verify", f"{setting}\n{ended}", shells))
    judge = _Judge(page, found, before)
    (part, *_) = page.sections["Verify"]
    if worse := [row[0] for row in part.table("Worse") if judge.truth(codes(row[1])[0]) is Truth.TRUE]:
        raise Stopped(worse[0])
    rows = part.table("Criterion")
    return [codes(row[0])[0] for row in rows if judge.truth(codes(row[1])[0]) is not Truth.TRUE]
