"""Orders that leave while the transaction in which they are placed is being committed: two waits become one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from pydantic import JsonValue

from master_daemon.state import placing, reports, tasks
from master_daemon.supervisor.parcel import Parcel

if TYPE_CHECKING:
    from master_daemon.state.database import Transaction
    from master_daemon.state.jobs import Job
    from master_daemon.state.tasks import Draft
    from master_daemon.supervisor.delivery import Delivery
    from master_daemon.supervisor.parcel import Sent


_MOMENT = 0.002
"""Seconds that a transaction waits for a light task's end, which takes a tenth of it."""


class Early:
    """For one transaction, around which it is entered. `finish` is what is left to do after the commit.

    Nothing that comes back of an order is accepted before that: reports are transactions, too, and writers take turns;
    what the answer to an order itself brings is stored by the very transaction that stores the task. Where the commit
    fails, or the daemon dies, nobody knows the task: the first report of it is refused as stale, and the backend drops
    it. The same becomes of an order that was sent `ahead` (`Delivery.send_ahead`) when the transaction finds that the
    task may not be, or goes to another backend: then it gets another ID.
    """

    def __init__(self, delivery: Delivery, session_id: str = "") -> None:
        self._delivery = delivery
        self._session_id = session_id
        self._ahead: Sent | None = None
        self._sent: list[Sent] = []
        self._vain: list[Sent] = []
        self._left: list[Parcel] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._drop_ahead()
        if kind is not None:
            for sent in (*self._sent, *self._vain):
                self._delivery.abandon(sent)

    def expects_light(self, kind: str) -> bool:
        """Whether the session's last task of this kind was done in a moment."""
        habit = self._delivery.habits.last(self._session_id)
        return habit is not None and habit.kind == kind

    def send_ahead(self, kind: str, params: dict[str, JsonValue]) -> None:
        """Before the transaction, in the writer's turn: nobody else wants the backend's meanwhile."""
        self._ahead = self._delivery.send_ahead(self._session_id, kind, params)

    def take(self, transaction: Transaction, new: Draft, only: bool) -> str:
        """Store a new task, the last thing before the commit; where it is alone at its backend, its order leaves before
        anything is stored, and the backend works meanwhile. `only`: the session has no other open task.

        Returns the task's ID: the draft's, or that of the order sent ahead.
        """
        job = self._delivery.idle(transaction, new, only)
        if self._ahead and not (job and _fits(self._ahead.parcel.job, job, new)):
            self._drop_ahead()
        sent = None if job is None else self._taken_ahead() or self._send_first(job, new)
        if sent is None:
            tasks.store(transaction, new)
            self._send(self._delivery.assign(transaction, new.created_at, new.key))
            return new.task_id
        self._sent.append(sent)
        self._store(transaction, replace(new, task_id=sent.order.task_id), sent)
        return sent.order.task_id

    def _taken_ahead(self) -> Sent | None:
        sent, self._ahead = self._ahead, None
        return sent

    def _send_first(self, job: Job, new: Draft) -> Sent | None:
        order = placing.first_order(new.task_id, new.kind.kind, new.params, new.refs)
        return self._delivery.begin(Parcel(job, [order]))

    def _drop_ahead(self) -> None:
        """It was sent in vain; its answer is read later, when it is there, for the connection's sake."""
        ahead = self._taken_ahead()
        if ahead is not None:
            self._delivery.habits.drop(self._session_id)
            ahead.held.give_back()
            self._vain.append(ahead)

    def _store(self, transaction: Transaction, new: Draft, sent: Sent) -> None:
        """A light task is stored as done while that comes true: one commit for both, and nothing left to do before it.

        Where the backend is not heard in a moment, or has not done it, it is stored as what it is: placed there.
        """
        nonce, habits = sent.parcel.job.nonce, self._delivery.habits
        if habits.is_light(sent):
            undo = transaction.savepoint()
            reports.add_done(transaction, new, nonce)
            if sent.hears_done(_MOMENT):
                habits.keep(self._session_id, sent)
                transaction.lags = True  # nothing came of it that anybody could miss
                return
            habits.unlearn(sent)
            undo()
        placing.add(transaction, new, nonce)

    def _send(self, parcels: Iterable[Parcel]) -> None:
        """It waits for nobody: what cannot leave now is left for afterwards."""
        for parcel in parcels:
            sent = self._delivery.begin(parcel)
            if sent is None:
                self._left.append(parcel)
            else:
                self._sent.append(sent)

    def finish(self) -> None:
        """Hear what the backends say, and deliver the rest."""
        for sent in self._sent:
            self._delivery.end(sent)
        self._delivery.deliver_each(self._left)
        for sent in self._vain:
            self._delivery.abandon(sent)


def _fits(ahead: Job, job: Job, new: Draft) -> bool:
    """Whether what was sent to one is what the other is to be sent."""
    return (ahead.nonce, ahead.url) == (job.nonce, job.url) and not new.refs
