"""`ligan submit`: run a command on the cluster's GPUs, with the working folder."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from ligan.help import explained
from ligan.ids import new_id
from ligan.output import say
from ligan.problem import Problem
from ligan.web.app import invalid
from ligan.wire.trial import Content, NewTrial, Trial
from master_daemon.developer_command import exits, script
from master_daemon.developer_command.folder import FolderTooLargeError, Packed, packing
from master_daemon.developer_command.interrupts import Interrupts
from master_daemon.developer_command.server import NoServerError, Server, add_server_arguments, open_server
from master_daemon.developer_command.showing import LeftError, Showing
from master_daemon.developer_command.words import Json, Plain, Teller
from master_daemon.developer_command.words_given import files_within

_DESCRIPTION = """Run a command once in a job of its own on the cluster, in the container that backends run in. The
working folder goes with it, its output comes back as it prints, and so do the files that it writes to $LIGAN_OUT."""
_EPILOG = f"""examples:
  ligan submit -- nvidia-smi                                   ten minutes, one GPU
  ligan submit --time 30 -- python train.py --steps 200
  ligan submit --return 'runs/**/*.png' -- ./train.sh          files of the folder come back, too
  ligan submit --gpus 0 --image cpu -- python -m pytest -q     without a GPU
  ligan submit --continue 10 --time 60 --return 'run/**' -- ligan train generator --data shards --out run
  job=$(ligan submit --detach -- ./long.sh); ligan logs -f $job
  ligan submit --json -- ./run.sh | jq -r 'select(.event == "end").state'

The folder: what git tracks or does not ignore (all files where there is no git), without what .liganignore names, a
pattern a line. What comes back is in ligan-out/JOB. Ctrl-C cancels and waits for the end; a second one leaves.

Longer than one job: with --continue N, a command that ends with exit code 75, meets its time limit, is preempted or
loses its machine goes on in another job, with the folder and all that came back last, where it lay. When its time ends
stands in $LIGAN_ENDS_AT (Unix seconds). `ligan cancel` ends all of it.

Who may: users of the role developer. An API token in $LIGAN_TOKEN or ~/.config/ligan/token, the service in --server or
$LIGAN_SERVER; neither is needed on the daemon's own machine. Without --continue a test job is not started
again when the cluster ends it. Job arrays are not taken: submit once for each value.

{exits.TEXT}"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `ligan submit`."""
    explained(parser, _DESCRIPTION, _EPILOG)
    parser.usage = "ligan submit [OPTION ...] -- COMMAND [WORD ...]"
    parser.add_argument("words", nargs="+", metavar="COMMAND", help="what to run, after --")
    parser.add_argument("--gpus", type=int, default=1, metavar="N", help="default: 1")
    parser.add_argument("--time", type=int, default=10, metavar="MINUTES", help="time limit; default: 10")
    parser.add_argument("--image", choices=("backend", "cpu", "frontend"), default="backend", help="default: backend")
    parser.add_argument("--partition", default="", help="one of the site's for test jobs; default: as it prefers")
    parser.add_argument("--folder", type=Path, default=Path(), help="working folder; default: this one")
    parser.add_argument(
        "--return",
        dest="returns",
        action="append",
        default=[],
        type=files_within,
        metavar="GLOB",
        help="files to return",
    )
    parser.add_argument("--out", type=Path, help="where files that come back are written; default: ligan-out/JOB")
    parser.add_argument(
        "--continue",
        dest="continues",
        type=int,
        default=0,
        metavar="N",
        help="go on in up to N further jobs; see below",
    )
    parser.add_argument("--detach", action="store_true", help="print the job's ID and leave")
    parser.add_argument("--json", action="store_true", help="print an object a line for each event")
    parser.add_argument("-a", "--array", default="", help=argparse.SUPPRESS)
    parser.add_argument("-N", "--nodes", type=int, default=1, help=argparse.SUPPRESS)
    add_server_arguments(parser)


def submit(arguments: argparse.Namespace) -> int:
    """run a command on the cluster, with the working folder

    Exit codes: see `exits`.
    """
    interrupts, teller = Interrupts(), Json() if arguments.json else Plain()
    try:
        return _submit(arguments, interrupts, teller)
    except KeyboardInterrupt:
        print("ligan submit: interrupted; nothing was submitted", file=sys.stderr)
        return exits.CANCELLED
    except LeftError as left:
        return left.code
    except (NoServerError, FolderTooLargeError, OSError) as error:
        print(f"ligan submit: {error}", file=sys.stderr)
    except ValidationError as error:
        print(f"ligan submit: {invalid(error).document.detail}", file=sys.stderr)
    except Problem as problem:
        print(f"ligan submit: {problem.document.detail}", file=sys.stderr)
    return exits.NOT_SUBMITTED


def _submit(arguments: argparse.Namespace, interrupts: Interrupts, teller: Teller) -> int:
    server, folder = open_server(arguments), arguments.folder.resolve()
    if server.shows_token:
        teller.note("Your API token travels unencrypted; use an https address.")
    with interrupts.raised():
        trial = _sent(arguments, server, folder, teller, interrupts)
    if arguments.detach:
        say(trial.model_dump_json() if arguments.json else trial.trial_id)
        return 0
    teller.note(f"submitted {trial.trial_id}")
    showing = Showing(server, trial.trial_id, teller)
    trial = showing.to_the_end(interrupts, cancels=True)
    showing.fetch(arguments.out or Path("ligan-out") / trial.trial_id, interrupts)
    teller.end(trial)
    return exits.code_of(trial)


Draft = Callable[[Content | None], NewTrial]
"""What is ordered, with its folder."""


def _sent(arguments: argparse.Namespace, server: Server, folder: Path, teller: Teller, interrupts: Interrupts) -> Trial:
    draft = _draft(arguments, folder)
    order = draft(None)
    if order.array or order.nodes > 1:  # refused by the service, in its words, before anything is packed
        return send(server, draft, None, interrupts)
    with packing(folder, server.limits().folder_bytes) as packed:
        for one in packed.left_out:
            teller.note(f"Not sent: {one}")
        return send(server, draft, packed, interrupts)


def _draft(arguments: argparse.Namespace, folder: Path) -> Draft:
    array, nodes = script.asks(arguments.words, folder)
    request_id = new_id()

    def draft(content: Content | None) -> NewTrial:
        return NewTrial(
            request_id=request_id,
            command=arguments.words,
            folder=content,
            returns=arguments.returns,
            gpus=arguments.gpus,
            minutes=arguments.time,
            image=arguments.image,
            partition=arguments.partition,
            continues=arguments.continues,
            array=arguments.array or array,
            nodes=max(arguments.nodes, nodes),
        )

    return draft


def send(server: Server, draft: Draft, packed: Packed | None, interrupts: Interrupts) -> Trial:
    """Submit, with what the service has not yet of the folder. Raises Problem."""
    content = packed.content() if packed else None
    order = draft(content)
    try:
        return _asked(server, order, interrupts)
    except Problem as problem:
        if problem.slug != "pieces-missing" or packed is None or content is None:
            raise
        missing = (problem.document.model_extra or {}).get("missing", [])
    for number, sha256 in enumerate(content.pieces):
        if sha256 in missing:
            server.put_piece(sha256, packed.piece(number))
    return _asked(server, order, interrupts)


def _asked(server: Server, order: NewTrial, interrupts: Interrupts) -> Trial:
    """No Ctrl-C comes between the order and its answer; asked again after no answer, it is the same trial."""
    with interrupts.held():
        try:
            return server.submit(order)
        except Problem as problem:
            if problem.slug != "unreachable":
                raise
        return server.submit(order)
