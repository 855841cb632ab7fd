"""Further options for sbatch: what is refused says why, what is mistyped is recognised, a plugin's options pass."""

from __future__ import annotations

import re

import pytest

from ligan.extra_option import REFUSED, check_extra


@pytest.mark.parametrize(
    "option",
    [
        "--exclude=node7",
        "--exclusive",
        "--comment=GPUs for faces; $HOME `id` 'x' \"y\" \\ #",
        "--gpus-per-node=a100:1",
        "--export=NONE",
        "--container-image=docker://debian",  # of pyxis
        "--container-mounts=/scratch",
        "--tmpdir-size=4G",
        "--x11",
    ],
)
def test_what_may_be_given(option: str) -> None:
    assert check_extra(option) == option


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("value", ["", "=x"])
def test_what_is_ours_is_refused_with_the_reason(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"--{name} cannot be given here: {REFUSED[name]}")):
        check_extra(f"--{name}{value}")


@pytest.mark.parametrize(
    ("option", "meant"),
    [
        ("--part=gpu", "partition"),  # as getopt_long(3) would take it
        ("--job-n=x", "job-name"),
        ("--no-req", "no-requeue"),
        ("--outpu=/x", "output"),
        ("--accout=faces", "account"),
        ("--licences=x", "licenses"),
        ("--exlude=node7", "exclude"),
        ("--no-kil", "no-kill"),
    ],
)
def test_an_abbreviation_and_a_typing_error_are_told_what_was_meant(option: str, meant: str) -> None:
    with pytest.raises(ValueError, match=rf"did you mean --{meant}\?"):
        check_extra(option)


@pytest.mark.parametrize(
    "option",
    [
        "",
        "-Afaces",
        "-A",
        "faces",
        "--",
        "---x",
        "--Account=x",
        "--exclude node7",
        ":",
        "=x",
        "--x y=z",
        "--a\n--uid=0",
    ],
)
def test_other_forms_are_refused(option: str) -> None:
    with pytest.raises(ValueError, match="long form"):
        check_extra(option)
