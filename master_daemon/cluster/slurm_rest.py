"""Slurm through slurmrestd, where a site offers it. slurmrestd(8)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from master_daemon.cluster import rest_job
from master_daemon.cluster.job_environment import job_environment
from master_daemon.cluster.job_name import check_name
from master_daemon.cluster.job_script import render_job_script
from master_daemon.cluster.listing import Live, by_nonce
from master_daemon.cluster.logs import Logs
from master_daemon.cluster.manager import JobRequest, Listing, SubmitRefusedError, SubmitUnknownError
from master_daemon.cluster.option import check_carried
from master_daemon.cluster.rest_client import Answer, NoAnswerError, RestClient
from master_daemon.cluster.site import SlurmSite
from master_daemon.cluster.slurm import SlurmManager
from master_daemon.cluster.slurm_errno import NO_SUCH_JOB, REFUSALS
from master_daemon.observe.calls import count_call

logger = logging.getLogger(__name__)

DOCUMENTS = ("/openapi/v3", "/openapi")
"""Where slurmrestd describes itself, the usual place first."""


class SlurmRestManager(SlurmManager):
    """See `manager.ResourceManager`. slurmrestd lists the jobs of all users; those of ours are picked out here.

    `clock` tells Unix time, by which a job's remaining time and an expected start are reckoned.
    """

    name = "slurm_rest"

    def __init__(
        self, site: SlurmSite, client: RestClient, logs: Logs | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(site, logs, clock, Live())
        self._client = client
        self._version: str | None = None

    def check_site(self) -> None:
        """Raises SettingsError for an option that this slurmrestd cannot carry; without an answer, that none could."""
        try:
            version = self._api()
        except NoAnswerError:
            version = next(iter(rest_job.DIALECTS))  # the newest carries most; what else is too much, a submit tells
        check_carried(self._site, rest_job.DIALECTS[version].options)

    def submit(self, request: JobRequest) -> str:
        """As `ResourceManager.submit`. The time limit is rounded up to Slurm's whole minutes."""
        check_name(request)
        options, log = self._site.options(request.role, request.own), self._logs.path(request.nonce)
        script = render_job_script(request, log, options)
        try:
            dialect = rest_job.DIALECTS[self._api()]
            fields = rest_job.job_fields(dialect, request, log, options, job_environment(self._client.user))
            self._logs.prepare()
            return verdict(self._call("POST", "job/submit", {"script": script, "job": fields}))
        except NoAnswerError as error:
            raise SubmitUnknownError(str(error)) from error

    def cancel(self, job_id: str) -> bool:
        """As `ResourceManager.cancel`."""
        try:
            answer = self._call("DELETE", f"job/{job_id}")
        except NoAnswerError:
            return False
        gone = bool(answer.numbers) and answer.numbers <= NO_SUCH_JOB
        return gone or (answer.status == 200 and not answer.errors)

    def _ask(self) -> Listing | None:
        try:
            answer, user = self._call("GET", "jobs"), self._client.user
            return parse_listing(answer, user, self._clock())
        except (NoAnswerError, ValueError) as error:
            logger.warning("the scheduler gave no answer to be believed: %s", error)
            return None

    def _call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Answer:
        version = self._api()
        count_call(f"{method} {path.partition('/')[0]}")
        try:
            return self._client.call(method, f"/slurm/{version}/{path}", body)
        except NoAnswerError:
            self._version = None  # perhaps another slurmrestd answers by now: look again next time
            raise

    def _api(self) -> str:
        """The newest version of the interface that both sides know. Raises NoAnswerError."""
        self._version = self._version or self._probe()
        return self._version

    def _probe(self) -> str:
        for document in DOCUMENTS:
            answer = self._client.call("GET", document)
            if version := rest_job.newest_version(answer.body.get("paths", ())):
                return version
        known = ", ".join(rest_job.DIALECTS)
        raise NoAnswerError(f"slurmrestd offers no version that we can read ({known}). {answer.trouble}")


def parse_listing(answer: Answer, user: str, now: float) -> Listing:
    """The jobs of ours, of `user`, in an answer of `now`. Raises ValueError when it is not whole or tells of errors."""
    jobs = answer.body.get("jobs")
    if answer.status != 200 or answer.errors or not isinstance(jobs, list):
        raise ValueError(f"slurmrestd did not list the jobs: HTTP {answer.status}, {answer.trouble}")
    try:
        return by_nonce(status for job in jobs if (status := rest_job.job_status(job, user, now)))
    except (KeyError, TypeError) as error:
        raise ValueError(f"a job that slurmrestd lists cannot be read: {error!r}") from error


def verdict(answer: Answer) -> str:
    """The ID of the job that was queued. Raises SubmitRefusedError for known refusals, else SubmitUnknownError."""
    job_id = answer.body.get("job_id")
    if isinstance(job_id, int) and job_id > 0:  # with remarks in `errors`, such as "nodes busy", or without
        return str(job_id)
    if answer.numbers and answer.numbers <= REFUSALS:
        raise SubmitRefusedError(answer.trouble)
    raise SubmitUnknownError(f"slurmrestd told neither a job ID nor a refusal: HTTP {answer.status}, {answer.trouble}")
