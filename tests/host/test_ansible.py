"""Scaling a pool by a playbook: previewed without a change, applied on real hosts, refused in every other way."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from firstresponder.api.command import CommandOutput
from firstresponder.evidence import inventory
from firstresponder.evidence.probe import Context
from tests.host.wire import Answer, Wire
from tests.testbed.control_node import (
    INVENTORY,
    PREVIEW_USER,
    PROJECT,
    USER,
    declaration,
    declared,
    start_control_node,
)
from tests.testbed.hosts import Host, Hosts, install_command
from tests.testbed.processes import wait_until

pytestmark = pytest.mark.slow

PLAYBOOK = "playbooks/api-gateway.yml"
OWN = "playbooks/own.yml"
SCALES = (declared("api-gateway", 4), f"{OWN} inventories/production n 0 7")
READER = "/usr/local/libexec/firstresponder-project"
CONTEXT = Context(now=0.0, timeout=30.0)


@dataclass(frozen=True)
class Pool:
    hosts: tuple[Host, ...]
    control: Host

    def running(self) -> list[str]:
        """The hosts that really run the service."""
        return [host.name for host in self.hosts if host.health() == 200]

    def recorded(self) -> list[str]:
        """The hosts that run it by the inventory."""
        lines = self.control.read(f"{INVENTORY}/api_gateway").splitlines()
        return [line for line in lines if line.startswith("api-gateway-")]

    def state(self) -> list[str]:
        """Whatever a playbook might change: all files, and whether the service runs."""
        places = "/etc /opt /srv /usr/local /var/spool"
        properties = "ActiveState,InvocationID,UnitFileState"
        script = (
            f"find {places} -printf '%p %m %u %s %T@ %C@\n' | sort; systemctl show --property={properties} api-gateway"
        )
        return [host.run(["sh", "-c", script]).stdout for host in (*self.hosts, self.control)]


@pytest.fixture(scope="module")
def pool(hosts: Hosts) -> Iterator[Pool]:
    """Three hosts of which the first runs the service, and the second has it installed and stopped."""
    running = hosts.start("api-gateway-01")
    spare = hosts.start("api-gateway-02", prepared=False)
    spare.run(["systemctl", "disable", "--quiet", "--now", "api-gateway.service"])
    bare = hosts.start("api-gateway-03", service=None, prepared=False)
    members = (running, spare, bare)
    control = start_control_node(hosts, {"api-gateway": members})
    control.write(f"{INVENTORY}/api_gateway", "[api_gateway]\napi-gateway-01\n")
    control.run(["chown", f"{USER}:", f"{INVENTORY}/api_gateway"])
    declare(control)
    yield Pool(members, control)
    for host in (*members, control):
        host.stop()


@pytest.fixture(scope="module")
def host(pool: Pool) -> Host:
    return pool.control


def arguments(
    instances: str = "2",
    *,
    playbook: str = PLAYBOOK,
    inventory: str = "inventories/production",
    tags: str = "scale",
    variable: str = "api_gateway_instances",
    group: str = "api_gateway",
    current: str = "1",
) -> tuple[str, ...]:
    return playbook, inventory, tags, variable, group, current, instances


def resized(pool: Pool, instances: int) -> tuple[str, ...]:
    """From as many as there are."""
    return arguments(str(instances), current=str(len(pool.recorded())))


Own = Callable[..., tuple[str, ...]]


@pytest.fixture
def own(host: Host, pool: Pool) -> Iterator[Own]:
    """Writes a playbook of the test's own, for some hosts; the arguments that run it. It is gone afterwards."""

    def write(hosts: str, *tasks: dict[str, object], number: str = "2") -> tuple[str, ...]:
        host.write(f"{PROJECT}/{OWN}", json.dumps([{"hosts": hosts, "gather_facts": False, "tasks": tasks}]))
        return arguments(number, playbook=OWN, tags="", variable="n", current=str(len(pool.recorded())))

    yield write
    host.run(["rm", "-rf", f"{PROJECT}/{OWN}", f"{PROJECT}/roles"])


def project(host: Host) -> str:
    """What the project is now: the digest that a preview would tell."""
    accounts = [host.run(["id", "--user", user]).stdout.strip() for user in (USER, PREVIEW_USER)]
    done = host.run([READER, "digest", PROJECT, *accounts], check=False)
    return done.stdout.strip()


