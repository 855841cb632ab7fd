"""A folder of attribute weights: config.json, heads.safetensors and, unless the backbone is as packages carry it,
backbone.safetensors. See `models.weight_files`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from backend_container.models.attributes.backbone import PUBLISHED, Backbone
from backend_container.models.attributes.network import POOLINGS, HeadNetwork, NetworkConfig
from backend_container.models.weight_files import Manifest, Tensors, WeightFiles, float16, module_tensors
from backend_container.models.weight_storage import int8, unpacked

HEADS, BACKBONE = "heads.safetensors", "backbone.safetensors"


class AttributesManifest(Manifest):
    """What config.json holds."""

    format: Literal["ligan-attributes-1"] = "ligan-attributes-1"
    name: str
    network: NetworkConfig


@dataclass(frozen=True, eq=False)
class AttributeWeights:
    """One network, on the CPU."""

    name: str
    config: NetworkConfig
    backbone: Backbone
    heads: HeadNetwork
    published: bool
    """The backbone has the weights that packages carry, and so is not stored."""


def save(folder: Path, weights: AttributeWeights) -> None:
    """Write a folder that `load` reads; large tensors of the heads as int8."""
    parts = {HEADS: int8()(module_tensors(weights.heads))}
    if not weights.published:
        parts[BACKBONE] = float16(module_tensors(weights.backbone.stored))
    _files(folder).write(AttributesManifest(name=weights.name, network=weights.config), parts, dict)


def load(folder: Path) -> AttributeWeights:
    """Raises ModelError: weights-missing, weights-mismatch, weights-damaged, model-part-missing, engine-unknown."""
    files = _files(folder)
    manifest = files.manifest(AttributesManifest)
    config = manifest.network
    published = BACKBONE not in manifest.files
    if published and config.backbone not in PUBLISHED:
        detail = f"it names no {BACKBONE}, which only {', '.join(PUBLISHED)} can do without"
        raise files.mismatch("config.json", detail)
    backbone = Backbone(config.backbone)
    if not published:
        files.fill(backbone.stored, BACKBONE, files.tensors(BACKBONE, manifest))
    heads = new_heads(config, backbone)
    files.fill(heads, HEADS, _unpacked(files, manifest))
    return AttributeWeights(manifest.name, config, backbone.eval(), heads.eval(), published)


def new_heads(config: NetworkConfig, backbone: Backbone) -> HeadNetwork:
    """Heads that fit a backbone, not trained."""
    return HeadNetwork(config, backbone.dimension * POOLINGS[config.pooling])


def _unpacked(files: WeightFiles, manifest: Manifest) -> Tensors:
    try:
        return unpacked(files.tensors(HEADS, manifest))
    except ValueError as error:
        raise files.damaged(HEADS, str(error)) from error


def _files(folder: Path) -> WeightFiles:
    return WeightFiles(folder, "attribute weights", "Train them: `ligan train attributes`.")
