"""One value out of a configuration file that the observing account can read: ``value``, the text that stands there.

What may be a secret is never observed, and nothing else of the file is shown. Three exceptions, each off by default:
a key that names a secret (password, token, …) is refused before the file is read; a value that looks like one is
withheld; and unless the runbook declares it harmless, only a number (with its unit), a boolean or a short word is
observed, and not under a key such as ``pass``, ``pin`` or ``key``. Even so a short password under an innocent key
would be taken for a word: name keys that you know.

A key that stands there twice, or a value that goes on in the next line or needs a shell to read it, is not guessed.
YAML merge keys (``<<``) are not followed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Literal

import yaml

from firstresponder.api.base import JSON, ApiModel
from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import Template
from firstresponder.evidence.argument_checks import require_path
from firstresponder.evidence.field import text
from firstresponder.evidence.manual_steps import ManualSteps
from firstresponder.evidence.probe import Context, Probe, Reason, Unobserved, completed, unparseable
from firstresponder.safety import may_be_secret, neutralise
from firstresponder.safety.markdown import code


class ConfigValueArguments(ApiModel):
    """One value out of a configuration file that the observing account can read."""

    path: Template
    """The absolute path of the file."""
    key: Template
    """YAML: names with dots between them; INI: section.key; else the key itself."""
    format: Literal["yaml", "ini", "env", "properties"] | None = None
    """How the file is written; left out, the ending of its path decides."""
    harmless: bool = False
    """Whether people may read any text found there; what looks like a secret is never observed."""


VALUE_LIMIT = 256
"""Characters of the longest value."""
_NAMES_LIMIT = 8
"""Names in a dotted key."""

_FORMATS = {
    **dict.fromkeys((".yaml", ".yml", ".json"), "yaml"),  # JSON is YAML
    **dict.fromkeys((".ini", ".cfg", ".cnf"), "ini"),
    ".env": "env",
    ".properties": "properties",
}
_NUMBER_OR_WORD = re.compile(
    r"-?[0-9]{1,15}(\.[0-9]{1,9})?[ ]?(%|[A-Za-z]{0,3})"  # 20, 1.5, 30s, 512MiB, 80%
    r"|[A-Za-z]{1,16}|(?=.{1,24}$)[a-z]{1,12}([-_][a-z]{1,12}){1,2}"  # on, INFO, read-only
)
_SECRET_NAMES = frozenset(
    {"auth", "cookie", "cred", "creds", "dsn", "key", "keys", "otp", "pass", "phrase", "pin", "private", "psk", "pw"}
    | {"salt", "seed", "sig"}
)


def _argv(arguments: ConfigValueArguments, context: Context) -> tuple[str, ...]:
    del context
    path = require_path("path", arguments.path)
    if _looks_secret(arguments.key, "x"):
        raise Unobserved(Reason.WITHHELD, f"{arguments.key!r} names a secret, which is never read", "key")
    _format(arguments)
    return ("cat", "--", path)


def _format(arguments: ConfigValueArguments) -> str:
    name = arguments.path.rpartition("/")[2]
    kind = arguments.format or _FORMATS.get(name[name.rfind(".") :] if "." in name else "")
    if kind is None:
        problem = "the ending of the path does not show the format; give yaml, ini, env or properties"
        raise Unobserved(Reason.BAD_ARGUMENT, problem, "format")
    return kind


def _parse(arguments: ConfigValueArguments, output: CommandOutput, context: Context) -> dict[str, JSON]:
    del context
    text = completed(output)
    if "\0" in text or "\ufffd" in text:
        raise unparseable("it is not a text file in UTF-8")
    found = [each for each in _READERS[_format(arguments)](text, arguments.key) if each != ""]
    if not found:
        raise Unobserved(Reason.NOT_FOUND, f"the file has no value for {arguments.key!r}")
    if len(found) > 1 or found[0] is None:
        what = "stands there more than once" if len(found) > 1 else "is not one plain value in one line"
        raise unparseable(f"{arguments.key!r} {what}")
    return {"value": _public(arguments, found[0])}


def _public(arguments: ConfigValueArguments, value: str) -> str:
    """The value when it may be observed; it is never altered. Raises Unobserved(Withheld)."""
    if _looks_secret(arguments.key, value):
        raise Unobserved(Reason.WITHHELD, f"the value of {arguments.key!r} looks like a secret")
    if not arguments.harmless and not (_NUMBER_OR_WORD.fullmatch(value) and _is_innocent(arguments.key)):
        raise Unobserved(
            Reason.WITHHELD,
            f"the value of {arguments.key!r} is no number and no short word, or its key may name a secret; "
            "declare it `harmless: true` when everybody may read it",
        )
    if neutralise(value, VALUE_LIMIT) != value:
        raise unparseable(f"the value of {arguments.key!r} has control characters or more than {VALUE_LIMIT}")
    return value


def _looks_secret(key: str, value: str) -> bool:
    names = [*re.split(r"[.\s]", key), key]
    return any(may_be_secret(value, name) for name in names)


def _is_innocent(key: str) -> bool:
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", key)
    return not _SECRET_NAMES & {word.lower() for word in words}


# --- Each reader finds every place of the key: its text, "" where it has no value, None where that is no plain text.

Found = Iterator[str | None]


def _yaml(text: str, key: str) -> Found:
    try:
        documents = list(yaml.compose_all(text, Loader=yaml.SafeLoader))  # nodes only: nothing is built from them
    except (yaml.YAMLError, RecursionError, ValueError):
        raise unparseable("it is not YAML") from None
    names = key.split(".")
    if len(names) > _NAMES_LIMIT:
        raise Unobserved(Reason.BAD_ARGUMENT, f"at most {_NAMES_LIMIT} names with dots between them", "key")
    for document in documents:
        yield from _below(document, names)


def _below(node: Any, names: list[str]) -> Found:
    """Names may have dots in them themselves, so every way to read the key is tried."""
    if not names:
        if not isinstance(node, yaml.ScalarNode):
            yield None
        else:
            yield "" if node.tag == "tag:yaml.org,2002:null" else str(node.value)
    elif isinstance(node, yaml.SequenceNode) and re.fullmatch(r"[0-9]{1,4}", names[0]):
        if int(names[0]) < len(node.value):
            yield from _below(node.value[int(names[0])], names[1:])
    elif isinstance(node, yaml.MappingNode):
        for size in range(1, len(names) + 1):
            name = ".".join(names[:size])
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value == name:
                    yield from _below(value, names[size:])


def _ini(text: str, key: str) -> Found:
    """``[section]`` and ``key = value``; # and ; after a space begin a comment, as MySQL and PostgreSQL have it."""
    section = ""
    for line in _lines(text):
        if head := re.fullmatch(r"\s*\[([^\]]*)\]\s*([#;].*)?", line):
            section = f"{head[1].strip()}."
        elif (sign := re.search("[=:]", line)) and section + line[: sign.start()].strip() == key:
            yield _unquoted(line[sign.end() :].strip(), comment=r"(?:^|\s)[#;]")


