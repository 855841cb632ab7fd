"""Make a new job: its row, its token and its bootstrap document."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pydantic import SecretStr

from ligan import PROTOCOL
from ligan.identity import derive
from ligan.ids import new_id
from ligan.intervals import ORPHAN_LEASE, ORPHAN_LEASE_LOCAL
from ligan.settings import JobSettings, Settings
from ligan.wire.job import Bootstrap, Role
from ligan.wire.session import JobState
from master_daemon.cluster.container import python_argv, weights_cache
from master_daemon.cluster.manager import JobRequest
from master_daemon.state.jobs import Job
from master_daemon.supervisor import seats
from master_daemon.weights import Weights

_MODULES: dict[Role, str] = {
    "frontend": "frontend_server",
    "backend": "backend_container",
    "cpu": "backend_container",
}
_TAG_LENGTH = 6


@dataclass(frozen=True)
class Launcher:
    """Knows the site and the installation's secret."""

    settings: Settings
    secret: bytes
    daemon_url: str

    @property
    def tag(self) -> str:
        """Begins the nonce of every job of this installation: others of the same account are left alone."""
        return derive(self.secret, "installation")[:_TAG_LENGTH]

    @cached_property
    def weights(self) -> Weights:
        """What backends load, as far as it is on this machine."""
        return Weights(self.settings.backend.weights)

    def job(self, seat: str, instance_id: str, last: Job | None, now: float) -> Job:
        """The seat's next job after `last`. `instance_id` is the frontend ID, or the backend's."""
        return Job(
            nonce=self.tag + new_id()[_TAG_LENGTH:],
            role=seats.role_of(seat),
            seat=seat,
            generation=1 if last is None else last.generation + 1,
            instance_id=instance_id,
            state=JobState.REQUESTED,
            requested_at=now,
            failures=seats.next_failures(last) if last is not None and not last.live else 0,
            reason="It is about to be submitted.",
        )

    def token(self, job: Job) -> str:
        """The job's token: derived from the secret, so that nothing secret is stored."""
        return derive(self.secret, job.role, job.nonce)

    def request(self, job: Job) -> JobRequest:
        site = self.site(job.role)
        command = (*python_argv(self.settings, job.role, site), "-m", _MODULES[job.role])
        return JobRequest(job.nonce, job.role, command, self._bootstrap(job).model_dump_json(), site.time_limit)

    def site(self, role: Role) -> JobSettings:
        """The site's settings for a kind of job."""
        sites: dict[Role, JobSettings] = {
            "frontend": self.settings.frontend,
            "backend": self.settings.backend,
            "cpu": self.settings.cpu,
        }
        return sites[role]

    def _bootstrap(self, job: Job) -> Bootstrap:
        local = self.settings.daemon.resource_manager == "local"
        backend = self.settings.backend
        return Bootstrap(
            role="frontend" if job.role == "frontend" else "backend",
            nonce=job.nonce,
            instance_id=job.instance_id,
            token=SecretStr(self.token(job)),
            daemon_url=self.daemon_url,
            bind_host="127.0.0.1" if local else "0.0.0.0",  # noqa: S104 (a cluster's nodes reach each other)
            engine=backend.engine,
            weights=backend.weights or None,
            weights_files=self.weights.files() if job.role != "frontend" else {},
            weights_cache=weights_cache(self.settings),
            device="cpu" if job.role == "cpu" else backend.device,
            orphan_lease_s=ORPHAN_LEASE_LOCAL if local else ORPHAN_LEASE,
            protocol=PROTOCOL,
        )
