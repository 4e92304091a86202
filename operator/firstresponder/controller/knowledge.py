"""Runbooks and TriagePlaybooks: judged when they change, and each valid content kept as a revision."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from firstresponder.api.base import ObjectMeta, with_condition
from firstresponder.api.incident import RevisionReference
from firstresponder.api.runbook import KnowledgeStatus, Match, Runbook, TriagePlaybook
from firstresponder.controller.cache import Cache
from firstresponder.controller.keys import Key
from firstresponder.incident.snapshot import CatalogueEntry
from firstresponder.kube.errors import NotFound
from firstresponder.kube.resources import Resources
from firstresponder.kube.revisions import Revisions
from firstresponder.runbooks.lint import lint
from firstresponder.runbooks.problem import Problem
from firstresponder.runbooks.revision import StoredRevision, holds, revision_of
from firstresponder.safety import shown

GIT_REVISION = "firstresponder.dev/git-revision"
"""The annotation in which a delivery tool says which Git revision a runbook comes from."""
_KINDS: Mapping[str, type[Runbook] | type[TriagePlaybook]] = {"Runbook": Runbook, "TriagePlaybook": TriagePlaybook}
_SHOWN_PROBLEMS = 20

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Judgement:
    """One content of a runbook: its revision if it can be used, else its problems."""

    revision: StoredRevision | None
    problems: tuple[Problem, ...]

    @property
    def problem(self) -> str:
        told = "; ".join(str(problem) for problem in self.problems[:_SHOWN_PROBLEMS])
        more = len(self.problems) - _SHOWN_PROBLEMS
        return f"{told}; and {more} more" if more > 0 else told


class Knowledge:
    """What is known about handling incidents, from the cache; each content is judged once."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._judged: dict[Key, tuple[tuple[str, int], Judgement]] = {}

    def judge(self, kind: str, body: Mapping[str, Any]) -> Judgement:
        """Lint the content and name its revision."""
        metadata = body["metadata"]
        key = Key(kind, metadata["namespace"], metadata["name"])
        content = (metadata["uid"], metadata["generation"])
        known = self._judged.get(key)
        if known is not None and known[0] == content:
            return known[1]
        try:
            problems = tuple(lint(kind, body["spec"]))
            judgement = Judgement(None if problems else revision_of(key.name, body["spec"]), problems)
        except Exception as error:  # one content that nobody foresaw must not stop the incidents of all other runbooks
            _log.exception("%s cannot be judged", key)
            judgement = Judgement(None, (Problem("spec", f"cannot be judged: {shown(str(error), 500)}"),))
        self._judged[key] = (content, judgement)
        return judgement

    def forget(self, key: Key) -> None:
        self._judged.pop(key, None)

    def catalogue(self, kind: str, namespace: str) -> tuple[CatalogueEntry, ...]:
        """Every Runbook (or TriagePlaybook) of a namespace as matching sees it."""
        return tuple(self._entry(kind, body) for body in self._cache.all(kind, namespace))

    def source_of(
        self, kind: str, revision: str, namespace: str
    ) -> tuple[Runbook | TriagePlaybook, StoredRevision] | None:
        """The Runbook (or TriagePlaybook) whose present content is that revision."""
        for body in self._cache.all(kind, namespace):
            found = self.judge(kind, body).revision
            if found is not None and found.name == revision:
                return _KINDS[kind].model_validate(body), found
        return None

    def _entry(self, kind: str, body: Mapping[str, Any]) -> CatalogueEntry:
        name: str = body["metadata"]["name"]
        judgement = self.judge(kind, body)
        reference = None
        if judgement.revision is not None:
            git = (body["metadata"].get("annotations") or {}).get(GIT_REVISION)
            reference = RevisionReference(
                runbook=name,
                name=judgement.revision.name,
                digest=judgement.revision.digest,
                git_revision=git[:256] if git else None,
            )
        return CatalogueEntry(name, _match(body["spec"]), reference, judgement.problem)


class KnowledgeReconciler:
    """Tells each runbook's author whether it can be used, and keeps its revision."""

    def __init__(self, cache: Cache, knowledge: Knowledge, resources: Resources, revisions: Revisions) -> None:
        self._cache = cache
        self._knowledge = knowledge
        self._resources = resources
        self._revisions = revisions

    async def reconcile(self, key: Key) -> timedelta | None:
        body = self._cache.get(key.kind, key.namespace, key.name)
        if body is None or body["metadata"].get("deletionTimestamp"):
            self._knowledge.forget(key)
            return None
        judgement = self._knowledge.judge(key.kind, body)
        reason, message = "InvalidRunbook", judgement.problem
        revision = judgement.revision
        if revision is not None:
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
        await self._revisions.add_owner(stored, runbook)
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
            conditions = with_condition(
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


def _match(spec: Mapping[str, Any]) -> Match:
    """What an invalid runbook is for counts too: its incidents are told that it is invalid."""
    try:
        return Match.model_validate(spec.get("match") or {})
    except ValidationError:
        return Match()
