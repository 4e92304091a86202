"""Lines of programs that hold neither a secret nor personal data: their forms are in ``clean/``, with fields drawn."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable, Iterator
from pathlib import Path

_FIELD = re.compile(r"<<([A-Za-z0-9]+)(?::([0-9-]+))?>>")
_HEX = "0123456789abcdef"


def _drawn(alphabet: str) -> Callable[[random.Random, str], str]:
    return lambda rng, length: "".join(rng.choices(alphabet, k=int(length)))


def _int(rng: random.Random, bounds: str) -> str:
    least, _, most = bounds.partition("-")
    return str(rng.randint(int(least), int(most)))


def _clock(rng: random.Random) -> str:
    return f"{rng.randint(10, 23)}:{rng.randint(10, 59)}:{rng.randint(10, 59)}"


_FIELDS: dict[str, Callable[[random.Random, str], str]] = {
    "int": _int,
    "hex": _drawn(_HEX),
    "HEX": _drawn(_HEX.upper()),
    "b64": _drawn(string.ascii_letters + string.digits + "+/"),
    "ip": lambda rng, _: ".".join(str(rng.randint(1, 254)) for _ in range(4)),
    "mac": lambda rng, _: ":".join(f"{rng.randint(0, 255):02x}" for _ in range(6)),
    "port": lambda rng, _: str(rng.randint(1024, 65535)),
    "pid": lambda rng, _: str(rng.randint(2, 4194303)),
    "epoch": lambda rng, _: str(rng.randint(1600000000, 1799999999)),
    "uuid": lambda rng, _: "-".join("".join(rng.choices(_HEX, k=length)) for length in (8, 4, 4, 4, 12)),
    "time": lambda rng, _: f"2026-03-{rng.randint(10, 28)}T{_clock(rng)}",
    "syslog": lambda rng, _: f"Mar {rng.randint(10, 28)} {_clock(rng)} web1",
}


def clean(each: int, seed: int) -> Iterator[str]:
    """So many lines of each form with fields, and each line without once."""
    rng = random.Random(seed)  # noqa: S311 - a test's words
    for file in sorted((Path(__file__).parent / "clean").glob("*.txt")):
        for form in file.read_text().splitlines():
            for _ in range(each if _FIELD.search(form) else 1):
                yield _FIELD.sub(lambda match: _FIELDS[match[1]](rng, match[2] or ""), form)
