"""A connection for clusters in memory, of which nothing is asked over the network."""

from __future__ import annotations

from firstresponder.cli.connection import Connection

NOWHERE = Connection("https://nowhere.example", pool=None, authorization=lambda: None)
