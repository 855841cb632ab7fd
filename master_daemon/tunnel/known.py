"""What the gateway has found out about a head that comes again, and under what it still holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ligan.web.http.route import Address, Pass
from master_daemon.accounts.caller import Caller
from master_daemon.tunnel.destination import Destination


class Serving(NamedTuple):
    """The frontend that pages are told of: where it listens, and the lines by which it believes the gateway."""

    to: Address
    proof: bytes


@dataclass(slots=True, eq=False)
class Known:
    """A head's note. The caller is this one while nothing changes in accounts and sessions, which `epoch` counts.

    What time alone changes, such as limits and the age of a login, is looked at for every request.
    """

    epoch: int
    caller: Caller
    destination: Destination
    visited_at: float = 0.0
    """When its session was last said to be there (Unix s)."""
    serving: Serving | None = None
    """Whom `route` leads to."""
    route: Pass | None = None
