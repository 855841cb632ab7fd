"""What is no test job's ID, and no file below the working folder, is said to be none before anybody is asked."""

from __future__ import annotations

from argparse import ArgumentTypeError

import pytest

from ligan.ids import new_id
from master_daemon.developer_command.words_given import files_within, trial_name


def test_good_words_stay_as_they_are() -> None:
    job = new_id("j")
    assert trial_name(job) == job
    for pattern in ("*", "runs/**/*.png", "./a", "..a"):
        assert files_within(pattern) == pattern


@pytest.mark.parametrize("text", ["", "j-x", "4711", "../../etc", new_id(), new_id("t"), new_id("j") + "\n"])
def test_what_is_no_test_job(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="ligan jobs --mine"):
        trial_name(text)


@pytest.mark.parametrize("pattern", ["", "/etc/*", "../*", "runs/../../*", ".."])
def test_what_is_not_below_the_folder(pattern: str) -> None:
    with pytest.raises(ArgumentTypeError, match="below the working folder"):
        files_within(pattern)


@pytest.mark.parametrize("pattern", ["runs/**.png", "***", "a**/b"])
def test_a_pattern_that_would_match_nothing(pattern: str) -> None:
    with pytest.raises(ArgumentTypeError, match=r"runs/\*\*/\*\.png"):
        files_within(pattern)
