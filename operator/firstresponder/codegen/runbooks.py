"""The pages of the catalogue, in docs/runbooks/.

One page a file of ``runbooks/``: what ``kubectl runbook render`` prints of it, made for the service and the hosts of
its own tests.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from firstresponder.codegen.output import ROOT, page_note
from firstresponder.runbooks.models import Runbook, TriagePlaybook
from firstresponder.runbooks.page import description, page, render_context
from firstresponder.safety.markdown import table

_CATALOGUE = ROOT / "runbooks"
_PAGES = ROOT / "docs" / "runbooks"
_KINDS: dict[str, type[Runbook | TriagePlaybook]] = {"Runbook": Runbook, "TriagePlaybook": TriagePlaybook}
_GENERATED = page_note("runbooks/") + "\n"
_INDEX = """\
# The catalogue

One page for each file of [`runbooks/`](../../runbooks): the same steps and criteria, to be followed by hand. Each is
what `kubectl runbook render` prints, here with the service and the hosts of the runbook's own tests. What a word like
`ManualActionRequired` means, and what to do then, is in [reasons.md](../reasons.md); what each diagnostic sees is in
[diagnostics.md](../diagnostics.md); how a host declares actions is in [host/README.md](../../host/README.md).
"""


def files() -> dict[Path, str]:
    """The generated pages with their content, a table of contents among them."""
    catalogue = {path.stem: _read(path) for path in sorted(_CATALOGUE.glob("*.yaml"))}
    rows = (
        (f"[{name}]({name}.md)", f"[{name}.yaml](../../runbooks/{name}.yaml)", description(each))
        for name, each in catalogue.items()
    )
    pages = {_PAGES / f"{name}.md": _page(each) for name, each in catalogue.items()}
    return {_PAGES / "README.md": "\n".join([_GENERATED, _INDEX, table(("Page", "File", "For"), rows) + "\n"])} | pages


def _read(path: Path) -> Runbook | TriagePlaybook:
    document = yaml.safe_load(path.read_text())
    return _KINDS[document["kind"]].model_validate(document)


def _page(runbook: Runbook | TriagePlaybook) -> str:
    return f"{_GENERATED}\n{page(runbook, render_context(runbook.spec))}"
