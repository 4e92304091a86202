"""Which commands a diagnostic may run: a short list of read-only programs, with their read-only options.

Whatever is not listed is refused: other programs, options that change something, follow for ever, write or execute, or
speak to other hosts, abbreviated options, and paths where a diagnostic sees its own private folder instead of the
host's. The kernel's hold on every diagnostic (host/README.md) comes on top; this list is not the only wall.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


class CommandRefused(ValueError):
    """An argv that is not known to be read-only; ``element`` is what of it, as in ``argv[1]``, and ``problem`` why."""

    def __init__(self, element: str, problem: str) -> None:
        super().__init__(f"{element}: {problem}")
        self.element = element
        self.problem = problem


@dataclass(frozen=True)
class _Program:
    letters: str = ""
    """Options of one letter without a value; several may stand together, as in ``-al``."""
    options: tuple[str, ...] = ()
    """Other options without a value, whole."""
    valued: tuple[str, ...] = ()
    """Options with a value: in the next element, or after ``=`` when they begin with two dashes."""
    value: str = r"[A-Za-z0-9_@%+:,./ ][A-Za-z0-9_@%+:,./ =-]{0,127}"
    """A regular expression for those values."""
    operands: tuple[str, ...] = ()
    """A regular expression for each operand by position; the last one holds for all that follow."""
    needed: int = 0
    """How many operands there have to be: without them some programs do more than look."""


_NUMBER = r"[0-9]{1,3}"
_COUNT = r"\+?[0-9]{1,6}"
_NAME = r"[A-Za-z0-9_.:@*+][A-Za-z0-9_.:@*+/\\-]{0,127}"
_PATH = r"/[A-Za-z0-9_.@+,:/ -]{0,255}"
_LOG = r"/var/log/[A-Za-z0-9_.@+,:/-]{1,200}"
_KERNEL = (
    r"/proc/(loadavg|meminfo|stat|vmstat|mdstat|uptime|version|cpuinfo|diskstats|interrupts|softirqs|swaps"
    r"|pressure/(cpu|io|memory)|net/(dev|snmp|snmp6|netstat|sockstat|sockstat6|softnet_stat)|sys/[a-z0-9_/.-]{1,100})"
)
# A diagnostic has its own /tmp and /dev, and some folders are shut to it (host/firstresponder-observe).
_PRIVATE = re.compile(r"/+(tmp|var/+tmp|dev|root|run/+(user|lock|firstresponder)|var/+lib/+firstresponder)(/.*)?")
_LISTS = r"list-(units|unit-files|timers|sockets|paths|jobs|dependencies)"

_PROGRAMS = {
    "cat": _Program(operands=(_KERNEL,), needed=1),
    "date": _Program(letters="u", operands=(r"\+[ -~]{1,60}",)),
    "dpkg-query": _Program(letters="lW", options=("--list", "--show"), operands=(_NAME,)),
    "free": _Program(letters="bkmghltw", options=("--bytes", "--kibi", "--mebi", "--total", "--wide", "--lohi")),
    "head": _Program(valued=("-n", "-c", "--lines", "--bytes"), value=_COUNT, operands=(_LOG,), needed=1),
    "id": _Program(letters="Ggnu", operands=(_NAME,)),
    "iostat": _Program(letters="cdhkmxyz", valued=("-o",), operands=(_NUMBER,)),
    "ip": _Program(
        letters="46djos",
        options=("-json", "-brief", "-br", "-details", "-statistics", "-oneline"),
        operands=("address|addr|link|route|rule|neighbour|neigh|maddress", "show|list", _NAME),
        needed=2,
    ),
    "loginctl": _Program(options=("--no-pager", "--no-legend"), operands=("list-(sessions|users|seats)",), needed=1),
    "ls": _Program(letters="1AFSUZadhiklnrst", options=("--all", "--full-time"), operands=(_PATH,)),
    "lscpu": _Program(letters="Je", options=("--json", "--extended")),
    "lsmod": _Program(),
    "mpstat": _Program(valued=("-P", "-o"), operands=(_NUMBER,)),
    "nproc": _Program(options=("--all",)),
    "ps": _Program(
        letters="AHLTZacdefFjlMuwxy",
        options=("--no-headers", "--forest", "-ww"),
        valued=("-o", "-p", "-C", "-u", "--format", "--pid", "--ppid", "--user", "--sort"),
        operands=("aux(ww)?",),
    ),
    "readlink": _Program(letters="efm", operands=(_PATH,)),
    "ss": _Program(letters="046Haeilmnopstuwx"),
    "stat": _Program(letters="Lft", valued=("-c", "--format"), operands=(_PATH,), needed=1),
    "sysctl": _Program(letters="an", options=("--all", "--values"), operands=(r"[a-z0-9_.][a-z0-9_.-]{0,127}",)),
    "systemctl": _Program(
        letters="al",
        options=("--all", "--failed", "--full", "--no-legend", "--no-pager", "--plain", "--reverse"),
        valued=("-t", "-o", "--type", "--state", "--output"),
        operands=(_LISTS, _NAME),
        needed=1,
    ),
    "tail": _Program(valued=("-n", "-c", "--lines", "--bytes"), value=_COUNT, operands=(_LOG,), needed=1),
    "uname": _Program(letters="aimnoprsv"),
    "uptime": _Program(letters="ps", options=("--pretty", "--since")),
    "vmstat": _Program(letters="adnsw", operands=(_NUMBER,)),
    "wc": _Program(letters="Lclmw", operands=(_LOG,), needed=1),
    "who": _Program(letters="Habq"),
}
PROGRAMS = frozenset(_PROGRAMS)
"""The programs that a diagnostic may name."""

_IN_WORDS = {
    _NUMBER: "a number",
    _NAME: "a name",
    _PATH: "an absolute path",
    _LOG: "a file below /var/log",
    _KERNEL: "a file of the kernel such as /proc/loadavg, /proc/pressure/io or /proc/sys/…",
    _LISTS: "list-units, list-unit-files, list-timers, list-sockets, list-paths, list-jobs or list-dependencies",
    r"list-(sessions|users|seats)": "list-sessions, list-users or list-seats",
    r"[a-z0-9_.][a-z0-9_.-]{0,127}": "the name of a setting",
    r"\+[ -~]{1,60}": "a format that begins with +",
    r"aux(ww)?": "aux or auxww",
}
"""What operands may be; where it is not here, the words themselves."""


def options_of(name: str) -> str:
    """The options that a program may have, in words."""
    program = _PROGRAMS[name]
    letters = ["".join(f"-{letter} " for letter in program.letters).rstrip()] if program.letters else []
    valued = [f"{option} VALUE" for option in program.valued]
    return ", ".join([*letters, *program.options, *valued]) or "none"


def arguments_of(name: str) -> str:
    """The arguments that a program may have after its options, in words and in their order."""
    words = [_IN_WORDS.get(each, each.replace("|", " or ")) for each in _PROGRAMS[name].operands]
    return ", then ".join(words) or "none"


def check_command(argv: Sequence[str]) -> None:
    """Raise CommandRefused unless the argv is known to be read-only."""
    program = _PROGRAMS.get(argv[0]) if argv else None
    if program is None:
        name = repr(argv[0]) if argv else "nothing"
        raise CommandRefused("argv[0]", f"{name} is not among the read-only programs: {', '.join(sorted(PROGRAMS))}")
    operands = _operands(program, argv)
    if len(operands) < program.needed:
        what = arguments_of(argv[0])
        raise CommandRefused("argv", f"{argv[0]} needs {program.needed} argument(s) after its options: {what}")
    for position, (index, operand) in enumerate(operands):
        allowed = program.operands[min(position, len(program.operands) - 1)] if program.operands else None
        if allowed is None or not re.fullmatch(allowed, operand):
            may = arguments_of(argv[0])
            raise CommandRefused(f"argv[{index}]", f"{operand!r} is no argument that {argv[0]} may have here: {may}")
        if operand.startswith("/") and (".." in operand.split("/") or _PRIVATE.fullmatch(operand)):
            raise CommandRefused(f"argv[{index}]", f"a diagnostic does not see the host's {operand!r}")


def _operands(program: _Program, argv: Sequence[str]) -> list[tuple[int, str]]:
    """Index and text of what is no option. Raises CommandRefused for an option that is not listed."""
    operands: list[tuple[int, str]] = []
    value_of, only_operands = "", False
    for index, element in enumerate(argv[1:], 1):
        name, equals, value = element.partition("=")
        if value_of:
            _check_value(program, index, value_of, element)
            value_of = ""
        elif only_operands or not element.startswith("-"):
            operands.append((index, element))
        elif element == "--":
            only_operands = True
        elif equals and name.startswith("--") and name in program.valued:
            _check_value(program, index, name, value.removeprefix("-"))  # a sign, as in --sort=-pcpu
        elif element in program.valued or (_are_letters(program, element[:-1]) and f"-{element[-1]}" in program.valued):
            value_of = element
        elif element not in program.options and not _are_letters(program, element):
            may = options_of(argv[0])
            raise CommandRefused(f"argv[{index}]", f"{element!r} is no option that {argv[0]} may have: {may}")
    if value_of:
        raise CommandRefused("argv", f"{value_of} needs a value after it")
    return operands


def _are_letters(program: _Program, element: str) -> bool:
    return re.fullmatch("-[^-].*", element) is not None and set(element[1:]) <= set(program.letters)


def _check_value(program: _Program, index: int, option: str, value: str) -> None:
    if not re.fullmatch(program.value, value):
        raise CommandRefused(f"argv[{index}]", f"{value!r} is no value that {option} may have")
