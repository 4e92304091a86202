"""The actions that free disk space: what they remove, what they leave, and what they say of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.host.wire import Wire
from tests.testbed.faults import age_journal
from tests.testbed.hosts import Host

MIB = 1024 * 1024
LOGROTATE = "/etc/logrotate.conf"


def clean(wire: Wire, action: str, *arguments: str, timeout: int = 60) -> tuple[str, dict[str, str]]:
    """The action's exit status, and the last of its lines of each name."""
    answer = wire.act(wire.order(action, *arguments).but(timeout=timeout).text)
    assert answer.state == "finished", answer
    return answer.fields["exit"], dict(line.split("=", 1) for line in answer.output)


def freed(output: dict[str, str]) -> int:
    """The bytes of a result line that says that all went well."""
    found = re.fullmatch(r"freed (\d+) bytes", output["result"])
    assert found, output
    return int(found[1])


def used(host: Host, path: str) -> int:
    return int(host.run(["df", "--block-size=1", "--output=used", path]).stdout.split()[1])


def exists(host: Host, path: str) -> bool:
    return host.run(["test", "-e", path], check=False).returncode == 0


# --- journal-vacuum


@pytest.fixture(scope="module")
def journal(host: Host) -> Iterator[str]:
    """A journal on disk, and its folder."""
    folder = f"/var/log/journal/{host.machine_id}"
    room = "[Journal]\nSystemMaxUse=150M\nSystemMaxFileSize=64M\nRateLimitBurst=0\n"
    host.write("/etc/systemd/journald.conf.d/room.conf", room)
    host.run(["mkdir", "-p", folder])
    host.run(["systemctl", "restart", "systemd-journald.service"])
    host.run(["journalctl", "--flush"])
    yield folder
    host.run(["rm", "-r", "/var/log/journal"])
    host.run(["systemctl", "restart", "systemd-journald.service"])


def archive(host: Host, journal: str, mark: str, *, old: int) -> str:
    """Fill a journal file with records of that mark, archive it, and make its first `old` records two hours older."""
    host.run(["journalctl", "--rotate"])
    before = set(host.run(["ls", journal]).stdout.split())
    host.run(["sh", "-c", "head -c 8M /dev/urandom | base64 --wrap=4000 | systemd-cat"])
    host.run(["systemd-cat", f"--identifier={mark}", "cat"], stdin=f"{mark}\n" * 3)
    host.run(["journalctl", "--sync"])
    host.run(["journalctl", "--rotate"])
    [name] = [name for name in host.run(["ls", journal]).stdout.split() if name not in before and name[:7] == "system@"]
    age_journal(host, f"{journal}/{name}", 7200, old)
    assert records(host, mark) == 3
    return f"{journal}/{name}"


def records(host: Host, mark: str) -> int:
    shown = host.run(["journalctl", "--quiet", "--output=cat", f"--identifier={mark}"]).stdout
    return shown.splitlines().count(mark)


def test_a_vacuum_frees_what_is_old_and_keeps_every_record_that_is_younger(
    host: Host, wire: Wire, journal: str
) -> None:
    old = archive(host, journal, "all-old", old=1_000_000)
    mixed = archive(host, journal, "old-at-first", old=100)
    young = archive(host, journal, "all-young", old=0)
    before = used(host, journal)
    exit_status, output = clean(wire, "journal-vacuum", "3600")
    assert (exit_status, output["removed"], output["failed"]) == ("0", "1", "0")
    assert freed(output) > 6 * MIB
    assert used(host, journal) < before - 6 * MIB
    assert [exists(host, path) for path in (old, mixed, young)] == [False, True, True]
    assert [records(host, mark) for mark in ("all-old", "old-at-first", "all-young")] == [0, 3, 3]


def test_a_journal_without_anything_old_is_left_alone(host: Host, wire: Wire, journal: str) -> None:
    archive(host, journal, "fresh", old=0)
    before = host.run(["ls", journal]).stdout
    exit_status, output = clean(wire, "journal-vacuum", "3600")
    assert (exit_status, output["removed"], freed(output)) == ("0", "0", 0)
    assert host.run(["ls", journal]).stdout == before


