"""What the daemon consists of, put together."""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path

from ligan.identity import load_secret
from ligan.settings import Settings
from master_daemon.accounts.accounts import Accounts
from master_daemon.authority.between_parts import BetweenParts
from master_daemon.cluster.manager import ResourceManager
from master_daemon.describe import Descriptions
from master_daemon.observe.manager import WatchedManager
from master_daemon.observe.notices import NoticeBoard
from master_daemon.observe.observatory import Observatory
from master_daemon.parts import Parts
from master_daemon.state.artifacts import Artifacts
from master_daemon.state.database import Database
from master_daemon.state.sweeper import Sweeper
from master_daemon.supervisor.delivery import Delivery
from master_daemon.supervisor.head_start import HeadStart
from master_daemon.supervisor.launch import Launcher
from master_daemon.supervisor.lines import Lines
from master_daemon.supervisor.looks import Looks
from master_daemon.supervisor.presence import Presence
from master_daemon.supervisor.supervisor import Supervisor
from master_daemon.trials.trials import Trials
from master_daemon.ways import Ways

_DAY = 86400.0


def assemble(
    settings: Settings,
    state_dir: Path,
    database: Database,
    manager: ResourceManager,
    api_port: int,
    ways: Ways,
    between: BetweenParts,
) -> Parts:
    """Nothing of it runs yet; jobs call the daemon at `api_port`."""
    secret = load_secret(state_dir / "secret")
    artifacts = Artifacts(state_dir / "artifacts")
    observatory = Observatory(database, manager.name, state_dir, time.time())
    url = f"{between.scheme}://{settings.daemon.cluster_host}:{api_port}"
    launcher = Launcher(settings, secret, url, between.authority)
    forget_logs = partial(manager.forget_logs, launcher.tag)
    lines = Lines(launcher, ways.reach, between.trust)
    delivery = Delivery(database, lines, settings, time.time)
    descriptions = Descriptions([sys.executable])
    head_start = HeadStart(database, settings, descriptions.kinds_if_known)
    presence = Presence(time.time(), settings.backend.idle_release_s)
    supervisor = Supervisor(database, WatchedManager(manager), launcher, delivery, presence, head_start)
    trials = Trials(database, artifacts, launcher, supervisor, state_dir)
    sweeper = Sweeper(database, artifacts, settings.daemon.retention_days * _DAY, forget_logs)
    sweeper.forget_trials = trials.logs.forget
    sweeper.subscribe_to_artifacts(delivery.telling.erased)
    return Parts(
        settings=settings,
        secret=secret,
        accounts=Accounts(settings, secret, database),
        database=database,
        artifacts=artifacts,
        sweeper=sweeper,
        launcher=launcher,
        lines=lines,
        delivery=delivery,
        presence=presence,
        looks=Looks(),
        supervisor=supervisor,
        trials=trials,
        descriptions=descriptions,
        observatory=observatory,
        notices=NoticeBoard(database),
    )
