"""What a host is asked for by each type of action, and what that type itself has to say."""

from __future__ import annotations

import re
from typing import Any

import pytest

from firstresponder.actions.action import Count, Given, kebab
from firstresponder.actions.catalogue import TYPES, methods_of
from firstresponder.actions.free_space import METHODS
from firstresponder.actions.model import Action
from firstresponder.api.packet import Order

UNIT = {"loadState": "loaded", "invocationID": "c" * 32, "timeoutStartSeconds": 90, "timeoutStopSeconds": 30}
RECAP = "PLAY RECAP *********************************************************************"


def action(**kind: Any) -> Action:
    common = {"name": "x", "risk": {}, "rollback": {"plan": "STOP"}, "approval": {"prompt": "?", "class": "x"}}
    return Action.model_validate({**common, **kind})


def given(**more: Any) -> Given:
    values = {"service": "api", "retention": "7d", "short": "30m", "empty": "", "evil": 'x"; reboot; "'}
    return Given(lambda text: re.sub(r"\$\((\w+)\)", lambda m: values[m[1]], text), more.pop("seen", {}), **more)


def methods(*kinds: dict[str, Any]) -> Action:
    listed = [{"name": f"m{number}", "when": "true", **kind} for number, kind in enumerate(kinds)]
    return action(methods=listed, until="x.y < 1")


def names_of(several: Action) -> tuple[str, ...]:
    ways = methods_of(several)
    return tuple(each.name for each in ways.methods) if ways is not None else ()


RESTART = action(restartUnit={"unit": "$(service).service", "timeout": "60s"})
SCALE = action(
    ansibleScale={
        "playbook": "playbooks/$(service).yml",
        "inventory": "inventories/production",
        "group": "$(service)_pool",
        "tags": ["scale", "fast"],
        "variable": "$(service)_instances",
        "current": "r.count",
        "desired": "r.count + 2.0",
        "minimum": 1,
        "maximum": "r.max",
    }
)


def test_every_type_of_the_api_is_in_the_catalogue() -> None:
    assert tuple(TYPES) == Action.kinds


def test_the_api_speaks_of_a_type_as_a_runbook_writes_it() -> None:
    assert [each.type for each in (RESTART, SCALE, methods({"tmpfilesClean": {}}))] == [
        "restartUnit",
        "ansibleScale",
        "methods",
    ]


def test_a_restart_names_the_running_instance_and_has_the_time_that_the_unit_itself_may_take() -> None:
    (step,) = TYPES["restartUnit"].steps(RESTART, given(seen={"x/unit": UNIT}))
    assert (step.name, step.arguments, step.timeout) == ("restart-unit", ("api.service", "c" * 32), 155)
    (step,) = TYPES["restartUnit"].steps(RESTART, given(seen={"x/unit": {"loadState": "loaded"}}))
    assert (step.arguments, step.timeout) == (("api.service",), 60)


@pytest.mark.parametrize(
    ("seen", "because"),
    [
        ({"activeState": "activating", "subState": "auto-restart", "nRestarts": 12}, "it is activating"),
        ({"activeState": "active", "nRestarts": 12}, "systemd restarts it by itself (NRestarts 12)"),
        ({"activeState": "deactivating", "nRestarts": 0}, "it is deactivating"),
        ({"invocationID": ""}, "it has none"),
    ],
)
def test_a_unit_that_comes_and_goes_is_bound_to_no_instance_and_the_packet_says_so(
    seen: dict[str, object], because: str
) -> None:
    asked = given(seen={"x/unit": UNIT | seen})
    (step,) = TYPES["restartUnit"].steps(RESTART, asked)
    assert step.arguments == ("api.service",)
    assert (
        TYPES["restartUnit"].notes(RESTART, asked)[1] == f"It is bound to no running instance of the unit: {because}."
    )


@pytest.mark.parametrize("state", ["active", "failed", "inactive"])
def test_a_unit_that_stays_as_it_is_is_bound_to_its_instance(state: str) -> None:
    asked = given(seen={"x/unit": UNIT | {"activeState": state, "nRestarts": 0 if state == "active" else 5}})
    (step,) = TYPES["restartUnit"].steps(RESTART, asked)
    assert step.arguments == ("api.service", "c" * 32)
    assert len(TYPES["restartUnit"].notes(RESTART, asked)) == 1


