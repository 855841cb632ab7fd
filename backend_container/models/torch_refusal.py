"""Why torch.load(weights_only=True) did not read a file. Pure."""

from __future__ import annotations

import pickle
import re

UNREADABLE = (
    *(pickle.UnpicklingError, RuntimeError, ValueError, EOFError, LookupError, AttributeError, TypeError),
    *(AssertionError, OverflowError, MemoryError),
)
"""What it raises for files that are damaged or of another kind, OSError aside."""
_NAMED = re.compile(r"GLOBAL (\S+)")


def refusal(error: Exception) -> str:
    """In a few words. Torch's own begin with the advice to execute what the file holds."""
    if named := _NAMED.search(str(error)):
        return f"it names {named[1]}, which no weights need: do not trust it"
    if isinstance(error, pickle.UnpicklingError):
        return "it is damaged, or no file of tensors"
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
