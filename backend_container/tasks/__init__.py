"""Every kind of task that a backend can do: a file here and its line below."""

from backend_container.tasks.registry import Registry

REGISTRY = Registry.from_modules(
    __name__,
    "similar",
    "interpolate",
    "refine",
    "random",
    "noop",
    "count",
)
