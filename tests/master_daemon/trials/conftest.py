"""A daemon over a fake cluster, and a developer with the operator's token."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ligan.ids import new_id
from ligan.trial.line import Line
from ligan.web.app import make_app
from ligan.wire.trial import Content, NewTrial, Trial
from master_daemon.api.operator_token import TOKEN_FILE
from master_daemon.developer_command.server import Server
from master_daemon.state.jobs import Job
from tests.ligan.stub import wait_until
from tests.master_daemon.running import House, Played, house_in


@dataclass
class Lab:
    """The house, and somebody who submits."""

    house: House
    server: Server

    def order(self, *command: str, **values: Any) -> NewTrial:
        return NewTrial(request_id=new_id(), command=list(command or ("true",)), **values)

    def submit(self, *command: str, **values: Any) -> str:
        return self.server.submit(self.order(*command, **values)).trial_id

    def piece(self, body: bytes) -> Content:
        """A file of one piece, which is here then."""
        sha256 = hashlib.sha256(body).hexdigest()
        self.server.put_piece(sha256, body)
        return Content(size=len(body), pieces=[sha256])

    def look(self, trial_id: str) -> Trial:
        return self.server.trial(trial_id)

    def job(self, trial_id: str) -> Job:
        job = self.house.newest(trial_id)
        assert job is not None
        return job

    def play(self, trial_id: str) -> tuple[Played, Line]:
        """The trial's job, whose command runs."""
        bootstrap = self.house.bootstrap(self.job(trial_id).nonce)
        self.house.manager.start(bootstrap.nonce)
        played = self.house.play(bootstrap, make_app("trial", "Trial", "Played.", 1 << 20))
        return played, Line(played.home.client, patience_s=5)

    def wait(self, trial_id: str, state: str) -> Trial:
        wait_until(lambda: self.look(trial_id).state == state, f"the state {state}")
        return self.look(trial_id)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with house_in(tmp_path / "state") as house:
        yield Lab(house, Server(house.url, (tmp_path / "state" / TOKEN_FILE).read_text().strip()))
