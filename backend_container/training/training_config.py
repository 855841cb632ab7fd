"""What every training run is told: one TOML file, checked; a wrong key is answered with all valid ones."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from backend_container.training.error import TrainingError

C = TypeVar("C", bound="TrainingConfig")


class TrainingConfig(BaseModel):
    """Base of every kind's configuration. Each field has a description, which `--example` prints."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    free: ClassVar[frozenset[str]] = frozenset(
        {"steps", "device", "threads", "checkpoint_minutes", "keep", "sample_minutes", "log_every"}
    )
    """Fields that may differ when a run is resumed: they do not change what a step computes."""

    steps: int = Field(10_000, ge=1, description="Steps in all; a resumed run goes on to this one")
    batch: int = Field(8, ge=1, description="Images of one step, in one process")
    seed: int = Field(0, ge=0, lt=2**31, description="Of everything random: same seed, same weights on one device")
    device: str = Field("auto", description="cpu, cuda or cuda:1; auto: a GPU where there is one")
    threads: int = Field(0, ge=0, le=1024, description="CPU threads; 0: as PyTorch chooses")
    checkpoint_minutes: float = Field(10, gt=0, description="Between two checkpoints")
    keep: int = Field(2, ge=1, description="Checkpoints that are kept, the newest ones")
    sample_minutes: float = Field(10, gt=0, description="Between two sheets of samples")
    log_every: int = Field(20, ge=1, description="Steps between two lines of progress")


def read_config(kind: type[C], path: Path, **overrides: object) -> C:
    """The configuration in a TOML file; `overrides` win over it. Raises TrainingError."""
    try:
        given = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TrainingError(f"{path} cannot be read as TOML: {error}.") from error
    return make_config(kind, {**given, **overrides}, str(path))


def make_config(kind: type[C], given: dict[str, Any], where: str) -> C:
    """Checked. Raises TrainingError with every mistake; unknown keys are answered with the valid ones."""
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise TrainingError(f"{where}: {'; '.join(_sentences(kind, error))}.") from error


def _sentences(kind: type[TrainingConfig], error: ValidationError) -> Iterator[str]:
    details = error.errors()
    unknown = [".".join(map(str, one["loc"])) for one in details if one["type"] == "extra_forbidden"]
    if unknown:
        yield f"no such setting: {', '.join(unknown)} (there are: {', '.join(sorted(kind.model_fields))})"
    for one in details:
        name = ".".join(map(str, one["loc"]))
        if one["type"] == "missing":
            yield f"{name} is needed: {kind.model_fields[name].description}"
        elif one["type"] != "extra_forbidden":
            yield f"{name or 'together'}: {one['msg'].removeprefix('Value error, ')}"


def example(kind: type[TrainingConfig]) -> str:
    """A TOML file with every setting at its default, described."""
    lines = [line for name, field in kind.model_fields.items() for line in _setting(name, field)]
    return "\n".join(lines) + "\n"


def _setting(name: str, field: FieldInfo) -> Iterator[str]:
    yield f"# {field.description}"
    if field.is_required():
        yield f"# {name} = ...  (needed)"
    else:
        yield f"{name} = {_toml(field.get_default(call_default_factory=True))}"
    yield ""


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value)


def differences(before: dict[str, Any], config: TrainingConfig) -> list[str]:
    """What differs, of all that must not, between a checkpoint's configuration (as JSON) and a run's, in words."""
    now = config.model_dump(mode="json")
    names = [name for name in sorted({*before, *now} - config.free) if before.get(name) != now.get(name)]
    return [f"{name} was {before.get(name, 'not there')} and is {now.get(name, 'not there')}" for name in names]
