"""The installer: says what differs, changes only that, and takes everything back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.testbed.hosts import Host, Hosts, install_command

INSTALL = [
    *install_command("api-gateway"),
    *("--command", "/usr/bin/true --really", "--logrotate-config", "/etc/logrotate.conf"),
    *("--ansible-project", "/srv", "--ansible-user", "nobody", "--ansible-preview-user", "sync"),
    *("--ansible-scale", "b.yml hosts b_instances 1 8", "--ansible-scale", "a.yml hosts a_instances 0 3"),
]
CHECK = [*INSTALL, "--check"]
KEYS = install_command(None)[1:]
NO_KEY = "not a public SSH key: it has to be one line, 'type base64 comment', and the comment holds no further key"
NO_COMMAND = "not an absolute path and words of printable ASCII, one space apart"
NO_SCALE = "not a playbook and an inventory of the project, a variable, and two whole numbers"
NO_ACCOUNT = "not the name of an account of this host other than root"


@pytest.fixture(scope="module")
def host(hosts: Hosts) -> Iterator[Host]:
    """Not prepared yet, and every test leaves it anyhow."""
    running = hosts.start("to-prepare", prepared=False)
    yield running
    running.stop()


@pytest.fixture
def prepared(host: Host) -> Host:
    host.run(INSTALL)
    return host


def state(host: Host) -> str:
    """All that an installer might touch: files with mode and owner, accounts, kernel settings."""
    places = "/etc /home /opt /root /srv /usr/local /var/lib /var/spool"
    own_doing = r"-not -path '/var/lib/systemd/*' -not -name '*-'"  # systemd's stamps, useradd's backups
    listing = rf"find / -maxdepth 1; find {places} {own_doing} -printf '%p %m %u %g %y %l\n' | sort"
    accounts = "cat /etc/passwd /etc/group /etc/shadow /etc/gshadow"
    return host.run(["sh", "-c", f"{listing}; {accounts}; cat /proc/sys/net/ipv4/ping_group_range"]).stdout


def test_a_second_run_changes_nothing(prepared: Host) -> None:
    before = prepared.run(["find", "/etc", "/usr/local", "/var/lib/firstresponder", "-printf", "%p %m %c\n"]).stdout
    assert prepared.run(INSTALL).stdout == ""
    after = prepared.run(["find", "/etc", "/usr/local", "/var/lib/firstresponder", "-printf", "%p %m %c\n"]).stdout
    assert after == before


def test_options_that_are_left_out_keep_what_is_there(prepared: Host) -> None:
    assert prepared.run(["/root/host/install"]).stdout == ""
    assert prepared.run(["/root/host/install", "--check"]).stdout == ""
    assert prepared.read("/etc/firstresponder/restartable") == "api-gateway.service\n"
    assert prepared.read("/etc/firstresponder/commands") == "/usr/bin/true --really\n"
    assert prepared.read("/etc/firstresponder/ansible") == (
        "project=/srv\nuser=nobody\npreview-user=sync\n"
        "scale=a.yml hosts a_instances 0 3\nscale=b.yml hosts b_instances 1 8\n"
    )


def declared(host: Host) -> list[str]:
    return host.run(["ls", "/etc/firstresponder/actions", "/etc/firstresponder/previews"]).stdout.split()


def test_actions_that_nothing_was_declared_for_are_not_installed(host: Host) -> None:
    host.run(["/root/host/install", "--remove"])
    host.run(install_command("api-gateway"))
    always = ["journal-vacuum", "logrotate", "restart-unit", "tmpfiles-clean"]
    assert [name for name in declared(host) if not name.startswith("/")] == always
    assert host.read("/etc/firstresponder/logrotate-configs") == "/etc/logrotate.conf\n"
    project = ["/root/host/install", "--ansible-project", "/srv"]
    host.run([*project, "--ansible-preview-user", "sync"])
    assert declared(host).count("ansible-scale") == 0, "nothing that may be scaled"
    host.run([*project, "--ansible-scale", "a.yml hosts a_instances 0 3"])
    assert declared(host).count("ansible-scale") == 1, "a preview without the action"
    host.run([*project, "--ansible-user", "nobody"])
    assert declared(host).count("ansible-scale") == 2


def test_an_action_whose_declaration_is_gone_goes_too(prepared: Host) -> None:
    prepared.run(["rm", "/etc/firstresponder/ansible", "/etc/firstresponder/commands"])
    gone = [
        f"/etc/firstresponder/{name}" for name in ("actions/ansible-scale", "actions/command", "previews/ansible-scale")
    ]
    checked = prepared.run(["/root/host/install", "--check"], check=False)
    assert checked.returncode == 1
    assert {f"differs: {path}" for path in gone} <= set(checked.stdout.splitlines())
    prepared.run(["/root/host/install"])
    assert [prepared.run(["test", "-e", path], check=False).returncode for path in gone] == [1, 1, 1]
    assert prepared.run(["/root/host/install", "--check"]).stdout == ""


def test_what_the_owner_added_stays(prepared: Host) -> None:
    prepared.write("/etc/firstresponder/actions/own", "#!/bin/sh\n", mode=0o755)
    assert prepared.run(INSTALL).stdout == ""
    assert "own" in declared(prepared)
    prepared.run(["rm", "/etc/firstresponder/actions/own"])


def test_a_prepared_host_passes_the_check(prepared: Host) -> None:
    done = prepared.run(CHECK, check=False)
    assert (done.returncode, done.stdout) == (0, "")


DRIFTS = {
    "account fr-observe": "usermod --shell /bin/bash fr-observe",
    "account fr-act": "userdel fr-act",
    "groups of fr-act": "usermod --groups sudo fr-act",
    "/usr/local/libexec/firstresponder-act": "echo >>/usr/local/libexec/firstresponder-act",
    "/usr/local/libexec/firstresponder-project": "echo >>/usr/local/libexec/firstresponder-project",
    "/usr/local/libexec/firstresponder-observe": "chmod 4755 /usr/local/libexec/firstresponder-observe",
    "/usr/local/libexec": "chmod 777 /usr/local/libexec",
    "/etc/firstresponder/actions/restart-unit": "chown fr-act /etc/firstresponder/actions/restart-unit",
    "/etc/firstresponder/actions": "chmod 775 /etc/firstresponder/actions",
    "/etc/firstresponder/restartable": "echo ssh.service >>/etc/firstresponder/restartable",
    "/etc/firstresponder/actions/logrotate": "rm /etc/firstresponder/actions/logrotate",
    "/etc/firstresponder/actions/command": "rm /etc/firstresponder/actions/command",
    "/etc/firstresponder/logrotate-configs": "echo /tmp/evil.conf >>/etc/firstresponder/logrotate-configs",
    "/etc/firstresponder/commands": "chmod 666 /etc/firstresponder/commands",
    "/etc/firstresponder/ansible": "sed -i s/nobody/root/ /etc/firstresponder/ansible",
    "/etc/firstresponder/previews": "chmod 775 /etc/firstresponder/previews",
    "/etc/firstresponder/previews/ansible-scale": "echo >>/etc/firstresponder/previews/ansible-scale",
    "/etc/firstresponder/authorized_keys/fr-act": "sed -i s/restrict,// /etc/firstresponder/authorized_keys/fr-act",
    "/etc/firstresponder/authorized_keys/fr-observe": "rm /etc/firstresponder/authorized_keys/fr-observe",
    "/etc/firstresponder": "chown fr-act /etc/firstresponder",
    "/etc/sudoers.d/firstresponder": "sed -i 's/\"\"//' /etc/sudoers.d/firstresponder",
    "/etc/ssh/sshd_config.d/60-firstresponder.conf": "rm /etc/ssh/sshd_config.d/60-firstresponder.conf",
    "/etc/sysctl.d/60-firstresponder.conf": "echo >/etc/sysctl.d/60-firstresponder.conf",
    "/proc/sys/net/ipv4/ping_group_range": "echo 1 0 >/proc/sys/net/ipv4/ping_group_range",
    "/var/lib/firstresponder/claims": "chmod 755 /var/lib/firstresponder/claims",
    "space for orders in /var/lib/firstresponder/claims": "rm -r /var/lib/firstresponder/claims/.room",
    "/var/lib/firstresponder": "rm -r /var/lib/firstresponder",
}


@pytest.mark.parametrize(("what", "harm"), DRIFTS.items(), ids=DRIFTS.keys())
def test_the_check_names_a_drift_and_an_install_mends_it(prepared: Host, what: str, harm: str) -> None:
    prepared.run(["sh", "-c", harm])
    checked = prepared.run(CHECK, check=False)
    assert checked.returncode == 1
    assert f"differs: {what}" in checked.stdout.splitlines()
    assert f"changed: {what}" in prepared.run(INSTALL).stdout.splitlines()


def test_the_check_changes_nothing(host: Host) -> None:
    host.run(["/root/host/install", "--remove"])
    before = state(host)
    first = host.run(CHECK, check=False)
    assert first.returncode == 1
    assert host.run(CHECK, check=False).stdout == first.stdout
    assert state(host) == before


def test_the_check_sees_that_sshd_does_not_read_our_file(prepared: Host) -> None:
    prepared.run(["sed", "-i", "s/^Include/#Include/", "/etc/ssh/sshd_config"])
    try:
        done = prepared.run(CHECK, check=False)
        assert done.returncode == 1
        assert "sshd does not read /etc/ssh/sshd_config.d/60-firstresponder.conf" in done.stdout
    finally:
        prepared.run(["sed", "-i", "s/^#Include/Include/", "/etc/ssh/sshd_config"])


HARDENED = "/etc/ssh/sshd_config.d/00-hardened.conf"
OTHER_SUDOERS = "/etc/sudoers.d/zz-hardened"
BROKEN = {
    "AllowGroups": (HARDENED, "AllowGroups admins ssh-users", "sshd's AllowGroups keeps fr-observe out"),
    "AllowUsers": (HARDENED, "AllowUsers fr-observe root", "sshd's AllowUsers keeps fr-act out"),
    "DenyUsers": (HARDENED, "DenyUsers guest fr-*", "sshd's DenyUsers keeps fr-act out"),
    "MaxSessions": (HARDENED, "MaxSessions 2", "sshd's MaxSessions is 2 for fr-observe"),
    "ForceCommand": (HARDENED, "ForceCommand /bin/false", "sshd's forcecommand is '/bin/false' for fr-act"),
    "PubkeyAuthentication": (HARDENED, "PubkeyAuthentication no", "sshd's pubkeyauthentication is 'no' for fr-act"),
    "AuthorizedKeysFile": (
        HARDENED,
        "Match User fr-*\n  AuthorizedKeysFile /k/%u",
        "sshd's authorizedkeysfile is '/k/%u' for fr-act",
    ),
    "Match": (HARDENED, "Match Group fr-act\n  ChrootDirectory /srv", "sshd's chrootdirectory is '/srv' for fr-act"),
    "second factor": (
        HARDENED,
        "Match Group fr-act\n  AuthenticationMethods publickey,password",
        "sshd's authenticationmethods is 'publickey,password' for fr-act",
    ),
    "requiretty": (
        OTHER_SUDOERS,
        "Defaults requiretty",
        "fr-act cannot run its program: sudo: sorry, you must have a tty",
    ),
    "PASSWD": (OTHER_SUDOERS, "fr-act ALL=(root) PASSWD: ALL", "fr-act cannot run its program: sudo: a password is"),
    "NOPASSWD": (OTHER_SUDOERS, "fr-act ALL=(root) NOPASSWD: ALL", "sudo lets fr-act do more than run its program"),
    "sshrc": ("/etc/ssh/sshrc", "echo Welcome", "/etc/ssh/sshrc prints something for fr-observe"),
    "nologin": ("/etc/nologin", "Maintenance", "/etc/nologin: while it exists, nobody but root can log in"),
}


@pytest.mark.parametrize(("path", "text", "finding"), BROKEN.values(), ids=BROKEN.keys())
def test_a_host_that_keeps_the_accounts_from_working_fails_the_check_with_a_line_that_says_why(
    prepared: Host, path: str, text: str, finding: str
) -> None:
    prepared.write(path, f"{text}\n")
    try:
        checked = prepared.run(CHECK, check=False)
        installed = prepared.run(INSTALL, check=False)
    finally:
        prepared.run(["rm", path])
    assert checked.returncode == installed.returncode == 1
    assert checked.stdout == installed.stdout
    lines = checked.stdout.splitlines()
    assert all(line.startswith("broken: ") for line in lines)
    assert any(line.startswith(f"broken: {finding}") for line in lines), checked.stdout
    assert prepared.run(CHECK).stdout == ""


ACCOUNTS = {
    "expired": ("--expiredate 2020-01-01", "account fr-act has expired: chage --expiredate -1 fr-act"),
    "password ages": ("--maxdays 90", "the password of fr-act, which has none, expires after 90 days, and the account"),
    "password to change": ("--lastday 0", "account fr-act has to change a password that it does not have"),
}


@pytest.mark.parametrize(("change", "finding"), ACCOUNTS.values(), ids=ACCOUNTS.keys())
def test_an_account_that_pam_refuses_or_will_refuse_fails_the_check(prepared: Host, change: str, finding: str) -> None:
    before = prepared.read("/etc/shadow")
    prepared.run(["chage", *change.split(), "fr-act"])
    try:
        checked = prepared.run(CHECK, check=False)
    finally:
        prepared.run(["tee", "/etc/shadow"], stdin=before)
    assert checked.returncode == 1
    assert f"broken: {finding}" in checked.stdout


def test_a_second_key_in_a_comment_or_behind_the_first_installs_nothing(host: Host) -> None:
    host.run(["/root/host/install", "--remove"])
    key = host.read("/root/fr-observe.pub").strip()
    second = " ".join(key.split()[:2])
    certificate = "ssh-ed25519-cert-v01@openssh.com " + key.split()[1]
    hostile = [
        f"{second} ops@example.com {second}\n",
        f"{key}\n{second}\n",
        f"{key}\r{second}\n",
        f"no-pty {key}\n",
        f'command="/bin/sh" {key}\n',
        f"{certificate}\n",
        f"ssh-rsa {key.split()[1]}\n",
        f"{second[:40]}\n",
        "",
    ]
    for text in hostile:
        host.write("/root/hostile.pub", text)
        done = host.run(["/root/host/install", "--observe-key", "/root/hostile.pub", *KEYS[2:]], check=False)
        assert (done.returncode, "not a public SSH key" in done.stderr) == (64, True), text
        assert host.run(["ls", "/etc/firstresponder/authorized_keys"]).stdout == ""
    host.run(["rm", "/root/hostile.pub"])


def test_of_a_key_file_only_the_key_is_installed(prepared: Host) -> None:
    key = " ".join(prepared.read("/root/fr-observe.pub").split()[:2])
    prepared.write("/root/commented.pub", f'{key} laptop of ops, "work" é\n')
    assert prepared.run([*INSTALL, "--observe-key", "/root/commented.pub"]).stdout == ""
    assert prepared.read("/etc/firstresponder/authorized_keys/fr-observe") == (
        f'restrict,command="sudo -n /usr/local/libexec/firstresponder-observe" {key}\n'
    )


@pytest.mark.parametrize("change", ["$ a ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE", "s/^restrict,//", "s/-n //"])
def test_the_check_sees_what_else_stands_beside_a_key_without_being_given_the_key(prepared: Host, change: str) -> None:
    path = "/etc/firstresponder/authorized_keys/fr-act"
    prepared.run(["sed", "-i", change, path])
    checked = prepared.run(["/root/host/install", "--check"], check=False)
    assert (checked.returncode, checked.stdout) == (1, f"differs: {path}\n")
    prepared.run(INSTALL)


def test_a_configuration_that_sshd_refuses_is_not_left_behind(host: Host) -> None:
    host.run(["/root/host/install", "--remove"])
    broken = "/etc/ssh/sshd_config.d/00-broken.conf"
    host.write(broken, "NoSuchOption yes\n")
    try:
        refused = host.run(INSTALL, check=False)
    finally:
        host.run(["rm", broken])
    assert refused.returncode == 69
    assert "mend what sshd -t names" in refused.stderr
    assert host.run(["ls", "/etc/ssh/sshd_config.d"]).stdout == ""
    host.run(INSTALL)


def test_removal_leaves_the_host_as_it_was(host: Host) -> None:
    host.run(["/root/host/install", "--remove"])
    before = state(host)
    host.run(INSTALL)
    assert state(host) != before
    host.run(["/root/host/install", "--remove"])
    assert state(host) == before


def test_removal_waits_for_no_order_and_interrupts_none(prepared: Host) -> None:
    prepared.run(["mkdir", "-p", "/run/firstresponder"])
    hold = "flock /run/firstresponder/busy sleep 4248 >/dev/null 2>&1 &"
    until_held = "while flock --nonblock /run/firstresponder/busy true; do sleep 0.05; done"
    prepared.run(["sh", "-c", f"{hold} {until_held}"])
    done = prepared.run(["/root/host/install", "--remove"], check=False)
    assert (done.returncode, done.stderr) == (69, "install: an order is running; try again when it has ended\n")
    prepared.run(["pkill", "--full", "sleep 4248"])
    assert prepared.run(CHECK).stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--observe-key", "/root/fr-observe.pub"], "--act-key FILE is needed: no key is installed for fr-act yet"),
        (["--observe-key", "/etc/passwd", "--act-key", "/root/fr-act.pub"], f"/etc/passwd: {NO_KEY}"),
        (["--restartable", "nginx"], "--restartable nginx: not the name of a service unit (such as nginx.service)"),
        (["--act-key"], "the last option needs a value"),
        (["--logrotate-config", "a.conf"], "--logrotate-config a.conf: not an absolute path"),
        (["--command", "reboot"], f"--command reboot: {NO_COMMAND}"),
        (["--command", "/sbin/reboot  now"], f"--command /sbin/reboot  now: {NO_COMMAND}"),
        (["--command", "/sbin/reboot\nnow"], f"--command /sbin/reboot\nnow: {NO_COMMAND}"),
        (["--ansible-scale", "a.yml hosts n 1"], f"--ansible-scale a.yml hosts n 1: {NO_SCALE}"),
        (["--ansible-scale", "a.yml hosts n 1 x"], f"--ansible-scale a.yml hosts n 1 x: {NO_SCALE}"),
        (["--ansible-scale", "/a.yml hosts n 1 2"], f"--ansible-scale /a.yml hosts n 1 2: {NO_SCALE}"),
        (["--ansible-scale", "a.yml ../b n 1 2"], f"--ansible-scale a.yml ../b n 1 2: {NO_SCALE}"),
        (
            ["--ansible-scale", "a.yml hosts n 2 1"],
            "--ansible-scale a.yml hosts n 2 1: the minimum is above the maximum",
        ),
        (
            ["--ansible-scale", "a.yml hosts ansible_port 1 2"],
            "--ansible-scale a.yml hosts ansible_port 1 2: a variable of Ansible's own counts no instances",
        ),
        (["--ansible-project", "/srv/none"], "--ansible-project /srv/none: not the absolute path of a folder"),
        (["--ansible-user", "root"], f"--ansible-user root: {NO_ACCOUNT}"),
        (["--ansible-preview-user", "who"], f"--ansible-preview-user who: {NO_ACCOUNT}"),
        (
            [*KEYS, "--ansible-project", "/srv", "--ansible-user", "nobody", "--ansible-preview-user", "nobody"],
            "--ansible-preview-user nobody: must be another account than --ansible-user, with fewer rights",
        ),
        (
            ["--force"],
            "unknown option --force; there are --observe-key, --act-key, --restartable, --logrotate-config, --command, "
            "--ansible-project, --ansible-user, --ansible-preview-user, --ansible-scale, --check, --remove",
        ),
    ],
)
def test_wrong_usage_says_what_to_do(host: Host, arguments: list[str], message: str) -> None:
    host.run(["/root/host/install", "--remove"])
    done = host.run(["/root/host/install", *arguments], check=False)
    assert done.returncode == 64
    assert f"install: {message}\n" in done.stderr
