"""A section of the site file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Its keys and no others; what was read does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)
