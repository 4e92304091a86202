"""The truth about a host, from its own records and not from what the operator says."""

from __future__ import annotations

from tests.testbed import surroundings
from tests.testbed.hosts import Host


def invocation(host: Host, unit: str = "api-gateway.service") -> str:
    """systemd's id of the running instance: another one means that the unit was started again."""
    return host.run(["systemctl", "show", "-P", "InvocationID", unit]).stdout.strip()


def claims(host: Host) -> list[str]:
    """The attempts that the host's ledger knows, sealed ones included."""
    return host.run(["ls", "/var/lib/firstresponder/claims"]).stdout.split()


def runs(host: Host) -> int:
    """How often the action was really executed, by the host's journal."""
    return len(_journal(host, "--unit='fr-*' --output=cat | grep '^Starting'"))


def begun(host: Host) -> list[str]:
    """The attempts that the host has claimed, that is begun to carry out."""
    return _recorded(host, "claim")


def results(host: Host) -> list[str]:
    """The attempts whose end the host has recorded."""
    return _recorded(host, "result")


def _recorded(host: Host, what: str) -> list[str]:
    ledgers = ["/run/firstresponder", "/var/lib/firstresponder/claims"]
    found = host.run(["find", *ledgers, "-name", what, "-printf", "%h\n"], check=False).stdout.split()
    return sorted({path.rpartition("/")[2] for path in found})


def actions(host: Host) -> list[str]:
    """The state-changing actions that the host was made to carry out, by its own records."""
    return surroundings.actions({host.name: host}).get(host.name, [])


def starts(host: Host, unit: str = "api-gateway.service") -> int:
    """How often the unit was started since boot, the first start included."""
    started = "39f53479d3a045ac8e11786248231fbf"  # the MESSAGE_ID of a unit that started
    return len(_journal(host, f"--unit={unit} --boot --output=json | grep {started}"))


def acting_logins(host: Host) -> int:
    """How many SSH sessions the acting account has had."""
    return len(_journal(host, "--unit=ssh.service --output=cat | grep 'Accepted publickey for fr-act'"))


def requested(host: Host) -> int:
    """How many orders, seals and previews the acting account has brought; that it works is asked without any."""
    ledgers = "/run/firstresponder /var/lib/firstresponder/claims"
    ids = rf"find {ledgers} -regextype egrep -regex '.*/[0-9a-f]{{64}}' -printf '%f\n' 2>/dev/null | sort --unique"
    previews = _journal(host, "--output=cat | grep 'Started .*First Responder preview'")
    return len(host.run(["sh", "-c", ids]).stdout.splitlines()) + len(previews)


def _journal(host: Host, what: str) -> list[str]:
    """What journalctl shows, of all that was said before this call: journald may be behind."""
    script = f"journalctl --sync && journalctl --quiet --no-pager {what} || true"
    return host.run(["sh", "-c", script]).stdout.splitlines()


def assert_nothing_ran(host: Host, before: str, unit: str = "api-gateway.service") -> None:
    """Nobody even logged in to act, and the service is the instance that it was."""
    assert claims(host) == []
    assert invocation(host, unit) == before
    assert requested(host) == 0
