"""The registry of tasks gives the queue its work, the API its validation, pages their forms and the docs a page."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import ValidationError

from backend_container.tasks.params import TaskParams
from ligan.problem import Problem
from ligan.web.app import invalid
from ligan.wire.task import TaskKind, TaskKinds, TaskOrder

if TYPE_CHECKING:
    from backend_container.tasks.context import Context, Rendered

P = TypeVar("P", bound=TaskParams)


@dataclass(frozen=True)
class Definition(Generic[P]):
    """One kind of task. Made by the decorator `task`."""

    kind: TaskKind
    params: type[P]
    run: Callable[[Context, P], list[Rendered]]
    light: Callable[[P], bool]


def heavy(_params: TaskParams) -> bool:
    """What a task is that says nothing else."""
    return False


def task(
    params: type[P],
    title: str,
    time_request_s: float,
    hidden: bool = False,
    cpu: bool = True,
    light: Callable[[P], bool] = heavy,
    stoppable: bool = False,
) -> Callable[[Callable[[Context, P], list[Rendered]]], Definition[P]]:
    """Make a function the definition of a task: its name is the kind, its docstring the description.

    `time_request_s` is how long, in seconds, it may take at worst on the slowest machine it is meant for; for a task
    that resumes, how long until it has got on. `cpu`: a machine without a GPU does it in good time. `light`: with these
    parameters it takes under a millisecond, on any thread, needs no model and gives no images; it may be done twice.
    `stoppable`: it asks the context now and then whether to `keep` what it came to and to end.
    """

    def define(run: Callable[[Context, P], list[Rendered]]) -> Definition[P]:
        kind = TaskKind(
            kind=run.__name__,
            title=title,
            description=inspect.getdoc(run) or "",
            params=params.model_json_schema(),
            time_request_s=time_request_s,
            hidden=hidden,
            cpu=cpu,
            stoppable=stoppable,
        )
        return Definition(kind, params, run, light)

    return define


@dataclass(frozen=True)
class Work:
    """A definition with the parameters of one order."""

    definition: Definition[Any]
    params: TaskParams

    @property
    def light(self) -> bool:
        """Done in less time than it takes to wake a thread for it."""
        return self.definition.light(self.params)

    def run(self, context: Context) -> list[Rendered]:
        return self.definition.run(context, self.params)


class Registry:
    """Definitions by kind, in the order in which pages offer them."""

    def __init__(self, definitions: Iterable[Definition[Any]]) -> None:
        self._definitions = {definition.kind.kind: definition for definition in definitions}

    @classmethod
    def from_modules(cls, package: str, *names: str) -> Registry:
        """The tasks `names` of a package: each a module with a function of the same name under the decorator `task`.

        Raises TypeError when a module has none.
        """
        return cls(_definition(package, name) for name in names)

    def kinds(self) -> TaskKinds:
        return TaskKinds(kinds=[definition.kind for definition in self._definitions.values()])

    def work(self, order: TaskOrder) -> Work:
        """What an order asks for. Raises Problem: unknown-task-kind, invalid-parameters, unknown-image."""
        definition = self._find(order.kind)
        try:
            params = definition.params.model_validate(order.params)
        except ValidationError as error:
            raise invalid(error) from error
        _require_images(params, order)
        return Work(definition, params)

    def _find(self, kind: str) -> Definition[Any]:
        if kind not in self._definitions:
            valid = list(self._definitions)
            raise Problem(
                "unknown-task-kind", f"There is no task {kind!r}. Choose one of: {', '.join(valid)}.", kinds=valid
            )
        return self._definitions[kind]


def _definition(package: str, name: str) -> Definition[Any]:
    definition = getattr(import_module(f"{package}.{name}"), name, None)
    if not isinstance(definition, Definition):
        raise TypeError(f"{package}.{name} needs a function {name}(context, params) under the decorator @task")
    return definition


def _require_images(params: TaskParams, order: TaskOrder) -> None:
    named = params.images()
    missing = sorted(set(named) - {image.image_id for image in order.images}) if named else []
    if missing:
        raise Problem(
            "unknown-image", f"The order does not say where to find {', '.join(missing)}; list it in `images`."
        )
