"""A way to a server that shows exactly one certificate, by whatever name it is called. For requests."""

from __future__ import annotations

from typing import Any

from requests.adapters import HTTPAdapter

from ligan.tls.contexts import pinning


class Pinned(HTTPAdapter):
    """`certificate` is PEM text."""

    def __init__(self, certificate: str) -> None:
        self._context = pinning(certificate)
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 (of requests)
        super().init_poolmanager(*arguments, **options, ssl_context=self._context, assert_hostname=False)

    def cert_verify(self, *_: object) -> None:
        """Nothing to add: requests would have everybody believed whom this machine believes."""
