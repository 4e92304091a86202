"""Change the size of a pool by an Ansible playbook on the control node, after a dry run of the very same arguments.

The order names the digest of the project of the dry run and the size of the pool: the host compares both once more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from firstresponder.actions.action import (
    ActionType,
    DefaultClass,
    Given,
    HostAction,
    Scaling,
    Step,
    filled,
    kebab,
)
from firstresponder.api.base import ApiModel, Duration, Expression, Label, Title, duration_seconds
from firstresponder.safety.markdown import code

if TYPE_CHECKING:
    from firstresponder.api.diagnostics import Diagnostic
    from firstresponder.api.runbook import Action


class AnsibleScale(ApiModel):
    """Change the size of a pool by an Ansible playbook on the control node."""

    playbook: Title
    """The playbook's path on the control node; a template."""
    inventory: Title
    """The inventory's path on the control node."""
    group: Title
    """The inventory's group that is the pool, counted by an inventory diagnostic of the same role; a template."""
    tags: Annotated[list[Label], Field(max_length=8)] = []
    """Tags of the playbook that are run."""
    variable: Title
    """The playbook's variable for the number of instances; a template."""
    current: Expression
    """CEL: how many instances there are."""
    desired: Expression
    """CEL: how many there are to be; a whole number within the bounds, never clamped."""
    minimum: Annotated[int, Field(ge=0)]
    """The fewest instances allowed."""
    maximum: Expression
    """CEL: the most instances allowed."""
    timeout: Duration = "10m"
    """How long the playbook may take."""


class Fields(ApiModel):
    """What this type adds to an action."""

    ansible_scale: AnsibleScale | None = None
    """Changes the size of a pool."""


