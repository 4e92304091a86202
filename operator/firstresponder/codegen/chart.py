"""What of ``charts/firstresponder/`` says the same as ``crds/`` and ``deploy/``, and the page about its values.

The rest of the chart is written by hand: the Deployment, who may approve, the network policy.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from firstresponder.api.base import JSON
from firstresponder.codegen import crds, manifests
from firstresponder.codegen.output import ROOT, page_note, to_yaml
from firstresponder.kube import incident_policy, permissions
from firstresponder.kube.approval_policy import BINDING, POLICY

CHART: Final = ROOT / "charts" / "firstresponder"
_KEPT: Final = {"helm.sh/resource-policy": "keep"}


def files() -> dict[Path, str]:
    """The generated files with their content."""
    account = [each for each in manifests.NAMESPACE if each["kind"] == "ServiceAccount"]
    policies = [POLICY, BINDING, incident_policy.POLICY, incident_policy.BINDING]
    return {
        **{CHART / "crds" / path.name: text for path, text in crds.files().items()},
        CHART / "templates" / "rbac.yaml": _as_is(to_yaml([*account, *permissions.cluster_manifests()])),
        # Incidents and their approvals outlive the release, so what protects them does too.
        CHART / "templates" / "admission-policies.yaml": _as_is(to_yaml(_annotated(each, _KEPT) for each in policies)),
        CHART / "templates" / "watched-namespaces.yaml": _in_each_watched_namespace(),
        CHART / "README.md": _page(),
    }


def _as_is(text: str) -> str:
    """The text as a template that renders to it."""
    return text.replace("{{", '{{ "{{" }}')


def _in_each_watched_namespace() -> str:
    note, bindings = _in_the_namespace(permissions.watched_namespace_manifests())
    _, archiving = _in_the_namespace(permissions.archiving_namespace_manifests())
    _, defaults = _in_the_namespace([*manifests.ACTION_CLASSES, *manifests.ESCALATION_POLICY])
    return "\n".join(
        [
            note,
            "{{- range $namespace := .Values.watchedNamespaces }}",
            f"---\n{bindings}{{{{- if or $.Values.archive.file.claimName $.Values.archive.http.url }}}}",
            f"---\n{archiving}{{{{- end }}}}",
            "{{- if $.Values.defaults }}",
            f"---\n{defaults}{{{{- end }}}}",
            "{{- end }}\n",
        ]
    )


def _in_the_namespace(documents: Iterable[Mapping[str, Any]]) -> tuple[str, str]:
    """The note that they are generated, and the manifests in the namespace that the template is about."""
    note, _, text = _as_is(to_yaml(documents)).partition("\n")
    return note, text.replace("metadata:\n", "metadata:\n  namespace: {{ $namespace | quote }}\n")


def _annotated(manifest: Mapping[str, Any], annotations: Mapping[str, str]) -> dict[str, Any]:
    return {**manifest, "metadata": {**manifest["metadata"], "annotations": dict(annotations)}}


def _page() -> str:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    rows = [f"| `{name}` | {default} | {about} |" for name, default, about in _values(schema, values)]
    return "\n".join(
        [
            page_note("values.schema.json or values.yaml"),
            "# The chart of First Responder",
            "",
            "[docs/install.md](../../docs/install.md) says how it is installed, upgraded and removed.",
            "",
            "| value | default | meaning |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def _values(schema: Mapping[str, Any], defaults: Any, path: str = "") -> Iterable[tuple[str, str, str]]:
    """Each value with its default and its meaning; a group of values is told by its members."""
    for name, about in schema["properties"].items():
        if name == "global":  # Helm's own, for charts of charts
            continue
        default = defaults.get(name) if isinstance(defaults, dict) else None
        if "properties" in about:
            yield from _values(about, default, f"{path}{name}.")
        else:
            yield f"{path}{name}", _default(default, name in schema.get("required", ())), about["description"]


def _default(value: JSON, required: bool) -> str:
    if value is None and required:
        return "**must be set**"
    return f"`{json.dumps(value)}`"
