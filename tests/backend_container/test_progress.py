from itertools import pairwise

from backend_container.progress import INTERVAL, Progress


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def run(steps):
    """Readings of `steps`: (seconds since the last step, percent)."""
    clock, readings = Clock(), []
    progress = Progress(readings.append, clock)
    for seconds, percent in steps:
        clock.now += seconds
        progress.update(percent)
    return readings


def test_the_first_and_the_last_reading_are_always_sent():
    readings = run([(0, 0), (0.001, 40), (0.001, 100)])
    assert [(r.seq, r.percent) for r in readings] == [(0, 0), (1, 100)]


def test_at_most_five_a_second():
    readings = run([(0.01, n) for n in range(100)])
    assert 4 <= len(readings) <= 1 / INTERVAL + 1
    assert [r.seq for r in readings] == list(range(len(readings)))


def test_percent_never_falls_and_stays_within_its_range():
    readings = run([(1, -5), (1, 30), (1, 20), (1, 35), (1, 250), (1, 100)])
    assert [r.percent for r in readings] == [0, 30, 35, 100]
    assert all(a.percent < b.percent for a, b in pairwise(readings))


def test_the_time_to_go_follows_from_the_speed_so_far():
    readings = run([(0, 0), (2, 25), (2, 50), (2, 75), (2, 100)])
    assert [r.eta_s for r in readings] == [None, 6, 4, 2, 0]
