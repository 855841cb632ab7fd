"""The form of what a site file hands to Slurm: nothing with a blank, a quote or a line feed gets through."""

from __future__ import annotations

import string

import pytest
from pydantic import TypeAdapter, ValidationError

from ligan.slurm_value import Constraint, Extra, Gres, Memory, Name, Names, Signal, Word, notice_s

CLOSED = {"Name": Name, "Names": Names, "Gres": Gres, "Memory": Memory, "Constraint": Constraint, "Signal": Signal}
GOOD = [
    (Name, "faces"),
    (Name, "open-30-12"),
    (Name, "škola"),
    (Names, "gpu"),
    (Names, "gpu_h100,gpu-a100,gpu.short"),
    (Gres, "gpu"),
    (Gres, "gpu:1"),
    (Gres, "gpu:a100:2"),
    (Gres, "gpu:nvidia_a100-sxm4-80gb:1,tmpfs:4"),
    (Gres, "gpu:1g.10gb:1"),
    (Memory, "8G"),
    (Memory, "4000"),
    (Memory, "0"),
    (Constraint, "[rack1|rack2]&ib*2"),
    (Constraint, "gpu_mem:80,(x!y)"),
    (Signal, "TERM@60"),
]


@pytest.mark.parametrize(("kind", "text"), [*GOOD, *((kind, "") for kind in CLOSED.values())])
def test_good_values_stay_as_they_are(kind: object, text: str) -> None:
    assert TypeAdapter(kind).validate_python(text) == text


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("character", [*" \t\n\r\f\v\0'\"\\$`;<>#%{}~^?", "\x1b", "\u2028", "\u00a0", "\ud800"])
def test_nothing_that_ends_a_word_or_a_line_gets_through(name: str, character: str) -> None:
    adapter = TypeAdapter(CLOSED[name])
    good = next(text for kind, text in GOOD if kind is CLOSED[name])
    for text in (character, f"{good}{character}", f"{character}{good}", f"{good}{character}--uid=0"):
        with pytest.raises(ValidationError):
            adapter.validate_python(text)


@pytest.mark.parametrize("kind", [Name, Names, Gres, Memory, Signal])
@pytest.mark.parametrize("text", ["-x", "--uid=0", ",", "a,,b", "=", "&", "|"])
def test_options_and_empty_words_are_no_values(kind: object, text: str) -> None:
    with pytest.raises(ValidationError, match="write "):
        TypeAdapter(kind).validate_python(text)


@pytest.mark.parametrize("text", ["TERM", "USR1@60", "KILL@60", "TERM@", "TERM@1m", "TERM@65536", "R:TERM@1"])
def test_a_signal_that_our_servers_do_not_end_on_is_none(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Signal).validate_python(text)


@pytest.mark.parametrize("text", ["TERM@120", "SIGTERM@120", "B:TERM@120", "B:SIGTERM@120"])
def test_one_spelling_of_a_signal(text: str) -> None:
    assert TypeAdapter(Signal).validate_python(text) == "TERM@120"
    assert notice_s("TERM@120") == 120
    assert notice_s("") == 0


@pytest.mark.parametrize("kind", [Word, Extra])
@pytest.mark.parametrize("character", ["\n", "\r", "\0", "\x1b", "\x85", "\u2028", "\u2029", "\u202e"])
def test_free_words_have_no_control_characters(kind: object, character: str) -> None:
    with pytest.raises(ValidationError, match="control characters"):
        TypeAdapter(kind).validate_python(f"--comment=a{character}#SBATCH --uid=0")


def test_free_words_may_have_all_else() -> None:
    text = f"--comment={string.punctuation} é"
    assert TypeAdapter(Word).validate_python(text) == TypeAdapter(Extra).validate_python(text) == text
