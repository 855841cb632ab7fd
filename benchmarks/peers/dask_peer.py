"""dask-jobqueue: a scheduler that is up, and a worker job for it."""

import dask
from _measure import arguments, clear_queue, empty, tell, timed
from dask.distributed import Client
from dask_jobqueue import SLURMCluster


def main() -> None:
    given = arguments(__doc__ or "")
    dask.config.set({"distributed.comm.timeouts.connect": "20s"})
    folder = str(empty(given.folder / "dask"))
    starts: list[float] = []
    warm: list[float] = []
    for number in range(given.starts):
        with _cluster(given.host, folder) as cluster, Client(cluster) as client:
            starts.append(timed(lambda: _start(cluster, client)))
            if number == given.starts - 1:
                warm = [timed(lambda: client.submit(_one, pure=False).result()) for _ in range(given.warm)]
        clear_queue()
    tell("scheduler running before; scale(1) to the first result; no nanny, no dashboard", starts, warm)


def _cluster(host: str, folder: str) -> SLURMCluster:
    return SLURMCluster(
        queue="gpu",
        cores=1,
        processes=1,
        memory="1GB",
        walltime="00:10:00",
        job_extra_directives=["--gres=gpu:1"],
        job_directives_skip=["--mem"],
        scheduler_options={"host": f"tcp://{host}:0", "dashboard": False},
        worker_extra_args=["--no-dashboard", "--no-nanny"],
        local_directory=folder,
        log_directory=folder,
    )


def _start(cluster: SLURMCluster, client: Client) -> None:
    future = client.submit(_one, pure=False)
    cluster.scale(1)
    assert future.result(timeout=120) == 1


def _one() -> int:
    return 1


if __name__ == "__main__":
    main()
