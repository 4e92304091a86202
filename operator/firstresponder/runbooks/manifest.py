"""Objects as files have them: everything that is wrong with one, and what several of them make wrong together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, cast

from pydantic import BaseModel, Field, StringConstraints

from firstresponder.actions.action import kebab
from firstresponder.api.actionclass import ActionClassSpec
from firstresponder.api.base import API_VERSION, GROUP, JSON, ApiModel, Label, ObjectName, Resource
from firstresponder.api.runbook import RunbookSpec, Triage
from firstresponder.expressions import Scope, Verdict, compile_condition
from firstresponder.runbooks.lint import lint
from firstresponder.runbooks.lint.test_cases import evidence_problems
from firstresponder.runbooks.models import KINDS, RUNBOOK_SPECS
from firstresponder.runbooks.problem import Problem
from firstresponder.runbooks.schema_errors import complaints, unknown
from firstresponder.runbooks.source import Document, Place, Unreadable, read_documents
from firstresponder.safety import shown

_KINDS: Mapping[str, type[Resource]] = {kind.__name__: kind for kind in KINDS}
_FIELDS = ("apiVersion", "kind", "metadata", "spec", "status")


@dataclass(frozen=True)
class Finding:
    """A problem and where it stands."""

    file: str
    place: Place
    problem: Problem

    def __str__(self) -> str:
        """As editors and compilers have it: ``FILE:LINE:COLUMN: FIELD: MESSAGE``."""
        field = f"{self.problem.field}: " if self.problem.field else ""
        return f"{self.file}:{self.place.line}:{self.place.column}: {field}{self.problem.message}"


@dataclass(frozen=True, eq=False)
class Manifest:
    """One object of a file."""

    file: str
    document: Document

    @property
    def content(self) -> Mapping[str, JSON]:
        return self.document.content if isinstance(self.document.content, dict) else {}

    @property
    def kind(self) -> str:
        kind = self.content.get("kind")
        return kind if isinstance(kind, str) else ""

    @property
    def foreign(self) -> bool:
        """Whether it is of a kind that others made."""
        version = self.content.get("apiVersion")
        if not (self.kind and version and isinstance(version, str)):
            return False
        return self.kind not in _KINDS and version.rpartition("/")[0] != GROUP

    @property
    def name(self) -> str:
        return str(self._metadata.get("name") or self._metadata.get("generateName") or "")

    @property
    def namespace(self) -> str:
        return str(self._metadata.get("namespace") or "")

    @property
    def _metadata(self) -> Mapping[str, JSON]:
        metadata = self.content.get("metadata")
        return metadata if isinstance(metadata, dict) else {}

    @cached_property
    def spec(self) -> Triage:
        """The content of a Runbook or TriagePlaybook without problems."""
        return RUNBOOK_SPECS[self.kind].model_validate(self.content["spec"])

    def finding(self, problem: Problem) -> Finding:
        return Finding(self.file, self.document.place(problem.field), problem)


class _Metadata(ApiModel, extra="allow"):
    """The part of ``metadata`` that people write."""

    name: ObjectName | None = None
    generate_name: Annotated[str, StringConstraints(max_length=253)] | None = None
    namespace: Label | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


def read_manifests(file: str, text: str) -> tuple[list[Manifest], list[Finding]]:
    """The objects of a file, or why they cannot be read."""
    try:
        manifests = [Manifest(file, document) for document in read_documents(text)]
    except Unreadable as problem:
        return [], [Finding(file, problem.place, Problem(problem.field, problem.message))]
    if not manifests:
        return [], [Finding(file, Place(1, 1), Problem("", "holds no object"))]
    return manifests, []


def judge(manifests: Sequence[Manifest]) -> list[tuple[Manifest, list[Finding]]]:
    """Each object of ours with everything that is wrong with it, in the order of the file.

    Objects without problems of their own are judged together, as if one cluster had them all.
    """
    own = [(each, _findings(each)) for each in manifests if not each.foreign]
    good = [manifest for manifest, findings in own if not findings]
    return [(manifest, findings or _together(manifest, good)) for manifest, findings in own]


def _findings(manifest: Manifest) -> list[Finding]:
    yaml_problems = manifest.document.problems
    settled = {problem.field for problem in yaml_problems}
    found = [*yaml_problems, *(each for each in _problems(manifest) if each.field not in settled)]
    return sorted((manifest.finding(each) for each in found), key=lambda each: each.place)


def _problems(manifest: Manifest) -> Iterator[Problem]:
    content = manifest.content
    if not isinstance(manifest.document.content, dict):
        yield Problem("", "is no object: one begins with apiVersion, kind, metadata and spec")
        return
    if manifest.content.get("apiVersion") != API_VERSION:
        yield Problem("apiVersion", _wrong("apiVersion", content, (API_VERSION,)))
    if manifest.kind not in _KINDS:
        yield Problem("kind", _wrong("kind", content, tuple(_KINDS)))
        return
    kind = _KINDS[manifest.kind]
    yield from (Problem(name, unknown(name, _FIELDS)) for name in content if name not in _FIELDS)
    yield from _metadata(kind, manifest)
    spec = content.get("spec")
    if not isinstance(spec, dict):
        yield Problem("spec", "missing: what the object is to be, as a map of fields")
    elif manifest.kind not in RUNBOOK_SPECS:
        yield from complaints(cast(type[BaseModel], kind.model_fields["spec"].annotation), spec, "spec")
    else:
        problems = lint(manifest.kind, spec)
        yield from problems or evidence_problems(manifest.spec)


def _wrong(field: str, content: Mapping[str, JSON], known: Sequence[str]) -> str:
    if not content.get(field):
        return f"missing: {' or '.join(known)}"
    return unknown(str(content[field]), known)


def _metadata(kind: type[Resource], manifest: Manifest) -> Iterator[Problem]:
    metadata = manifest.content.get("metadata")
    if not isinstance(metadata, dict) or not manifest.name:
        yield Problem("metadata.name", "missing: the object's name")
        return
    yield from complaints(_Metadata, metadata, "metadata")
    for rule in kind.validations:  # they see nothing of the metadata but the name
        if compile_condition(rule["rule"], {"self"}).verdict(Scope({"self": manifest.content})) is Verdict.FALSE:
            yield Problem("metadata.name", rule["message"])


def _together(manifest: Manifest, good: Sequence[Manifest]) -> list[Finding]:
    before = good[: good.index(manifest)]
    problems = (*_twice(manifest, before), *_ambiguous(manifest, before), *_dangling(manifest, good))
    return [manifest.finding(problem) for problem in problems]


def _twice(manifest: Manifest, before: Sequence[Manifest]) -> Iterator[Problem]:
    for other in before:
        if (other.kind, other.namespace, other.name) == (manifest.kind, manifest.namespace, manifest.name):
            yield Problem("metadata.name", f"{_called(other)} is in {_where(other)} already: rename one of them")


def _ambiguous(manifest: Manifest, before: Sequence[Manifest]) -> Iterator[Problem]:
    """Two that match one incident: it would go to a human (rule 20)."""
    for other in before if manifest.kind in RUNBOOK_SPECS else ():
        if other.kind not in RUNBOOK_SPECS or other.namespace != manifest.namespace or other.name == manifest.name:
            continue
        for field in ("types", "alerts"):
            taken = getattr(other.spec.match, field)
            for index, each in enumerate(getattr(manifest.spec.match, field)):
                if each in taken:
                    text = f"{each} is matched by {_called(other)} in {_where(other)} too, and two that match are "
                    yield Problem(f"spec.match.{field}[{index}]", f"{text}AmbiguousRunbook: remove it from one of them")


def _dangling(manifest: Manifest, manifests: Sequence[Manifest]) -> Iterator[Problem]:
    """Names of Runbooks and ActionClasses, where any of that kind are there to look among."""
    near = [each for each in manifests if each.namespace == manifest.namespace]
    runbooks = [each.name for each in near if each.kind == "Runbook"]
    classes = {each.name: _class(each) for each in near if each.kind == "ActionClass"}
    if manifest.kind not in RUNBOOK_SPECS:
        return
    yield from _strangers(manifest.spec, near)
    for index, hypothesis in enumerate(manifest.spec.hypotheses):
        if runbooks and (name := hypothesis.then.runbook) is not None and name not in runbooks:
            field = f"spec.hypotheses[{index}].then.runbook"
            yield Problem(field, f"{name} is not among the Runbooks of these files ({', '.join(runbooks)})")
    spec = manifest.spec
    for index, action in enumerate(spec.actions if isinstance(spec, RunbookSpec) and classes else ()):
        name = action.approval.action_class or kebab(action.type)
        field = f"spec.actions[{index}].approval.class"
        if name not in classes:
            yield Problem(field, f"{name} is not among the ActionClasses of these files ({', '.join(classes)})")
        elif action.type not in classes[name].action_types:
            types = ", ".join(classes[name].action_types)
            yield Problem(field, f"the ActionClass {name} is not for {action.type} (its actionTypes: {types})")


def _strangers(spec: Triage, near: Sequence[Manifest]) -> Iterator[Problem]:
    """Contacts that nobody answers for: an escalation to them would reach no one."""
    policies = [each for each in near if each.kind == "EscalationPolicy" and each.name == "default"]
    known = {contact["name"] for each in policies for contact in each.content["spec"].get("contacts", [])}
    for field, contact in _contacts("spec", spec.wire()) if policies else ():
        if contact not in known:
            text = f"{contact} is not among the contacts of EscalationPolicy default in these files"
            yield Problem(field, f"{text} ({', '.join(sorted(known)) or 'none'})")


def _contacts(path: str, value: JSON) -> Iterator[tuple[str, str]]:
    """Field path and name of everybody to whom something goes."""
    match value:
        case dict():
            for name, each in value.items():
                if name in ("to", "escalateTo") and isinstance(each, list):
                    yield from ((f"{path}.{name}[{index}]", str(contact)) for index, contact in enumerate(each))
                elif name != "tests":
                    yield from _contacts(f"{path}.{name}", each)
        case list():
            for index, each in enumerate(value):
                yield from _contacts(f"{path}[{index}]", each)


def _class(manifest: Manifest) -> ActionClassSpec:
    return ActionClassSpec.model_validate(manifest.content["spec"])


def _called(manifest: Manifest) -> str:
    return f"{manifest.kind} {shown(manifest.name, 253)}"


def _where(manifest: Manifest) -> str:
    return f"{manifest.file}:{manifest.document.start.line}"