def scale(
    wire: Wire, *given: str, timeout: int = 120, previewed: str | None = None
) -> tuple[str, dict[str, str], Answer]:
    digest = project(wire.host) if previewed is None else previewed
    answer = wire.act(wire.order("ansible-scale", *given, digest).but(timeout=timeout).text)
    assert answer.state == "finished", answer
    return answer.fields["exit"], dict(line.split("=", 1) for line in answer.output), answer


def preview(wire: Wire, *given: str, timeout: int = 120, name: str = "ansible-scale") -> Answer:
    return wire.act(f"preview {name}\ntimeout {timeout}\n" + "".join(f"arg {argument}\n" for argument in given))


def counted(wire: Wire) -> dict[str, object]:
    """What the diagnostic says of the group."""
    probe = inventory.PROBE
    given = probe.arguments(
        path="inventories/production", group="api_gateway", maximum_variable="api_gateway_max_instances"
    )
    done = wire.observe(*probe.argv(given, CONTEXT), seconds=30)
    return dict(probe.parse(given, CommandOutput(done.stdout.encode(), done.stderr.encode(), done.returncode), CONTEXT))


# --- what it is for


def test_a_control_node_offers_the_action_and_its_preview(wire: Wire) -> None:
    info = wire.info()
    assert "ansible-scale" in info["actions"].split()
    assert info["previews"] == "ansible-scale"


def test_a_preview_shows_what_would_change_and_changes_nothing(pool: Pool, wire: Wire) -> None:
    before = pool.state()
    answer = preview(wire, *arguments("2"))
    assert answer.exit_status == 0
    told = {"preview": "ansible-scale", "boot": pool.control.boot_id(), "result": "success", "exit": "0"}
    assert answer.fields == {**told, "truncated": "no", "project": project(pool.control)}
    text = "\n".join(answer.output)
    assert "\n [api_gateway]\n api-gateway-01\n+api-gateway-02\n" in text
    assert re.search(r"TASK \[Start it, or stop it\] \*+\n(.*\n)*?changed: \[api-gateway-02\]", text)
    assert re.search(r"^api-gateway-03 .* failed=0 +skipped=1 ", text, re.MULTILINE), "its unit is not there yet"
    assert pool.state() == before
    assert (pool.running(), pool.recorded()) == (["api-gateway-01"], ["api-gateway-01"])


def test_scaling_out_and_in_starts_and_stops_the_service_and_writes_the_count_down(pool: Pool, wire: Wire) -> None:
    assert counted(wire) == {"count": 1, "max": 4}
    for instances in (3, 1):
        given = resized(pool, instances)
        status, output, _ = scale(wire, *given, previewed=preview(wire, *given).fields["project"])
        assert status == "0"
        assert re.fullmatch(r"scaled: changed=[1-9]\d* failed=0 unreachable=0", output["result"])
        expected = [host.name for host in pool.hosts][:instances]
        assert (pool.running(), pool.recorded()) == (expected, expected)
        assert counted(wire) == {"count": instances, "max": 4}


def test_scaling_to_what_is_there_changes_nothing(pool: Pool, wire: Wire) -> None:
    scale(wire, *resized(pool, 2))
    status, output, _ = scale(wire, *resized(pool, 2))
    assert (status, output["result"]) == ("0", "scaled: changed=0 failed=0 unreachable=0")


def test_a_playbook_is_run_by_its_declared_user_and_never_by_root(host: Host, wire: Wire, own: Own) -> None:
    who = {"ansible.builtin.command": "id -un", "register": "who"}
    given = own("localhost", who, {"ansible.builtin.debug": {"msg": "{{ who.stdout }} with {{ n }}"}}, number="7")
    status, _, answer = scale(wire, *given)
    assert (status, 'ansible=    "msg": "ansible with 7"' in answer.output) == ("0", True)
    allowed = "".join(f"scale={line}\n" for line in SCALES)
    host.write("/etc/firstresponder/ansible", f"project={PROJECT}\nuser=root\npreview-user=root\n{allowed}")
    try:
        assert scale(wire, *given)[:2] == ("65", {"refused": "root does not run ansible-playbook"})
        assert preview(wire, *given).output == ["refused=root does not run ansible-playbook"]
    finally:
        declare(host)


def declare(host: Host) -> subprocess.CompletedProcess[str]:
    return host.run([*install_command(None), *declaration(*SCALES)])


# --- what goes wrong


