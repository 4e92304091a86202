"""The help of every command of every plugin reads like a manual page, and so does the page made of them all."""

from __future__ import annotations

import re

import click
import pytest
from click.testing import CliRunner

from firstresponder.cli.manual import Manual
from firstresponder.cli.plugins import PLUGINS
from firstresponder.codegen import commands as reference

COMMANDS = {ctx.command_path: ctx for plugin in PLUGINS.values() for ctx in reference.walk(plugin)}
every_command = pytest.mark.parametrize("path", COMMANDS)


def helped(path: str, width: int = 80) -> str:
    plugin = COMMANDS[path].find_root().command
    words = path.removeprefix(plugin.name or "").split()
    result = CliRunner().invoke(plugin, [*words, "--help"], env={"COLUMNS": str(width), "FORCE_COLOR": "1"})
    assert result.exit_code == 0
    return result.output


def sections(text: str) -> dict[str, str]:
    return dict(re.findall(r"(?ms)^([A-Z][A-Z ]+)\n(.*?)(?=^[A-Z]|\Z)", text))


def test_the_plugins_are_those_that_kubectl_finds() -> None:
    assert {"kubectl approve", "kubectl deny", "kubectl incident", "kubectl incident open"} <= COMMANDS.keys()


@every_command
def test_the_help_has_the_parts_of_a_manual_page_in_their_order(path: str) -> None:
    parts = sections(helped(path))
    expected = ["NAME", "SYNOPSIS", "DESCRIPTION", "ARGUMENTS", "COMMANDS", "OPTIONS", "EXIT STATUS", "EXAMPLES"]
    assert [each for each in parts if each not in {"ARGUMENTS", "COMMANDS"}] == [
        each for each in expected if each not in {"ARGUMENTS", "COMMANDS"}
    ]
    assert parts["NAME"].startswith(f"  {path} - ")
    assert parts["SYNOPSIS"].startswith(f"  {path} [OPTIONS]")
    assert {"0", "1", "2"} <= set(re.findall(r"(?m)^  (\d+)  +\S", parts["EXIT STATUS"]))
    assert f"  {path} " in parts["EXAMPLES"]


@every_command
def test_the_help_says_what_each_argument_option_and_command_is_for(path: str) -> None:
    parts, command = sections(helped(path)), COMMANDS[path].command
    for parameter in command.get_params(COMMANDS[path]):
        names = [*parameter.opts] if isinstance(parameter, click.Option) else [parameter.human_readable_name.upper()]
        part = parts["OPTIONS" if isinstance(parameter, click.Option) else "ARGUMENTS"]
        for name in names:
            assert re.search(rf"(?m)^  .*{re.escape(name)}\b.*(?:  +\S|\n {{10,}}\S)", part), name
    if isinstance(command, click.Group):
        assert re.findall(r"(?m)^  (\w+)  +\S", parts["COMMANDS"]) == list(command.commands)


@every_command
@pytest.mark.parametrize("width", [80, 200])
def test_the_help_fits_80_columns_on_any_terminal_and_has_no_colours(path: str, width: int) -> None:
    text = helped(path, width)
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert "…" not in text
    assert "..." not in text.replace("[ARGS]...", "")


@every_command
def test_every_example_is_a_command_line_that_is_understood(path: str) -> None:
    command = COMMANDS[path].command
    assert isinstance(command, Manual)
    lines = "\n".join(command.examples).replace("\\\n", " ").splitlines()
    for line in lines:
        name = next((each for each in sorted(COMMANDS, key=len, reverse=True) if line.startswith(f"{each} ")), None)
        if name is None:
            assert line.startswith(("#", "kubectl patch ")), line
            continue
        words = [each.strip("'\"") for each in re.findall(r"'[^']*'|\"[^\"]*\"|\S+", line.removeprefix(name))]
        stop = next((index for index, word in enumerate(words) if word in {"|", "||", ">"}), len(words))
        COMMANDS[name].command.make_context(name, words[:stop], COMMANDS[name].parent)


def test_wrong_usage_names_the_command_as_people_write_it() -> None:
    plugin = COMMANDS["kubectl incident"].command
    result = CliRunner().invoke(plugin, ["watch"], prog_name="/usr/bin/kubectl-incident")
    assert result.exit_code == 2
    assert "Try 'kubectl incident watch --help' for help." in result.output


def test_what_lies_in_docs_is_what_the_commands_say() -> None:
    for path, text in reference.files().items():
        assert path.read_text() == text, f"{path.name}: run `make generate`"


def test_every_command_has_its_section_on_the_page() -> None:
    assert re.findall(r"(?m)^## (kubectl .*)$", reference.page()) == list(COMMANDS)


def test_every_command_has_a_manual_page() -> None:
    assert [path for path, ctx in COMMANDS.items() if not isinstance(ctx.command, Manual)] == []