def _env(text: str, key: str) -> Found:
    """``NAME=value`` as a shell and systemd's EnvironmentFile= read it alike."""
    for line in _lines(text):
        entry = re.fullmatch(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)", line)
        if entry is None:
            continue
        value = entry[2].strip()
        if value[:1] in {'"', "'"} and re.sub(r"\\.", "", value).count(value[0]) % 2:
            raise unparseable("a value in quotes goes on over several lines")
        if entry[1] == key:
            plain = re.fullmatch(r"\"[^\"\\$`]*\"|'[^']*'|[^\s\"'\\$`#;&|()<>*?~{}]*", value)
            yield _unquoted(value) if plain else None


def _properties(text: str, key: str) -> Found:
    """``key=value``, ``key: value`` or ``key value`` (java.util.Properties); a backslash is not interpreted."""
    for line in _lines(text):
        entry = re.fullmatch(r"\s*([^#!=:\s][^=:\s]*)(?:\s*[=:]\s*|\s+)(.*)", line)
        if entry and entry[1] == key:
            yield None if "\\" in entry[2] else entry[2].rstrip()


def _lines(text: str) -> Iterator[str]:
    """The lines without those that continue the one before, which ends with a backslash."""
    before = ""
    for line in text.splitlines():
        if not before.endswith("\\"):
            yield line
        before = line


def _unquoted(value: str, comment: str = r"\Z") -> str | None:
    """What stands between the quotes, or before the comment; None when that is not clear."""
    if value[:1] in {'"', "'"}:
        end = value.find(value[0], 1)
        rest = value[end + 1 :].strip()
        inside = value[1:end]
        return None if end < 0 or "\\" in inside or (rest and not re.match(comment, rest)) else inside
    if found := re.search(comment, value):
        value = value[: found.start()].rstrip()
    return None if value.endswith("\\") else value


_READERS: dict[str, Callable[[str, str], Found]] = {
    "yaml": _yaml,
    "ini": _ini,
    "env": _env,
    "properties": _properties,
}

PROBE = Probe(
    name="configValue",
    arguments=ConfigValueArguments,
    source="a configuration file",
    fields={
        "value": text("The text that stands there; left out, withheld or refused when it may be a secret"),
    },
    argv=_argv,
    parse=_parse,
    manual_steps=ManualSteps(
        lambda arguments: {"value": f"the value of {code(arguments.key)}, without quotes or a comment behind it"}
    ),
    excerpt=False,
)