def test_a_host_that_cannot_be_reached_is_a_failure_and_the_count_stays(pool: Pool, wire: Wire) -> None:
    scale(wire, *resized(pool, 1))
    pool.hosts[1].cut()
    try:
        status, output, _ = scale(wire, *resized(pool, 2))
        assert (status, output["result"]) == ("70", "not scaled: changed=0 failed=0 unreachable=1")
        answer = preview(wire, *resized(pool, 2))
        assert (answer.exit_status, answer.fields["result"], answer.fields["exit"]) == (0, "exit-code", "2")
    finally:
        pool.hosts[1].restore()
    assert (pool.running(), pool.recorded()) == (["api-gateway-01"], ["api-gateway-01"])


def test_more_than_the_pool_has_is_a_failure_and_nothing_changes(pool: Pool, wire: Wire) -> None:
    scale(wire, *resized(pool, 1))
    status, output, _ = scale(wire, *resized(pool, 4))
    assert (status, output["result"]) == ("70", "not scaled: changed=0 failed=3 unreachable=0")
    assert (pool.running(), pool.recorded()) == (["api-gateway-01"], ["api-gateway-01"])


def test_a_play_that_finds_no_host_has_not_scaled_anything(host: Host, wire: Wire, own: Own) -> None:
    status, output, _ = scale(wire, *own("nobody"))
    assert (status, output["result"]) == ("70", "not scaled: no host of the inventory was played on")


SLOW: dict[str, object] = {"ansible.builtin.wait_for": {"timeout": 4253}}


def test_a_playbook_that_does_not_end_is_stopped_and_not_called_done(host: Host, wire: Wire, own: Own) -> None:
    status, output, _ = scale(wire, *own("api-gateway-01", SLOW), timeout=30)
    assert (status, output["result"][:8]) == ("75", "stopped ")
    assert host.run(["pgrep", "--full", "own.yml"], check=False).stdout == ""


def test_a_long_playbook_does_not_hide_how_it_ended(host: Host, wire: Wire, own: Own) -> None:
    """Only the first 8 KiB of what an action prints are shown."""
    chatty = {"ansible.builtin.debug": {"msg": "x" * 300}, "loop": "{{ range(400) | list }}"}
    status, _, answer = scale(wire, *own("api-gateway-01", chatty))
    assert (status, answer.output[-1]) == ("0", "result=scaled: changed=0 failed=0 unreachable=0")


def test_what_a_host_prints_is_not_taken_for_the_result(host: Host, wire: Wire, own: Own) -> None:
    message = {"msg": ["result=scaled: changed=9 failed=0 unreachable=0", "x : ok=1 changed=9"]}
    tasks = {"ansible.builtin.debug": message}, {"ansible.builtin.fail": message}
    status, _, answer = scale(wire, *own("api-gateway-01", *tasks))
    results = [line for line in answer.output if line.startswith(("result=", "recap="))]
    counts = "changed=0 failed=1 unreachable=0"
    assert (status, results) == ("70", [f"recap={counts}", f"result=not scaled: {counts}"])


# --- what is refused


