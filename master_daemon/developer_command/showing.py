"""Follow a trial to its end and fetch what it sent back."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from ligan.output import is_read
from ligan.patience import passes, patiently
from ligan.problem import Problem
from ligan.wire.trial import LogPart, ReturnedFile, Trial
from master_daemon.developer_command import results
from master_daemon.developer_command.exits import CANCELLED
from master_daemon.developer_command.following import PATIENCE, Following
from master_daemon.developer_command.interrupts import Interrupts
from master_daemon.developer_command.results import Written
from master_daemon.developer_command.server import Server
from master_daemon.developer_command.words import Teller

T = TypeVar("T")


class LeftError(Exception):
    """The person has gone before the end."""

    code = CANCELLED


class UnreadError(LeftError):
    """Whatever read what comes has had enough (`| head`)."""

    code = 0


class Showing:
    """One trial, told by `teller`."""

    def __init__(self, server: Server, trial_id: str, teller: Teller) -> None:
        self._server = server
        self._trial_id = trial_id
        self._teller = teller
        self._following = Following(server, trial_id, teller.note)

    def to_the_end(self, interrupts: Interrupts, cancels: bool) -> Trial:
        """Its output until it is over. Ctrl-C leaves, but where it `cancels`: then the second one does. A reader that
        has had enough leaves, too; where it `cancels`, what comes back is wanted all the same.

        Raises LeftError, and Problem as `Following.events`.
        """
        if interrupts.count:  # before there was anything to follow
            self._interrupted(cancels, interrupts.count)
        while True:
            try:
                with interrupts.raised():
                    return self._follow(cancels)
            except KeyboardInterrupt:
                self._interrupted(cancels, interrupts.count)

    def _follow(self, unread: bool) -> Trial:
        for told in self._following.events():
            if isinstance(told, LogPart):
                self._teller.part(told)
            else:
                self._teller.trial(told, time.time())
            if not (unread or is_read()):
                raise UnreadError
        trial = self._following.trial
        assert trial is not None  # noqa: S101 (the events end with it)
        return trial

    def _interrupted(self, cancels: bool, count: int) -> None:
        if not cancels or count > 1:
            self._teller.note(f"Left. `ligan logs -f {self._trial_id}` goes on.")
            raise LeftError
        self._teller.note("Cancelling; waiting for its end. Ctrl-C again leaves.")
        try:
            self._server.cancel(self._trial_id)
        except Problem as problem:
            self._teller.note(f"{problem.document.detail} It is not cancelled yet: `ligan cancel {self._trial_id}`.")

    def fetch(self, folder: Path, interrupts: Interrupts) -> None:
        """Write what came back below `folder`. Raises LeftError at Ctrl-C, and Problem when the service refuses, or has
        been away for PATIENCE.
        """
        try:
            with interrupts.raised():
                self._fetch(folder)
        except KeyboardInterrupt:
            self._teller.note(f"Left. `ligan logs {self._trial_id} --out FOLDER` fetches what came back.")
            raise LeftError from None

    def _fetch(self, folder: Path) -> None:
        sent = self._asked(lambda: self._server.files(self._trial_id))
        for file in sent.files:
            self._teller.written(self._asked(partial(self._written, folder, file)))
        for one in sent.left_out:
            self._teller.note(f"Not sent back: {one}")

    def _written(self, folder: Path, file: ReturnedFile) -> Written:
        return results.write(folder, file, self._server.content(self._trial_id, file.path))

    def _asked(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except Problem as problem:
            if not passes(problem):
                raise
            self._teller.note(f"{problem.document.detail} Trying again; what came back is kept.")
        return patiently(call, PATIENCE)
