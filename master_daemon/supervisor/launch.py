"""Make a new job: its row, its token and its bootstrap document."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from pydantic import SecretStr

from ligan import PROTOCOL
from ligan.identity import derive
from ligan.ids import new_id
from ligan.intervals import ORPHAN_LEASE, ORPHAN_LEASE_LOCAL
from ligan.settings import JobSettings, Settings
from ligan.wire.job import Bootstrap, Role
from ligan.wire.session import JobState
from master_daemon.cluster.manager import JobRequest
from master_daemon.state.jobs import Job

_MODULES: dict[Role, str] = {"frontend": "frontend_server", "backend": "backend_container"}


@dataclass(frozen=True)
class Launcher:
    """Knows the site and the installation's secret."""

    settings: Settings
    secret: bytes
    daemon_url: str

    def frontend(self, generation: int, now: float) -> Job:
        return _job("frontend", "", generation, new_id("f"), now)

    def backend(self, session_key: str, session_id: str, generation: int, now: float) -> Job:
        return _job("backend", session_key, generation, session_id, now)

    def token(self, job: Job) -> str:
        """The job's token: derived from the secret, so that nothing secret is stored."""
        return derive(self.secret, job.role, job.nonce)

    def request(self, job: Job) -> JobRequest:
        site = self.site(job.role)
        command = (*site.prefix, site.python or sys.executable, "-m", _MODULES[job.role])
        return JobRequest(job.nonce, job.role, command, self._bootstrap(job).model_dump_json(), site.time_limit)

    def site(self, role: Role) -> JobSettings:
        """The site's settings for a kind of job."""
        return self.settings.frontend if role == "frontend" else self.settings.backend

    def _bootstrap(self, job: Job) -> Bootstrap:
        local = self.settings.daemon.resource_manager == "local"
        backend = self.settings.backend
        return Bootstrap(
            role=job.role,
            nonce=job.nonce,
            instance_id=job.instance_id,
            token=SecretStr(self.token(job)),
            daemon_url=self.daemon_url,
            bind_host="127.0.0.1" if local else "0.0.0.0",  # noqa: S104 (a cluster's nodes reach each other)
            engine=backend.engine,
            weights=backend.weights or None,
            device=backend.device,
            orphan_lease_s=ORPHAN_LEASE_LOCAL if local else ORPHAN_LEASE,
            protocol=PROTOCOL,
        )


def _job(role: Role, session_key: str, generation: int, instance_id: str, now: float) -> Job:
    return Job(
        nonce=new_id(),
        role=role,
        session_key=session_key,
        generation=generation,
        instance_id=instance_id,
        state=JobState.REQUESTED,
        requested_at=now,
        reason="It is about to be submitted.",
    )
