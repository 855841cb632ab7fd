"""The site file's sections about the cluster: how it is reached, in whose name, and what jobs run in."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ligan.section import Section
from ligan.slurm_value import Name, Names, Word


class SlurmSettings(Section):
    """`[slurm]`: in whose name all jobs ask. A job's own table may say otherwise."""

    account: Name = Field("", description="Account that the jobs are charged to")
    qos: Names = Field("", description="Quality of service")
    reservation: Names = Field("", description="Reservation that the jobs run in")


class SshSettings(Section):
    """`[ssh]`: the login node, when the daemon runs elsewhere."""

    host: str = Field("", description="Name or address of the login node; empty: the daemon runs on it")
    port: int = Field(22, ge=1, le=65535, description="Port of its sshd")
    user: str = Field("", description="Account there; empty for the daemon's own user name")
    key: str = Field("", description="Private key file; empty for the agent's keys")
    known_hosts: str = Field("", description="File with its host key; empty for ~/.ssh/known_hosts")
    tunnel: bool = Field(True, description="Reach the compute nodes through it; false: they can be reached directly")


class RestSettings(Section):
    """`[slurm_rest]`: where slurmrestd answers."""

    url: str = Field("", description="http://HOST:PORT or unix:/PATH of slurmrestd's socket")
    token_file: str = Field(
        "", description="File with a JSON web token (scontrol token); empty for a socket of our user"
    )


class ContainerSettings(Section):
    """`[container]`: the images that jobs run in (docs/containers.md)."""

    runtime: Literal["none", "apptainer"] = Field("none", description="What runs them; none: on the nodes themselves")
    frontend: Word = Field("", description="Image file of the frontend, as its node sees it; empty: on the node itself")
    backend: Word = Field("", description="Image file of the backends, as their nodes see it")
    cpu: Word = Field("", description="Image file of backends on cpu nodes; empty: the same")
    binds: tuple[Word, ...] = Field((), description="Folders of the node that jobs see besides, SOURCE:TARGET:ro each")
    arguments: tuple[Word, ...] = Field((), description="Further arguments of `apptainer exec`")

    @model_validator(mode="after")
    def _images_fit_the_runtime(self) -> Self:
        named = bool(self.frontend or self.backend or self.cpu)
        if named != (self.runtime != "none"):
            what = "images are named, but nothing runs them" if named else "name an image in frontend or backend"
            raise ValueError(f"runtime = {self.runtime!r}: {what}")
        return self
