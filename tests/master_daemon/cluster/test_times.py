import pytest

from master_daemon.cluster.times import expected_start, parse_duration, parse_time, whole_minutes


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0:00", 0),
        ("0:59", 59),
        ("59:58", 3598),
        ("1:02:03", 3723),
        ("1-00:00:00", 86400),
        ("10-23:59:59", 950399),
        ("UNLIMITED", None),
        ("INVALID", None),
        ("NOT_SET", None),
    ],
)
def test_durations_of_squeue(text: str, seconds: int | None) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "12", "1-2", "1:2:3:4", "-1:00", "1:00 ", "soon", "1-00:00:00\n"])
def test_anything_else_is_not_guessed(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(("seconds", "minutes"), [(1, 1), (59, 1), (60, 1), (61, 2), (3600, 60)])
def test_limits_are_rounded_up_to_minutes(seconds: int, minutes: int) -> None:
    assert whole_minutes(seconds) == minutes


@pytest.mark.parametrize("seconds", [0, -1])
def test_no_limit_is_no_limit_to_ask_for(seconds: int) -> None:
    with pytest.raises(ValueError, match="at least a second"):
        whole_minutes(seconds)


@pytest.mark.parametrize(("text", "time"), [("1800000000", 1_800_000_000), ("N/A", None), ("Unknown", None)])
def test_times_of_squeue(text: str, time: int | None) -> None:
    assert parse_time(text) == time


@pytest.mark.parametrize("text", ["", "2027-01-15T08:00:00", "-1", "1e9", "%s", "\u0661"])
def test_a_time_in_any_other_form_is_not_guessed(text: str) -> None:
    with pytest.raises(ValueError, match="not a Unix time"):
        parse_time(text)


@pytest.mark.parametrize(("start", "expected"), [(11.0, 11.0), (10.0, None), (0, None), (None, None)])
def test_a_start_that_has_passed_is_not_expected(start: float | None, expected: float | None) -> None:
    assert expected_start(start, now=10.0) == expected
