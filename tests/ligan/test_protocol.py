"""Which jobs a daemon understands, and in which words it refuses the others."""

from __future__ import annotations

import pytest

from ligan import protocol


@pytest.mark.parametrize(
    ("spoken", "said"),
    [
        (None, ""),
        (2, ""),
        (3, ""),
        (4, ""),
        (1, "It is of an older LiGAN (protocol 1; this daemon understands 2 to 4)."),
        (5, "It is of a newer LiGAN (protocol 5; this daemon understands 2 to 4)."),
    ],
)
def test_misfits(monkeypatch: pytest.MonkeyPatch, spoken: int | None, said: str) -> None:
    monkeypatch.setattr(protocol, "OLDEST_PROTOCOL", 2)
    monkeypatch.setattr(protocol, "PROTOCOL", 4)
    assert protocol.misfit(spoken) == said
