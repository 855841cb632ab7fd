"""All generated pages, by their files in docs/."""

from __future__ import annotations

import json

from docs.generators import commands, events, http_api, installation, intervals, metrics, problems, settings, task_kinds

_SERVERS = {
    "master-daemon": "API of the master daemon",
    "frontend": "API of the frontend",
    "backend": "API of backends",
}
_METRICS = "metrics"


def pages() -> dict[str, str]:
    """File name -> Markdown. A daemon is started for a moment, on ports of the kernel's choice."""
    documents = {name: f"{name}-api-docs/openapi.json" for name in _SERVERS}
    told = installation.answers(_METRICS, *documents.values())
    apis = {f"api-{name}.md": http_api.page(_SERVERS[name], json.loads(told[path])) for name, path in documents.items()}
    return {
        "commands.md": commands.page(),
        "events.md": events.page(),
        "intervals.md": intervals.page(),
        "metrics.md": metrics.page(told[_METRICS]),
        "problems.md": problems.page(),
        "settings.md": settings.page(),
        "task-kinds.md": task_kinds.page(),
        **apis,
    }
