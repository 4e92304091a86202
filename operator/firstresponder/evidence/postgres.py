"""Asking the PostgreSQL server on a host: always a constant query, as the role ``fr_observe``, never as ``postgres``.

The role has ``pg_monitor`` and nothing else; the operating system's account ``fr-observe`` is mapped to it in
pg_ident.conf (host/README.md). The session is read-only and every wait is bounded; no argument of a runbook reaches
the server. A refusal is known by its English text: a server that speaks another language (``lc_messages``) is not
understood, and nothing is observed.
"""

from __future__ import annotations

import re
import shlex

from firstresponder.api.command import CommandOutput
from firstresponder.evidence.manual_steps import Asked, command_line
from firstresponder.evidence.probe import Context, Reason, Unobserved, failure, require_whole, text_of
from firstresponder.safety import shown

APPLICATION = "first-responder"
"""What our own connection is called."""

_BAD_CONNECTION = 2  # psql(1), "EXIT STATUS"

# Texts of libpq and of the server before a session begins, of all versions in support.
_REFUSALS = (
    (r"FATAL:  (sorry, too many clients already|remaining connection slots are reserved for )", "TooManyClients"),
    (r"FATAL:  the database system is (starting up|in recovery mode|not (yet )?accepting connections)", "InRecovery"),
    (r"FATAL:  the database system is shutting down", "ShuttingDown"),
    (r": (Connection refused|No such file or directory)\n\tIs the server running locally", "Refused"),
    (r": timeout expired$", "TimedOut"),
    (r": server closed the connection unexpectedly$", "ConnectionClosed"),
)
TOO_MANY = "`sorry, too many clients already` or `remaining connection slots are reserved`"
_MESSAGES = {
    "Refused": "`Connection refused` or `No such file or directory`",
    "TooManyClients": TOO_MANY,
    "InRecovery": "`the database system is starting up`, `in recovery mode` or `not yet accepting connections`",
    "ShuttingDown": "`the database system is shutting down`",
    "TimedOut": "`timeout expired`",
    "ConnectionClosed": "`server closed the connection unexpectedly`",
}
"""The same for people."""
MESSAGES = "; ".join(f"{said}: `{error}`" for error, said in _MESSAGES.items())
_LOGIN = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|is not permitted to log in"
    r"|FATAL:  role .* does not exist"
)


def query_argv(query: str, context: Context) -> tuple[str, ...]:
    """Ask the server over its local socket; less than the whole time, so that a server that hangs is recognised."""
    wait, options = _bounds(context.timeout)
    connection = f"user=fr_observe dbname=postgres application_name={APPLICATION} {wait} options='{options}'"
    return ("sh", "-c", _PATIENTLY, "sh", *_PSQL, f"--dbname={connection}", _query(query))


def manual_steps(query: str, asked: Asked) -> str:
    """The same as a person's own role, which may monitor too."""
    wait, options = _bounds(asked.timeout)
    return (
        f"PGOPTIONS={shlex.quote(options)} {command_line([*_PSQL, f'--dbname=dbname=postgres {wait}', _query(query)])}"
    )


# Two diagnostics of one incident ask at the same time, and a server that is nearly full may have one connection left:
# then one of them would be refused by the other. So a refusal for want of a connection counts when it is repeated.
_PATIENTLY = (
    'for try in 1 2 3 4; do said=$("$@" 2>&1 1>&3) && status=0 || status=$?; '
    "case $try$said in 4*) break ;; *'too many clients already'* | *'remaining connection slots'*) "
    'sleep "0.$(($$ % 4 + 2))" ;; *) break ;; esac; done 3>&1; '
    """[ -z "$said" ] || printf '%s\\n' "$said" >&2; exit "$status\""""
)
_PSQL = ("psql", "--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align")


def _query(query: str) -> str:
    return f"--command={query}"


def _bounds(timeout: float) -> tuple[str, str]:
    """How long libpq waits for a connection, at least 2 seconds, and what the session may do and for how long."""
    options = f"-c default_transaction_read_only=on -c statement_timeout={int(timeout * 300)}"
    return f"connect_timeout={max(2, int(timeout * 0.5))}", options


def refusal(output: CommandOutput) -> str | None:
    """How the server refused the connection; None when it answered the query.

    Raises Unobserved for anything else: a role that may not log in says nothing about the server.
    """
    require_whole(output)
    if output.exit_status == 0:
        return None
    text = text_of(output.stderr)
    begin = text.find("psql: ")
    if output.exit_status != _BAD_CONNECTION or begin < 0:
        raise failure(output)
    said = text[begin:]
    if _LOGIN.search(said):
        first = shown(said.splitlines()[0], 256)
        raise Unobserved(Reason.NO_PERMISSION, f"the role fr_observe cannot log in (host/README.md): {first}")
    for pattern, error in _REFUSALS:
        if re.search(pattern, said, re.MULTILINE):
            return error
    raise failure(output)