def test_a_journal_file_that_cannot_be_read_is_not_taken_for_an_old_one(host: Host, wire: Wire, journal: str) -> None:
    host.write(f"{journal}/system@broken.journal", "no journal at all")
    exit_status, output = clean(wire, "journal-vacuum", "3600")
    assert (exit_status, output["removed"]) == ("0", "0")
    assert host.read(f"{journal}/system@broken.journal") == "no journal at all"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "takes the number of seconds to keep"),
        (("3600", "7200"), "takes the number of seconds to keep"),
        (("3599",), "keeps no less than 3600 seconds"),
        (("0",), "not a number of seconds"),
        (("-1",), "not a number of seconds"),
        (("2d",), "not a number of seconds"),
        (("03600",), "not a number of seconds"),
        (("a[$(touch /root/ran)]",), "not a number of seconds"),
        (("99999999999",), "not a number of seconds"),
        (("",), "not a number of seconds"),
    ],
)
def test_a_vacuum_without_a_sane_retention_is_refused(
    host: Host, wire: Wire, journal: str, arguments: tuple[str, ...], reason: str
) -> None:
    before = host.run(["ls", journal]).stdout
    assert clean(wire, "journal-vacuum", *arguments) == ("65", {"refused": reason})
    assert host.run(["ls", journal]).stdout == before
    assert not exists(host, "/root/ran")


# --- logrotate


@pytest.fixture
def log(host: Host) -> str:
    """A large log, and the one before it that is the last to be kept."""
    host.write("/etc/logrotate.d/gateway", "/var/log/gateway.log {\n  rotate 1\n  compress\n  size 1G\n}\n")
    host.run(["sh", "-c", "yes an old line | head -c 20M >/var/log/gateway.log"])
    host.run(["sh", "-c", "head -c 3M /dev/urandom >/var/log/gateway.log.1.gz"])
    return "/var/log/gateway.log"


def test_a_forced_rotation_rotates_and_frees_though_no_log_is_due(host: Host, wire: Wire, log: str) -> None:
    before = used(host, "/var/log")
    host.run(["logrotate", LOGROTATE])
    assert exists(host, log), "it was due"
    exit_status, output = clean(wire, "logrotate", LOGROTATE)
    assert exit_status == "0"
    assert freed(output) > 22 * MIB
    assert used(host, "/var/log") < before - 22 * MIB
    assert host.read(log) == ""
    assert host.run(["sh", "-c", f"zcat {log}.1.gz | head -n1"]).stdout == "an old line\n"


def test_a_failure_of_logrotate_is_one_of_the_action(host: Host, wire: Wire) -> None:
    host.write("/etc/logrotate-broken.conf", "/var/log/absent.log {\n  rotate 1\n}\n")
    host.write("/etc/firstresponder/logrotate-configs", f"{LOGROTATE}\n/etc/logrotate-broken.conf\n/etc/slow.conf\n")
    exit_status, output = clean(wire, "logrotate", "/etc/logrotate-broken.conf")
    assert exit_status == "70"
    assert re.fullmatch(r"freed 0 bytes, but logrotate failed: .*absent\.log.*", output["result"])
    assert "absent.log" in output["logrotate"]


def test_what_was_freed_and_which_log_failed_are_both_said(host: Host, wire: Wire, log: str) -> None:
    host.run(["install", "--directory", "--mode=777", "/var/log/open"])
    host.run(["sh", "-c", "yes x | head -c 1M >/var/log/open/a.log"])
    host.write("/etc/mixed.conf", f"/var/log/open/*.log {{\n  rotate 1\n}}\n{log} {{\n  rotate 1\n  compress\n}}\n")
    host.write("/etc/firstresponder/logrotate-configs", f"{LOGROTATE}\n/etc/mixed.conf\n")
    exit_status, output = clean(wire, "logrotate", "/etc/mixed.conf")
    assert exit_status == "70"
    found = re.fullmatch(r"freed (\d+) bytes, but logrotate failed: .*insecure permissions.*", output["result"])
    assert found, output
    assert int(found[1]) > 22 * MIB


