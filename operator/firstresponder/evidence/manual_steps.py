"""How a person sees what a probe sees: what to run, and where each field stands in what it prints.

A probe wraps its program so that a machine can see how it ended. A person sees that, so the wrapping falls away; the
program and its options stay, but for what the probe's own account may do and people's may not.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from firstresponder.api.base import ApiModel

A = TypeVar("A", bound=ApiModel)


@dataclass(frozen=True)
class Asked:
    """When a person looks."""

    timeout: float
    """Seconds that the look may take."""
    verifying: bool
    """Whether an action ended before: the shell's variable ``ended`` holds that moment then, in Unix seconds."""


def command_line(argv: Iterable[str]) -> str:
    """The words as a shell reads them, quoted so that people can read them too."""
    return " ".join(map(_quoted, argv))


def _quoted(word: str) -> str:
    # In double quotes a single quote is only a character, and so is everything but these.
    return f'"{word}"' if "'" in word and not re.search(r'["$`\\!]', word) else shlex.quote(word)


@dataclass(frozen=True)
class ManualSteps(Generic[A]):
    """The functions are pure; arguments have no templates any more."""

    fields: Callable[[A], Mapping[str, str]]
    """Each field of the probe, and how it is read from what was printed: Markdown, of one line."""
    commands: Callable[[A, Asked], str] | None = None
    """Lines for a shell in the C locale; None: the probe's own command line. Raises Unobserved as the probe does."""