def test_the_approver_is_told_that_the_count_of_starts_is_reset() -> None:
    assert "systemctl reset-failed" in TYPES["restartUnit"].notes(RESTART, given(seen={"x/unit": UNIT}))[0]


@pytest.mark.rule(12)
@pytest.mark.parametrize("invocation", ["", "C" * 32, "c" * 31, "c" * 33, "c" * 32 + "\n", "; reboot", 7])
def test_an_instance_in_another_form_than_its_own_is_never_an_argument(invocation: object) -> None:
    (step,) = TYPES["restartUnit"].steps(RESTART, given(seen={"x/unit": {**UNIT, "invocationID": invocation}}))
    assert step.arguments == ("api.service",)


@pytest.mark.parametrize(
    ("state", "fits"), [({"loadState": "loaded"}, True), ({"loadState": "masked"}, False), ({}, False)]
)
def test_only_a_unit_that_is_loaded_can_be_restarted(state: dict[str, str], fits: bool) -> None:
    assert (TYPES["restartUnit"].unfit(RESTART, given(seen={"x/unit": state})) is None) == fits


def test_a_restart_no_longer_fits_another_instance() -> None:
    order = Order(
        host="a" * 32,
        boot="1" * 36,
        action="restart-unit",
        arguments=["api.service", "c" * 32],
        timeout_seconds=60,
        not_after=1,
        not_after_uptime=1,
        incident="u",
        attempt=1,
    )
    changed = TYPES["restartUnit"].changed
    assert changed(RESTART, order, {"x/unit": UNIT}) is None
    assert changed(RESTART, order, {"x/unit": UNIT | {"invocationID": "d" * 32}})
    assert changed(RESTART, order, {})
    assert changed(RESTART, order.model_copy(update={"arguments": ["api.service"]}), {}) is None


def test_a_scale_asks_for_the_resolved_number_and_its_preview_for_the_very_same() -> None:
    asked = given(count=Count(4, 6))
    words = ("playbooks/api.yml", "inventories/production", "scale,fast", "api_instances", "api_pool", "4", "6")
    (step,) = TYPES["ansibleScale"].steps(SCALE, given(count=Count(4, 6), project="sha256:ab"))
    assert (step.name, step.arguments, step.timeout) == ("ansible-scale", (*words, "sha256:ab"), 600)
    dry = TYPES["ansibleScale"].preview(SCALE, asked)
    assert dry is not None
    assert (dry.name, dry.arguments, dry.timeout) == ("ansible-scale", words, 120)


def test_a_scale_without_a_count_is_no_scale() -> None:
    with pytest.raises(ValueError, match="not known"):
        TYPES["ansibleScale"].steps(SCALE, given())


@pytest.mark.parametrize(
    ("lines", "gap"),
    [
        (["+x", RECAP, "a : ok=1 changed=1 unreachable=0 failed=0 skipped=0 rescued=0 ignored=0"], None),
        ([RECAP, "a : ok=1 changed=0 unreachable=0 failed=0 skipped=0 rescued=0 ignored=0"], None),
        ([RECAP, "a : ok=1 skipped=1", "b : ok=1 skipped=2"], "3 tasks were skipped"),
        ([RECAP, "a : ok=1 skipped=0 rescued=1 ignored=0", "b : skipped=0 rescued=1"], "2 failures were rescued"),
        ([RECAP, "a : ok=1 skipped=0 rescued=0 ignored=4"], "4 failures were ignored"),
        ([RECAP, "a : ok=1 changed=2 skipped=0", "b : changed=1 skipped=0"], "(3), and no difference shows what"),
        ([RECAP, "a : ok=1 changed=2 skipped=0", "+ after the recap"], "(2), and no difference shows what"),
        (["-x", RECAP, "a : ok=1 changed=2 skipped=0"], None),
        (["a : ok=1 skipped=1"], "no PLAY RECAP"),
        ([RECAP, "a : ok=1 changed=0"], "no PLAY RECAP"),
        ([RECAP], "no PLAY RECAP"),
        ([], "no PLAY RECAP"),
        (["skipped=9 ignored=1 says a diff", RECAP, "a : ok=1 skipped=0"], None),
    ],
)
def test_a_recap_tells_what_the_dry_run_does_not(lines: list[str], gap: str | None) -> None:
    found = TYPES["ansibleScale"].gaps(lines)
    assert found is None if gap is None else gap in (found or "")


