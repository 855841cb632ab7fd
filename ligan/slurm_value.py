"""Values that a site file hands to Slurm, each checked for its form. sbatch(1)."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from ligan.extra_option import check_extra

_NAME = r"\w[\w.@:+-]*"
NAME = re.compile(_NAME)
# faces    project-7    user@group
NAMES = re.compile(rf"{_NAME}(,{_NAME})*")
# gpu    gpu_h100,gpu_a100
_RESOURCE = r"[A-Za-z_]\w*(:[\w.+-]+)?(:[0-9]+)?"
GRES = re.compile(rf"{_RESOURCE}(,{_RESOURCE})*")
# gpu:1    gpu:a100:1    gpu:1g.10gb:1,tmpfs:4
MEMORY = re.compile(r"[0-9]+([KMGT]B?)?", re.IGNORECASE)
# 8G    4000
CONSTRAINT = re.compile(r"[\w.:=@&|!,*()\[\]+-]+")
# ampere    [rack1|rack2]    gpu_mem:80&ib
SIGNAL = re.compile(r"(SIG)?TERM@[0-9]{1,5}")
# TERM@60
LONGEST_NOTICE = 65535
"""Seconds; sbatch(1), --signal."""


def printable(text: str) -> str:
    """`text` as it is. Raises ValueError for control characters, with which a line could be slipped into a script."""
    if not text.isprintable():
        raise ValueError(f"control characters such as line feeds cannot be passed on: {text!r}")
    return text


def _name(text: str) -> str:
    return _of_form(NAME, text, "a name such as faces")


def _names(text: str) -> str:
    return _of_form(NAMES, text, "one name or several with commas and no blanks, such as gpu_h100,gpu_a100")


def _gres(text: str) -> str:
    return _of_form(GRES, text, "gpu:1, gpu:a100:1 or several with commas")


def _memory(text: str) -> str:
    return _of_form(MEMORY, text, "an amount such as 8G")


def _constraint(text: str) -> str:
    return _of_form(CONSTRAINT, text, "features of nodes such as ampere or a100|h100, without blanks and quotes")


def _signal(text: str) -> str:
    text = _of_form(SIGNAL, text.removeprefix("B:"), "TERM@SECONDS, such as TERM@60: our servers end on SIGTERM")
    if notice_s(text) > LONGEST_NOTICE:
        raise ValueError(f"at most {LONGEST_NOTICE} seconds before the end")
    return text.removeprefix("SIG")


def _of_form(form: re.Pattern[str], text: str, wanted: str) -> str:
    if text and not form.fullmatch(text):
        raise ValueError(f"write {wanted}, not {text!r}")
    return text


def notice_s(signal: str) -> int:
    """Seconds before the time limit of `TERM@60`; 0 for none."""
    return int(signal.partition("@")[2] or 0)


Word = Annotated[str, AfterValidator(printable)]
Name = Annotated[str, AfterValidator(_name)]
Names = Annotated[str, AfterValidator(_names)]
Gres = Annotated[str, AfterValidator(_gres)]
Memory = Annotated[str, AfterValidator(_memory)]
Constraint = Annotated[str, AfterValidator(_constraint)]
Signal = Annotated[str, AfterValidator(_signal)]
Extra = Annotated[str, AfterValidator(printable), AfterValidator(check_extra)]
"""Each may be empty but the last: then nothing is asked for."""
