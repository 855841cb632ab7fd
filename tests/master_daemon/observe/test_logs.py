"""The log's two formats, and what a line is about."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Literal

import pytest

from ligan.ids import new_id
from master_daemon.observe import logs
from master_daemon.observe.session_tag import session_tag

log = logging.getLogger("master_daemon.test")
Configure = Callable[[Literal["text", "json"]], io.StringIO]


@pytest.fixture
def configure() -> Iterator[Configure]:
    """Configures the process's log into a stream; what pytest had is put back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def into(log_format: Literal["text", "json"]) -> io.StringIO:
        root.handlers = []
        stream = io.StringIO()
        logs.configure(log_format, logging.INFO, stream)
        return stream

    yield into
    logging.captureWarnings(False)
    root.handlers, root.level = handlers, level
    logs.forget()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_is_one_object_a_line(configure: Configure) -> None:
    stream = configure("json")
    log.info("two\nlines of %s", "text")
    log.debug("not at this level")
    (line,) = lines(stream)
    assert line == {
        "level": "INFO",
        "logger": "master_daemon.test",
        "message": "two\nlines of text",
        "time": line["time"],
    }
    told = datetime.fromisoformat(line["time"])
    assert told.tzinfo == UTC
    assert abs((datetime.now(UTC) - told).total_seconds()) < 60


def test_an_error_comes_with_its_traceback_and_without_its_secrets(configure: Configure) -> None:
    stream = configure("json")
    token = "ab" * 32
    try:
        raise ValueError(f"bad token {token}")
    except ValueError:
        log.exception("it failed")
    (line,) = lines(stream)
    assert "ValueError: bad" in line["error"]
    assert token not in stream.getvalue()


def test_a_line_tells_what_it_is_about(configure: Configure) -> None:
    stream = configure("json")
    key, nonce, task = new_id("k"), new_id(), new_id("t")
    with logs.about(session_key=key, job=nonce):
        with logs.about(task=task):
            log.info("inner")
        log.info("outer")
    log.info("outside")
    log.info("backend %s has task %s", nonce, task)
    inner, outer, outside, found = lines(stream)
    assert (inner["session"], inner["job"], inner["task"]) == (session_tag(key), nonce, task)
    assert (outer["session"], outer["job"]) == (session_tag(key), nonce)
    assert not {"session", "job", "task"} & {*outside, *(set(outer) - {"session", "job"})}
    assert (found["job"], found["task"]) == (nonce, task)


def test_threads_are_about_different_things(configure: Configure) -> None:
    stream = configure("json")
    logs.note(job=new_id())
    other = threading.Thread(target=lambda: log.info("elsewhere"))
    other.start()
    other.join()
    logs.forget()
    log.info("forgotten")
    assert not any("job" in line for line in lines(stream))


def test_text_is_scrubbed_as_well(configure: Configure) -> None:
    stream = configure("text")
    session = new_id("s")
    log.warning("of %s", session)
    assert stream.getvalue().endswith("WARNING master_daemon.test: of [session ID]\n")
