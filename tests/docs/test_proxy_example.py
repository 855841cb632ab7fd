"""docs/accounts.md: the web server sets every header that the daemon believes, or browsers could say it."""

from __future__ import annotations

import re
from pathlib import Path

from ligan.settings import AccountSettings
from master_daemon.accounts import network

TEXT = (Path(__file__).parents[2] / "docs" / "accounts.md").read_text()


def test_no_header_that_is_believed_comes_from_a_browser() -> None:
    (lines,) = re.findall(r"^```nginx\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    told = AccountSettings()
    believed = {told.user_header.lower(), told.groups_header.lower()}
    believed |= {value.decode() for name, value in vars(network).items() if name.startswith("_FORWARDED")}
    assert len(believed) == 5
    assert {name.lower() for name in re.findall(r"^proxy_set_header (\S+) ", lines, re.MULTILINE)} == believed
    assert not re.search(r"\$http_x_", lines), "passed on as it came"
