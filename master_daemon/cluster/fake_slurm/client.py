"""What the executables `sbatch`, `squeue`, … of a fake Slurm run: hand the call to its server, print the answer.

The standard library's lightest modules only: a poll must cost no more than a real squeue's.
"""

import json
import os
import signal
import socket
import sys

SOCKET = "slurmctld.socket"
UNREACHABLE = "error: Unable to contact slurm controller (connect failure)"
"""What every real command says, with exit status 1, when no slurmctld answers."""

GIVES_BACK = b"!"


def main(folder: str, command: str) -> int:
    """Run one command of the cluster in `folder` and return its exit status."""
    try:
        answer = _call(folder, command)
    except OSError:
        answer = {}
    sys.stdout.write(answer.get("stdout", ""))
    sys.stderr.write(answer.get("stderr", f"{command}: {UNREACHABLE}\n"))
    return int(answer.get("code", 1))


def _call(folder: str, command: str) -> dict[str, str]:
    mask = os.umask(0o077)
    os.umask(mask)
    call = {
        "command": command,
        "arguments": sys.argv[1:],
        "environment": dict(os.environ),
        "folder": os.getcwd(),  # noqa: PTH109 (as below)
        "umask": mask,
        "caller": os.getppid(),
    }
    with socket.socket(socket.AF_UNIX) as line:
        if command == "srun":  # told to end, it gives its job back; killed, it cannot
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, lambda *_: line.sendall(GIVES_BACK))
        line.connect(os.path.join(folder, SOCKET))  # noqa: PTH118 (pathlib takes long to import)
        # sbatch's script is read from standard input, and srun's program gets all three, as they are.
        socket.send_fds(line, [json.dumps(call).encode() + b"\n"], [0, 1, 2])
        with line.makefile("r", encoding="utf-8", newline="\n") as reader:
            said = reader.readline()
    return json.loads(said) if said else {}
