"""The log: lines for people or for programs, each with what it is about as fields.

Logs go to stderr. No part of the product hands secrets or raw host output to a logger.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final, Literal

Format = Literal["text", "json"]

_NOTHING: Final[Mapping[str, str]] = {}
_bound: ContextVar[Mapping[str, str]] = ContextVar("fields of log lines", default=_NOTHING)


def bind(**fields: str) -> None:
    """Give these fields to every line that the current task, and what it starts, logs from now on."""
    _bound.set({**_bound.get(), **fields})


def configure(form: Format, *, verbose: bool) -> None:
    """Log to stderr; ``verbose`` includes what only somebody who searches for a fault wants to know."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(form))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("firstresponder").setLevel(logging.DEBUG if verbose else logging.INFO)


def formatter(form: Format) -> logging.Formatter:
    """Lines in that form, with the fields that are bound where they are logged."""
    return _JsonLines() if form == "json" else _TextLines()


class _TextLines(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s%(fields)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        fields = " ".join(f"{name}={value}" for name, value in _bound.get().items())
        record.fields = f" [{fields}]" if fields else ""
        return super().formatMessage(record)


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_bound.get(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