COUNT = "takes a playbook, an inventory, tags, a variable, a group, two numbers and, to apply, the project's digest"
NO_PLAYBOOK = "the playbook is not a path within the project"
NO_INVENTORY = "the inventory is not a path within the project"
NO_TAGS = "not a list of tags"
NO_VARIABLE = "not the name of a variable"
NO_NUMBER = "not a number of instances"
NO_GROUP = "not the name of a group"
NOT_DECLARED = "scaling by this playbook, inventory and variable is not declared on this host"
OUT_OF_BOUNDS = "is not within what is declared on this host: 0 to 4"
REFUSALS = {
    "no arguments": ((), COUNT),
    "one too many": ((*arguments(), "--become"), COUNT),
    "an option as the playbook": (arguments(playbook="--version"), NO_PLAYBOOK),
    "-e as the playbook": (arguments(playbook="-e"), NO_PLAYBOOK),
    "-- as the playbook": (arguments(playbook="--"), NO_PLAYBOOK),
    "an absolute playbook": (arguments(playbook=f"{PROJECT}/{PLAYBOOK}"), NO_PLAYBOOK),
    "a playbook above": (arguments(playbook="playbooks/../../evil.yml"), NO_PLAYBOOK),
    "a way up and down": (arguments(playbook=f"../ansible/{PLAYBOOK}"), NO_PLAYBOOK),
    "no playbook": (arguments(playbook=""), NO_PLAYBOOK),
    "a playbook by a link": (arguments(playbook="playbooks/link.yml"), "the playbook leads out of the project"),
    "a playbook in a linked folder": (arguments(playbook="linked/evil.yml"), "the playbook leads out of the project"),
    "a missing playbook": (arguments(playbook="playbooks/missing.yml"), "the playbook is not in the project"),
    "a folder as the playbook": (arguments(playbook="playbooks"), "the playbook is not a file"),
    "a list of hosts as the inventory": (arguments(inventory="localhost,"), NO_INVENTORY),
    "an option as the inventory": (arguments(inventory="-elocal"), NO_INVENTORY),
    "an inventory above": (arguments(inventory="../../etc/ansible/hosts"), NO_INVENTORY),
    "an inventory by a link": (arguments(inventory="linked"), "the inventory leads out of the project"),
    "a missing inventory": (arguments(inventory="inventories/staging"), "the inventory is not in the project"),
    "an option as a tag": (arguments(tags="--become"), NO_TAGS),
    "two words as a tag": (arguments(tags="scale --become"), NO_TAGS),
    "an empty tag": (arguments(tags="scale,"), NO_TAGS),
    "a template as a tag": (arguments(tags="{{x}}"), NO_TAGS),
    "a template as the variable": (arguments(variable="{{ lookup('pipe', 'id') }}"), NO_VARIABLE),
    "a quote in the variable": (arguments(variable='a": 1, "b'), NO_VARIABLE),
    "a long variable": (arguments(variable="a" * 65), NO_VARIABLE),
    "a number as the variable": (arguments(variable="1a"), NO_VARIABLE),
    "a word as the number": (arguments("two"), NO_NUMBER),
    "a fraction": (arguments("2.5"), NO_NUMBER),
    "a negative number": (arguments("-1"), NO_NUMBER),
    "an octal number": (arguments("010"), NO_NUMBER),
    "more than one value": (arguments('2, "become": true'), NO_NUMBER),
    "no number": (arguments(""), NO_NUMBER),
    "a template as the number": (arguments("{{ 2 }}"), NO_NUMBER),
    "a word as the current number": (arguments(current="one"), NO_NUMBER),
    "an option as the group": (arguments(group="--become"), NO_GROUP),
    "a template as the group": (arguments(group="{{ x }}"), NO_GROUP),
    "more than is declared": (arguments("5"), f"5 {OUT_OF_BOUNDS}"),
    "a playbook that is not declared": (arguments(playbook="playbooks/payroll.yml"), NOT_DECLARED),
    "an inventory that is not declared": (arguments(inventory="inventories"), NOT_DECLARED),
    "another spelling of the inventory": (arguments(inventory="inventories/./production"), NOT_DECLARED),
    "a variable that is not declared": (arguments(variable="api_gateway_max_instances"), NOT_DECLARED),
    "a variable of Ansible's": (
        arguments(variable="ansible_check_mode"),
        "a variable of Ansible's own counts no instances",
    ),
}


@pytest.fixture
def outside(host: Host) -> Iterator[None]:
    """A playbook outside the project, and links to it."""
    evil = (
        "- hosts: localhost\n  connection: local\n  tasks: [{ansible.builtin.file: {path: /tmp/ran, state: touch}}]\n"
    )
    for path in ("/srv/evil.yml", "/srv/outside/evil.yml"):
        host.write(path, evil)
    host.run(["ln", "-s", "/srv/outside", f"{PROJECT}/linked"])
    host.run(["ln", "-s", "../../evil.yml", f"{PROJECT}/playbooks/link.yml"])
    yield
    host.run(["rm", f"{PROJECT}/linked", f"{PROJECT}/playbooks/link.yml"])


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize(("given", "reason"), REFUSALS.values(), ids=REFUSALS.keys())
def test_neither_action_nor_preview_runs_with(host: Host, given: tuple[str, ...], reason: str) -> None:
    for kind, digest in (("actions", [f"sha256:{'0' * 64}"]), ("previews", [])):
        done = host.run([f"/etc/firstresponder/{kind}/ansible-scale", *given, *digest], check=False)
        assert (done.returncode, done.stdout) == (65, f"refused={reason}\n")
    assert host.run(["test", "-e", "/tmp/ran"], check=False).returncode == 1