_PREVIEW_SECONDS = 120.0
_RECAP = re.compile(r"^PLAY RECAP \**\s*$")
_COUNT = re.compile(r"\b(changed|skipped|rescued|ignored)=([0-9]+)")
_DIFFERENCES = ("+", "-")
_PATH = re.compile(r"(?!(.*/)?\.\.(/|$))[A-Za-z0-9_.][A-Za-z0-9_./-]{0,254}")
_BELOW = "a path below the project folder that the control node declares, such as"
SHAPES = {
    "playbook": (_PATH, f"{_BELOW} playbooks/api.yml"),
    "inventory": (_PATH, f"{_BELOW} inventories/production"),
    "variable": (
        re.compile(r"(?!ansible_)[A-Za-z_][A-Za-z0-9_]{0,63}"),
        "the name of a variable such as api_instances; those that begin with ansible_ are Ansible's own",
    ),
    "group": (re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"), "the name of a group, such as api"),
}
"""What hosts take in each field (host/actions/ansible-scale), and that in words."""


def shape_problem(field: str, text: str) -> str | None:
    """Why no host takes the text in that field; None if one could."""
    shape, what = SHAPES[field]
    return None if shape.fullmatch(text) else f"{text!r} is not {what}"


def _scale(action: Action) -> AnsibleScale:
    assert isinstance(action, Fields) and action.ansible_scale is not None  # noqa: S101 - of this type's actions
    return action.ansible_scale


def _arguments(action: Action, given: Given) -> tuple[str, ...]:
    scale, count = _scale(action), given.count
    if count is None:
        raise ValueError("the desired count is not known")
    playbook, inventory, variable, group = _words(scale, given.render)
    return (playbook, inventory, ",".join(scale.tags), variable, group, str(count.current), str(count.desired))


def _words(scale: AnsibleScale, render: Callable[[str], str]) -> list[str]:
    """The fields that have a shape, in their order. Raises ValueError."""
    words = {field: render(getattr(scale, field)) for field in SHAPES}
    for field, word in words.items():
        if problem := shape_problem(field, word):
            raise ValueError(f"{field}: {problem}")
    return list(words.values())


def _target(action: Action, given: Given) -> str:
    del action
    return given.render("$(service)")


def _steps(action: Action, given: Given) -> tuple[HostAction, ...]:
    # Before the dry run there is no digest yet; a host refuses an order without.
    project = (given.project,) if given.project is not None else ()
    arguments = (*_arguments(action, given), *project)
    return (HostAction(kebab(_TYPE), arguments, duration_seconds(_scale(action).timeout)),)


def _preview(action: Action, given: Given) -> HostAction:
    return HostAction(kebab(_TYPE), _arguments(action, given), _PREVIEW_SECONDS)


def _gaps(lines: Sequence[str]) -> str | None:
    """By the recap: what was skipped, or failed and was passed over, in the dry run may run for real; and what
    changes without a difference that shows how."""
    start = next((number for number, line in enumerate(lines) if _RECAP.match(line)), len(lines))
    counts = [dict(_COUNT.findall(line)) for line in lines[start + 1 :]]
    if not any("skipped" in each for each in counts):
        return "it has no PLAY RECAP that would show whether tasks were skipped"
    total = {word: sum(int(each.get(word, 0)) for each in counts) for word in ("changed", *_PASSED_OVER)}
    gaps = [text.format(total[word]) for word, text in _PASSED_OVER.items() if total[word]]
    if total["changed"] and not any(line.startswith(_DIFFERENCES) for line in lines[:start]):
        gaps.append(f"tasks would change something ({total['changed']}), and no difference shows what")
    return "; ".join(gaps) or None


def _manual_steps(action: Action, render: Callable[[str], str]) -> tuple[Step, ...]:
    scale = _scale(action)
    playbook, inventory, variable, _ = _words(scale, render)
    tags = [f"--tags {','.join(scale.tags)}"] if scale.tags else []
    given = [
        f"--inventory {inventory}",
        f'--extra-vars "{{\\"{variable}\\": ${{instances:?}}}}"',
        *tags,
        playbook,
    ]
    play = 'sudo --set-home --user="${user:?}" env LC_ALL=C.UTF-8 ansible-playbook'
    return (
        Step(
            "Set the number",
            # As the account that the host's owner declared for it, in the folder that he declared (host/README.md).
            "project=$(sed -n s/^project=//p /etc/firstresponder/ansible)\n"
            "user=$(sed -n s/^user=//p /etc/firstresponder/ansible)\n"
            'cd "${project:?is not declared}"\n'
            "instances=",
            "Write the number behind `instances=`, and count once more: STOP unless there still are "
            f"{code(' '.join(scale.current.split()))}.",
        ),
        Step(
            "See that nothing in the project turns a preview into more",
            # What the host's own program asks before it runs anything dry.
            'sudo /usr/local/libexec/firstresponder-project checks "$project" "$(id --user "${user:?}")"; '
            'echo "status=$?"',
            "STOP if `status` is not 0.",
        ),
        Step(
            "Preview",
            " ".join([play, "--check", "--diff", *given]),
            "It changes nothing. Show what it prints to those who have to agree. STOP if a task failed or the recap "
            "has no `failed=0`; what it says to be `skipped`, `rescued` or `ignored` may run for real.",
        ),
        Step(
            f"Set {variable}",
            " ".join([play, *given]),
            f"STOP unless the recap has `failed=0` and `unreachable=0` for every host, or after {scale.timeout}; "
            "do not repeat it.",
            changes=True,
        ),
    )


_PASSED_OVER = {
    "skipped": "{} tasks were skipped, and may run when it is applied",
    "rescued": "{} failures were rescued, and what failed may go through when it is applied",
    "ignored": "{} failures were ignored, and what failed may go through when it is applied",
}


_TYPE = "ansibleScale"


def _problems(action: Action, diagnostics: Sequence[Diagnostic]) -> Iterator[tuple[str, str]]:
    scale = _scale(action)
    for field in SHAPES:
        if problem := shape_problem(field, filled(getattr(scale, field))):
            yield f"{_TYPE}.{field}", problem
    looks = [each for each in diagnostics if (each.role, each.probe) == (action.role, "inventory")]
    counted = [each.arguments.wire() for each in looks]
    if not any((each["path"], each["group"]) == (scale.inventory, scale.group) for each in counted):
        text = f"no inventory diagnostic of role {action.role} counts {scale.group} of {scale.inventory}: add one"
        yield f"{_TYPE}.group", text


def _scaling(action: Action) -> Scaling:
    scale = _scale(action)
    return Scaling(scale.current, scale.desired, scale.minimum, scale.maximum)


TYPE = ActionType(
    name=_TYPE,
    fields=Fields,
    classes=(
        DefaultClass(
            "ansible-scale",
            "High",
            "Change the number of instances of a pool with an Ansible playbook on the control node.",
        ),
    ),
    verb="scale",
    reported="scale_service",
    target=_target,
    steps=_steps,
    manual_steps=_manual_steps,
    tool="ansible-playbook",
    preview=_preview,
    gaps=_gaps,
    least_timeout=13,
    problems=_problems,
    scaling=_scaling,
)
