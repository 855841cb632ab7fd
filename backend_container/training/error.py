"""Why a training cannot begin or go on."""

from __future__ import annotations


class TrainingError(Exception):
    """The text says what is wrong and what to do."""

    def __init__(self, text: str, code: int = 2) -> None:
        """`code` is the exit code of `ligan train`: 2 where it cannot begin, 1 where it failed on its way."""
        super().__init__(text)
        self.code = code
