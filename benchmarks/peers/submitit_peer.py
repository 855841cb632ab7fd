"""submitit: a job for each call, its result read from the shared folder."""

import time

import submitit
from _measure import arguments, clear_queue, tell, timed


def main() -> None:
    given = arguments(__doc__ or "")
    executor = submitit.AutoExecutor(folder=given.folder / "submitit")
    executor.update_parameters(
        slurm_partition="gpu", slurm_gres="gpu:1", timeout_min=5, slurm_setup=[], slurm_srun_args=[]
    )
    starts = []
    for _ in range(given.starts):
        starts.append(timed(lambda: _call(executor)))
        clear_queue()
    tell("AutoExecutor, polled as shipped; the result's file looked for every 20 ms besides", starts, [])


def _call(executor: submitit.AutoExecutor) -> None:
    """`Job.wait` looks once a second; a person who is in a hurry looks for the file, as its documentation shows."""
    job = executor.submit(_one)
    while not job.paths.result_pickle.exists():
        time.sleep(0.02)
    assert job.result() == 1


def _one() -> int:
    return 1


if __name__ == "__main__":
    main()
