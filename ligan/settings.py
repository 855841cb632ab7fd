"""Settings of a site: one TOML file, every key with a default, a wrong key answered with all valid ones."""

from __future__ import annotations

import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from ligan.cluster_settings import ContainerSettings, RestSettings, SlurmSettings, SshSettings
from ligan.intervals import SIGNAL_EARLY
from ligan.section import Section
from ligan.slurm_value import Constraint, Extra, Gres, Memory, Name, Names, Signal, Word, notice_s
from ligan.tls.setting import TlsSettings

_TIME = re.compile(r"^(?:(?P<days>\d+)-)?(?P<hours>\d{1,2}):(?P<minutes>\d{2}):(?P<seconds>\d{2})$")


def seconds(value: object) -> object:
    """`[days-]hours:minutes:seconds` as sbatch(1) takes it, or a number of seconds."""
    if not isinstance(value, str):
        return value
    match = _TIME.match(value)
    if match is None and not value.isdecimal():
        raise ValueError("write [days-]HH:MM:SS or a number of seconds")
    if match is None:
        return value
    days, hours, minutes, seconds = (int(match[name] or 0) for name in ("days", "hours", "minutes", "seconds"))
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


Duration = Annotated[int, BeforeValidator(seconds), Field(ge=60, description="Seconds or [days-]HH:MM:SS")]


class DaemonSettings(Section):
    """`[daemon]`: where the master daemon listens."""

    host: str = Field("127.0.0.1", description="Address of the public port")
    port: int = Field(7022, ge=0, le=65535, description="Public port; 0 lets the kernel choose")
    cluster_host: str = Field("127.0.0.1", description="This host's address as the cluster's nodes reach it")
    cluster_port: int = Field(0, ge=0, le=65535, description="Port for the jobs' calls; 0 chooses once and keeps it")
    log_dir: Word = Field(
        "", description="Slurm: folder for the jobs' output, shared with the nodes; empty: STATE/logs"
    )
    resource_manager: Literal["local", "slurm_cli", "slurm_rest", "slurm_pyslurm"] = Field(
        "local", description="What starts the jobs"
    )
    database: str = Field(
        "", description="PostgreSQL as postgresql://USER@HOST/NAME; empty: SQLite in the state folder"
    )
    log_format: Literal["text", "json"] = Field("text", description="json: one object a line, for log collectors")
    max_backends: int = Field(64, ge=1, description="Backend jobs wanted at once; further sessions wait in fair order")
    max_waiting: int = Field(500, ge=0, description="Sessions that may wait; further ones are told when to come again")
    backends_per_user: int = Field(
        0, ge=0, description="Sessions with a backend per user, who is an address without accounts; 0: no cap"
    )
    retention_days: float = Field(
        30, gt=0, description="A session unused for so long is erased with all it had; old job logs go too"
    )


class JobSettings(Section):
    """What both kinds of jobs have."""

    time_limit: Duration = Field(3600, description="After this the resource manager ends the job")
    slots: int = Field(1, ge=1, description="`local` only: how many run at once")
    partition: Names = Field("", description="Slurm partition, or several by preference as a,b; needed on Slurm")
    gres: Gres = Field("", description="Slurm generic resources, such as gpu:1 or gpu:a100:1")
    constraint: Constraint = Field("", description="Slurm: features that the node must have, such as ampere")
    account: Name = Field("", description="Slurm account; empty for that of [slurm]")
    qos: Names = Field("", description="Slurm quality of service; empty for that of [slurm]")
    reservation: Names = Field("", description="Slurm reservation; empty for that of [slurm]")
    signal: Signal = Field("", description="Slurm: TERM@60 tells the job to end 60 s before its time limit, or earlier")
    cpus: int = Field(1, ge=1, description="CPU cores of the job")
    mem: Memory = Field("", description="Memory per node, such as 4G; empty for the partition's default")
    sbatch: tuple[Extra, ...] = Field((), description="Further options for sbatch, such as --exclude=node7")
    prefix: tuple[Word, ...] = Field((), description="Words before the job's command, such as a container's")
    python: Word = Field("", description="Python on the cluster's nodes; empty for the daemon's own")

    @property
    def early_s(self) -> float:
        """Seconds before the time limit at which Slurm may tell the job to end: at most half of it, 0 without `signal`.

        sbatch(1), --signal: it may come up to 60 s earlier than asked for.
        """
        return min(notice_s(self.signal) + SIGNAL_EARLY, self.time_limit / 2) if self.signal else 0.0

    @model_validator(mode="after")
    def _signal_leaves_time(self) -> Self:
        if 2 * notice_s(self.signal) > self.time_limit:
            raise ValueError(
                f"signal = {self.signal!r} leaves the job less than half of time_limit; give it less notice"
            )
        return self


