"""Orders that leave while the transaction in which they are placed is being committed: two waits become one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from master_daemon.state import placing, reports, tasks

if TYPE_CHECKING:
    from master_daemon.state.database import Transaction
    from master_daemon.state.tasks import Draft
    from master_daemon.supervisor.delivery import Delivery
    from master_daemon.supervisor.parcel import Parcel, Sent


class Early:
    """For one transaction, around which it is entered. `finish` is what is left to do after the commit.

    Nothing that comes back of an order is accepted before that: reports are transactions, too, and writers take turns;
    what the answer to an order itself brings is stored by the very transaction that stores the task. Where the commit
    fails, or the daemon dies, nobody knows the task: the first report of it is refused as stale, and the backend drops
    it.
    """

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._sent: list[Sent] = []
        self._left: list[Parcel] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            for sent in self._sent:
                self._delivery.abandon(sent)

    def take(self, transaction: Transaction, new: Draft, only: bool) -> None:
        """Store a new task, the last thing before the commit; where it is alone at its backend, its order leaves before
        anything is stored, and the backend works meanwhile. `only`: the session has no other open task.
        """
        sent = self._delivery.send_first(transaction, new, only)
        if sent is None:
            tasks.store(transaction, new)
            self._send(self._delivery.assign(transaction, new.created_at, new.key))
        else:
            self._sent.append(sent)
            self._store(transaction, new, sent)

    def _store(self, transaction: Transaction, new: Draft, sent: Sent) -> None:
        """A light task is stored as done while that comes true: one commit for both, and nothing left to do before it.

        Where the backend is not heard in a moment, or has not done it, it is stored as what it is: placed there.
        """
        nonce = sent.parcel.job.nonce
        if self._delivery.is_light(sent):
            undo = transaction.savepoint()
            reports.add_done(transaction, new, nonce)
            if self._delivery.hears_done(sent):
                return
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
