"""The floor: a job that only calls back, by sbatch, by srun, and with a Python that starts first. No manager at all."""

import socket
import subprocess
import sys

from _measure import arguments, clear_queue, tell, timed

_OPTIONS = ("--partition=gpu", "--gres=gpu:1", "--time=5")


def main() -> None:
    given = arguments(__doc__ or "")
    starts = []
    with socket.create_server((given.host, 0)) as door:
        door.settimeout(60)
        command = f"exec 3<>/dev/tcp/{given.host}/{door.getsockname()[1]}; echo ready >&3; exec sleep 300"
        for _ in range(given.starts):
            starts.append(timed(lambda: _batch(door, command)))
            clear_queue()
    warm = [timed(_run_nothing) for _ in range(min(given.warm, 20))]
    tell("sbatch of a shell line that calls back; warm: srun of `true`, a job for each task", starts, warm)


def _batch(door: socket.socket, command: str) -> None:
    script = f"#!/bin/bash\n{command}\n"
    argv = ["sbatch", "--parsable", "--output=/dev/null", *_OPTIONS]
    subprocess.run(argv, input=script, text=True, check=True, stdout=subprocess.DEVNULL)
    line, _ = door.accept()
    with line:
        line.recv(16)


def _run_nothing() -> None:
    subprocess.run(["srun", "--quiet", *_OPTIONS, "true"], check=True, stdout=sys.stderr)


if __name__ == "__main__":
    main()
