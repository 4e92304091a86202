"""One round of diagnostics: all of them in parallel, each with its own time-out, no host waiting for another."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from firstresponder.api.base import JSON
from firstresponder.api.command import CommandOutput
from firstresponder.api.hosts import Host
from firstresponder.api.incident import Evidence, Unavailable
from firstresponder.api.ledger import HostInfo
from firstresponder.controller.accounts import Accounts
from firstresponder.controller.fetch import fetch
from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.http import HttpArguments
from firstresponder.evidence.probe import Context, Reason, Unobserved
from firstresponder.hosts.errors import HostError
from firstresponder.hosts.observe import Command
from firstresponder.hosts.pool import SshPool
from firstresponder.hosts.single_flight import Question, SingleFlight
from firstresponder.incident.facts import Observation
from firstresponder.incident.plan import Observe, ProbeRequest
from firstresponder.kube.credentials import CredentialsUnusable
from firstresponder.safety import has_withheld, publishable, shown

_EXCERPT = 2000
"""Characters of a command's output that are shown to people."""
_READ = 4 * _EXCERPT
"""Characters of it that are looked at for secrets: more than the longest secret beyond the excerpt."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Look:
    """What was seen of one host, and when the first question began whose answer is in it."""

    began: float
    who: HostInfo | Unavailable
    evidence: Sequence[Evidence]


class Diagnostics:
    """Looks at hosts. Whatever goes wrong with one is a piece of evidence that says so, never an exception."""

    def __init__(
        self,
        pool: SshPool,
        accounts: Accounts,
        now: Callable[[], datetime],
        fetch: Callable[[str, float, Collection[str]], Awaitable[dict[str, JSON]]] = fetch,
    ) -> None:
        self._hosts = SingleFlight(pool, now)
        self._accounts = accounts
        self._now = now
        self._fetch = fetch

    async def observe(self, effect: Observe, hosts: Mapping[str, Host], within: float | None = None) -> Observation:
        """Ask each host who it is, and run its diagnostics there.

        What has not answered ``within`` so many seconds is given up: all of it is over by then. What others asked
        counts when it was observed after this began or, where the effect allows it, somewhat before. Raises ApiError
        and Unreachable for the API server alone, which holds the credentials.
        """
        start, began = self._now(), asyncio.get_running_loop().time()
        end = began + within if within is not None else None
        age = (start - effect.since).total_seconds() if effect.since is not None else 0.0
        looks = (self._look(effect, name, hosts.get(name), began - age, end) for name in effect.hosts)
        by_operator = [request for request in effect.probes if request.host is None]
        addresses = [host.spec.address for host in hosts.values()] if by_operator else []
        own = (self._ask(effect, request, addresses, end) for request in by_operator)
        looked, asked = await asyncio.gather(asyncio.gather(*looks), asyncio.gather(*own))
        found = {name: look.who for name, look in zip(effect.hosts, looked, strict=True)}
        by_probe = {each.name: each for each in (*asked, *(each for look in looked for each in look.evidence))}
        first = min((began, *(look.began for look in looked)))
        return Observation(
            start_time=start - timedelta(seconds=began - first),
            evidence=tuple(by_probe[request.name] for request in effect.probes),
            hosts={name: who for name, who in found.items() if isinstance(who, HostInfo)},
            unreachable={name: who.message for name, who in found.items() if isinstance(who, Unavailable)},
        )

    async def _look(self, effect: Observe, name: str, host: Host | None, since: float, end: float | None) -> _Look:
        """One host: who it is, then all of its diagnostics at once, by its own clock."""
        requests = [request for request in effect.probes if request.host == name]
        try:
            if host is None:
                raise HostError("HostMissing", f"there is no Host named {name}")
            async with _until(end):
                target = await self._accounts.observing(host)
                who = self._hosts.info(target, since)
                info = (await who.answer()).value
        except (HostError, CredentialsUnusable) as problem:
            why = _unavailable(problem.reason, getattr(problem, "message", str(problem)))
            return _Look(math.inf, why, [self._evidence(effect, request, unavailable=why) for request in requests])
        commands: dict[str, Command] = {}
        refused: dict[str, Evidence] = {}
        for request in requests:
            try:
                commands[request.name] = _command(request, info)
            except Unobserved as problem:
                why = _unavailable(problem.reason, problem.message)
                refused[request.name] = self._evidence(effect, request, unavailable=why)
            except ValueError as problem:
                why = _unavailable("BadArgument", str(problem))
                refused[request.name] = self._evidence(effect, request, unavailable=why)
        questions = self._hosts.run(target, info, list(commands.values()), since)
        asked = [request for request in requests if request.name in commands]
        pairs = zip(asked, questions, strict=True)
        seen = await asyncio.gather(*(self._seen(effect, request, info, question, end) for request, question in pairs))
        return _Look(min([who.began, *(each.began for each in questions)]), info, [*refused.values(), *seen])

    async def _ask(
        self, effect: Observe, request: ProbeRequest, addresses: Collection[str], end: float | None
    ) -> Evidence:
        """The operator's own look, at nothing but these addresses."""
        arguments = request.arguments
        if not isinstance(arguments, HttpArguments):
            raise TypeError(f"{request.name}: {request.probe} is not a diagnostic that the operator runs itself")
        try:
            async with _until(end):
                seconds = request.timeout or PROBES[request.probe].timeout
                values = await self._fetch(arguments.url, seconds, addresses)
        except (Unobserved, HostError) as problem:
            return self._evidence(effect, request, unavailable=_unavailable(problem.reason, problem.message))
        except Exception as problem:  # servers answer what nobody foresaw, and that must not stop the incident
            return self._unread(effect, request, problem)
        return self._evidence(effect, request, values=publishable(values))

    async def _seen(
        self,
        effect: Observe,
        request: ProbeRequest,
        info: HostInfo,
        question: Question[CommandOutput],
        end: float | None,
    ) -> Evidence:
        """What a diagnostic saw, as of when its answer arrived."""
        probe = PROBES[request.probe]
        try:
            async with _until(end):
                answered = await question.answer()
        except (Unobserved, HostError) as problem:
            return self._evidence(effect, request, unavailable=_unavailable(problem.reason, problem.message))
        output, time, context = answered.value, answered.time, _context(request, info)
        try:
            values = probe.parse(request.arguments, output, context)
        except Unobserved as problem:
            why = _unavailable(problem.reason, problem.message)
            # Nothing is quoted of what was withheld.
            excerpt = _excerpt(output) if probe.excerpt and problem.reason != Reason.WITHHELD else None
            return self._evidence(effect, request, time, unavailable=why, excerpt=excerpt, truncated=output.truncated)
        except Exception as problem:  # hosts print what nobody foresaw, and that must not stop the incident
            return self._unread(effect, request, problem, time)
        # Where the values hold the lines themselves, an excerpt would only repeat them; where a part of them is
        # withheld, it could reveal that part in another form.
        published = publishable(values)
        quotes = probe.excerpt and "lines" not in values and not has_withheld(published)
        excerpt = _excerpt(output) if quotes else None
        return self._evidence(effect, request, time, values=published, excerpt=excerpt)

    def _unread(
        self, effect: Observe, request: ProbeRequest, problem: Exception, time: datetime | None = None
    ) -> Evidence:
        # No traceback: its last line could quote what was read.
        _log.error("what %s saw on %s: %s", request.name, request.host or "the operator", type(problem).__name__)
        why = _unavailable("Unparseable", f"it could not be read: {type(problem).__name__}")
        return self._evidence(effect, request, time, unavailable=why)

    def _evidence(self, effect: Observe, request: ProbeRequest, time: datetime | None = None, **found: Any) -> Evidence:
        """What was observed at that time, or just now; ``values`` as they may be published: nobody stores, judges or
        shows others."""
        return Evidence(
            name=request.name,
            runbook=effect.runbook,
            source=PROBES[request.probe].source if request.host is not None else "operator",
            role=request.role,
            host=request.host,
            observed_time=time or self._now(),
            **{name: value for name, value in found.items() if value is not None},
        )


