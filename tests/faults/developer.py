"""A developer whose test job meets a fault: what it did, it writes to a file; what became of it, the service says."""

from __future__ import annotations

import time
from pathlib import Path

from ligan.ids import new_id
from ligan.problem import Problem
from ligan.wire.trial import NewTrial, Trial, TrialState
from master_daemon.api.operator_token import TOKEN_FILE
from master_daemon.developer_command.server import Server
from tests.faults.processes import wait_for

_LINES = 60
_SAYS = [f"line {number}" for number in range(1, _LINES + 1)]
_SCRIPT = f'echo began >>"$0"; for n in $(seq {_LINES}); do echo "line $n"; sleep 0.25; done'
_PATIENCE = 150.0


class Developer:
    """One test job of somebody with the operator's token. It prints a line four times a second, for 15 s."""

    def __init__(self, url: str, state_dir: Path, folder: Path) -> None:
        self._url, self._token = url, (state_dir / TOKEN_FILE).read_text().strip()
        self._deeds = folder / f"test-job-{new_id()}"
        self._order = NewTrial(request_id=new_id(), command=["sh", "-c", _SCRIPT, str(self._deeds)])
        self._trial_id = ""
        self.ends_as = TrialState.DONE
        """What the fault leaves of it."""

    def submit(self) -> None:
        """Again and again until it is taken: the same request is taken once."""
        wait_for(self._submitted, "the service takes the test job", _PATIENCE)

    def _submitted(self) -> bool:
        try:
            self._trial_id = self._server.submit(self._order).trial_id
        except Problem:
            time.sleep(0.2)
        return bool(self._trial_id)

    def wait_at_work(self) -> None:
        """Until the service has some of what it prints."""
        wait_for(lambda: len(self._log()) > 5, "the test job's first lines", _PATIENCE)

    def lost(self) -> list[str]:
        """What is missing once it is over, in sentences."""
        trial = self._over()
        findings = [] if trial.state is self.ends_as else [f"the test job is {trial.state.value}: {trial.reason}"]
        log = self._log()
        whole = log == _SAYS if self.ends_as is TrialState.DONE else log == _SAYS[: len(log)]
        return findings + ([] if whole else [f"its log has {len(log)} of {_LINES} lines, or others: {log[-3:]}"])

    def doubled(self) -> list[str]:
        """How often it ran beyond the one time."""
        ran = self._deeds.read_text().count("began") if self._deeds.exists() else 0
        return [f"the test job ran {ran} times"] if ran > 1 else []

    @property
    def _server(self) -> Server:
        return Server(self._url, self._token)

    def _log(self) -> list[str]:
        try:
            return self._server.log(self._trial_id, 0).decode().splitlines()
        except Problem:  # the daemon is away
            return []

    def _over(self) -> Trial:
        def over() -> bool:
            try:
                return self._server.trial(self._trial_id).state.over
            except Problem:
                return False

        wait_for(over, "the end of the test job", _PATIENCE)
        return self._server.trial(self._trial_id)
