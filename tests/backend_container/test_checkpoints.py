import threading

import pytest

from backend_container.checkpoints import Checkpoints
from ligan.intervals import CHECKPOINT, MAX_CHECKPOINT


class Desk:
    """Checkpoints on a clock that the test moves; `sent` is what went out."""

    def __init__(self):
        self.now, self.sent, self.stopping = 0.0, [], threading.Event()
        self.checkpoints = Checkpoints(lambda *one: self.sent.append(one), self.stopping, lambda: self.now)

    def keep(self, data, after=0.0):
        self.now += after
        self.checkpoints.keep(data)


@pytest.fixture
def desk():
    return Desk()


def test_the_first_goes_out_at_once_and_then_the_newest_of_each_interval(desk):
    for data in (b"1", b"2", b"3"):
        desk.keep(data, after=CHECKPOINT / 4)
    assert desk.sent == [(0, b"1")]
    desk.keep(b"4", after=CHECKPOINT)
    assert desk.sent == [(0, b"1"), (1, b"4")]


def test_what_waits_goes_out_when_its_time_has_come_without_a_newer_one(desk):
    desk.keep(b"1")
    desk.keep(b"2")
    desk.checkpoints.send_due()
    assert len(desk.sent) == 1
    desk.now += CHECKPOINT
    desk.checkpoints.send_due()
    desk.checkpoints.send_due()
    assert desk.sent == [(0, b"1"), (1, b"2")]


def test_nothing_waits_once_the_task_shall_stop(desk):
    desk.keep(b"1")
    assert not desk.checkpoints.due
    desk.stopping.set()
    assert desk.checkpoints.due
    desk.keep(b"2")
    desk.keep(b"3")
    assert desk.sent == [(0, b"1"), (1, b"2"), (2, b"3")]


def test_a_flush_sends_each_once(desk):
    desk.checkpoints.flush()
    desk.keep(b"1")
    desk.keep(b"2")
    desk.checkpoints.flush()
    desk.checkpoints.flush()
    assert desk.sent == [(0, b"1"), (1, b"2")]


def test_what_is_kept_does_not_change_with_the_tasks_buffer(desk):
    buffer = bytearray(b"1")
    desk.keep(buffer)
    desk.keep(buffer)
    buffer[:] = b"2"
    desk.checkpoints.flush()
    assert [data for _, data in desk.sent] == [b"1", b"1"]


def test_what_is_too_large_is_the_developers_fault(desk):
    desk.keep(bytes(MAX_CHECKPOINT))
    with pytest.raises(ValueError, match="8388608 bytes; this one has 8388609"):
        desk.keep(bytes(MAX_CHECKPOINT + 1))
