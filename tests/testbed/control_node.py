"""An Ansible control node of the testbed: the project of `ansible/`, and two accounts that reach its pools of hosts.

    pool = [hosts.start("api-gateway-01"), hosts.start("api-gateway-02", service=None), …]
    control = start_control_node(hosts, {"api-gateway": pool})
    control.read(f"{INVENTORY}/api_gateway")     # the record of which hosts run it

The inventory has two groups a service: `api_gateway_pool`, all its hosts, with the variable
`api_gateway_max_instances`, and `api_gateway`, those that run it: at first those that were started with it. The account
`ansible`, who applies, may do everything on the hosts, by sudo; `ansible-preview` may log in and look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.testbed.hosts import Host, Hosts, copy, install_command

HERE = Path(__file__).parent
PROJECT = "/srv/ansible"
INVENTORY = f"{PROJECT}/inventories/production"
USER = "ansible"
PREVIEW_USER = "ansible-preview"


def start_control_node(
    hosts: Hosts, pools: Mapping[str, Sequence[Host]], *, maximum: int = 4, name: str = "control-01"
) -> Host:
    """Boot and prepare a control node, and let its accounts into the hosts of the pools, which are named by service."""
    control = hosts.start(name, service=None, prepared=False)
    for path in (HERE / "ansible").rglob("*"):
        if path.is_file():
            copy(control, path, f"{PROJECT}/{path.relative_to(HERE / 'ansible')}")
    for unit in (HERE / "services").glob("*.service"):
        for path in (unit, unit.with_suffix("")):
            copy(control, path, f"{PROJECT}/playbooks/files/{path.name}")
    for user in (USER, PREVIEW_USER):
        _add_account(control, user)
        control.run(["runuser", "--user", user, "--", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", _key(user)])
    for service, pool in pools.items():
        _write_inventory(control, service, pool, maximum)
        for host in pool:
            _introduce(control, host)
    control.run(["chown", "--recursive", f"{USER}:", INVENTORY])  # the playbook writes the count down there
    control.run([*install_command(None), *declaration(*(declared(service, maximum) for service in pools))])
    return control


def declared(service: str, maximum: int) -> str:
    """How the host's owner allows to scale a service."""
    return f"playbooks/{service}.yml inventories/production {service.replace('-', '_')}_instances 0 {maximum}"


def declaration(*scales: str) -> list[str]:
    """What `host/install` is told of the project."""
    options = ["--ansible-project", PROJECT, "--ansible-user", USER, "--ansible-preview-user", PREVIEW_USER]
    return [*options, *(word for scale in scales for word in ("--ansible-scale", scale))]


def _write_inventory(control: Host, service: str, pool: Sequence[Host], maximum: int) -> None:
    group = service.replace("-", "_")
    names = "\n".join(host.name for host in pool)
    running = "\n".join(host.name for host in pool if host.service == service)
    limit = f"[{group}_pool:vars]\n{group}_max_instances={maximum}\n"
    control.write(f"{INVENTORY}/{group}_pool", f"[{group}_pool]\n{names}\n\n{limit}")
    control.write(f"{INVENTORY}/{group}", f"[{group}]\n{running}\n")


def _introduce(control: Host, host: Host) -> None:
    """Let the control node's accounts find the host, know it, and log in there."""
    control.run(["tee", "--append", "/etc/hosts"], stdin=f"{host.address} {host.name}\n")
    control.run(["tee", "--append", "/etc/ssh/ssh_known_hosts"], stdin=f"{host.name} {host.host_public_key}\n")
    for user in (USER, PREVIEW_USER):
        _add_account(host, user)
        host.write(f"/home/{user}/.ssh/authorized_keys", control.read(f"{_key(user)}.pub"))
    host.write("/etc/sudoers.d/ansible", f"{USER} ALL=(ALL) NOPASSWD: ALL\n", mode=0o440)


def _add_account(host: Host, name: str) -> None:
    host.run(["useradd", "--create-home", "--password", "*", "--shell", "/bin/bash", name])


def _key(user: str) -> str:
    return f"/home/{user}/.ssh/id_ed25519"
