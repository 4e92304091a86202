"""The two accounts: each key runs its one program and opens nothing else."""

from __future__ import annotations

import subprocess

import pytest

from tests.host.wire import Wire
from tests.testbed.hosts import Host


def test_another_command_over_ssh_still_runs_only_ours(host: Host, wire: Wire) -> None:
    done = wire.ssh(host.observe_user, "info\n", "touch", "/tmp/mine;", "id")
    assert done.stdout.startswith("machine=")
    done = wire.ssh(host.act_user, "status x\n", "bash")
    assert done.stdout == "refused=an id is 64 hexadecimal digits\n"
    assert host.run(["test", "-e", "/tmp/mine"], check=False).returncode == 1


@pytest.mark.parametrize("options", [["-tt"], ["-s"], ["-N", "-L7000:localhost:22"], ["-N", "-R7000:localhost:22"]])
def test_neither_terminals_nor_subsystems_nor_forwarding(host: Host, wire: Wire, options: list[str]) -> None:
    own = ["-oControlPath=none", "-oExitOnForwardFailure=yes", *options]
    for user in (host.observe_user, host.act_user):
        command = ["sftp"] if options == ["-s"] else []
        argv = wire.ssh_argv(user, *command, options=own)
        if "-L7000:localhost:22" in options:  # the client listens whatever the server thinks: use the forward
            argv = wire.ssh_argv(user, options=["-oControlPath=none", "-W", "localhost:22"])
        done = subprocess.run(argv, input="", capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode != 0
        assert "SSH-2.0" not in done.stdout
        assert "root" not in done.stdout


def test_a_key_opens_only_its_own_account(host: Host, wire: Wire) -> None:
    for user, key in ((host.act_user, host.observe_key), (host.observe_user, host.act_key), ("root", host.act_key)):
        options = ["-oControlPath=none", f"-oIdentityFile={key}", "-oIdentitiesOnly=yes"]
        argv = [word for word in wire.ssh_argv(user, options=options) if not word.startswith("-oControl")]
        argv = [word for word in argv if not (word.startswith("-oIdentityFile=") and str(key) not in word)]
        done = subprocess.run(argv, input="info\n", capture_output=True, text=True, timeout=20, check=False)
        assert (done.returncode, done.stdout) == (255, "")
        assert "Permission denied (publickey" in done.stderr


def test_keys_that_the_account_brings_itself_do_not_count(host: Host, wire: Wire) -> None:
    """The home of both accounts is /, where only root writes; a key there must not count either."""
    for user in (host.observe_user, host.act_user):
        text = host.run(["sshd", "-T", "-C", f"user={user},host=x,addr=198.18.0.1"]).stdout.splitlines()
        assert "authorizedkeysfile /etc/firstresponder/authorized_keys/%u" in text
        assert "authorizedkeyscommand none" in text
        assert "authenticationmethods publickey" in text
        assert "disableforwarding yes" in text


@pytest.mark.parametrize("arguments", [["execute", "x", "y"], ["finish", "x"], ["info"], ["-h"]])
def test_sudo_allows_the_programs_without_arguments_only(host: Host, arguments: list[str]) -> None:
    for user, program in ((host.act_user, "act"), (host.observe_user, "observe")):
        path = f"/usr/local/libexec/firstresponder-{program}"
        become = ["runuser", "--user", user, "--", "sudo", "--non-interactive"]
        assert "a password is required" in host.run([*become, path, *arguments], check=False).stderr
        assert "a password is required" in host.run([*become, "id"], check=False).stderr
        assert "password" not in host.run([*become, path], check=False).stderr


def test_neither_account_may_run_the_others_program(host: Host) -> None:
    for user, program in ((host.observe_user, "act"), (host.act_user, "observe")):
        argv = ["runuser", "--user", user, "--", "sudo", "-n", f"/usr/local/libexec/firstresponder-{program}"]
        assert "a password is required" in host.run(argv, check=False).stderr