@contextlib.asynccontextmanager
async def _until(end: float | None) -> AsyncIterator[None]:
    """Give up what is waited for inside at ``end`` (by the event loop's clock). Raises HostError then."""
    try:
        async with asyncio.timeout_at(end) as limit:
            yield
    except TimeoutError:
        if limit.expired():
            raise HostError("TimedOut", "no answer within the time that all of them had together") from None
        raise


def _context(request: ProbeRequest, info: HostInfo) -> Context:
    timeout = request.timeout or PROBES[request.probe].timeout
    return Context(now=info.time, timeout=timeout, not_before=request.not_before)


def _command(request: ProbeRequest, info: HostInfo) -> Command:
    """What the host is asked to run. Raises Unobserved, and ValueError for what cannot be sent."""
    probe, context = PROBES[request.probe], _context(request, info)
    argv = probe.argv(request.arguments, context)
    command = Command(tuple(argv), context.timeout, probe.max_output, probe.request)
    command.check()
    return command


def _unavailable(reason: str, message: str) -> Unavailable:
    return Unavailable(reason=reason, message=shown(message, 1000))


def _excerpt(output: CommandOutput) -> str | None:
    """The beginning of what was printed, as it may be shown; None when there was nothing."""
    text = output.stdout[: 4 * _READ].decode("utf-8", "replace")[:_READ]
    return shown(text, _EXCERPT, lines=True) or None
