"""Orders that leave while the transaction in which they are placed is being committed: two waits become one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from master_daemon.state.database import Transaction
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

    def send(self, parcels: Iterable[Parcel]) -> None:
        """The last thing before the commit. It waits for nobody: what cannot leave now is left for afterwards."""
        for parcel in parcels:
            sent = self._delivery.begin(parcel)
            if sent is None:
                self._left.append(parcel)
            else:
                self._sent.append(sent)

    def hear(self, transaction: Transaction) -> None:
        """Of light tasks, take what is done in a moment into the transaction: one commit stores both."""
        for sent in self._sent:
            self._delivery.hear(sent, transaction)

    def finish(self) -> None:
        """Hear what the backends say, and deliver the rest."""
        for sent in self._sent:
            self._delivery.end(sent)
        self._delivery.deliver_each(self._left)