class FrontendSettings(JobSettings):
    """`[frontend]`: the one web server job."""

    time_limit: Duration = 7 * 24 * 3600


class BackendSettings(JobSettings):
    """`[backend]`: the model server jobs, one for each session or a pool for all."""

    mode: Literal["per-session", "pool"] = Field("per-session", description="Who shares a backend")
    pool_size: int = Field(2, ge=1, description="`pool` only: backends that all sessions share")
    standby: int = Field(0, ge=0, description="`per-session` only: backends kept ready for the next sessions")
    handover: Literal["overlap", "restart"] = Field(
        "overlap", description="Before the time limit: a successor first, or cancel and restart"
    )
    lifetime_s: int = Field(12 * 3600, ge=60, description="A session's backends together get no longer than this")
    immediate: Literal["auto", "never"] = Field(
        "auto", description="Slurm: start at once by srun when resources are free, else queue by sbatch"
    )

    slots: int = Field(6, ge=1, description="`local` only: how many run at once")
    cpus: int = Field(2, ge=1, description="CPU cores of the job")
    idle_release_s: int = Field(600, ge=30, description="Without a task or an open page for so long, it is released")
    engine: str = Field("appearance", description="Face model: appearance or stylegan2")
    weights: str = Field("", description="Directory of its weights; empty for the packaged ones")
    weights_cache: Word = Field(
        "",
        description="Folder of each node for weights that it does not have and gets from the daemon; "
        "empty: /var/tmp/ligan-USER",
    )
    weights_cache_gib: float = Field(
        50, ge=0, le=2**20, description="That folder's bound: weights used longest ago go, never those in use; 0: none"
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto takes a GPU where there is one")


class CpuSettings(JobSettings):
    """`[cpu]`: backends on cpu nodes, shared by all sessions, that work while a session waits for its GPU."""

    backends: int = Field(0, ge=0, description="How many are kept; 0: sessions wait for their GPU")
    time_limit: Duration = 24 * 3600
    cpus: int = Field(2, ge=1, description="CPU cores of the job")


class TrialSettings(JobSettings):
    """`[trials]`: developers' test jobs. What is not said here is as in `[backend]`, but for `signal`."""

    partition: Names = Field("", description="Partitions that developers may name; by default the first preferred")
    folder_mb: int = Field(64, ge=1, description="Largest working folder, as tar.gz, in MiB")
    log_mb: int = Field(16, ge=1, description="So much of a test job's output is kept, in MiB")
    return_mb: int = Field(256, ge=0, description="So much may a test job send back, in MiB")
    uncontained: bool = Field(
        False, description="Developers' commands may run without a container, and so as the account that LiGAN runs as"
    )


class AccountSettings(Section):
    """`[accounts]`: who may use the service (docs/accounts.md)."""

    mode: Literal["none", "local", "oidc", "header"] = Field(
        "none",
        description="none: everybody who reaches the port, loopback only; local: accounts of `ligan users`; "
        "oidc: OpenID Connect; header: the site's proxy says who it is",
    )
    idle_hours: float = Field(12, gt=0, description="A login unused for so long ends")
    absolute_hours: float = Field(168, gt=0, description="A login ends after so long, used or not")
    token_days: float = Field(90, gt=0, description="Longest life of an API token")
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Addresses or networks whose X-Forwarded-For, X-Forwarded-Proto and user header are believed"
    )
    user_header: str = Field("X-Remote-User", description="`header` only: names the user; dropped from everybody else")
    groups_header: str = Field("X-Remote-Groups", description="`header` only: the user's groups, between commas")
    public_url: str = Field("", description="`oidc` only: the service's address as people type it, https://HOST")
    issuer: str = Field("", description="`oidc` only: the provider, as its discovery document names it")
    client_id: str = Field("", description="`oidc` only: what the provider calls this service")
    client_secret_file: str = Field("", description="`oidc` only: file (0600) with the secret; empty: a public client")
    logout_at_provider: bool = Field(
        True, description="`oidc` only: who logs out here is logged out there too, where the provider offers it"
    )
    scopes: tuple[str, ...] = Field(("openid", "profile", "email"), description="`oidc` only: what is asked for")
    name_claim: str = Field("preferred_username", description="`oidc` only: the claim that is shown as name")
    groups_claim: str = Field("groups", description="`oidc` only: claim with the groups; dots lead into objects")
    allowed_groups: tuple[str, ...] = Field((), description="`oidc`, `header`: who may come in; empty: everybody")
    developer_groups: tuple[str, ...] = Field((), description="`oidc`, `header`: who has the role developer")
    operator_groups: tuple[str, ...] = Field((), description="`oidc`, `header`: who has the role operator")


