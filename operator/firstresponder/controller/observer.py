"""What the queue, the API client and the SSH pool report of themselves, as lines of the log."""

from __future__ import annotations

import logging
from typing import Literal

from firstresponder.controller.keys import Key
from firstresponder.hosts import pool
from firstresponder.kube import client
from firstresponder.metrics.process import ProcessMetrics
from firstresponder.safety import shown
from firstresponder.workqueue import observer

_log = logging.getLogger(__name__)


class LogObserver(observer.Observer[Key], client.Observer, pool.Observer):
    """Failed work as warnings; each work, request and exchange for somebody who searches for a fault."""

    def done(self, key: Key, worked: float) -> None:
        _log.debug("%s: worked on for %.3f s", key, worked)

    def retried(self, key: Key, error: Exception, delay: float) -> None:
        text = shown(str(error), 1000)
        _log.warning("%s: %s: %s; again in %g s", key, type(error).__name__, text, delay, exc_info=_is_bug(error))

    def requested(self, verb: str, resource: str, status: int | None, seconds: float) -> None:
        _log.debug("API server: %s %s: %s in %.3f s", verb, resource, status or "no answer", seconds)

    def asked(self, host: str, what: str, outcome: str, seconds: float) -> None:
        _log.debug("SSH: %s %s: %s in %.3f s", what, host, outcome, seconds)


class Observers(observer.Observer[Key], client.Observer, pool.Observer):
    """Several, each of which hears everything."""

    def __init__(self, *observers: LogObserver | ProcessMetrics[Key]) -> None:
        self._observers = observers

    def added(self, key: Key) -> None:
        for each in self._observers:
            each.added(key)

    def taken(self, key: Key, waited: float) -> None:
        for each in self._observers:
            each.taken(key, waited)

    def done(self, key: Key, worked: float) -> None:
        for each in self._observers:
            each.done(key, worked)

    def retried(self, key: Key, error: Exception, delay: float) -> None:
        for each in self._observers:
            each.retried(key, error, delay)

    def requested(self, verb: str, resource: str, status: int | None, seconds: float) -> None:
        for each in self._observers:
            each.requested(verb, resource, status, seconds)

    def asked(self, host: str, what: Literal["connect", "run"], outcome: str, seconds: float) -> None:
        for each in self._observers:
            each.asked(host, what, outcome, seconds)


def _is_bug(error: Exception) -> bool:
    """Whether a traceback helps: not for what the outside world does."""
    return type(error).__module__.split(".")[:2] not in (["firstresponder", "kube"], ["firstresponder", "hosts"])
