"""Which jobs the daemon understands: those of its own protocol, and older ones down to `OLDEST_PROTOCOL`."""

from __future__ import annotations

from ligan import OLDEST_PROTOCOL, PROTOCOL


def misfit(protocol: int | None) -> str:
    """Why a job of this protocol cannot work with this daemon; empty when it can, or has not said what it speaks."""
    if protocol is None or OLDEST_PROTOCOL <= protocol <= PROTOCOL:
        return ""
    whose = "an older" if protocol < OLDEST_PROTOCOL else "a newer"
    understood = f"{OLDEST_PROTOCOL} to {PROTOCOL}" if OLDEST_PROTOCOL < PROTOCOL else f"{PROTOCOL}"
    return f"It is of {whose} LiGAN (protocol {protocol}; this daemon understands {understood})."
