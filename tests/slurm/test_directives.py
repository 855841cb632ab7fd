"""What sbatch reads of a `#SBATCH` line is what was written, whatever stands in a site file: the real one is asked."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Iterator

import pytest

from ligan.extra_option import check_extra
from master_daemon.cluster.command import run
from master_daemon.cluster.job_script import directive_word
from tests.slurm.site_controller import asking

SHAPE = "NodeName=n1 CPUs=8 RealMemory=4000 State=CLOUD\nPartitionName=main Nodes=n1 Default=YES\n"
AWKWARD = [
    string.punctuation,
    "GPUs  for faces",
    "it's",
    "back\\slash",
    "\\",
    "# no comment",
    "x\\' \" --nice=99 #",  # slipped an option in where the word was quoted as for a shell
    'x\\" --nice=99 #',
    "$(touch /tmp/owned) `id`",
    "--nice=99",
    "é",
]
NOISE = ["x" + "".join(random.Random(seed).choices("ab\\'\"# =", k=12)) + "x" for seed in range(40)]
DEFINED = re.compile(r"^sbatch: (?P<name>comment|nice) +: (?P<value>.*)$", re.MULTILINE)
# sbatch: comment             : GPUs for faces


@pytest.fixture(scope="module", autouse=True)
def slurmctld(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with asking(tmp_path_factory.mktemp("site"), SHAPE):
        yield


@pytest.mark.parametrize("text", [*AWKWARD, *NOISE])
def test_a_word_stays_one_word(text: str) -> None:
    option = check_extra(f"--comment={text}")
    script = f"#!/bin/bash\n#SBATCH {directive_word(option)}\n#SBATCH --nice=7\ntrue\n"
    said = run(("sbatch", "--test-only", "-vv"), stdin=script).stderr
    assert DEFINED.findall(said) == [("comment", text), ("nice", "7")]