class LimitSettings(Section):
    """`[limits]`: what one user may take; with `accounts.mode = "none"` there are no users, and no such limits."""

    sessions: int = Field(20, ge=0, description="Sessions that a user has at once; 0: no limit")
    open_tasks: int = Field(64, ge=0, description="Tasks of a user that wait or run; 0: no limit")
    uploads_per_minute: int = Field(60, ge=0, description="Photos of a user; 0: no limit")
    gpu_minutes_per_day: int = Field(
        0, ge=0, description="Of a user's backends, test jobs and tasks in a pool, by UTC day; 0: no limit"
    )
    gpu_minutes_per_month: int = Field(0, ge=0, description="The same by UTC month; 0: no limit")
    test_jobs: int = Field(4, ge=0, description="Test jobs of a user that wait or run; 0: none are taken")
    test_job_minutes: int = Field(60, ge=1, description="Longest time limit of a test job")
    test_job_gpus: int = Field(1, ge=0, description="GPUs of one test job")
    requests_per_minute: int = Field(1200, ge=0, description="Of a user; 0: no limit")
    anonymous_per_minute: int = Field(300, ge=0, description="Of an address, not logged in; 0: no limit")
    logins_per_minute: int = Field(20, ge=1, description="Tries to log in from one address")


_JOB_FIELDS = frozenset(JobSettings.model_fields)


class Settings(Section):
    """A whole site file."""

    daemon: DaemonSettings = DaemonSettings()
    ssh: SshSettings = SshSettings()
    slurm: SlurmSettings = SlurmSettings()
    slurm_rest: RestSettings = RestSettings()
    frontend: FrontendSettings = FrontendSettings()
    backend: BackendSettings = BackendSettings()
    cpu: CpuSettings = CpuSettings()
    trials: TrialSettings = TrialSettings()
    container: ContainerSettings = ContainerSettings()
    accounts: AccountSettings = AccountSettings()
    limits: LimitSettings = LimitSettings()
    tls: TlsSettings = TlsSettings()

    @model_validator(mode="after")
    def _encrypted_between_machines(self) -> Self:
        self.tls.secures(self.daemon.resource_manager)
        return self

    @property
    def trial(self) -> JobSettings:
        """Of test jobs, with what they take from `[backend]`. Their time limit and GPUs are each one's own."""
        own = {name: getattr(self.trials, name) for name in self.trials.model_fields_set & _JOB_FIELDS}
        inherited = {name: getattr(self.backend, name) for name in _JOB_FIELDS}
        return JobSettings.model_construct(**{**inherited, "signal": "", **own})


class SettingsError(Exception):
    """A site file that cannot be used; the text says where and why."""


def load_settings(path: Path | None) -> Settings:
    """Read a site file; all defaults without one.

    Raises SettingsError on a missing file, broken TOML, an unknown key or a value out of range.
    """
    if path is None:
        return Settings()
    try:
        return Settings.model_validate(tomllib.loads(path.read_bytes().decode()))
    except OSError as error:
        raise SettingsError(f"The site file cannot be read: {error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from error
    except ValidationError as error:
        raise SettingsError(f"{path}:\n" + "\n".join(_explain(e["loc"], e["msg"]) for e in error.errors())) from error


def _explain(place: tuple[int | str, ...], what: str) -> str:
    key = ".".join(map(str, place))
    if what != "Extra inputs are not permitted":
        return f"  {key or 'the file'}: {what.removeprefix('Value error, ')}"
    section = Settings.model_fields.get(str(place[0]))
    model = section.annotation if section and len(place) > 1 else Settings
    valid = sorted(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []
    meant = "".join(f"did you mean {name}? " for name in get_close_matches(str(place[-1]), valid, n=1))
    return f"  {key}: no such setting; {meant}valid here: {', '.join(valid)}"
