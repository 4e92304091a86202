"""An incident as it changes: through watches that are cut, API servers that restart, and history that is forgotten."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import suppress

import click

from firstresponder.api.incident import Incident
from firstresponder.cli.kubectl import Cluster, NoAnswer, Refused, Unreadable

_ROUND = 60
"""Seconds that one watch lasts; then the incident is read again, so that a dead connection is noticed."""
_GIVE_UP = 120.0
"""Seconds without an answer after which it is given up: a restart of an API server takes less."""
_PAUSE = 1.0
"""Seconds between two tries."""


def states(cluster: Cluster, name: str, seconds: float | None) -> Iterator[Incident]:
    """The incident as it is now and at each change, the same state perhaps more than once.

    Ends after ``seconds``, or never. Raises Refused where there is no such incident or it is deleted, NoAnswer where
    there is none at the beginning, or later for two minutes.
    """
    end = time.monotonic() + seconds if seconds is not None else math.inf
    incident = cluster.the_incident(name)
    uid = incident.metadata.uid
    while incident.metadata.uid == uid:
        yield incident
        left = min(end - time.monotonic(), _ROUND)
        if left <= 0:
            return
        with suppress(NoAnswer, Refused):  # also of somebody who may read but not watch
            for change, state in cluster.changes(incident, within=math.ceil(left)):
                if change == "DELETED":
                    break
                yield state
        time.sleep(_PAUSE)  # a watch that ends as soon as it begins is not begun again without end
        incident = _again(cluster, incident, end)
    raise Refused(f"{_deleted(cluster, incident).message}, and another one has its name now")


def _again(cluster: Cluster, incident: Incident, end: float) -> Incident:
    """The incident as it is now, however long that takes within the time-outs, and until the end."""
    give_up = min(time.monotonic() + _GIVE_UP, end)
    reported = False
    while True:
        try:
            found = cluster.incident(incident.name)
        except Unreadable:
            raise
        except (NoAnswer, Refused) as problem:  # an API server that starts refuses before it knows its roles
            if time.monotonic() >= give_up:
                raise
            if not reported:
                click.echo(f"{problem.message}; trying again", err=True)
                reported = True
            time.sleep(_PAUSE)
            continue
        if found is None:
            raise _deleted(cluster, incident)
        if reported:
            click.echo("The API server answers again.", err=True)
        return found


def _deleted(cluster: Cluster, incident: Incident) -> Refused:
    return Refused(f"incident {incident.name} in namespace {cluster.namespace} was deleted")
