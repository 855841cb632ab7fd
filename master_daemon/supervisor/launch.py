"""Make a new job: its row, its token and its bootstrap document."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from pydantic import SecretStr

from ligan import PROTOCOL
from ligan.identity import derive
from ligan.ids import new_id
from ligan.intervals import LONGEST_QUEUE, ORPHAN_LEASE, ORPHAN_LEASE_LOCAL
from ligan.settings import JobSettings, Settings
from ligan.tls.contexts import name_of
from ligan.wire.job import Bootstrap, Role, TlsCredentials
from ligan.wire.session import JobState
from master_daemon.authority.authority import Authority
from master_daemon.cluster.container import python_argv, trial_argv, trial_folder, weights_cache
from master_daemon.cluster.gpu_count import gpu_count
from master_daemon.cluster.gres import gres_for
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
_GIB = 2**30


@dataclass(frozen=True)
class Launcher:
    """Knows the site and the installation's secret."""

    settings: Settings
    secret: bytes
    daemon_url: str
    authority: Authority | None = None
    """Issues the jobs' certificates; None: they do without TLS."""

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
            gpus=gpu_count(self.settings.backend) if seats.role_of(seat) == "backend" else 0,
        )

    def token(self, job: Job) -> str:
        """The job's token: derived from the secret, so that nothing secret is stored."""
        return derive(self.secret, job.role, job.nonce)

    def prepared(self, job: Job) -> Job:
        """As it is about to be submitted: what it speaks is decided only then."""
        return replace(job, tls=self.authority is not None) if job.state is JobState.REQUESTED else job

    def request(self, job: Job) -> JobRequest:
        document, limit = self._bootstrap(job).model_dump_json(), self.time_limit_s(job)
        return JobRequest(job.nonce, job.role, self._command(job), document, limit, self._own(job))

    def time_limit_s(self, job: Job) -> int:
        """Seconds: the job's own, or what the site has for its role."""
        return job.time_limit_s or self.site(job.role).time_limit

    def _command(self, job: Job) -> tuple[str, ...]:
        site = self.site(job.role)
        if job.role == "trial":
            folder = trial_folder(self.settings, job.nonce)
            return trial_argv(self.settings, site, job.image or "backend", folder, gpu=job.gpus > 0)
        return (*python_argv(self.settings, job.role, site), "-m", _MODULES[job.role])

    def _own(self, job: Job) -> dict[str, str | None]:
        """What the job asks of Slurm instead of its role."""
        if job.role != "trial":
            return {}
        gres = gres_for(self.site(job.role), job.gpus)
        return {"gres": gres, **({"partition": job.partition} if job.partition else {})}

    def site(self, role: Role) -> JobSettings:
        """The site's settings for a kind of job."""
        sites: dict[Role, JobSettings] = {
            "frontend": self.settings.frontend,
            "backend": self.settings.backend,
            "cpu": self.settings.cpu,
            "trial": self.settings.trial,
        }
        return sites[role]

    def early_s(self, role: Role) -> float:
        """Seconds before its time limit at which such a job may be told to end."""
        return 0.0 if self.settings.daemon.resource_manager == "local" else self.site(role).early_s

    def _bootstrap(self, job: Job) -> Bootstrap:
        local = self.settings.daemon.resource_manager == "local"
        backend = self.settings.backend
        return Bootstrap(
            role="backend" if job.role == "cpu" else job.role,
            nonce=job.nonce,
            instance_id=job.instance_id,
            token=SecretStr(self.token(job)),
            daemon_url=self.daemon_url,
            bind_host="127.0.0.1" if local else "0.0.0.0",  # noqa: S104 (a cluster's nodes reach each other)
            engine=backend.engine,
            weights=backend.weights or None,
            weights_files=self.weights.files() if job.role in ("backend", "cpu") else {},
            weights_cache=weights_cache(self.settings),
            weights_cache_bytes=int(backend.weights_cache_gib * _GIB),
            device="cpu" if job.role == "cpu" else backend.device,
            orphan_lease_s=ORPHAN_LEASE_LOCAL if local else ORPHAN_LEASE,
            protocol=PROTOCOL,
            tls=self._credentials(job),
        )

    def _credentials(self, job: Job) -> TlsCredentials | None:
        if self.authority is None or not job.tls:
            return None
        begins = job.submitted_at or job.requested_at
        ends = begins + LONGEST_QUEUE + self.time_limit_s(job)
        issued = self.authority.issue(name_of(job.nonce), begins, ends)
        return TlsCredentials(
            authority=self.authority.certificate, certificate=issued.certificate, key=SecretStr(issued.key)
        )
