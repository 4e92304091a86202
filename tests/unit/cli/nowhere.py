"""A connection for clusters in memory, of which nothing is asked over the network."""

from __future__ import annotations

from firstresponder.cli.connection import Connection, Response


def _ask(*_: object) -> Response:
    raise AssertionError("nothing is asked")


NOWHERE = Connection("https://nowhere.example", _ask, authorization=lambda: None)
