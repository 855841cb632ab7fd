"""A daemon in miniature, to be frozen and killed: python -m tests.master_daemon.state.writer URL MODE.

It takes the lease, says `epoch N`, and stores an event for every line of its input; `stream` needs no lines, nor does
`lag`, which does not wait for the disk. What is stored it says by its number, `inside` while still in the transaction.
Fenced, it says so and ends.
"""

from __future__ import annotations

import itertools
import sys
import time

from sqlalchemy.exc import DBAPIError

from ligan.wire.event import EventName
from ligan.wire.session import Backend
from master_daemon.state import events, sessions
from master_daemon.state.database import Database
from master_daemon.state.lease import FencedError
from master_daemon.state.tenure import Tenure


def main(url: str, mode: str) -> None:
    database = Database(url)
    tenure = Tenure(database, "writer")
    with database.write() as transaction:
        session_id = sessions.renew(transaction, None, time.time())
        key = sessions.key_of(transaction.connection, session_id)
    say(f"epoch {tenure.epoch} {key}")
    for _ in itertools.count() if mode in ("stream", "lag") else sys.stdin:
        try:
            store(database, key, mode)
        except FencedError:
            say(f"fenced {tenure.fenced}")
            return
        except DBAPIError as error:
            say(f"failed {type(error.orig).__name__}")


def store(database: Database, key: str, mode: str) -> None:
    with database.write(may_lag=mode == "lag") as transaction:
        transaction.lags = mode == "lag"
        events.append(transaction, key, EventName.ON_QUEUE, Backend(), time.time())
        if mode == "inside":
            transaction.connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '300ms'")
            say("inside")
            sys.stdin.readline()
        number = transaction.events[0].id
    say(str(number))


def say(line: str) -> None:
    print(line, flush=True)


main(*sys.argv[1:])
