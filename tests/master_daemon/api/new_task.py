"""A task as a page asks for it."""

from __future__ import annotations

import requests

from ligan.wire.task import NewTask, TaskCreated
from tests.master_daemon.running import House


def new_task(house: House, browser: requests.Session) -> str:
    """ID of one that takes no time."""
    return house.line(browser).post("/tasks", NewTask(kind="noop"), TaskCreated).task_id
