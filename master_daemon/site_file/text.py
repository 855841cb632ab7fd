"""The site file as text: what was chosen with its reason beside it, and what one may want to change below. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby

from ligan import __version__
from master_daemon.site_file.cluster import Cluster
from master_daemon.site_file.plan import Choice

_HEAD = """\
# Site file of LiGAN {version} for the cluster {name}, written by `ligan init` as {user}.
# [found] the cluster says so; [guessed] look at it. docs/settings.md lists every key, docs/operators.md says when.
#
#   ligan doctor --config {file}       what is not well, and what to do
#   ligan up --config {file}
"""
_MORE = """\

# Worth a thought:
# [daemon]
# host = "127.0.0.1"                # the public port: put the site's web server with TLS before it
# port = 7022
# cluster_port = 7023               # if only certain ports are open between nodes and this machine
# max_backends = 64                 # GPUs in use at once; others wait in the order of asking
# [backend]
# gres = "gpu:a100:1"               # one type of GPU only
# python = "/shared/ligan/bin/python"   # with ligan[backend], if this machine's lacks it or is not on the nodes
# standby = 1                       # a GPU kept ready for the next session
# handover = "restart"              # one job of a session at a time
# immediate = "never"               # where srun is not allowed on the login node
# [cpu]                             # while people wait for a GPU, one cpu job works for all of them
# backends = 1
# partition = "{cpu}"
"""


def render(cluster: Cluster, choices: Sequence[Choice], file: str) -> str:
    """TOML that `ligan.settings` reads."""
    head = _HEAD.format(
        version=__version__,
        name=_plain(cluster.name) or "of this machine",
        user=_plain(cluster.user),
        file=_plain(file),
    )
    tables = [_table(section, list(rows)) for section, rows in groupby(choices, lambda choice: choice.section)]
    cpu = next(choice.value for choice in choices if (choice.section, choice.key) == ("frontend", "partition"))
    return head + "".join(tables) + _MORE.format(cpu=cpu)


def _table(section: str, rows: Sequence[Choice]) -> str:
    lines = [
        (f"{row.key} = {json.dumps(row.value, ensure_ascii=False)}", f"[{row.basis}] {_plain(row.why)}") for row in rows
    ]
    width = max(len(line) for line, _ in lines)
    return f"\n[{section}]\n" + "".join(f"{line:{width}}  # {why}\n" for line, why in lines)


def _plain(text: str) -> str:
    """Names come from the cluster: a comment ends at its line's end, and TOML takes no other control characters."""
    return "".join(character if character.isprintable() else "?" for character in text)
