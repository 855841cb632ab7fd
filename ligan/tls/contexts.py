"""Both sides' contexts, made from PEM text. Only `ssl` is imported here: a job calls home with it."""

from __future__ import annotations

import os
import ssl

DOMAIN = "ligan.internal"
"""Of all names that an installation's authority vouches for; `internal` is kept out of the DNS (ICANN, 2024). They are
nobody's host name: a job's host is not known before it runs.
"""
DAEMON = f"daemon.{DOMAIN}"
"""Whom a job has to find where it calls."""
_END = "-----END CERTIFICATE-----"


def name_of(nonce: str) -> str:
    """A job's identity: its seat's generation, wherever it runs."""
    return f"{nonce}.job.{DOMAIN}"


def serving(certificate: str, key: str) -> ssl.SSLContext:
    """The side that is called. Raises ssl.SSLError when the two do not belong together."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # Connections are kept, so that few would be resumed; and a ticket that comes unasked would look like an answer.
    context.num_tickets = 0
    show(context, certificate, key)
    return context


def show(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """From the next handshake on, `context` shows this certificate. Raises ssl.SSLError as `serving`."""
    descriptor = os.memfd_create("certificate")  # OpenSSL reads files only; this one stands in no file system
    try:
        with os.fdopen(os.dup(descriptor), "w") as file:
            file.write(certificate + key)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def pinning(certificate: str) -> ssl.SSLContext:
    """The side that calls, where exactly this certificate has to be shown (the first of the PEM text), by any name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=certificate[: certificate.index(_END) + len(_END)] + "\n")
    return context


def trusting(authority: str) -> ssl.SSLContext:
    """The side that calls. It trusts nobody else, and asks for the other's name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and name
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=authority)
    return context
