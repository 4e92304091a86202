"""What incidents happen in: the hosts of a service and of what it works with, all well and registered in a namespace.

    cast = surroundings.gateway_pool(hosts, stage, running=1)   # api-gateway-03 and its spares, clients, a control node
    cast["api-gateway-03"].health()                             # each host by its name
    surroundings.running(cast, "api-gateway")                   # where it really runs; and `recorded` in the inventory
    surroundings.actions(cast)                                  # what was really done: name of the host to its actions

Every function boots what it needs and waits until it is healthy. What then goes wrong is the caller's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tests.testbed import database, faults
from tests.testbed.control_node import INVENTORY, PROJECT, USER, start_control_node
from tests.testbed.hosts import HERE, Host, Hosts, copy
from tests.testbed.processes import wait_until
from tests.testbed.stage import Stage

Cast = Mapping[str, Host]
"""The hosts by their names."""
ROLE = "firstresponder.dev/role"
GATEWAY, PAYROLL, REPORTS, MAILS = "api-gateway", "payroll", "report-service", "mail-worker"
GATEWAY_HOST, REPORTS_HOST = "api-gateway-03", "app-02"
CONTROL, CLIENTS, DATABASE, DEPENDENCY = "control-01", "clients-01", "db-01", "dependency-01"
MAIL_HOST, RELAY = "mail-01", "relay-01"
APPS = ("app-01", "app-02", "app-03", "app-04")
GATEWAYS = (GATEWAY_HOST, "api-gateway-04", "api-gateway-05", "api-gateway-06")
MIB = faults.MIB


def gateway(hosts: Hosts, stage: Stage) -> Cast:
    """One host of the API gateway."""
    host = hosts.start(GATEWAY_HOST)
    stage.add_host(host)
    return {host.name: host}


def gateway_pool(hosts: Hosts, stage: Stage, *, running: int = 1, maximum: int = 4) -> Cast:
    """A pool of hosts, of which the first so many run the API gateway; its clients; its control node."""
    pool = [hosts.start(name, service=GATEWAY if n < running else None) for n, name in enumerate(GATEWAYS)]
    clients = hosts.start(CLIENTS, service=None, prepared=False)
    copy(clients, HERE / "services" / "clients", "/opt/clients")
    control = start_control_node(hosts, {GATEWAY: pool}, maximum=maximum)
    stage.add_host(pool[0])
    stage.add_host(control, labels={ROLE: "control-node"})
    return {host.name: host for host in (*pool, clients, control)}


def send_clients(cast: Cast, to: tuple[str, ...] = GATEWAYS) -> None:
    """Let clients ask for prices, at these hosts: more than one instance alone can have ready. Until one is busy."""
    addresses = [cast[name].address for name in to]
    cast[CLIENTS].run(["systemd-run", "--quiet", "--unit=clients", "/opt/clients", *addresses])
    worked = "ps -o cputimes= -p $(systemctl show -P MainPID api-gateway.service)"  # seconds of a processor
    wait_until(lambda: int(cast[to[0]].run(["sh", "-c", worked]).stdout) > 2, 60, f"{to[0]} getting busy")


def database_and_service(hosts: Hosts, stage: Stage) -> Cast:
    """A PostgreSQL server that takes 20 connections, and one host of payroll that holds 4 of them."""
    server = _server(hosts, stage)
    app = database.start_client(hosts, APPS[0], server)
    stage.add_host(app)
    return {host.name: host for host in (server, app)}


def payroll_pool(hosts: Hosts, stage: Stage, *, running: int = 4) -> Cast:
    """A PostgreSQL server, so many hosts of payroll that hold 5 connections each (the first one 1); a control node.

    With four of them hardly a connection is left. The incident's host, the first one, is the only one registered.
    """
    server = _server(hosts, stage)
    apps = [database.start_client(hosts, name, server, pool=5 if n else 1) for n, name in enumerate(APPS[:running])]
    control = start_control_node(hosts, {PAYROLL: apps})
    stage.add_host(apps[0])
    stage.add_host(control, labels={ROLE: "control-node"})
    return {host.name: host for host in (server, *apps, control)}


def _server(hosts: Hosts, stage: Stage) -> Host:
    server = database.start(hosts, DATABASE)
    stage.add_host(server, labels={ROLE: "database", "service": PAYROLL})
    return server


def demand_connections(cast: Cast, pool: int, *, limit: int = 18) -> None:
    """Restart payroll on its first host with so big a pool; the server gives all of payroll no more than `limit`."""
    app = cast[APPS[0]]
    database.query(cast[DATABASE], f"ALTER ROLE {database.CLIENT} CONNECTION LIMIT {limit}")
    app.run(["sed", "--in-place", f"s/^pool_size:.*/pool_size: {pool}/", f"/etc/{database.CLIENT}/db.yml"])
    app.run(["systemctl", "restart", f"{database.CLIENT}.service"])


def wait_for_pool_errors(cast: Cast, stage: Stage) -> None:
    """Until payroll's log has more than ten a minute of them, over the five minutes that the runbook looks back."""

    def complaining() -> bool:
        journal = cast[APPS[0]].run(["journalctl", "--unit=payroll.service", "--output=cat"]).stdout
        return journal.count("connection pool exhausted") > 60

    stage.wait(complaining, "payroll to complain", 60)


