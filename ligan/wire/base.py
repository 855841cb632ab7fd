"""Base of all messages: unknown members are refused, values are not changed after reading."""

from pydantic import BaseModel, ConfigDict

MOST = 2**31 - 1
"""Of a whole number that is stored: what an INTEGER of PostgreSQL holds."""


class Message(BaseModel):
    """Numbers are numbers: JSON knows neither NaN nor infinity (RFC 8259, section 6).

    Names are remembered, values are not: most are IDs, and pydantic would keep 16,384 of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, cache_strings="keys")
