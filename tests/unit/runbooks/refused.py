"""One small Runbook, and every way to spoil it that lint refuses, with the whole of what is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

GOOD = """\
apiVersion: firstresponder.dev/v1alpha1
kind: Runbook
metadata:
  name: full
spec:
  match: {types: [Full]}
  roles:
  - name: target
  parameters:
  - name: limit
    type: number
    default: 90
  diagnostics:
  - name: disk
    disk: {path: /}
  - name: load
    command: {argv: [uptime]}
  variables:
  - name: isFull
    expression: disk.usedPercent > limit
  symptom: isFull
  guards:
  - name: no-inodes
    when: disk.inodesUsedPercent > 95
    then: {escalate: {reason: UnknownRootCause, humanAction: Look.}}
  hypotheses:
  - name: logs
    likelihood: 60
    when: disk.mountPoint == '/var/log' && disk.sizeBytes > 1000
    rootCause: {summary: logs}
    then: {escalate: {reason: ManualActionRequired, humanAction: Rotate.}}
  - name: rest
    likelihood: 40
    when: disk.availableBytes < 1000
    rootCause: {summary: rest}
    then: {escalate: {reason: ManualActionRequired, humanAction: Clean.}}
  otherwise:
    escalate: {reason: UnknownRootCause, humanAction: Find it.}
  verify:
    window: 1m
    timeout: 5m
    criteria:
    - name: free
      require: disk.usedPercent < 80
    onFailure:
      escalate: {reason: FixFailed, humanAction: Look.}
"""
TESTS = """\
  tests:
    service: shop
    hosts: {target: {name: shop-1, address: 10.0.0.1}}
    evidence:
      full: {disk: {usedPercent: 95, inodesUsedPercent: 1}}
    cases:
    - {name: nothing, given: full, with: {disk: {mountPoint: /}}, expect: {unmet: [free]}}
    - {name: logs, given: full, expect: {cause: logs}}