def test_a_refusal_reaches_who_asked(wire: Wire) -> None:
    given = arguments(playbook="playbooks/missing.yml")
    assert scale(wire, *given)[:2] == ("65", {"refused": "the playbook is not in the project"})
    answer = preview(wire, *given)
    assert (answer.exit_status, answer.fields["result"], answer.fields["exit"]) == (0, "exit-code", "65")
    assert answer.output == ["refused=the playbook is not in the project"]


def test_an_order_that_could_not_wait_for_the_playbook_does_not_begin_it(pool: Pool, wire: Wire) -> None:
    before = pool.state()
    assert scale(wire, *resized(pool, 3), timeout=12)[:2] == ("65", {"refused": "the time-out leaves no time"})
    assert pool.state() == before


@pytest.mark.parametrize(
    "task",
    [
        "{name: Look, ansible.builtin.command: id, check_mode: false}",
        '{ansible.builtin.command: id, "check\\x5fmode": no}',
    ],
)
@pytest.mark.parametrize("where", ["playbooks/own.yml", "roles/other/tasks/main.py"])
def test_a_project_that_turns_the_check_off_is_not_previewed(
    host: Host, wire: Wire, own: Own, task: str, where: str
) -> None:
    given = own("api-gateway-01")
    host.write(f"{PROJECT}/{where}", f"- hosts: api-gateway-01\n  tasks: [{task}]\n")
    answer = preview(wire, *given)
    assert (answer.fields["result"], answer.fields["exit"]) == ("exit-code", "65")
    refused = f"refused=something in the project turns the check off: check_mode is not true in {where}"
    assert answer.output == [refused]


def test_a_task_that_is_always_checked_does_not_stand_in_the_way(host: Host, wire: Wire, own: Own) -> None:
    tasks = "- ansible.builtin.command: id\n      check_mode: true\n      when: not ansible_check_mode"
    given = own("api-gateway-01")
    host.write(f"{PROJECT}/{OWN}", f"- hosts: api-gateway-01\n  gather_facts: false\n  tasks:\n    {tasks}\n")
    assert preview(wire, *given).fields["exit"] == "0"


# --- what an approval binds


def test_a_pool_of_another_size_than_was_approved_is_neither_scaled_nor_previewed(pool: Pool, wire: Wire) -> None:
    scale(wire, *resized(pool, 1))
    before = pool.state()
    given = arguments("3", current="2")
    assert scale(wire, *given)[:2] == ("65", {"refused": "api_gateway has 1 hosts now, not 2"})
    assert preview(wire, *given).output == ["refused=api_gateway has 1 hosts now, not 2"]
    nowhere = arguments("3", group="api_gateways")
    assert scale(wire, *nowhere)[:2] == ("65", {"refused": "the inventory has no group api_gateways"})
    assert pool.state() == before


