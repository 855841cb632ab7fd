"""What is typed, what has to be shown, and what is only for the eye."""

from __future__ import annotations

import pytest

from tests.docs.transcript import Command, File, steps

TEXT = """
```sh
not run
```
```console
$ one
shown ...
as well
# two \\
> lines
```
```python
# name.py
print()
```
```python
print("for the eye")
```
"""


def test_steps() -> None:
    assert list(steps(TEXT)) == [
        Command("user", "one", "shown ...\nas well\n", 6),
        Command("root", "two \\\nlines", "", 9),
        File("name.py", "# name.py\nprint()\n", 13),
    ]


def test_output_is_compared_by_pattern() -> None:
    first, second, _ = steps(TEXT)
    assert isinstance(first, Command)
    assert isinstance(second, Command)
    assert first.agrees("shown   now\nas well\n")
    assert not first.agrees("shown now\n")
    assert second.agrees("anything")


def test_output_without_a_command_is_an_error() -> None:
    with pytest.raises(ValueError, match="line 2 is neither"):
        list(steps("```console\nlost\n```\n"))