"""
VERIFY = GOOD[GOOD.index("  verify:\n") :]
OTHERWISE = GOOD[GOOD.index("  otherwise:\n") : GOOD.index("  verify:\n")]
PROGRAMS = (
    "cat, date, dpkg-query, free, head, id, iostat, ip, loginctl, ls, lscpu, lsmod, mpstat, nproc, ps, readlink, ss, "
    "stat, sysctl, systemctl, tail, uname, uptime, vmstat, wc, who"
)
NEVER = "so this hypothesis can never win: distinguish them by what only this one shows, or remove one"
REST = "disk.availableBytes < 1000"


@dataclass(frozen=True)
class Refusal:
    """A change of the text, what lint says of it, and who else refuses the same content."""

    name: str
    old: str
    new: str
    said: tuple[str, ...]
    """``LINE:COLUMN: FIELD: MESSAGE`` of each problem."""
    by: Literal["operator", "schema", "nobody"] = "operator"
    """The operator (Ready=False), or already the API server; nobody, where YAML gives them something else."""

    @property
    def text(self) -> str:
        assert GOOD.count(self.old) == 1, self.old
        return GOOD.replace(self.old, self.new)


def _argv(argv: str, said: str) -> Refusal:
    where = f"17:22: spec.diagnostics[1].command.{said}" if said.startswith("argv[0]") else said
    return Refusal(f"a diagnostic that runs {argv}", "argv: [uptime]", f"argv: [{argv}]", (where,))


REFUSALS = (
    Refusal(
        "no verification",
        VERIFY,
        "",
        ("5:1: spec.verify: missing: write it, for it says when the fix is good",),
        by="schema",
    ),
    Refusal(
        "a verification without criteria",
        "    criteria:\n    - name: free\n      require: disk.usedPercent < 80\n",
        "",
        ("39:3: spec.verify.criteria: missing: write it, for it says what a good end is",),
        by="schema",
    ),
    Refusal(
        "a verification whose criteria are none",
        "criteria:\n    - name: free\n      require: disk.usedPercent < 80\n",
        "criteria: []\n",
        ("42:5: spec.verify.criteria: is empty: fill it, for it says what a good end is",),
        by="schema",
    ),
    Refusal(
        "no otherwise",
        OTHERWISE,
        "",
        (
            "5:1: spec.otherwise: missing: write it, for it says what follows when every hypothesis was refuted: "
            "escalate",
        ),
        by="schema",
    ),
    Refusal(
        "an expression with an unknown diagnostic",
        REST,
        "disc.availableBytes < 1000",
        (
            "34:5: spec.hypotheses[1].when: disc is not known here: did you mean disk? known names are baseline, disk, "
            "hosts, isFull, limit, load, service (line 1, column 5 of the expression)",
        ),
    ),
    Refusal(
        "an expression with an unknown field",
        REST,
        "disk.free < 1000",
        (
            "34:5: spec.hypotheses[1].when: disk has no field free; it has availableBytes, availablePercent, "
            "inodesCounted, inodesUsedPercent, mountPoint, sizeBytes, usedBytes, usedPercent",
        ),
    ),
    Refusal(
        "a condition that is a calculation",
        REST,
        "disk.availableBytes - 1000.0",
        ("34:5: spec.hypotheses[1].when: gives a value of type double, not true or false: compare it with something",),
    ),
    Refusal(
        "a condition that is a figure",
        REST,
        "disk.availableBytes",
        (
            "34:5: spec.hypotheses[1].when: disk.availableBytes is a number, not true or false: "
            "compare it with something",
        ),
    ),
    Refusal(
        "a condition that is partly a parameter",
        REST,
        "isFull && limit",
        ("34:5: spec.hypotheses[1].when: limit is a number, not true or false: compare it with something",),
    ),
    Refusal(
        "a symptom that is a figure",
        "disk.usedPercent > limit",
        "disk.usedPercent",
        ("21:3: spec.symptom: isFull is a number, not true or false: compare it with something",),
    ),
    _argv("kill, '-9', '1'", f"argv[0]: 'kill' is not among the read-only programs: {PROGRAMS}"),
    _argv("/bin/rm, -r, /srv", f"argv[0]: '/bin/rm' is not among the read-only programs: {PROGRAMS}"),
    _argv("sh, -c, ps; rm -r /srv", f"argv[0]: 'sh' is not among the read-only programs: {PROGRAMS}"),
    _argv("psql, -c, DROP TABLE orders", f"argv[0]: 'psql' is not among the read-only programs: {PROGRAMS}"),
    _argv("psql, -c, DELETE FROM orders", f"argv[0]: 'psql' is not among the read-only programs: {PROGRAMS}"),
    _argv(
        "systemctl, stop, x.service",
        "17:33: spec.diagnostics[1].command.argv[1]: 'stop' is no argument that systemctl may have here: "
        "list-units, list-unit-files, list-timers, list-sockets, list-paths, list-jobs or list-dependencies, "
        "then a name",
    ),
    _argv("date, -s, 12:00", "17:28: spec.diagnostics[1].command.argv[1]: '-s' is no option that date may have: -u"),
    _argv(
        "sysctl, kernel.panic=1",
        "17:30: spec.diagnostics[1].command.argv[1]: 'kernel.panic=1' is no argument that sysctl may have here: "
        "the name of a setting",
    ),
    Refusal(
        "a diagnostic that changes something where a parameter says so",
        "argv: [uptime]",
        "argv: [systemctl, $(service)]",
        (
            "17:33: spec.diagnostics[1].command.argv[1]: 'service' is no argument that systemctl may have here: "
            "list-units, list-unit-files, list-timers, list-sockets, list-paths, list-jobs or list-dependencies, "
            "then a name "
            "(with the defaults of its parameters)",
        ),
    ),
    Refusal(
        "a parameter without a type",
        "    type: number\n",
        "",
        (
            "10:5: spec.parameters[0].type: missing: write it, for it says what a value must be, as in 80, 3, text, "
            "5m, 256Mi, db-01.example.com, /var/log; one of number, integer, string, duration, quantity, hostname, "
            "path",
        ),
        by="schema",
    ),
    Refusal(
        "a hypothesis that is false",
        REST,
        "1 > 2",
        ("34:5: spec.hypotheses[1].when: is always false, whatever the evidence: correct it, or remove it",),
    ),
    Refusal(
        "a parameter's pattern that is none",
        "    type: number\n    default: 90",
        "    type: string\n    default: a\n    pattern: '('",
        ("13:5: spec.parameters[0].pattern: not a usable regular expression: missing ): (",),
    ),
    Refusal(
        "a parameter's pattern that is too large",
        "    type: number\n    default: 90",
        "    type: string\n    default: a\n    pattern: '(\\pL{100}){10}'",
        ("13:5: spec.parameters[0].pattern: not a usable regular expression: pattern too large - compile failed",),
    ),
    Refusal(
        "a hypothesis whose parts exclude each other",
        REST,
        "disk.availableBytes < 1000 && disk.availableBytes > 2000",
        (
            "34:5: spec.hypotheses[1].when: can never be true, for its parts exclude each other: correct it, or remove "
            "the hypothesis",
        ),
    ),
    Refusal(
        "a hypothesis equal to a likelier one",
        REST,
        "disk.mountPoint == '/var/log' && disk.sizeBytes > 1000",
        (
            "34:5: spec.hypotheses[1].when: says the same as that of logs, whose likelihood of 60 is not lower, "
            f"{NEVER}",
        ),
    ),
    Refusal(
        "a hypothesis equal to a likelier one, written otherwise",
        REST,
        "\"(1000.0 < disk.sizeBytes) && !('/var/log' != disk.mountPoint)\"",
        (
            "34:5: spec.hypotheses[1].when: says the same as that of logs, whose likelihood of 60 is not lower, "
            f"{NEVER}",
        ),
    ),
    Refusal(
        "a hypothesis that a likelier one contains",
        REST,
        "disk.sizeBytes > 5000 && disk.mountPoint == '/var/log'",
        (
            "34:5: spec.hypotheses[1].when: is only true together with that of logs, whose likelihood of 60 is not "
            f"lower, {NEVER}",
        ),
    ),
    Refusal(
        "a hypothesis equal to a guard",
        REST,
        "95 < disk.inodesUsedPercent",
        (
            "34:5: spec.hypotheses[1].when: says the same as the guard no-inodes, which is evaluated first, so this "
            "hypothesis can never win: remove it, or narrow the guard",
        ),
    ),
    Refusal(
        "a hypothesis equal to the negated symptom",
        REST,
        "disk.usedPercent <= limit",
        (
            "34:5: spec.hypotheses[1].when: is never true while the symptom isFull is, and without it no hypothesis is "
            "evaluated: correct one of them",
        ),
    ),
    Refusal(
        "a hypothesis that a guard and a likelier one leave nothing of",
        REST,
        "disk.inodesUsedPercent > 95 || (disk.mountPoint == '/var/log' && disk.sizeBytes > 1000)",
        (
            "34:5: spec.hypotheses[1].when: is never true unless one of no-inodes, logs is, which are evaluated first, "
            "so this hypothesis can never win: narrow one of them, or remove it",
        ),
    ),
    Refusal(
        "a condition that YAML takes for a tag",
        REST,
        "!isFull.x",
        (
            "34:5: spec.hypotheses[1].when: begins with !isFull.x, a tag in YAML, and would lose it: "
            "quote the whole text",
        ),
        by="nobody",
    ),
    Refusal(
        "a criterion that YAML takes for a boolean",
        "require: disk.usedPercent < 80",
        "require: true",
        (
            "44:7: spec.verify.criteria[0].require: true is a boolean in YAML, and text is needed: "
            'quote it, as in "true"',
        ),
        by="schema",
    ),
    Refusal(
        "a field's name that YAML takes for a boolean",
        "    disk: {path: /}\n",
        "    disk: {path: /}\n    on: target\n",
        ('16:5: spec.diagnostics[0].on: on is a boolean in YAML, and a field\'s name is text: quote it, as in "on"',),
        by="schema",
    ),
    Refusal(
        "a field that is defined twice",
        "  symptom: isFull\n",
        "  symptom: isFull\n  symptom: other\n",
        ("21:3: spec.symptom: is there again in line 22: take one of the two out",),
        by="nobody",
    ),
    Refusal(
        "a field that does not exist",
        "  symptom: isFull\n",
        "  symptom: isFull\n  hypothesis: []\n",
        (
            "22:3: spec.hypothesis: hypothesis is not known here: did you mean hypotheses? known are match, "
            "escalateTo, roles, parameters, diagnostics, variables, guards, hypotheses, otherwise, tests, mode, "
            "symptom, actions, experiments, verify",
        ),
        by="schema",
    ),
)
