"""The databases of the state's tests: what is read from them must read from both kinds."""

from tests.master_daemon.state.conftest import database, url

__all__ = ["database", "url"]
