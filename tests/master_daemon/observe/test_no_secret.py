"""A whole main job with everything logged: no secret is in the log, the metrics or what operators are told."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
import requests

from ligan.identity import derive
from ligan.ids import new_id
from ligan.problem import Problem
from ligan.wire.job import Done, ReportedProgress, ReportedResult
from ligan.wire.task import NewTask, TaskCreated, TaskKinds
from master_daemon.api.caller import gateway_token
from master_daemon.api.operator_token import operator_token
from master_daemon.observe import logs
from master_daemon.tunnel.cookie import NAME
from tests.ligan.stub import wait_until
from tests.master_daemon.running import House, Played, Stream, house_in


@contextmanager
def everything_logged(log_format: Literal["text", "json"]) -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    stream = io.StringIO()
    logs.configure(log_format, logging.DEBUG, stream)
    yield stream
    logging.captureWarnings(False)
    root.handlers, root.level = handlers, level


def main_job(house: House, page: requests.Session, frontend: Played, backend: Played) -> None:
    """A task from the page to its result, with a stream open, and calls that are refused in between."""
    stream = Stream(house.url, page)
    task_id = house.line(page).post("/tasks", NewTask(kind="noop"), TaskCreated).task_id
    frontend.cluster().get("/kinds", TaskKinds)
    wait_until(lambda: backend.orders, "the task's delivery")
    line = backend.cluster()
    line.post("/on-progress", ReportedProgress(task_id=task_id, attempt=1, seq=1, percent=50), Done)
    line.post("/on-result", ReportedResult(task_id=task_id, attempt=1), Done)
    stream.until(lambda event: event["event"] == "on-result")
    for headers in ({"Authorization": "Bearer wrong"}, {"X-Ligan-Job": new_id()}):
        with pytest.raises(Problem):
            backend.cluster(**headers).post("/heartbeat", Done(), Done)
    stream.close()


def secrets_of(house: House, page: requests.Session, jobs: list[Played]) -> dict[str, str]:
    """Everything that gives access, by what it is."""
    secret = house.daemon.parts.secret
    session_id = house.session_of(page)["session_id"]
    found = {
        "secret": secret.hex(),
        "secret, base64": base64.b64encode(secret).decode().rstrip("="),
        "secret, bytes": repr(secret)[2:-1],
        "gateway": gateway_token(secret),
        "operator": operator_token(secret),
        "cookie key": derive(secret, "session-cookie"),
        "cookie": page.cookies[NAME],
        "session ID": session_id,
        "session key": house.key(session_id),
        "frontend ID": jobs[0].bootstrap.instance_id,
        "bootstrap": '"orphan_lease_s"',
    }
    return found | {f"token of {job.bootstrap.role}": job.bootstrap.token.get_secret_value() for job in jobs}


def fail_in_every_way(house: House, page: requests.Session, backend: Played) -> None:
    """What a careless line or a library might log."""
    log = logging.getLogger("master_daemon.test")
    log.debug("bootstrap %s", backend.bootstrap.model_dump_json())
    log.warning("answer to %s: %s", page.headers, page.cookies)
    log.error("key %s", house.key(house.session_of(page)["session_id"]))
    try:
        raise ValueError(backend.bootstrap.token.get_secret_value())
    except ValueError:
        log.exception("failed with %s", page.cookies[NAME])


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_whole_main_job_gives_nothing_away(tmp_path: Path, log_format: Literal["text", "json"]) -> None:
    with everything_logged(log_format) as stream, house_in(tmp_path / "state") as house:
        frontend = house.frontend()
        page = house.page()
        backend = house.backend(page)
        main_job(house, page, frontend, backend)
        fail_in_every_way(house, page, backend)
        operator = {"Authorization": f"Bearer {operator_token(house.daemon.parts.secret)}"}
        told = [requests.get(house.url + "/metrics", timeout=20).text]
        for path in ("status", "jobs", "sessions", f"explain/{backend.bootstrap.nonce}", "explain/nothing"):
            told.append(requests.get(f"{house.url}/api/v1/admin/{path}", headers=operator, timeout=20).text)
        secrets = secrets_of(house, page, [frontend, backend])
    logged = stream.getvalue()
    assert backend.bootstrap.nonce in logged
    assert [name for name, secret in secrets.items() if secret in logged] == []
    assert [name for name, secret in secrets.items() if any(secret in text for text in told)] == []
    if log_format == "json":
        lines = [json.loads(line) for line in logged.splitlines()]
        assert any(line.get("job") == backend.bootstrap.nonce and "session" in line for line in lines)