def test_all_that_a_dry_run_does_not_tell_is_named() -> None:
    found = TYPES["ansibleScale"].gaps([RECAP, "a : ok=1 changed=1 skipped=1 rescued=1 ignored=1"])
    assert [each.split(" ", 1)[1].split(",")[0] for each in (found or "").split("; ")] == [
        "tasks were skipped",
        "failures were rescued",
        "failures were ignored",
        "would change something (1)",
    ]


def test_each_method_becomes_one_thing_that_the_host_is_asked_for() -> None:
    several = methods(
        {"journalVacuum": {"olderThan": "$(retention)"}},
        {"logrotate": {"config": "/etc/logrotate.conf"}, "timeout": "1m"},
        {"tmpfilesClean": {}},
    )
    steps = TYPES["methods"].steps(several, given(methods=names_of(several)))
    assert [(step.name, step.arguments, step.timeout, step.method) for step in steps] == [
        ("journal-vacuum", ("604800",), 300, "m0"),
        ("logrotate", ("/etc/logrotate.conf",), 60, "m1"),
        ("tmpfiles-clean", (), 300, "m2"),
    ]


@pytest.mark.parametrize("retention", ["$(short)", "59m"])
def test_a_retention_of_less_than_an_hour_is_no_retention(retention: str) -> None:
    several = methods({"journalVacuum": {"olderThan": retention}})
    with pytest.raises(ValueError, match="less than the hour"):
        TYPES["methods"].steps(several, given(methods=names_of(several)))


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        (["/bin/flush", "--service=$(service)"], None),
        (["/bin/flush", "$(empty)"], "empty"),
        (["flush"], "absolute path"),
        (["/bin/flush", "a b"], "white space"),
    ],
)
def test_a_command_is_one_line_whose_words_can_be_told_apart(argv: list[str], problem: str | None) -> None:
    command = action(command={"argv": argv})
    if problem is None:
        (step,) = TYPES["command"].steps(command, given())
        assert (step.name, step.arguments) == ("command", ("/bin/flush", "--service=api"))
    else:
        with pytest.raises(ValueError, match=problem):
            TYPES["command"].steps(command, given())


def scale(**changed: str) -> Action:
    return action(ansibleScale={**SCALE.wire()["ansibleScale"], **changed})


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        (action(restartUnit={"unit": "*"}), "is not the name of one service"),
        (action(restartUnit={"unit": "$(evil)"}), "is not the name of one service"),
        (action(restartUnit={"unit": "-H"}), "is not the name of one service"),
        (scale(variable="$(evil)"), "variable: .* is not the name of a variable"),
        (scale(variable="`reboot`"), "variable: .* is not the name of a variable"),
        (scale(variable="ansible_user"), "variable: .* Ansible's own"),
        (scale(playbook="$(evil).yml"), "playbook: .* is not a path below"),
        (scale(playbook="--extra-vars=x"), "playbook: .* is not a path below"),
        (scale(playbook="a/../../x.yml"), "playbook: .* is not a path below"),
        (scale(inventory="/etc/ansible/hosts"), "inventory: .* is not a path below"),
        (scale(group="$(evil)"), "group: .* is not the name of a group"),
        (methods({"journalVacuum": {"olderThan": "$(short)"}}), "less than the hour"),
        (methods({"logrotate": {"config": "$(evil)"}}), "is not an absolute path"),
        (action(command={"argv": ["/bin/flush", "$(evil)"]}), "white space"),
    ],
)
def test_what_no_host_takes_is_neither_asked_for_nor_told_to_a_person(asked: Action, problem: str) -> None:
    everything = given(seen={"x/unit": UNIT}, count=Count(4, 6), methods=names_of(asked))
    with pytest.raises(ValueError, match=problem):
        TYPES[asked.type].steps(asked, everything)
    with pytest.raises(ValueError, match=problem):
        TYPES[asked.type].manual_steps(asked, everything.render)


@pytest.mark.parametrize("kind", [*METHODS, "restartUnit", "ansibleScale"])
def test_a_types_file_on_the_host_is_its_name_in_kebab_case(kind: str) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kebab(kind))
