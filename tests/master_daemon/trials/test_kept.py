"""How long what a trial had is kept."""

from __future__ import annotations

import time

from ligan.wire.trial import TrialResult
from master_daemon.state.artifacts import FOLDERS
from tests.master_daemon.trials.conftest import Lab

DAY = 86400.0


def sweep(lab: Lab, days: float) -> None:
    """All folders once, as if so many days had passed."""
    for _ in range(FOLDERS):
        lab.house.daemon.sweeper.turn(time.time() + days * DAY)


def test_it_goes_after_retention_with_all_it_had(lab: Lab) -> None:
    folder = lab.piece(b"the folder")
    spare = lab.piece(b"never used")
    trial_id = lab.submit(folder=folder)
    _, line = lab.play(trial_id)
    line.log(0, b"text")
    artifacts, logs = lab.house.daemon.parts.artifacts, lab.house.daemon.parts.trials.logs
    sweep(lab, 40)
    assert lab.look(trial_id).state == "running", "however long it takes"
    assert artifacts.has(folder.pieces[0])
    assert not artifacts.has(spare.pieces[0]), "kept for a day"
    line.end(TrialResult(exit_code=0, told=False))
    sweep(lab, 20)
    assert (lab.look(trial_id).state, logs.size(trial_id)) == ("done", 4)
    sweep(lab, 40)
    assert lab.server.trials(False).trials == []
    assert logs.size(trial_id) == 0
    assert not artifacts.has(folder.pieces[0])
