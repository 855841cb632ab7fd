"""Base of all messages: unknown members are refused, values are not changed after reading."""

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
