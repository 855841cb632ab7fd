"""A number that is in no list of users runs LiGAN as everybody else does."""

from __future__ import annotations

import getpass
import os
import pwd
from pathlib import Path

import pytest

from ligan.user import introduce


@pytest.fixture
def number(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in `docker run --user 54321`."""

    def unknown(_number: int) -> None:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "HOME"):
        monkeypatch.setenv(name, "")  # restored in the end
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("number")
def test_it_gets_a_name_and_a_home() -> None:
    with pytest.raises((KeyError, OSError)):
        getpass.getuser()
    introduce()
    assert getpass.getuser() == f"uid{os.getuid()}"
    assert Path.home() == Path("/")


@pytest.mark.usefixtures("number")
def test_what_it_has_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "me")
    monkeypatch.setenv("HOME", "/work")
    introduce()
    assert (getpass.getuser(), Path.home()) == ("me", Path("/work"))
    assert "LOGNAME" not in os.environ


def test_who_is_known_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "HOME"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    introduce()
    assert not {"LOGNAME", "HOME"} & os.environ.keys()