def test_a_rotation_that_does_not_end_is_given_up_and_not_called_done(host: Host, wire: Wire, log: str) -> None:
    slow = f"{log} {{\n  rotate 1\n  prerotate\n    sleep 4251\n  endscript\n}}\n"
    host.write("/etc/slow.conf", slow)
    host.write("/etc/firstresponder/logrotate-configs", f"{LOGROTATE}\n/etc/slow.conf\n")
    exit_status, output = clean(wire, "logrotate", "/etc/slow.conf", timeout=6)
    assert (exit_status, output["result"]) == ("75", "gave up waiting for logrotate")
    assert host.run(["pgrep", "--full", "sleep 4251"], check=False).stdout == ""


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "takes the path of a configuration"),
        ((LOGROTATE, LOGROTATE), "takes the path of a configuration"),
        (("/etc/logrotate.d/gateway",), "configuration not declared on this host"),
        (("/etc/../etc/logrotate.conf",), "configuration not declared on this host"),
        (("/etc/logrotate.con.",), "configuration not declared on this host"),
        (("/",), "configuration not declared on this host"),
        (("",), "not an absolute path"),
        (("--state=/etc/passwd",), "not an absolute path"),
        (("etc/logrotate.conf",), "not an absolute path"),
        (("/etc/gone.conf",), "no such configuration"),
    ],
)
def test_a_configuration_that_is_not_declared_is_refused(
    host: Host, wire: Wire, log: str, arguments: tuple[str, ...], reason: str
) -> None:
    host.write("/etc/firstresponder/logrotate-configs", f"{LOGROTATE}\n/etc/gone.conf\n")
    assert clean(wire, "logrotate", *arguments) == ("65", {"refused": reason})
    assert exists(host, log)


def test_what_logrotate_says_does_not_push_the_result_out_of_what_is_shown(host: Host, wire: Wire, log: str) -> None:
    empty = f"{log} {{\n  rotate 1\n  postrotate\n    seq 4000 | tr -d 0-9\n  endscript\n}}\n"
    host.write("/etc/chatty.conf", empty)
    host.write("/etc/firstresponder/logrotate-configs", f"{LOGROTATE}\n/etc/chatty.conf\n")
    exit_status, output = clean(wire, "logrotate", "/etc/chatty.conf")
    assert (exit_status, output["logrotate"]) == ("0", "")
    assert freed(output) >= 0


# --- tmpfiles-clean


def test_old_temporary_files_go_and_young_ones_stay(host: Host, wire: Wire) -> None:
    # By the time of the last change of the content alone, the only one that can be set.
    host.write("/etc/tmpfiles.d/tmp.conf", "q /tmp 1777 root root mM:10d\nq /var/tmp 1777 root root mM:30d\n")
    for path in ("/tmp/old", "/tmp/young", "/var/tmp/old", "/var/tmp/young"):
        host.run(["sh", "-c", f"head -c 5M /dev/zero >{path}"])
    host.run(["touch", "--date=11 days ago", "/tmp/old", "/var/tmp/young"])
    host.run(["touch", "--date=31 days ago", "/var/tmp/old"])
    exit_status, output = clean(wire, "tmpfiles-clean")
    assert (exit_status, output["exit"]) == ("0", "0")
    assert 10 * MIB <= freed(output) < 15 * MIB
    assert [exists(host, path) for path in ("/tmp/old", "/var/tmp/old")] == [False, False]
    assert [exists(host, path) for path in ("/tmp/young", "/var/tmp/young")] == [True, True]


def test_a_line_that_is_not_valid_spoils_only_itself(host: Host, wire: Wire) -> None:
    host.write("/etc/tmpfiles.d/tmp.conf", "q /tmp 1777 root root mM:10d\nnonsense\n")
    host.run(["sh", "-c", "head -c 5M /dev/zero >/tmp/old && touch --date='11 days ago' /tmp/old"])
    exit_status, output = clean(wire, "tmpfiles-clean")
    assert exit_status == "0"
    assert re.fullmatch(r"freed [1-9]\d{6} bytes; some lines of tmpfiles.d are not valid", output["result"])
    assert not exists(host, "/tmp/old")
    host.run(["rm", "/etc/tmpfiles.d/tmp.conf"])


def test_cleaning_takes_no_arguments(host: Host, wire: Wire) -> None:
    for argument in ("--remove", "/etc", ""):
        assert clean(wire, "tmpfiles-clean", argument) == ("65", {"refused": "takes no arguments"})


@pytest.mark.parametrize("order", [("logrotate", LOGROTATE), ("tmpfiles-clean",)], ids=lambda order: order[0])
def test_what_could_not_be_waited_for_is_not_begun(wire: Wire, order: tuple[str, ...]) -> None:
    assert clean(wire, *order, timeout=4) == ("65", {"refused": "the time-out leaves no time"})
