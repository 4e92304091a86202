"""host/firstresponder-project: what belongs to an Ansible project, whether a check stays one, how big a group is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

READER = Path(__file__).parents[3] / "host" / "firstresponder-project"
ANOTHER = str(os.getuid() + 1)
"""An account that plays the project, and does not own it."""
Change = Callable[[Path], object]


def ask(*words: object, stdin: str = "") -> tuple[int, str]:
    argv = [sys.executable, "-I", str(READER), *map(str, words)]
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.strip() + done.stderr


def checks(project: Path) -> str:
    status, said = ask("checks", project, ANOTHER)
    assert status == (65 if said else 0)
    return said.removeprefix("refused=")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    usual = os.umask(0o022)  # the other account may read, and only the owner write
    folder = tmp_path.resolve() / "project"
    (folder / "roles" / "web" / "tasks").mkdir(parents=True)
    (folder / "site.yml").write_text("- hosts: all\n")
    (folder / "roles" / "web" / "tasks" / "main.yml").write_text("- ping:\n")
    (folder / "link").symlink_to("site.yml")
    yield folder
    os.umask(usual)


# --- the digest


def replaced(path: Path) -> Path:
    path.unlink()
    return path


CHANGES: dict[str, Change] = {
    "content": lambda p: (p / "roles/web/tasks/main.yml").write_text("- pong:\n"),
    "a name": lambda p: (p / "site.yml").rename(p / "site.yaml"),
    "a mode": lambda p: (p / "site.yml").chmod(0o755),
    "the project's mode": lambda p: p.chmod(0o777),
    "a file more": lambda p: (p / "ansible.cfg").touch(),
    "an empty folder more": lambda p: (p / "group_vars").mkdir(),
    "a file less": lambda p: (p / "roles/web/tasks/main.yml").unlink(),
    "where a link leads": lambda p: replaced(p / "link").symlink_to("roles"),
    "a file for a link": lambda p: replaced(p / "link").write_text("site.yml"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_whatever_changes_in_a_project_changes_its_digest(project: Path, change: Change) -> None:
    status, before = ask("digest", project, ANOTHER)
    assert (status, before[:7], len(before)) == (0, "sha256:", 71)
    assert ask("digest", project, ANOTHER) == (0, before)
    change(project)
    status, after = ask("digest", project, ANOTHER)
    assert status == 0
    assert after != before


def test_only_a_folder_that_no_account_of_the_projects_may_enter_is_no_part_of_it(project: Path) -> None:
    _, without = ask("digest", project, ANOTHER)
    hidden = project / ".git"
    hidden.mkdir(mode=0o700)
    (hidden / "tasks.yml").write_text("- {command: id, check_mode: false}\n")
    assert ask("digest", project, ANOTHER) == (0, without)
    assert checks(project) == ""
    assert ask("digest", project, ANOTHER, os.getuid())[1] != without, "its owner plays too"
    hidden.chmod(0o710)
    assert ask("digest", project, ANOTHER)[1] != without
    assert checks(project) == "something in the project turns the check off: check_mode is not true in .git/tasks.yml"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda p: (p / "out").symlink_to("/etc/hosts"), "out leads out of the project, where it could change unseen"),
        (lambda p: (p / "out").symlink_to("../absent"), "out leads out of the project, where it could change unseen"),
        (lambda p: os.mkfifo(p / "pipe"), "pipe is neither a file nor a folder nor a link"),
        (lambda p: os.truncate(p / "site.yml", 64 * 1024**2 + 1), "the project has more than 64 MiB or 20000 entries"),
        (lambda p: [(p / str(n)).touch() for n in range(20_000)], "the project has more than 64 MiB or 20000 entries"),
    ],
    ids=["a link out", "a link to nothing outside", "a pipe", "too much", "too many"],
)
def test_what_cannot_be_bound_is_refused(project: Path, change: Change, reason: str) -> None:
    change(project)
    status, said = ask("digest", project, ANOTHER)
    assert status == 65
    assert said.startswith(f"refused={reason}")


# --- checks

OFF = {
    "plain": "- {command: id, check_mode: false}",
    "no": "- command: id\n  check_mode: no\n",
    "quoted": '- {"command": id, "check_mode": "off"}',
    "an escape": '- {command: id, "check\\x5fmode": false}',
    "an escaped line break": '- command: id\n  ? "check\\\n    _mode"\n  : false',
    "an alias as the key": "- &key check_mode\n- {command: id, *key : false}",
    "merged": "- &off {check_mode: false}\n- {command: id, <<: *off}",
    "a tag": "- {command: id, !unsafe check_mode: !!bool false}",
    "a template": '- {command: id, check_mode: "{{ x }}"}',
    "a template with true in it": '- {command: id, check_mode: "{{ not ansible_check_mode }}"}',
    "nothing": "- {command: id, check_mode: }",
    "a list": "- {command: id, check_mode: [true]}",
    "far below": "- block: [{block: [{include_tasks: {file: x, apply: {check_mode: false}}}]}]",
    "JSON with tabs": '[\t{"command": "id",\t"check_mode": false}]',
    "JSON with an escape": '[\t{"command": "id",\t"check\\u005fmode": false}]',
    "JSON that says it twice": '[{"command": "id", "check_mode": false, "check_mode": true}]',
    "not true again": "- {command: id, check_mode: true}\n- {command: id, check_mode: false}",
}


@pytest.mark.parametrize("text", OFF.values(), ids=OFF.keys())
@pytest.mark.parametrize("name", ["roles/web/tasks/other.yml", "library/tasks.py", "README.md", "templates/x.j2"])
def test_nothing_in_a_project_may_turn_the_check_off(project: Path, name: str, text: str) -> None:
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text(text)
    assert checks(project) == f"something in the project turns the check off: check_mode is not true in {name}"


def test_bytes_that_only_json_lets_through_are_read_too(project: Path) -> None:
    (project / "x.yml").write_bytes(b'[{"name": "\xff", "check_mode": false}]')
    assert checks(project) == "something in the project turns the check off: check_mode is not true in x.yml"


@pytest.mark.parametrize("value", ["true", "yes", "True", '"{{ ansible_check_mode }}"'])
def test_a_task_that_is_always_checked_is_none_that_turns_it_off(project: Path, value: str) -> None:
    (project / "site.yml").write_text(f"# not check_mode: false\n- {{command: id, check_mode: {value}, when: 'a\\b'}}")
    assert checks(project) == ""


@pytest.mark.parametrize(
    ("name", "text", "harmless"),
    [
        ("roles/web/library/thing.py", "AnsibleModule(supports_check_mode=True)  # {", True),
        ("filter_plugins/x.py", "def f(check_mode): {", True),
        ("roles/web/templates/x.conf", "{% if ansible_check_mode %}x{% endif %}", True),
        ("notes.md", "* {% `check_mode` %}", False),
        ("plugin.py", "def f(check_mode): {", False),
        ("ansible.cfg", "[defaults]\nforks = 5\n", True),
        ("notes.txt", "{ C:\\users", True),
    ],
)
def test_what_is_no_yaml_may_speak_of_it_where_programs_and_templates_lie(
    project: Path, name: str, text: str, harmless: bool
) -> None:
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text(text)
    expected = f"{name} speaks of check_mode and is no YAML: nothing tells that the check stays on"
    assert checks(project) == ("" if harmless else expected)


def test_a_file_that_is_encrypted_as_a_whole_could_hold_anything(project: Path) -> None:
    (project / "tasks.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    assert checks(project).startswith("tasks.yml is encrypted as a whole and could turn the check off unseen: encrypt")


@pytest.mark.parametrize("text", ["[" * 100_000 + "\\", '- &a [check_mode, *a, {x: *a}, {y: "\\\\"}]'])
def test_a_file_made_to_exhaust_its_reader_is_no_way_around_it(project: Path, text: str) -> None:
    (project / "x.yml").write_text(text)
    status, said = ask("checks", project, ANOTHER)
    assert status == 0 if text[0] == "-" else status != 0, said


# --- the size of a group

GROUPS = {
    "_meta": {"hostvars": {}},
    "pool": {"hosts": ["a", "b"], "children": ["new"]},
    "new": {"hosts": ["b", "c"], "children": ["pool"]},
    "none": {},
}


@pytest.mark.parametrize(
    ("group", "text", "answer"),
    [
        ("pool", json.dumps(GROUPS), (0, "3")),
        ("none", json.dumps(GROUPS), (0, "0")),
        ("absent", json.dumps(GROUPS), (65, "refused=the inventory has no group absent")),
        ("pool", "[WARNING]", (65, "refused=the inventory cannot be read: JSONDecodeError: ")),
        ("pool", "[]", (65, "refused=the inventory cannot be read: AttributeError: ")),
    ],
)
def test_each_host_of_a_group_counts_once(group: str, text: str, answer: tuple[int, str]) -> None:
    status, said = ask("count", group, stdin=text)
    assert (status, said[: len(answer[1])]) == answer