def payroll_and_all_it_needs(hosts: Hosts, stage: Stage) -> Cast:
    """A PostgreSQL server, one host of payroll, and a dependency of payroll."""
    server = _server(hosts, stage)
    app = hosts.start(APPS[0], service=PAYROLL)
    other = hosts.start(DEPENDENCY, service=faults.DEPENDENCY)
    faults.depend(app, other)
    stage.add_host(app)
    return {host.name: host for host in (server, app, other)}


def dependent_gateway(hosts: Hosts, stage: Stage) -> Cast:
    """One host of the API gateway, and a dependency of it, which is its way out of the network too."""
    cast = gateway(hosts, stage)
    other = hosts.start(DEPENDENCY, service=faults.DEPENDENCY)
    faults.depend(cast[GATEWAY_HOST], other)
    return {**cast, other.name: other}


def reports(hosts: Hosts, stage: Stage) -> Cast:
    """One host of the report service."""
    host = hosts.start(REPORTS_HOST, service=REPORTS)
    stage.add_host(host)
    return {host.name: host}


def mail_worker(hosts: Hosts, stage: Stage) -> Cast:
    """One host that sends mails, and the relay that it hands them to, which is not registered."""
    relay = hosts.start(RELAY, service=None, prepared=False)
    relay.run(["systemd-run", "--quiet", "--unit=relay", "python3", "-c", _RELAY])
    host = hosts.start(MAIL_HOST, service=None)
    host.service = MAILS
    host.write("/etc/hosts", f"{host.read('/etc/hosts')}{relay.address} mail-relay\n")
    copy(host, HERE / "services" / MAILS, f"/opt/{MAILS}")
    copy(host, HERE / "services" / f"{MAILS}.service", f"/etc/systemd/system/{MAILS}.service")
    host.run(["systemctl", "enable", "--quiet", "--now", f"{MAILS}.service"])
    host.run(["/root/host/install", "--restartable", f"{MAILS}.service"])
    sent = ["journalctl", f"--unit={MAILS}.service", "--grep=^sent mail", "--quiet", "--lines=1"]
    wait_until(lambda: host.run(sent, check=False).stdout != "", 60, f"{MAILS} sending mails")
    stage.add_host(host)
    return {host.name: host, relay.name: relay}


_RELAY = """
import socket
server = socket.create_server(("", 25), backlog=1000)
while True:
    server.accept()[0].close()
"""


def practice(hosts: Hosts, stage: Stage) -> Cast:
    """What `make cluster` leaves to try things on: a host of the API gateway, and one that sends mails."""
    return {**gateway(hosts, stage), **mail_worker(hosts, stage)}


def small_disk(hosts: Hosts, stage: Stage, path: str = "/var/log") -> Cast:
    """A host of the report service, where a file system of 64 MiB holds this folder."""
    cast = reports(hosts, stage)
    faults.mount_small(cast[REPORTS_HOST], path, 64 * MIB)
    return cast


def fill_with_logs(host: Host, *, journal: int) -> None:
    """Fill /var/log: so many MiB of an old journal, and a log that nobody rotates but who is told to."""
    faults.keep_journal(host, old=journal * MIB)
    faults.fill_up_to(host, "/var/log/report-service.log", 95)
    host.write("/etc/logrotate.d/report-service", "/var/log/report-service.log {\n  rotate 0\n  size 1G\n}\n")


def fill_with_temporary_files(host: Host) -> None:
    """Fill /tmp: a forgotten export that is older than this host keeps such files, and a young file."""
    faults.fill(host, "/tmp/forgotten/export", 50 * MIB)
    host.run(["find", "/tmp/forgotten", "-exec", "touch", "--date=40 days ago", "{}", "+"])
    faults.fill(host, "/tmp/young", 9 * MIB)
    host.write("/etc/tmpfiles.d/tmp.conf", "d /tmp 1777 root root m:10d\n")


def running(cast: Cast, service: str) -> list[str]:
    """The hosts where it really runs."""
    state = ["systemctl", "is-active", "--quiet", f"{service}.service"]
    return [name for name, host in cast.items() if host.run(state, check=False).returncode == 0]


def recorded(cast: Cast, service: str) -> list[str]:
    """The hosts where it runs by the control node's inventory."""
    lines = cast[CONTROL].read(f"{INVENTORY}/{service.replace('-', '_')}").splitlines()
    return [line for line in lines if line in cast]


def scale_by_hand(cast: Cast, service: str, instances: int) -> None:
    """What an administrator does on the control node, past the operator."""
    given = [
        "--inventory",
        "inventories/production",
        "--extra-vars",
        f"{service.replace('-', '_')}_instances={instances}",
    ]
    play = ["ansible-playbook", *given, f"playbooks/{service}.yml"]
    cast[CONTROL].run(["runuser", "--login", USER, "--command", f"cd {PROJECT} && {' '.join(play)}"], timeout=120)


def actions(cast: Cast) -> dict[str, list[str]]:
    """What the hosts that did anything were made to carry out, by their own ledgers: in the order of the alphabet."""
    done = {name: _carried_out(host) for name, host in cast.items()}
    return {name: found for name, found in done.items() if found}


def _carried_out(host: Host) -> list[str]:
    claims = ["find", "/var/lib/firstresponder/claims", "-name", "claim", "-exec", "cat", "{}", "+"]
    return sorted(re.findall(r"^action=(.*)$", host.run(claims, check=False).stdout, re.MULTILINE))
