"""Terminal sessions in Markdown: what is typed after a prompt, and what has to be shown."""

from __future__ import annotations

import doctest
import re
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^# (?P<name>[\w.-]+)\n")
PROMPTS = {"$": "user", "#": "root"}
CONTINUED = "> "
_COMPARISON = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Command:
    """One command and its stated output; empty: nothing is stated."""

    who: str
    text: str
    output: str
    line: int

    def agrees(self, shown: str) -> bool:
        """As doctest compares: `...` stands for anything, white space for any white space."""
        return not self.output or doctest.OutputChecker().check_output(self.output, shown, _COMPARISON)


@dataclass(frozen=True)
class File:
    """A program to be saved under the name in its first line, a comment."""

    name: str
    text: str
    line: int


Step = Command | File


def steps(markdown: str) -> Iterator[Step]:
    """Commands of ```console blocks and files of ```python blocks, in order. Other blocks are for the eye."""
    for block in _FENCE.finditer(markdown):
        line = markdown.count("\n", 0, block.start("body")) + 1
        if block["language"] == "console":
            yield from _commands(block["body"], line)
        elif block["language"] == "python" and (name := _FILE.match(block["body"])):
            yield File(name["name"], block["body"], line)


def _commands(body: str, line: int) -> Iterator[Command]:
    """Raises ValueError where a block does not begin with a prompt."""
    found: list[list[str]] = []
    starts: list[int] = []
    for number, text in enumerate(body.splitlines(), line):
        if text[:2] in {f"{prompt} " for prompt in PROMPTS}:
            found.append([text])
            starts.append(number)
        elif not found:
            raise ValueError(f"line {number} is neither a command nor the output of one: {text}")
        else:
            found[-1].append(text)
    yield from (_command(lines, start) for lines, start in zip(found, starts, strict=True))


def _command(lines: list[str], start: int) -> Command:
    first, *rest = lines
    more = [text for text in rest if text.startswith(CONTINUED)]
    typed = [first[2:], *(text.removeprefix(CONTINUED) for text in more)]
    shown = "".join(f"{text}\n" for text in rest[len(more) :])
    return Command(PROMPTS[first[0]], "\n".join(typed), shown, start)
