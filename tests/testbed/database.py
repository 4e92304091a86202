"""A host that runs PostgreSQL, and hosts with a service that has a pool of connections to it.

    server = database.start(hosts, "db-01")                  # running, fr_observe let in as host/README.md says
    client = database.start_client(hosts, "app-01", server)  # payroll.service, healthy
    database.query(server, "SELECT …")                       # as the superuser, inside
    database.stop(server); database.crash(server)            # in good order; the server's process is killed

The server's log is in the journal. `UNIT` is the unit that runs it (`postgresql.service` is Debian's shell around
it), `PORT` where it listens. `client.order("leak")` makes the service forget to give connections back.
"""

from __future__ import annotations

from tests.testbed.hosts import HERE, Host, Hosts, copy
from tests.testbed.processes import wait_until

PORT = 5432
CLIENT = "payroll"
UNIT = "postgresql@15-main.service"
_CONFIGURATION = "/etc/postgresql/15/main"

_SETTINGS = """\
listen_addresses = '*'
max_connections = {connections}
superuser_reserved_connections = 1
shared_buffers = 16MB
fsync = off
log_destination = syslog
syslog_sequence_numbers = off
lc_messages = C
"""
_PSQL = (
    *("runuser", "--user=postgres", "--", "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align"),
    "--set=ON_ERROR_STOP=1",
)
_ROLES = f"""
CREATE ROLE fr_observe LOGIN; GRANT pg_monitor TO fr_observe;
CREATE ROLE {CLIENT} LOGIN;
"""


def start(hosts: Hosts, name: str = "db-01", *, connections: int = 20) -> Host:
    """Boot a prepared host with a running server that takes so many connections, one of them the superuser's."""
    host = hosts.start(name, service=None)
    host.run(["/root/host/install", "--restartable", UNIT])
    host.write(f"{_CONFIGURATION}/conf.d/testbed.conf", _SETTINGS.format(connections=connections))
    rules = host.read(f"{_CONFIGURATION}/pg_hba.conf")
    own = f"local postgres fr_observe peer map=firstresponder\nhost {CLIENT} {CLIENT} samenet trust\n"
    _configure(host, "pg_hba.conf", own + rules)
    _configure(host, "pg_ident.conf", "firstresponder fr-observe fr_observe\n")
    host.run(["systemctl", "enable", "--quiet", "--now", UNIT])
    query(host, _ROLES)
    query(host, f"CREATE DATABASE {CLIENT} OWNER {CLIENT}")
    return host


def start_client(hosts: Hosts, name: str, server: Host, *, pool: int = 4, reconnect: bool = True) -> Host:
    """Boot a prepared host whose `payroll.service` holds a pool of so many connections to the server."""
    host = hosts.start(name, service=None)
    host.service = CLIENT
    host.run(["/root/host/install", "--restartable", f"{CLIENT}.service"])
    config = {"host": server.address, "port": PORT, "pool_size": pool, "reconnect": str(reconnect).lower()}
    host.write(f"/etc/{CLIENT}/db.yml", "".join(f"{key}: {value}\n" for key, value in config.items()))
    copy(host, HERE / "services" / "payroll-service", "/opt/payroll-service")
    copy(host, HERE / "services" / "payroll-service.service", f"/etc/systemd/system/{CLIENT}.service")
    host.run(["systemctl", "daemon-reload"])
    host.run(["systemctl", "enable", "--quiet", "--now", f"{CLIENT}.service"])
    host.wait_until_healthy()
    return host


def query(host: Host, sql: str) -> str:
    """What the server answers the superuser."""
    return host.run(_PSQL, stdin=sql).stdout.strip()


def stop(host: Host) -> None:
    """As an administrator does, in good order."""
    host.run(["systemctl", "stop", UNIT])


def crash(host: Host) -> None:
    """Kill the server: every connection is gone, and nothing was written to its end."""
    host.run(["systemctl", "kill", "--kill-whom=all", "--signal=SIGKILL", UNIT])
    wait_until(lambda: _state(host) in {"failed", "inactive"}, 60, f"the server on {host.name} being dead")


def corrupt(host: Host) -> None:
    """Overwrite a page of a table on disk, and have the server find it: it says so in its log."""
    query(host, "CREATE TABLE ledger AS SELECT generate_series(1, 1000) AS entry; CHECKPOINT")
    path = query(host, "SELECT current_setting('data_directory') || '/' || pg_relation_filepath('ledger')")
    stop(host)
    host.run(["dd", "if=/dev/urandom", f"of={path}", "bs=8192", "count=1", "conv=notrunc", "status=none"])
    host.run(["systemctl", "start", UNIT])
    found = host.run([*_PSQL, "--command=SELECT sum(entry) FROM ledger"], check=False).stderr
    assert "invalid page" in found, found


def _state(host: Host) -> str:
    return host.run(["systemctl", "show", "--property=ActiveState", "--value", UNIT]).stdout.strip()


def _configure(host: Host, file: str, content: str) -> None:
    host.write(f"{_CONFIGURATION}/{file}", content, mode=0o640)
    host.run(["chown", "postgres:postgres", f"{_CONFIGURATION}/{file}"])
