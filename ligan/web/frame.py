"""A frame of an event stream as its reader gets it (Server-Sent Events, WHATWG HTML section 9.2). Pure."""

from __future__ import annotations


def fields_of(frame: bytes) -> dict[str, str]:
    """Its fields by name; comments, and fields without a value, are none.

    Our servers end lines with a line feed. Python's `splitlines` would also cut at U+0085 and U+2028, which JSON holds.
    """
    lines = frame.decode().split("\n")
    return dict(line.split(": ", 1) for line in lines if ": " in line and line[0] != ":")
