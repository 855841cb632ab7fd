"""What `/metrics` shows."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from docs.generators import markdown
from docs.generators.attributes import attributes
from master_daemon.observe import metrics

_INTRO = """`GET /metrics` at the public port, in the text format 0.0.4 of Prometheus or as OpenMetrics. It holds counts
and times and no name of anybody or anything. [Which are worth an alarm](operators.md#metrics-worth-an-alarm).
"""
_OF_SAMPLES = {"le", "quantile"}
"""Labels of a histogram's own samples."""


def page(exposition: str) -> str:
    """One table, from what a daemon answers there."""
    own = dict(_counted())
    families = sorted(text_string_to_metric_families(exposition), key=lambda family: family.name)
    rows = (_row(family, *own.get(family.name, ("", ()))) for family in families)
    return markdown.page("Metrics", _INTRO, markdown.table(("metric", "kind", "labels", "meaning"), rows))


def _counted() -> Iterator[tuple[str, tuple[str, tuple[str, ...]]]]:
    """Name, (the text below it in the source, its labels): `/metrics` shows no labels of what has no samples yet."""
    for one in attributes(metrics):
        if isinstance(one.value, MetricWrapperBase):
            yield next(iter(one.value.describe())).name, (one.text, tuple(one.value._labelnames))


def _row(family: Metric, more: str, labels: tuple[str, ...]) -> tuple[str, str, str, str]:
    name = family.name + ("_total" if family.type == "counter" else "")
    shown = ", ".join(f"`{label}`" for label in labels or _labels(family))
    return f"`{name}`", family.type, shown, " ".join(filter(None, (markdown.sentence(family.documentation), more)))


def _labels(family: Metric) -> Iterator[str]:
    yield from sorted({label for sample in family.samples for label in sample.labels} - _OF_SAMPLES)
