"""Rows: a running job meets its end, or something like it, while it has tasks."""

from __future__ import annotations

from master_daemon.cluster.fake_slurm.job import Job
from tests.faults.house import House
from tests.faults.row import LONG, fault


def _job(house: House, role: str = "backend") -> Job:
    jobs: list[Job] = house.slurm.running(f"ligan-{role}-")
    return jobs[-1]


@fault(task_s=LONG)
def job_requeued(house: House) -> None:
    """The cluster puts the running backend back into its queue; it starts again under the same ID"""
    house.slurm.requeue(_job(house))
    house.broken()


@fault(task_s=LONG)
def job_preempted(house: House) -> None:
    """The cluster preempts the backend: SIGTERM, SIGKILL 5 s later"""
    house.slurm.preempt(_job(house))
    house.broken()


@fault(task_s=LONG)
def node_failed(house: House) -> None:
    """The backend's node loses power"""
    house.slurm.fail_node(_job(house).node)
    house.broken()


@fault(task_s=LONG)
def frontend_node_failed(house: House) -> None:
    """The frontend's node loses power and comes back after 10 s"""
    node = _job(house, "frontend").node
    house.slurm.fail_node(node)
    house.pass_time(10, "there is no other node for it")
    house.healed()


@fault(task_s=LONG)
def job_out_of_memory(house: House) -> None:
    """The backend is killed for its memory: the running task is told, the others go on"""
    house.excused.add("out-of-memory")
    house.slurm.run_out_of_memory(_job(house))
    house.broken()


@fault(task_s=LONG, quick=True)
def job_cancelled(house: House) -> None:
    """Somebody cancels the backend's job"""
    house.slurm.cancel(_job(house))
    house.broken()


@fault()
def pending_job_cancelled(house: House) -> None:
    """Somebody cancels a newcomer's job that waits"""
    house.slurm.controller.held.add("gpu")
    house.let_in()
    house.wait(lambda: _pending(house), "the newcomer's job")
    house.slurm.cancel(_pending(house)[0])
    house.healed()


@fault()
def frontend_cancelled(house: House) -> None:
    """Somebody cancels the frontend's job"""
    job = _job(house, "frontend")
    house.slurm.cancel(job)
    house.broken()
    house.wait(lambda: not house.slurm.controller.job(job.job_id).live, "the end of its grace time")


@fault()
def job_forgotten(house: House) -> None:
    """slurmctld forgets the backend's job, which goes on"""
    job = _job(house)
    house.slurm.controller.held.add("gpu")
    house.let_in()
    house.slurm.controller.forget(job.job_id)
    house.pass_time(30, "several good listings lack it, and its heartbeat says more")
    assert house.backend_of(job).state == "READY", "a job that is heard was given up"
    house.slurm.controller.remember(job.job_id)
    house.healed()


@fault(settings={"backend": {"time_limit": 7200}})
def clock_ahead(house: House) -> None:
    """slurmctld's clock jumps an hour ahead"""
    house.slurm.clock_jump(3600)
    house.let_in()
    house.broken()
    house.pass_time(15, "listings with the new times must have come")


@fault(settings={"backend": {"time_limit": 7200}})
def clock_behind(house: House) -> None:
    """slurmctld's clock jumps back an hour"""
    house.slurm.clock_jump(-3600)
    house.let_in()
    house.broken()
    house.pass_time(15, "listings with the new times must have come")


@fault(people=2)
def cluster_full(house: House) -> None:
    """Two backends are cancelled, and nothing starts for 30 s"""
    house.slurm.controller.held.add("gpu")
    for job in house.slurm.running("ligan-backend-"):
        house.slurm.cancel(job)
    house.pass_time(30, "people must wait with their tasks")
    house.healed()


def _pending(house: House) -> list[Job]:
    return [
        job
        for job in house.slurm.controller.jobs
        if job.state == "PENDING" and job.wish.name.startswith("ligan-backend-")
    ]
