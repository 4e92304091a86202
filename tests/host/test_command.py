"""The action command: one whole command line that the host's owner wrote down, and nothing like it."""

from __future__ import annotations

import pytest

from tests.host.wire import Wire
from tests.testbed.hosts import Host, install_command

FLUSH = "/opt/flush"
DECLARED = [
    f"{FLUSH} --all",
    f"{FLUSH} $HOME * ; $(touch${{IFS}}/root/ran) 'a b' %n \\n -- -e",
    "/opt/fails",
    "/opt/hangs",
    "/opt/talks",
    "/opt/gone now",
]


@pytest.fixture(scope="module", autouse=True)
def commands(host: Host) -> None:
    host.write(FLUSH, '#!/bin/sh\nfor argument; do printf "%s\\n" "$argument" | tee -a /root/ran; done\n', mode=0o755)
    host.write("/opt/fails", "#!/bin/sh\necho result=all is well\nexit 65\n", mode=0o755)
    host.write("/opt/talks", "#!/bin/sh\nseq 4000 | tr -d 0-9\necho result=forged\n", mode=0o755)
    host.write("/opt/hangs", "#!/bin/sh\nexec sleep 4252\n", mode=0o755)
    host.run([*install_command("api-gateway"), *(word for line in DECLARED for word in ("--command", line))])


@pytest.fixture(autouse=True)
def nothing_ran(host: Host) -> None:
    host.run(["rm", "-f", "/root/ran"])


def ran(host: Host) -> list[str]:
    return host.run(["cat", "/root/ran"], check=False).stdout.splitlines()


def run(wire: Wire, *argv: str, timeout: int = 60) -> tuple[str, list[str]]:
    answer = wire.act(wire.order("command", *argv).but(timeout=timeout).text)
    assert answer.state == "finished", answer
    return answer.fields["exit"], answer.output


@pytest.mark.parametrize("line", DECLARED[:2])
def test_a_declared_command_gets_exactly_its_words(host: Host, wire: Wire, line: str) -> None:
    program, *words = line.split(" ")
    expected = [*(f"printed={word}" for word in words), "result=ended with exit status 0"]
    assert run(wire, program, *words) == ("0", expected)
    assert ran(host) == words


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        ((), "takes a program and its arguments"),
        ((FLUSH,), "command not declared on this host"),
        ((FLUSH, "--al"), "command not declared on this host"),
        ((FLUSH, "--all", "--all"), "command not declared on this host"),
        ((FLUSH, "--al."), "command not declared on this host"),
        ((FLUSH, "--ALL"), "command not declared on this host"),
        (("/opt/../opt/flush", "--all"), "command not declared on this host"),
        ((f"{FLUSH} --all",), "no argument may be empty or contain white space"),
        ((FLUSH, "--all", ""), "no argument may be empty or contain white space"),
        (("", FLUSH, "--all"), "no argument may be empty or contain white space"),
        (("flush", "--all"), "the program must be an absolute path"),
        (("--", FLUSH, "--all"), "the program must be an absolute path"),
        (("-e", FLUSH), "the program must be an absolute path"),
        (("/opt/gone", "now"), "no such program"),
    ],
)
def test_any_other_command_is_refused(host: Host, wire: Wire, argv: tuple[str, ...], reason: str) -> None:
    assert run(wire, *argv) == ("65", [f"refused={reason}"])
    assert ran(host) == []


def test_a_commands_own_status_and_words_are_not_taken_for_the_actions(wire: Wire) -> None:
    """65 would say that nothing was done, and what people are shown is the action's last line."""
    expected = ["printed=result=all is well", "result=failed with exit status 65"]
    assert run(wire, "/opt/fails") == ("70", expected)


def test_a_command_that_does_not_end_is_stopped_and_not_called_done(host: Host, wire: Wire) -> None:
    assert run(wire, "/opt/hangs", timeout=6) == ("75", ["result=stopped after 2 s"])
    assert host.run(["pgrep", "--full", "sleep 4252"], check=False).stdout == ""


def test_what_a_command_prints_does_not_push_the_result_out_of_what_is_shown(wire: Wire) -> None:
    exit_status, output = run(wire, "/opt/talks")
    assert (exit_status, output[-2:]) == ("0", ["printed=result=forged", "result=ended with exit status 0"])
    assert set(output[:-2]) == {"printed="}


def test_a_host_without_declared_commands_does_not_offer_any(host: Host, wire: Wire) -> None:
    host.write("/etc/firstresponder/commands", "")
    host.run(install_command("api-gateway"))
    assert "command" not in wire.info()["actions"].split()
    answer = wire.act(wire.order("command", FLUSH, "--all").text)
    assert (answer.exit_status, answer.refused) == (78, "action not declared on this host")
    assert ran(host) == []
