"""``kubectl runbook``: what its commands print, and the exit code that continuous integration goes by."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from firstresponder.cli.plugins.runbook import main
from tests.unit.runbooks.refused import GOOD

ROOT = Path(__file__).parents[3]
RUNBOOKS = ROOT / "runbooks"
TESTS = """\
  tests:
    service: shop
    evidence:
      full: {disk: {usedPercent: 95, inodesUsedPercent: 1, mountPoint: /, sizeBytes: 9999, availableBytes: 500}}
    cases:
    - {name: rest, given: full, expect: {cause: rest, unmet: [free]}}
    - {name: logs, given: full, with: {disk: {mountPoint: /var/log}}, expect: {cause: logs}}
"""
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"


def run(*arguments: str | Path, text: str | None = None, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(main, [str(each) for each in arguments], input=text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.yaml").write_text(GOOD + TESTS)
    return tmp_path


class TestLint:
    def test_the_catalogue_and_the_examples_have_no_problem(self) -> None:
        result = run("lint", RUNBOOKS, ROOT / "examples", ROOT / "deploy" / "watched-namespace")
        assert (result.exit_code, result.stdout) == (0, ""), result.output
        assert "\nNo problem (" in f"\n{result.stderr}"

    def test_each_problem_is_a_line_that_editors_understand(self, folder: Path) -> None:
        (folder / "bad.yaml").write_text(
            GOOD.replace("name: full", "name: bad").replace("[Full]", "[Bad]").replace("uptime", "kill")
        )
        result = run("lint", folder, COLUMNS="80")
        lines = result.stdout.splitlines()
        assert result.exit_code == 1
        assert len(lines) == 1 and len(lines[0]) > 80
        assert lines[0].startswith(f"{folder}/bad.yaml:17:22: spec.diagnostics[1].command.argv[0]: 'kill' is not among")
        assert result.stderr == "1 problem in 1 file (2 objects checked)\n"

    def test_a_folder_is_read_with_those_below_it_and_without_hidden_ones(self, folder: Path) -> None:
        for name in ("b/c/other.yml", ".git/hidden.yaml", "b/notes.txt"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("nonsense")
        result = run("lint", folder)
        assert result.stdout == (
            f"{folder}/b/c/other.yml:1:1: is no object: one begins with apiVersion, kind, metadata and spec\n"
        )

    def test_a_dash_is_the_standard_input_and_json_is_yaml(self) -> None:
        assert run("lint", "-", text=GOOD).exit_code == 0
        result = run("lint", "-", text='{"apiVersion": "firstresponder.dev/v1alpha1",\n "kind": "Runbok"}')
        assert result.stdout.startswith("-:2:2: kind: Runbok is not known here: did you mean Runbook?")

    def test_what_others_made_is_skipped_and_named(self, folder: Path) -> None:
        (folder / "other.yaml").write_text(f"{CONFIG_MAP}---\n{CONFIG_MAP}")
        result = run("lint", folder)
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr == "Skipped 2 objects of other APIs: ConfigMap\nNo problem (1 object checked)\n"

    def test_a_file_that_is_not_utf_8_is_a_problem_in_its_line(self, folder: Path) -> None:
        (folder / "good.yaml").write_bytes(b"a: 1\nb: \xff\n")
        assert run("lint", folder).stdout == f"{folder}/good.yaml:2:1: is not UTF-8: save it as that\n"

    def test_control_characters_of_a_file_are_written_out(self, folder: Path) -> None:
        (folder / "good.yaml").write_text(GOOD.replace("name: full", 'name: "x\\e[31m"'))
        result = run("lint", folder)
        assert result.exit_code == 1
        assert "\x1b" not in result.output
        assert "x\\u001b[31m" in result.stdout

    @pytest.mark.parametrize("arguments", [("lint",), ("lint", "/no/such/file"), ("test", "/no/such/file"), ("fly",)])
    def test_wrong_usage_is_exit_code_2(self, arguments: tuple[str, ...]) -> None:
        assert run(*arguments).exit_code == 2

    def test_a_folder_without_a_file_is_wrong_usage(self, tmp_path: Path) -> None:
        result = run("lint", tmp_path)
        assert result.exit_code == 2
        assert f"{tmp_path} holds no .yaml, .yml or .json file" in result.stderr


class TestTest:
    def test_every_case_of_the_catalogue_comes_out_as_expected(self) -> None:
        result = run("test", RUNBOOKS)
        assert result.exit_code == 0, result.output
        assert result.stderr.endswith(" cases, 0 failed\n")

    @pytest.mark.parametrize("columns", ["80", "200"])
    def test_a_table_shows_what_was_expected_and_what_came_out(self, folder: Path, columns: str) -> None:
        result = run("test", folder, COLUMNS=columns)
        assert (result.exit_code, result.stderr) == (0, "2 cases, 0 failed\n")
        assert [line.split() for line in result.stdout.splitlines()] == [
            [],
            ["Runbook", "full"],
            ["Case", "Expected", "Got", "OK"],
            ["rest", "cause", "rest", "cause", "rest", "yes"],
            ["unmet", "free", "unmet", "free"],
            ["logs", "cause", "logs", "cause", "logs", "yes"],
        ]
        assert "\x1b" not in result.stdout

    def test_a_case_that_comes_out_otherwise_fails_with_its_line(self, folder: Path) -> None:
        (folder / "good.yaml").write_text(GOOD + TESTS.replace("unmet: [free]", "unmet: [], desired: 3"))
        result = run("test", folder, COLUMNS="80")
        assert (result.exit_code, result.stderr) == (1, "2 cases, 1 failed\n")
        assert result.stdout.split("Differences\n")[1].splitlines() == [
            f"{folder}/good.yaml:52:7: rest: desired: expected 3, got nothing",
            f"{folder}/good.yaml:52:7: rest: unmet: expected none, got free",
        ]

    def test_a_runbook_without_cases_has_failed(self, folder: Path) -> None:
        (folder / "good.yaml").write_text(GOOD)
        result = run("test", folder)
        assert result.exit_code == 1
        assert result.stdout.startswith(
            f"{folder}/good.yaml:5:1: spec.tests.cases: no test case: add one for each cause\n"
        )

    def test_a_runbook_that_lint_refuses_is_not_tested(self, folder: Path) -> None:
        (folder / "good.yaml").write_text(GOOD.replace("uptime", "kill") + TESTS)
        result = run("test", folder)
        assert (result.exit_code, result.stderr) == (
            1,
            "0 cases, 0 failed; 1 object refused by lint or without a case\n",
        )
        assert "argv[0]: 'kill' is not among" in result.stdout
        assert "Expected" not in result.stdout

    def test_files_without_a_runbook_test_nothing_which_is_no_success(self, folder: Path) -> None:
        (folder / "good.yaml").write_text(CONFIG_MAP)
        result = run("test", folder)
        assert result.exit_code == 1
        assert result.stderr == "There is no Runbook and no TriagePlaybook in these files: nothing was tested\n"

    def test_junit_xml_has_a_suite_for_each_runbook_and_a_test_for_each_case(self, folder: Path) -> None:
        failing = TESTS.replace("name: logs", 'name: "<logs> & \\e[31m\\uFFFE"').replace(
            "{cause: logs}", "{cause: rest}"
        )
        (folder / "good.yaml").write_text(GOOD + failing)
        (folder / "bad.yaml").write_text(GOOD.replace("uptime", "kill").replace("name: full", "name: bad"))
        (folder / "no.yaml").write_text("a: b: c")
        result = run("test", folder, "-o", "junit")
        assert result.exit_code == 1
        root = ElementTree.fromstring(result.stdout)  # noqa: S314 - our own
        assert root.attrib == {"name": "kubectl runbook test", "tests": "4", "failures": "1", "errors": "2"}
        suites = {suite.attrib["name"]: suite for suite in root}
        assert list(suites) == ["bad", "full", f"{folder}/no.yaml"]
        assert [case.attrib for case in suites["full"]] == [
            {"classname": "full", "name": "rest", "file": f"{folder}/good.yaml", "line": "52"},
            {"classname": "full", "name": r"<logs> & \x1b[31m\ufffe", "file": f"{folder}/good.yaml", "line": "53"},
        ]
        (failure,) = suites["full"].findall("testcase/failure")
        assert failure.attrib == {"message": "cause: expected rest, got logs"}
        assert failure.text == rf"{folder}/good.yaml:53:7: <logs> & \x1b[31m\ufffe: cause: expected rest, got logs"
        (error,) = suites["bad"].findall("testcase[@name='lint']/error")
        assert "'kill' is not among the read-only programs" in (error.text or "")

    def test_json_tells_the_same(self, folder: Path) -> None:
        result = run("test", folder, "-o", "json")
        (found,) = json.loads(result.stdout)
        assert (found["name"], found["passed"], found["problems"]) == ("full", True, [])
        assert found["cases"][1] == {
            "name": "logs",
            "line": 53,
            "passed": True,
            "expected": {"cause": "logs"},
            "got": {"cause": "logs", "escalate": "ManualActionRequired", "recommend": [], "unmet": ["free"]},
            "differences": [],
        }

    def test_json_has_the_same_fields_whatever_became_of_it(self, folder: Path) -> None:
        (folder / "bad.yaml").write_text(GOOD.replace("uptime", "kill").replace("name: full", "name: bad"))
        (folder / "no.yaml").write_text("a: b: c")
        found = json.loads(run("test", folder, "-o", "json").stdout)
        assert [(each["name"], each["passed"]) for each in found] == [("bad", False), ("full", True), (None, False)]
        assert {tuple(each) for each in found} == {("kind", "name", "file", "passed", "problems", "cases")}
        (problem,) = found[2]["problems"]
        assert tuple(problem) == ("line", "column", "field", "message")

    def test_a_runbook_without_cases_is_an_error_in_junit_xml(self, folder: Path) -> None:
        (folder / "good.yaml").write_text(GOOD)
        root = ElementTree.fromstring(run("test", folder, "-o", "junit").stdout)  # noqa: S314 - our own
        (error,) = root.iter("error")
        assert error.attrib["message"] == "it cannot be tested"
        assert "no test case: add one for each cause" in (error.text or "")


@pytest.mark.parametrize("command", ["lint", "test"])
def test_neither_command_loads_anything_that_talks_to_a_cluster_or_a_host(command: str, folder: Path) -> None:
    program = (
        "import sys; from firstresponder.cli.plugins.runbook import main\n"
        f"main([{command!r}, {str(folder / 'good.yaml')!r}], standalone_mode=False)\n"
        "print(sorted({'kubernetes', 'asyncssh', 'kopf', 'aiohttp'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "operator")}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", ["lint", "test"])
def test_the_help_of_each_command_has_an_example_of_its_own(command: str) -> None:
    text = run(command, "--help").stdout
    assert f"  kubectl runbook {command} runbooks/high-cpu.yaml\n" in text.partition("EXAMPLES\n")[2]
    assert "EXIT STATUS\n  0  " in text
    assert max(len(line) for line in text.splitlines()) <= 80


def host(metadata: str) -> str:
    accounts = "accounts: {observe: {user: fr-observe, credentialsRef: {name: keys}}}"
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"
    spec = f"{{address: 10.0.0.7, hostKeys: [{key}], {accounts}, expectedUnits: [checkout.service]}}"
    return f"apiVersion: firstresponder.dev/v1alpha1\nkind: Host\nmetadata: {{{metadata}}}\nspec: {spec}\n"


class TestRender:
    def test_a_page_is_printed_for_the_service_the_hosts_and_the_parameters_that_are_given(self) -> None:
        given = ("--service=checkout", "--host=target=c-07=10.0.0.7", "--parameter=cpuThreshold=91")
        result = run("render", RUNBOOKS / "high-cpu.yaml", *given)
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.startswith("# high-cpu\n")
        assert "### `processes` on c-07\n" in result.stdout
        assert "`processes.hostCpuPercent > 91`" in result.stdout
        assert '--url http://10.0.0.7/health; echo "exitcode=$?"\n' in result.stdout

    def test_address_and_expected_units_of_a_host_come_from_the_files(self) -> None:
        result = run("render", RUNBOOKS / "high-cpu.yaml", "-", "--host=target=c-07", text=host("name: c-07"))
        assert result.exit_code == 0, result.output
        assert "| `target` | `c-07` | `10.0.0.7` | `checkout.service` |" in result.stdout
        assert "n in ['checkout.service']" in result.stdout

    def test_a_host_that_could_be_one_of_two_is_none(self) -> None:
        both = "---\n".join(host(f"name: c-07, namespace: {namespace}") for namespace in ("test", "prod"))
        result = run("render", RUNBOOKS / "high-cpu.yaml", "-", "--host=target=c-07", text=both)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "there are several Hosts c-07 in these files (namespaces: test, prod)" in result.stderr
        assert run("render", RUNBOOKS / "high-cpu.yaml", "-", "--host=target=c-08", text=both).exit_code == 0

    def test_a_file_with_a_problem_is_not_rendered(self, folder: Path) -> None:
        (folder / "bad.yaml").write_text(GOOD.replace("uptime", "kill"))
        result = run("render", folder / "bad.yaml")
        assert result.exit_code == 1
        assert "spec.diagnostics[1].command.argv[0]: 'kill' is not among" in result.stdout
        assert "#" not in result.stdout

    @pytest.mark.parametrize(
        ("option", "words"),
        [
            ("--host=target=", "'' is not the name of a Host: write NAME, ROLE=NAME or ROLE=NAME=ADDRESS"),
            ("--host=target=a --host=b", "the role target is given twice"),
            ("--host=$(reboot)", "'$(reboot)' is not the name of a Host"),
            ("--host=target=c-07=10.0.0.7;reboot", "'10.0.0.7;reboot' is not a DNS name or an IP address"),
            ("--service=a`reboot`", "'a`reboot`' is not the name of a service"),
            ("--host=taget=c-07", "high-cpu: taget is not a role of this runbook (it has: target, control-node)"),
            ("--parameter=cpuThreshold", "'cpuThreshold' is not NAME=VALUE"),
            ("--parameter=window=1:30", "spec.parameters.window: '1:30' is not a duration"),
            ("--parameter=cpuThreshold=hot", "spec.parameters.cpuThreshold: 'hot' is not a number"),
            ("--parameter=fever=1", "spec.parameters.fever is not a parameter of this runbook"),
        ],
    )
    def test_wrong_usage_says_what_to_write(self, option: str, words: str) -> None:
        result = run("render", RUNBOOKS / "high-cpu.yaml", *option.split())
        assert result.exit_code == 2
        assert words in result.stderr

    def test_files_without_a_runbook_are_wrong_usage(self, folder: Path) -> None:
        (folder / "other.yaml").write_text(CONFIG_MAP)
        result = run("render", folder / "other.yaml")
        assert result.exit_code == 2
        assert "there is no Runbook and no TriagePlaybook in these files" in result.stderr
