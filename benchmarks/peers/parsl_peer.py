"""Parsl: a data flow kernel that is up, and a block of its high-throughput executor."""

import parsl
from _measure import arguments, clear_queue, empty, tell, timed
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.launchers import SimpleLauncher
from parsl.providers import SlurmProvider


@parsl.python_app
def one() -> int:
    return 1


def main() -> None:
    given = arguments(__doc__ or "")
    folder = empty(given.folder / "parsl")
    starts: list[float] = []
    warm: list[float] = []
    for number in range(given.starts):
        parsl.load(_config(given.host, str(folder)))
        try:
            starts.append(timed(_start))
            if number == given.starts - 1:
                warm = [timed(lambda: one().result()) for _ in range(given.warm)]
        finally:
            parsl.dfk().cleanup()
            parsl.clear()
            clear_queue()
    tell(
        "interchange running before, block asked for at once; one worker, no launcher step, polls each second, "
        "manager polls every 10 ms, not encrypted",
        starts,
        warm,
    )


def _config(host: str, folder: str) -> Config:
    provider = SlurmProvider(
        partition="gpu",
        gres="gpu:1",
        cores_per_node=1,
        exclusive=False,
        init_blocks=0,
        min_blocks=0,
        max_blocks=1,
        walltime="00:10:00",
        launcher=SimpleLauncher(),
    )
    executor = HighThroughputExecutor(
        label="htex",
        provider=provider,
        address=host,
        max_workers_per_node=1,
        poll_period=10,
        heartbeat_period=5,
        encrypted=False,
    )
    # No strategy: it would notice the first call only at its next turn; the block is asked for below.
    return Config(
        executors=[executor],
        strategy="none",
        strategy_period=1,
        run_dir=folder,
        initialize_logging=False,
        usage_tracking=0,
    )


def _start() -> None:
    future = one()
    parsl.dfk().executors["htex"].scale_out_facade(1)
    assert future.result(timeout=120) == 1


if __name__ == "__main__":
    main()
