"""What the training of an attribute network leaves: weights, figures, a model card."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from backend_container.datasets.shards import FaceShards
from backend_container.models.attributes import weights as files
from backend_container.models.attributes.predictor import decide
from backend_container.models.attributes.trained import as_predictions
from backend_container.models.attributes.weights import AttributeWeights
from backend_container.training.attributes import metrics
from backend_container.training.attributes.calibration import calibrate
from backend_container.training.attributes.config import Config
from backend_container.training.telling import duration
from backend_container.training.trainer import Facts

METRICS = "metrics.json"
ALL = "all"
GROUPED_BY = ("gender", "Male", "Young", "race", "ethnicity")
"""Labels whose values are groups of faces for which figures are given, where a set has them."""


@torch.no_grad()
def logits_of(weights: AttributeWeights, pooled: Tensor) -> dict[str, Tensor]:
    """By head, of pooled features (n, width), on the CPU."""
    heads = weights.heads.eval()
    device = next(heads.parameters()).device
    return {name: one.cpu() for name, one in heads(pooled.to(device)).items()}


def calibrated(
    weights: AttributeWeights, pooled: Tensor, wanted: Mapping[str, Tensor], classes: Mapping[str, Tensor]
) -> AttributeWeights:
    """A copy whose probabilities fit the labels `wanted` of some faces; `classes` are weights as in `calibrate`."""
    heads = copy.deepcopy(weights.heads).cpu().eval()
    found = replace(weights, heads=heads)
    layers = cast(Mapping[str, nn.Linear], dict(heads.heads))
    calibrate(weights.config.heads, layers, logits_of(found, pooled), wanted, classes)
    return found


def figures(
    weights: AttributeWeights, pooled: Tensor, wanted: Mapping[str, Tensor], labels: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Rows of `metrics.Figures`, of all these faces and of each group."""
    heads = weights.config.heads
    attributes = [attribute for head in heads for attribute in head.attributes()]
    logits = {name: one.numpy() for name, one in logits_of(weights, pooled).items()}
    predictions = as_predictions(heads, logits)
    truth: dict[str, NDArray[np.intp]] = {}
    for head in heads:
        columns = wanted[head.name].numpy().astype(np.intp)
        truth |= {head.name: columns} if head.kind == "classes" else dict(zip(head.outputs, columns.T, strict=True))
    return metrics.figures(attributes, predictions, decide(attributes, predictions), truth, groups(labels))


def groups(labels: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[np.bool_]]:
    """Who belongs to each group, shape (n,); the first is everybody."""
    found = {ALL: np.ones(len(labels), bool)}
    for key in GROUPED_BY:
        values = [str(label.get(key, "")) for label in labels]
        found |= {f"{key} {value}": np.array(values) == value for value in sorted({*values} - {""})}
    return found


def write(folder: Path, weights: AttributeWeights, rows: Sequence[Mapping[str, Any]]) -> None:
    """The weights, and metrics.json beside them."""
    files.save(folder, weights)
    (folder / METRICS).write_text(json.dumps(rows, indent=1) + "\n")


def card(config: Config, shards: FaceShards, labelled: int, rows: Sequence[Mapping[str, Any]], facts: Facts) -> str:
    """A model card (Mitchell et al., FAT* 2019); `labelled` faces of the set have all the labels."""
    everybody = [row for row in rows if row["group"] == ALL]
    return f"""# Attributes: {config.labels}

What faces look like, by the labels of {config.labels}, on the backbone {config.backbone}. Made by `ligan train
attributes`.

- **Use**: to describe sets of faces and to point at fillers that do not fit. Not to decide anything about a person.
- **Data**: {labelled} of the {len(shards)} faces of the set {shards.folder.name}; the others lack labels.
- **Terms**: those of the set {shards.folder.name}.
- **Training**: {facts.steps} steps of {config.batch} faces, {duration(facts.seconds)} on {facts.device}.
- **Figures**: on {everybody[0]["faces"] if everybody else 0} faces that training and calibration left out. They are
  not other people with certainty: the set does not say who is who.

| attribute | share | accuracy | precision | recall | AUC |
|---|---|---|---|---|---|
{_table(everybody)}

## By group

Accuracy and AUC in each group of at least {metrics.LEAST} test faces.

{_by_group(rows)}

```json
{json.dumps(config.model_dump(mode="json"), indent=2)}
```
"""


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    columns = ("positive", "accuracy", "precision", "recall", "auc")
    return "\n".join(
        f"| {_words(row)} | " + " | ".join(_share(row[column]) for column in columns) + " |" for row in rows
    )


def _by_group(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(row["group"] for row in rows))
    lines = [f"| attribute | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for attribute in dict.fromkeys(row["attribute"] for row in rows):
        cells = {row["group"]: row for row in rows if row["attribute"] == attribute}
        told = (f"{_share(cells[name]['accuracy'])} / {_share(cells[name]['auc'])}" for name in names)
        lines.append(f"| {_words({'attribute': attribute})} | {' | '.join(told)} |")
    return "\n".join(lines)


def _words(row: Mapping[str, Any]) -> str:
    return str(row["attribute"]).replace("_", " ")


def _share(share: float | None) -> str:
    return "–" if share is None else f"{share:.3f}".removeprefix("0") if share < 1 else "1"
