"""A fake Slurm in a terminal: executables for PATH, and a console to break it with lines such as `fail squeue HUNG`."""

from __future__ import annotations

import argparse
import cmd
import sys
from pathlib import Path

from master_daemon.cluster.fake_slurm import fault
from master_daemon.cluster.fake_slurm.fault import Fault
from master_daemon.cluster.fake_slurm.job import Job
from master_daemon.cluster.fake_slurm.slurm import FakeSlurm

FAULTS = {name: value for name, value in vars(fault).items() if isinstance(value, Fault)}


class Console(cmd.Cmd):
    """One verb a line; `help` lists them."""

    prompt = "fake slurm> "

    def __init__(self, slurm: FakeSlurm) -> None:
        super().__init__()
        self._slurm = slurm

    def do_fail(self, line: str) -> None:
        """fail COMMAND FAULT [CALLS]: COMMAND (or *) fails so for some calls, or until `heal`; `faults` lists them."""
        command, name, *calls = line.split()
        self._slurm.answers(command, FAULTS[name], int(calls[0]) if calls else None)

    def do_faults(self, _: str) -> None:
        """What can be said after `fail COMMAND`."""
        self._say("\n".join(f"{name:28}{value.name}" for name, value in FAULTS.items()))

    def do_heal(self, _: str) -> None:
        """Everything works again."""
        self._slurm.heal()

    def do_preempt(self, line: str) -> None:
        """preempt JOB"""
        self._slurm.preempt(self._job(line))

    def do_requeue(self, line: str) -> None:
        """requeue JOB"""
        self._slurm.requeue(self._job(line))

    def do_oom(self, line: str) -> None:
        """oom JOB: it ran out of memory"""
        self._slurm.run_out_of_memory(self._job(line))

    def do_node(self, line: str) -> None:
        """node NAME up|drained|down"""
        name, state = line.split()
        self._slurm.controller.set_node(name, state)

    def do_clock(self, line: str) -> None:
        """clock SECONDS: the cluster's clock jumps"""
        self._slurm.clock_jump(float(line))

    def do_calls(self, _: str) -> None:
        """How often each command was called."""
        calls = [record.command for record in self._slurm.calls]
        self._say("\n".join(f"{command:10}{calls.count(command)}" for command in sorted(set(calls))))

    def do_EOF(self, _: str) -> bool:  # noqa: N802 (cmd's name for the end of input)
        """End the cluster and its jobs."""
        return True

    def emptyline(self) -> bool:
        return False

    def onecmd(self, line: str) -> bool:
        try:
            return bool(super().onecmd(line))
        except (KeyError, ValueError, IndexError) as error:
            self._say(f"not understood: {error}; try `help`")
            return False

    def _say(self, text: str) -> None:
        self.stdout.write(text + "\n")

    def _job(self, line: str) -> Job:
        return self._slurm.controller.job(int(line))


def main() -> int:
    parser = argparse.ArgumentParser("python -m master_daemon.cluster.fake_slurm", description=__doc__)
    parser.add_argument("folder", type=Path, help="for its executables and scripts; made if there is none")
    folder: Path = parser.parse_args().folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with FakeSlurm(folder) as slurm:
        Console(slurm).cmdloop(f'export PATH="{slurm.path}:$PATH"\nCtrl-D ends it, and `help` lists what it can do.')
    return 0


if __name__ == "__main__":
    sys.exit(main())
