"""The daemon's Flask API: all of its routes, and the socket where its jobs call."""

from __future__ import annotations

import logging
import socket

from ligan import __version__
from ligan.doorbell import BACKLOG
from ligan.intervals import MAX_BODY
from ligan.settings import Settings
from ligan.web.app import OpenAPI, make_app
from master_daemon.api.accounts import account_api
from master_daemon.api.admin import admin_api
from master_daemon.api.artifacts import artifacts_api
from master_daemon.api.documents import documents
from master_daemon.api.failures import answer_storage_problems
from master_daemon.api.frontend import frontend_api
from master_daemon.api.job_results import job_results_api
from master_daemon.api.jobs import jobs_api
from master_daemon.api.life import life_api
from master_daemon.api.login import login_pages
from master_daemon.api.metrics import metrics_page
from master_daemon.api.notices import notices_api
from master_daemon.api.operator import operator_page
from master_daemon.api.public import public_api
from master_daemon.api.reports import reports_api
from master_daemon.api.tasks import tasks_api
from master_daemon.api.trial_jobs import trial_jobs_api
from master_daemon.api.usage import usage_api
from master_daemon.api.users import users_api
from master_daemon.api.weights import weights_api
from master_daemon.observe import logs
from master_daemon.parts import Parts
from master_daemon.state import meta
from master_daemon.state.database import Database

log = logging.getLogger(__name__)
_CLUSTER_PORT = "cluster_port"
_APIS = (
    public_api,
    tasks_api,
    account_api,
    life_api,
    reports_api,
    artifacts_api,
    weights_api,
    frontend_api,
    admin_api,
    users_api,
    jobs_api,
    job_results_api,
    trial_jobs_api,
    notices_api,
    usage_api,
)


class Api:
    """The Flask API and the socket where the jobs call it: its port is chosen once and kept."""

    def __init__(self, app: OpenAPI, listener: socket.socket) -> None:
        self.app = app
        self.listener = listener
        self.port = int(listener.getsockname()[1])


def listen_for_jobs(settings: Settings, database: Database) -> Api:
    """An app without routes yet. Raises OSError when the port that the settings name is taken."""
    app = make_app(
        __name__,
        "LiGAN master daemon",
        f"Sessions, backends and tasks (version {__version__}). `/api/v1` is public, through the gateway; "
        "`/cluster/v1` is for the daemon's own jobs. Errors are problem documents (RFC 9457).",
        MAX_BODY,
    )
    from_here = settings.daemon.cluster_host == "127.0.0.1" or (settings.ssh.host and settings.ssh.tunnel)
    host = "127.0.0.1" if from_here else "0.0.0.0"  # noqa: S104 (also loopback)
    with database.read() as connection:
        kept = int(meta.get(connection, _CLUSTER_PORT) or 0)
    api = Api(app, _listen(host, settings.daemon.cluster_port, kept))
    with database.write() as transaction:
        meta.put(transaction, _CLUSTER_PORT, str(api.port))
    return api


def _listen(host: str, configured: int, kept: int) -> socket.socket:
    try:
        return socket.create_server((host, configured or kept), backlog=BACKLOG)
    except OSError:
        if configured or not kept:
            raise
        log.warning("port %d is taken now; jobs of an earlier daemon will end themselves", kept)
        return socket.create_server((host, 0), backlog=BACKLOG)


def fill(app: OpenAPI, parts: Parts) -> None:
    """Give it all routes."""
    answer_storage_problems(app)
    for api in _APIS:
        app.register_api(api(parts))
    app.before_request(logs.forget)  # a thread serves one caller after the other
    for pages in (documents(parts, app), metrics_page(parts), operator_page(), login_pages(parts)):
        app.register_blueprint(pages)
