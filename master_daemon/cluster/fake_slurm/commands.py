"""The commands of a fake cluster by name."""

from __future__ import annotations

from collections.abc import Mapping

from master_daemon.cluster.fake_slurm.act import scancel, scontrol
from master_daemon.cluster.fake_slurm.call import VERSION, Call, Command
from master_daemon.cluster.fake_slurm.controller import Controller
from master_daemon.cluster.fake_slurm.fault import Answer
from master_daemon.cluster.fake_slurm.look import sacct, sinfo, squeue
from master_daemon.cluster.fake_slurm.options import OptionError, parse
from master_daemon.cluster.fake_slurm.submit import salloc, sbatch, srun

COMMANDS: Mapping[str, Command] = {
    "sbatch": sbatch,
    "squeue": squeue,
    "scancel": scancel,
    "sacct": sacct,
    "sinfo": sinfo,
    "scontrol": scontrol,
    "srun": srun,
    "salloc": salloc,
}


def answer(controller: Controller, call: Call) -> Answer:
    """What the command prints, and its exit status. An srun whose job was accepted answers with the job's ID alone."""
    if call.arguments in (("--version",), ("-V",)):
        return Answer(VERSION + "\n")
    try:
        options, rest = parse(call.command, call.arguments)
        return COMMANDS[call.command](controller, call, options, rest)
    except OptionError as error:
        return Answer(stderr=f'{error}\nTry "{call.command} --help" for more information\n', code=1)
    except ValueError as error:
        return call.error(str(error))
