"""Runbooks and TriagePlaybooks: judged when they change, and each valid content kept as a revision."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from firstresponder.api.base import ObjectMeta, conditions_with
from firstresponder.api.incident import RevisionReference
from firstresponder.api.runbook import KnowledgeStatus, Match
from firstresponder.controller.cache import Cache
from firstresponder.controller.keys import Key
from firstresponder.incident.snapshot import CatalogueEntry
from firstresponder.kube.errors import Conflict, NotFound
from firstresponder.kube.resources import Resources
from firstresponder.kube.revisions import Revisions
from firstresponder.runbooks.judgement import Judgement
from firstresponder.runbooks.models import Runbook, TriagePlaybook
from firstresponder.runbooks.revision import StoredRevision, holds, revision_name, stored_revision

GIT_REVISION = "firstresponder.dev/git-revision"
"""The annotation in which a delivery tool says which Git revision a runbook comes from."""
_KINDS: Mapping[str, type[Runbook] | type[TriagePlaybook]] = {"Runbook": Runbook, "TriagePlaybook": TriagePlaybook}

_Content = tuple[str, int]
"""Uid and generation: what changes whenever the content does."""


class RunbookCatalogue:
    """What is known about handling incidents, from the cache; each content is judged once."""

    def __init__(self, cache: Cache, judge: Callable[[str, Mapping[str, Any]], Awaitable[Judgement]]) -> None:
        self._cache = cache
        self._judge = judge
        self._turn = asyncio.Lock()
        self._judged: dict[Key, tuple[_Content, asyncio.Task[Judgement]]] = {}
        self._matches: dict[Key, tuple[_Content, Match]] = {}

    async def judge(self, kind: str, body: Mapping[str, Any]) -> Judgement:
        """Lint the content. Raises Conflict when there is a newer one before its turn came."""
        key, content = _identity(kind, body)
        task = self._task(key, content)
        if task is None:
            task = asyncio.create_task(self._in_turn(key, content, kind, body["spec"]))
            self._judged[key] = (content, task)
        try:
            return await asyncio.shield(task)
        except Exception:
            if self._task(key, content) is task:  # what stood in the way may be gone next time
                del self._judged[key]
            raise

    def forget(self, key: Key) -> None:
        self._judged.pop(key, None)
        self._matches.pop(key, None)

    async def entries(
        self, kind: str, namespace: str, wanted: Callable[[str, Match], bool]
    ) -> tuple[CatalogueEntry, ...]:
        """Every Runbook (or TriagePlaybook) of a namespace as matching sees it.

        Those that are ``wanted`` are judged first; the others are not waited for, so that no incident waits for the
        judgement of a runbook that it has nothing to do with.
        """
        found = [(body, self._match(kind, body)) for body in self._cache.all(kind, namespace)]
        needed = [body for body, match in found if wanted(body["metadata"]["name"], match)]
        judgements = await asyncio.gather(*(self.judge(kind, body) for body in needed))
        judged = {body["metadata"]["name"]: each for body, each in zip(needed, judgements, strict=True)}
        return tuple(_entry(body, match, judged.get(body["metadata"]["name"])) for body, match in found)

    def source_of(
        self, kind: str, revision: str, namespace: str
    ) -> tuple[Runbook | TriagePlaybook, StoredRevision] | None:
        """The Runbook (or TriagePlaybook) whose present content is that revision, among those that are judged."""
        for body in self._cache.all(kind, namespace):
            judgement = self._known(kind, body)
            if judgement is None or judgement.digest is None:
                continue
            name = body["metadata"]["name"]
            if revision_name(name, judgement.digest) == revision:
                return _KINDS[kind].model_validate(body), stored_revision(name, judgement.digest, body["spec"])
        return None

    def _match(self, kind: str, body: Mapping[str, Any]) -> Match:
        """What an invalid runbook is for counts too: its incidents say that it is invalid."""
        key, content = _identity(kind, body)
        known, match = self._matches.get(key, (None, Match()))
        if known != content:
            with contextlib.suppress(ValidationError):
                match = Match.model_validate(body["spec"].get("match") or {})
            self._matches[key] = (content, match)
        return match

    async def _in_turn(self, key: Key, content: _Content, kind: str, spec: Mapping[str, Any]) -> Judgement:
        """One at a time, and only the newest content of each: who applies one again and again has one turn."""
        async with self._turn:
            if self._task(key, content) is None:
                raise Conflict(409, "Conflict", f"{key} has changed before it was judged")
            return await self._judge(kind, spec)

    def _known(self, kind: str, body: Mapping[str, Any]) -> Judgement | None:
        """The judgement of this very content, if it is judged already."""
        task = self._task(*_identity(kind, body))
        return task.result() if task is not None and task.done() and not task.exception() else None

    def _task(self, key: Key, content: _Content) -> asyncio.Task[Judgement] | None:
        """What judges this very content, or has judged it."""
        known = self._judged.get(key)
        return known[1] if known is not None and known[0] == content else None


class RunbookReconciler:
    """Tells each runbook's author whether it can be used, and keeps its revision."""

    def __init__(self, cache: Cache, catalogue: RunbookCatalogue, resources: Resources, revisions: Revisions) -> None:
        self._cache = cache
        self._catalogue = catalogue
        self._resources = resources
        self._revisions = revisions

    async def reconcile(self, key: Key) -> timedelta | None:
        body = self._cache.get(key.kind, key.namespace, key.name)
        if body is None or body["metadata"].get("deletionTimestamp"):
            self._catalogue.forget(key)
            return None
        judgement = await self._catalogue.judge(key.kind, body)
        reason, message = "InvalidRunbook", judgement.problem
        revision = None
        if judgement.digest is not None:
            revision = stored_revision(key.name, judgement.digest, body["spec"])
            reason, message = await self._kept(revision, _KINDS[key.kind].model_validate(body))
        await self._tell(key, body, reason, message, revision)
        return None

    async def _kept(self, revision: StoredRevision, runbook: Runbook | TriagePlaybook) -> tuple[str, str]:
        """Store the revision; the condition's reason and message."""
        stored = await self._revisions.ensure(revision.name, revision.data, runbook)
        if stored is None:
            raise NotFound(404, "NotFound", f"ControllerRevision {revision.name} vanished as soon as it was stored")
        if not holds(stored.data, revision.digest):
            return "RevisionMismatch", (
                f"ControllerRevision {revision.name} does not hold what its name says: "
                "find out who wrote it, delete it, and apply the runbook again"
            )
        # A Runbook that was deleted and applied again has another uid; what only its predecessor owns is collected.
        await self._revisions.add_owners(stored, [runbook])
        return "Valid", f"revision {revision.name} ({revision.digest})"

    async def _tell(
        self, key: Key, body: Mapping[str, Any], reason: str, message: str, revision: StoredRevision | None
    ) -> None:
        metadata = ObjectMeta.model_validate(body["metadata"])
        before = KnowledgeStatus.model_validate(body.get("status") or {})
        valid = reason == "Valid"
        conditions = before.conditions
        # The conditions of kstatus: Stalled means that only a change of the spec can help.
        for kind, value in (("Ready", valid), ("Stalled", not valid)):
            conditions = conditions_with(
                conditions,
                kind,
                "True" if value else "False",
                reason,
                message,
                generation=metadata.generation,
                now=datetime.now(UTC),
            )
        after = KnowledgeStatus(
            observed_generation=metadata.generation,
            conditions=conditions,
            revision=revision.name if revision is not None else None,
        )
        if after != before:
            await self._resources.write_status(_KINDS[key.kind], metadata, before, after)


def _entry(body: Mapping[str, Any], match: Match, judgement: Judgement | None) -> CatalogueEntry:
    name: str = body["metadata"]["name"]
    if judgement is None:
        return CatalogueEntry(name, match, None, "is not checked yet")
    if judgement.digest is None:
        return CatalogueEntry(name, match, None, judgement.problem)
    git = (body["metadata"].get("annotations") or {}).get(GIT_REVISION)
    reference = RevisionReference(
        runbook=name,
        name=revision_name(name, judgement.digest),
        digest=judgement.digest,
        git_revision=git[:256] if git else None,
    )
    return CatalogueEntry(name, match, reference)


def _identity(kind: str, body: Mapping[str, Any]) -> tuple[Key, _Content]:
    metadata = body["metadata"]
    return Key(kind, metadata["namespace"], metadata["name"]), (metadata["uid"], metadata["generation"])