CHANGES = {
    "the playbook": f"echo >>{PROJECT}/{PLAYBOOK}",
    "what it includes": f"echo >>{PROJECT}/playbooks/scale.yml",
    "what it copies": f"echo >>{PROJECT}/playbooks/files/leaky-service",
    "a mode": f"chmod a+x {PROJECT}/playbooks/scale.yml",
    "the configuration": f"echo 'roles_path = /tmp' >>{PROJECT}/ansible.cfg",
    "variables": f"mkdir {PROJECT}/group_vars && echo 'ansible_user: root' >{PROJECT}/group_vars/all",
    "a variable of the inventory": f"echo 'api_gateway_max_instances=9' >>{INVENTORY}/api_gateway_pool",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_project_that_was_changed_after_the_preview_is_not_applied(pool: Pool, wire: Wire, change: str) -> None:
    given = resized(pool, 3)
    digest = project(pool.control)
    pool.control.run(["cp", "-a", PROJECT, "/srv/kept"])
    pool.control.run(["sh", "-c", change])
    before = pool.state()
    try:
        refused = "the project is not the one that was previewed: something in it was changed"
        assert scale(wire, *given, previewed=digest)[:2] == ("65", {"refused": refused})
        assert pool.state() == before
    finally:
        pool.control.run(["rm", "-r", PROJECT])
        pool.control.run(["mv", "/srv/kept", PROJECT])
    assert project(pool.control) == digest


def test_a_project_that_is_too_big_to_bind_says_what_to_do(host: Host, wire: Wire, own: Own) -> None:
    given = own("api-gateway-01")
    host.run(["sh", "-c", f"mkdir {PROJECT}/.git && cd {PROJECT}/.git && truncate --size=65M pack"])
    try:
        (refused,) = preview(wire, *given).output
        assert refused.startswith(
            "refused=the project has more than 64 MiB or 20000 entries: keep in it what is played"
        )
        assert scale(wire, *given, previewed="sha256:")[1] == {"refused": refused.removeprefix("refused=")}
        host.run(["chmod", "700", f"{PROJECT}/.git"])
        assert preview(wire, *given).fields["exit"] == "0"
    finally:
        host.run(["rm", "-r", f"{PROJECT}/.git"])


# --- how a preview is held


def looked(host: Host, wire: Wire, own: Own, script: str) -> str:
    """What a script prints that a preview runs on the control node itself: by a lookup, which a check does too."""
    host.write("/srv/look", f"#!/bin/bash\n{script}\n", mode=0o755)
    seen = "seen {{ lookup('ansible.builtin.pipe', '/srv/look') }}."
    answer = preview(wire, *own("localhost", {"ansible.builtin.debug": {"msg": seen}}))
    assert answer.fields["exit"] == "0", answer
    found = re.search(r'"msg": "seen (.*)\."', "\n".join(answer.output))
    assert found, answer
    return found[1]


def test_a_preview_is_its_users_and_has_no_way_to_more(host: Host, wire: Wire, own: Own) -> None:
    assert looked(host, wire, own, "id -un") == PREVIEW_USER
    host.write("/etc/sudoers.d/preview", f"{PREVIEW_USER} ALL=(ALL) NOPASSWD: ALL\n", mode=0o440)
    assert looked(host, wire, own, "sudo -n id -un || echo no") == "no"
    host.run(["rm", "/etc/sudoers.d/preview"])
    assert looked(host, wire, own, "sed -n s/^CapEff:.//p /proc/self/status") == "0" * 16


def test_a_preview_can_write_nowhere_but_in_its_own_tmp(host: Host, wire: Wire, own: Own) -> None:
    host.run(["chmod", "777", f"{PROJECT}/playbooks"])
    places = f"/home/{PREVIEW_USER} {PROJECT}/playbooks /var/tmp /run/lock /run/user /dev/mqueue /tmp /dev/shm"
    script = f"for place in {places}; do (echo 1 >$place/written) 2>/dev/null && echo $place; done | paste -sd' '"
    assert looked(host, wire, own, script) == "/tmp /dev/shm"
    assert host.run(["find", "/tmp", "/dev/shm", "/var/tmp", "-name", "written"]).stdout == ""
    host.run(["chmod", "755", f"{PROJECT}/playbooks"])


def test_a_preview_reaches_no_address_of_its_own_host_or_the_installer_says_that_it_can(
    pool: Pool, host: Host, wire: Wire, own: Own
) -> None:
    """Only a kernel with a filter for control groups has one, and there no login by SSH leads out of the preview."""
    places = f"127.0.0.1 127.0.0.53 {host.address} {pool.hosts[0].address}"
    script = f"for place in {places}; do (: 3<>/dev/tcp/$place/22) 2>/dev/null && echo $place; done | paste -sd' '"
    reached = looked(host, wire, own, script)
    can = "a preview can log in to this host" in declare(host).stderr
    assert reached == (places if can else pool.hosts[0].address)
    show = "systemctl show --property=IPAddressDeny --value $(basename $(tail -n1 /proc/self/cgroup))"
    denied = looked(host, wire, own, show).split()
    assert {"127.0.0.0/8", "::1/128", f"{host.address}/32"} <= set(denied)


def test_a_preview_leaves_no_word_in_the_journal_that_is_its_own(host: Host, wire: Wire, own: Own) -> None:
    attempts = "logger forged-evidence; echo forged-evidence | systemd-cat; systemd-run --user echo forged-evidence"
    looked(host, wire, own, f"({attempts}) >/dev/null 2>&1; true")
    host.run(["journalctl", "--sync"])
    assert "forged-evidence" not in host.run(["journalctl", "--boot", "--output=cat"]).stdout


def test_a_preview_touches_neither_ledger_nor_lock(pool: Pool, host: Host, wire: Wire) -> None:
    ledgers = ["ls", "-lRA", "--time-style=full-iso", "/run/firstresponder", "/var/lib/firstresponder"]
    wire.order("note")
    before = host.run(ledgers).stdout
    order = wire.order("linger", "3")
    sent = threading.Thread(target=wire.act, args=[order.text])
    sent.start()
    wait_until(lambda: wire.status(order).state != "absent", 60, "an order runs")
    assert preview(wire, *resized(pool, 2)).fields["result"] == "success"
    sent.join()
    after_an_order = host.run(ledgers).stdout
    assert after_an_order != before
    preview(wire, *resized(pool, 2))
    stamps = r" \S+ \S+ \S+ (?=requests$)"  # the folder of the requests that are being answered
    assert strip(stamps, host.run(ledgers).stdout) == strip(stamps, after_an_order)


def strip(pattern: str, text: str) -> str:
    return re.sub(pattern, " ", text, flags=re.MULTILINE)


def test_a_preview_is_stopped_when_its_time_is_over(host: Host, wire: Wire, own: Own) -> None:
    answer = preview(wire, *own("all", {"ansible.builtin.pause": {"seconds": 4254}}), timeout=25)
    assert (answer.exit_status, answer.fields["result"], answer.fields["exit"]) == (0, "timeout", "")
    assert host.run(["pgrep", "--full", "own.yml"], check=False).stdout == ""
    assert host.run(["systemctl", "list-units", "--all", "--plain", "--no-legend", "fr-preview-*"]).stdout == ""


def test_a_long_preview_is_cut_and_says_so(host: Host, wire: Wire, own: Own) -> None:
    for length, truncated in ((60_000, "no"), (70_000, "yes")):
        host.write(f"{PROJECT}/playbooks/files/long", f"a tab\tand {'x' * 60}\n" * (length // 71))
        answer = preview(wire, *own("api-gateway-01", {"ansible.builtin.copy": {"src": "long", "dest": "/opt/long"}}))
        assert (answer.fields["result"], answer.fields["truncated"]) == ("success", truncated)
        assert any(line.startswith("PLAY RECAP") for line in answer.output) == (truncated == "no")
        assert sum(len(line) + 1 for line in answer.output) <= 65_537
        assert any(line.startswith("+a tab?and x") for line in answer.output)


@pytest.mark.parametrize(
    ("request_text", "reason"),
    [
        ("preview\n", "malformed preview: line 1 must name a preview"),
        ("preview ../actions/ansible-scale\ntimeout 9\n", "malformed preview: line 1 must name a preview"),
        ("preview ansible-scale now\ntimeout 9\n", "malformed preview: line 1 must name a preview"),
        ("preview ansible-scale\n", "malformed preview: line 2 must be a valid timeout"),
        ("preview ansible-scale\ntimeout 0\n", "malformed preview: line 2 must be a valid timeout"),
        ("preview ansible-scale\ntimeout 99999\n", "malformed preview: line 2 must be a valid timeout"),
        ("preview ansible-scale\narg x\ntimeout 9\n", "malformed preview: line 2 must be a valid timeout"),
        ("preview ansible-scale\ntimeout 9\nhost x\n", "malformed preview: only arguments may follow the timeout"),
        ("preview ansible-scale\ntimeout 9\narg\n", "malformed preview: only arguments may follow the timeout"),
        ("preview restart-unit\ntimeout 9\narg ssh.service\n", "preview not declared on this host"),
    ],
)
def test_a_preview_is_refused_that_is_malformed_or_not_declared(wire: Wire, request_text: str, reason: str) -> None:
    answer = wire.act(request_text)
    assert (answer.exit_status, answer.fields) == (78, {"refused": reason})


def test_arguments_reach_a_preview_as_they_were_sent(host: Host, wire: Wire) -> None:
    host.write("/etc/firstresponder/previews/echo", '#!/bin/sh\nprintf "%s\\n" "$@"\n', mode=0o755)
    sent = ["$HOME %n $(id) ; rm -rf /", "", "--help", "  two  spaces ", "${PATH} $$ $ 'a' \"b\" \\n"]
    assert preview(wire, *sent, name="echo").output == sent
    host.run(["rm", "/etc/firstresponder/previews/echo"])


def test_outside_the_actions_the_program_never_applies(host: Host, pool: Pool) -> None:
    """Previews and actions are one program: where it lies decides, so that a misplaced copy does no harm."""
    before = pool.state()
    host.run(["cp", "/etc/firstresponder/actions/ansible-scale", "/root/misplaced"])
    assert "+++ after" in host.run(["/root/misplaced", *resized(pool, 3)], timeout=180).stdout
    assert pool.state() == before
    host.run(["rm", "/root/misplaced"])
