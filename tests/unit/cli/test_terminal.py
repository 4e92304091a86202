"""Colours are for a person at a terminal, and only if they want them."""

from __future__ import annotations

import io

import pytest

from firstresponder.cli.views.terminal import console, labelled, line_console


class Stream(io.TextIOWrapper):
    """A standard output that is a terminal or is not."""

    def __init__(self, *, terminal: bool, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def printed(monkeypatch: pytest.MonkeyPatch, stream: Stream, text: str = "Escalated") -> str:
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setenv("TERM", "xterm-256color")
    console().print(text, style="bold red")
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode(stream.encoding)


def test_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[1;31m" in printed(monkeypatch, Stream(terminal=True))


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "31m" not in printed(monkeypatch, Stream(terminal=True))


def test_a_pipe_gets_plain_text_even_when_colours_are_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert printed(monkeypatch, Stream(terminal=False)) == "Escalated\n"


def test_markup_of_others_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(monkeypatch, Stream(terminal=False), "[red]x[/red] :warning:") == "[red]x[/red] :warning:\n"


def test_a_character_that_the_locale_lacks_is_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(monkeypatch, Stream(terminal=False, encoding="ascii"), "a → b") == "a \\u2192 b\n"


@pytest.mark.parametrize("width", ["80", "200"])
def test_a_line_of_its_own_is_folded_for_a_person_and_stays_one_line_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    line = "word " * 100 + "end"
    for terminal in (True, False):
        stream = Stream(terminal=terminal)
        monkeypatch.setattr("sys.stdout", stream)
        line_console().print(line)
        stream.flush()
        assert isinstance(stream.buffer, io.BytesIO)
        lines = stream.buffer.getvalue().decode().splitlines()
        assert (len(lines) > 1) == terminal
        assert " ".join(" ".join(lines).split()) == line


@pytest.mark.parametrize("width", ["0", "1", "20", "40"])
def test_a_terminal_without_a_width_or_almost_none_gets_every_word(monkeypatch: pytest.MonkeyPatch, width: str) -> None:
    monkeypatch.setenv("COLUMNS", width)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stdout", stream := Stream(terminal=True))
    console().print(labelled([("Happened", "words that stand in the second column")]))
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    assert "column" in stream.buffer.getvalue().decode()


def test_a_line_in_a_pipe_ends_where_its_words_end(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(terminal=False)
    monkeypatch.setattr("sys.stdout", stream)
    console().print(labelled([("Wrong", "a  b"), ("Cause", "x\n\n  y")]))
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    assert buffer.getvalue().decode() == f"Wrong      a  b\nCause      x\n\n{' ' * 11}  y\n"
