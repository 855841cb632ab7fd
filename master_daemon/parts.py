"""What the daemon's APIs work with, put together once by `master_daemon.daemon`."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ligan.settings import Settings
from master_daemon.accounts.accounts import Accounts
from master_daemon.describe import Descriptions
from master_daemon.observe.notices import NoticeBoard
from master_daemon.observe.observatory import Observatory
from master_daemon.state.artifacts import Artifacts
from master_daemon.state.database import Database
from master_daemon.state.sweeper import Sweeper
from master_daemon.supervisor.delivery import Delivery
from master_daemon.supervisor.launch import Launcher
from master_daemon.supervisor.lines import Lines
from master_daemon.supervisor.looks import Looks
from master_daemon.supervisor.presence import Presence
from master_daemon.supervisor.supervisor import Supervisor
from master_daemon.trials.trials import Trials


@dataclass(frozen=True)
class Parts:
    settings: Settings
    secret: bytes
    accounts: Accounts
    database: Database
    artifacts: Artifacts
    sweeper: Sweeper
    launcher: Launcher
    lines: Lines
    looks: Looks
    delivery: Delivery
    presence: Presence
    supervisor: Supervisor
    trials: Trials
    descriptions: Descriptions
    observatory: Observatory
    notices: NoticeBoard

    def now(self) -> float:
        """Unix time in seconds."""
        return time.time()
