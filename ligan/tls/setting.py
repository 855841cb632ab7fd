"""The site file's section about TLS."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ligan.section import Section


class TlsSettings(Section):
    """`[tls]`: encryption between the daemon and its jobs, and at the public port (docs/operators.md)."""

    between_parts: Literal["auto", "always", "never"] = Field(
        "auto",
        description="Daemon and jobs; auto: unless all of it is on this machine's loopback (`local`); "
        "never: only there, and the daemon does not start elsewhere",
    )
    certificate: str = Field(
        "",
        description="Public port: PEM file of the site's certificate and those above it, read anew when it changes; "
        "empty: plain HTTP, for the site's own proxy",
    )
    key: str = Field("", description="PEM file (0600) with the certificate's private key")

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key belong together: give both files, or none")
        return self

    def secures(self, manager: str) -> bool:
        """Whether daemon and jobs speak TLS. Raises ValueError where they have to and may not."""
        if self.between_parts == "auto":
            return manager != "local"
        if self.between_parts == "never" and manager != "local":
            raise ValueError(
                f'tls.between_parts = "never": jobs of {manager} run on other machines, and whoever is on the way '
                'could read photos and pose as a part of LiGAN; "auto" encrypts there, and asks for nothing else'
            )
        return self.between_parts == "always"
