"""The network of one run's hosts: a switch that they and this machine are plugged into.

The switch is a bridge in a network namespace of its own. So hosts reach each other without this machine forwarding
anything, and all that this machine itself gets is one link; the kernel removes both when the process ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path

from tests.testbed.go_build import MissingError
from tests.testbed.processes import Child, wait_until

ADDRESSES = IPv4Network("198.19.0.0/16")  # RFC 2544: for test networks, never on a real one
IPV6 = "fd52:4544:4f57"  # RFC 4193: a site's own; a /64 a run
PREFIX_LENGTH = 22  # a thousand hosts a run, 64 runs


class Network:
    """A running switch."""

    def __init__(self, directory: Path, lock: Path) -> None:
        """`directory` takes its log; `lock` is held while an address is chosen, by every run on this machine."""
        self._switch = Child(["unshare", "--net", "sleep", "infinity"], directory / "switch.log")
        own = Path("/proc/self/ns/net").readlink()
        wait_until(
            lambda: Path(f"/proc/{self._switch.pid}/ns/net").readlink() != own, 10, "the switch beginning", self._switch
        )
        self._inside("ip", "link", "add", "switch", "type", "bridge")
        self._inside("ip", "link", "set", "switch", "up")
        with lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            number, network = _free_network()
            addresses = network.hosts()
            link = f"fr-hosts{number}"
            self._plug(os.getpid(), link)
            self._prefix = network.prefixlen
            self._link = link
            self._ipv6 = IPv6Address(f"{IPV6}:{number:x}::")
            run(["ip", "address", "add", f"{next(addresses)}/{self._prefix}", "dev", link])
            run(["ip", "link", "set", link, "up"])
        self._addresses = enumerate(map(str, addresses))

    def connect(self, pid: int, *, link: str = "eth0", ipv6_only: bool = False) -> str:
        """Plug in the network namespace of that process, as its `link`. The address it has there."""
        port, address = next(self._addresses)
        self._plug(pid, link, f"host{port}")
        if ipv6_only:
            self._speak_ipv6()
            address = str(self._ipv6 + port + 2)
            inside(pid, "ip", "address", "add", f"{address}/64", "dev", link, "nodad")
        else:
            inside(pid, "ip", "address", "add", f"{address}/{self._prefix}", "dev", link)
        inside(pid, "ip", "link", "set", link, "up")
        return address

    def _speak_ipv6(self) -> None:
        """Give this machine an address in the run's own IPv6 network too, once."""
        run(["ip", "address", "replace", f"{self._ipv6 + 1}/64", "dev", self._link, "nodad"])

    def close(self) -> None:
        self._switch.kill()

    def _plug(self, pid: int, link: str, port: str = "machine") -> None:
        peer = ["peer", "name", link, "netns", str(pid)]
        self._inside("ip", "link", "add", port, "type", "veth", *peer)
        self._inside("ip", "link", "set", port, "master", "switch", "up")

    def _inside(self, *argv: str) -> None:
        inside(self._switch.pid, *argv)


def inside(pid: int, *argv: str) -> None:
    """Run a command in the network namespace of that process."""
    run(["nsenter", f"--target={pid}", "--net", *argv])


def run(argv: list[str]) -> str:
    """The output of a command. Raises RuntimeError with what it complained of."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout


def _free_network() -> tuple[int, IPv4Network]:
    """A number, and a network that nobody here uses."""
    listed = json.loads(run(["ip", "-json", "-4", "address", "show"]))
    used = {IPv4Address(address["local"]) for link in listed for address in link["addr_info"]}
    for number, network in enumerate(ADDRESSES.subnets(new_prefix=PREFIX_LENGTH)):
        if not any(address in network for address in used):
            return number, network
    raise MissingError(f"no free network in {ADDRESSES}")
