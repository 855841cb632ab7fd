"""Work is done in order, by as many threads as there are, until they are closed."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator

import pytest

from ligan.web.http.threads import Threads
from tests.ligan.stub import wait_until


@pytest.fixture
def one() -> Iterator[Threads]:
    threads = Threads(1, "one")
    yield threads
    threads.close()


def test_work_is_done_in_the_order_of_its_arrival(one: Threads) -> None:
    done: list[int] = []
    for number in range(100):
        one.submit(lambda number=number: done.append(number))
    wait_until(lambda: len(done) == 100, "all of it")
    assert done == list(range(100))


def test_so_many_work_at_once_and_no_more() -> None:
    threads, open_, inside = Threads(3, "three"), threading.Event(), threading.Semaphore(0)
    beyond: list[str] = []

    def work() -> None:
        inside.release()
        open_.wait(20)

    for _ in range(3):
        threads.submit(work)
    threads.submit(lambda: beyond.append(threading.current_thread().name))
    assert all(inside.acquire(timeout=20) for _ in range(3))
    assert beyond == []
    open_.set()
    wait_until(lambda: beyond != [], "the fourth")
    assert beyond[0].startswith("three")
    threads.close()


def test_once_closed_what_waits_is_dropped_and_what_runs_goes_on(one: Threads) -> None:
    begun, open_ = threading.Event(), threading.Event()
    ended: list[threading.Thread] = []

    def work() -> None:
        begun.set()
        open_.wait(20)
        ended.append(threading.current_thread())

    one.submit(work)
    one.submit(lambda: pytest.fail("it had not begun"))
    assert begun.wait(20)
    one.close()
    open_.set()
    wait_until(lambda: len(ended) == 1, "what was under way")
    ended[0].join(20)
    assert not ended[0].is_alive()


def test_once_closed_nothing_more_is_done(one: Threads) -> None:
    done = threading.Event()
    one.submit(done.set)
    assert done.wait(20)
    one.close()
    one.submit(lambda: pytest.fail("it is closed"))
    wait_until(lambda: not any(thread.name == "one_0" for thread in threading.enumerate()), "its thread ends")


def test_one_that_rests_is_woken_while_others_work() -> None:
    threads, open_ = Threads(2, "two"), threading.Event()
    for _ in range(100):
        begun, done = threading.Event(), threading.Event()

        def work(begun: threading.Event = begun) -> None:
            begun.set()
            open_.wait(20)

        threads.submit(work)
        assert begun.wait(20)
        threads.submit(done.set)
        assert done.wait(20)
        open_.set()
        wait_until(lambda: len(threads._idle) == 2, "both rest")
        open_.clear()
    threads.close()


def test_nothing_is_kept_of_what_was_done(one: Threads) -> None:
    class Body:
        """What a request brought."""

    body = Body()
    seen = weakref.ref(body)
    one.submit(lambda body=body: None)
    del body
    wait_until(lambda: seen() is None, "it is forgotten")
