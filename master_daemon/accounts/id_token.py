"""The checks that an ID token has to stand (OpenID Connect Core 1.0, section 3.1.3.7). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authlib.oidc.core.claims import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from ligan.intervals import CLOCK_SKEW
from ligan.problem import Problem

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures with the provider's own key pairs: never `none`, and nothing whose key we would know too."""
_REFUSED = "The provider's answer does not stand its checks"
_SUBJECT_LENGTH = 255


@dataclass(frozen=True)
class Expected:
    """What the token must say."""

    issuer: str
    client_id: str
    nonce: str


def signed_by_unknown_key(error: Problem) -> bool:
    """Was the token refused for naming a key that is not among those given? The provider may have a new one."""
    return isinstance(error.__cause__, InvalidKeyIdError)


def check(token: str, keys: KeySet, expected: Expected, access_token: str | None, now: float) -> Mapping[str, Any]:
    """The token's claims. `now` is Unix seconds. Raises Problem `login-failed`."""
    try:
        decoded = jwt.decode(token, keys, algorithms=list(ALGORITHMS))
        options = {
            "iss": {"essential": True, "value": expected.issuer},
            "aud": {"essential": True, "value": expected.client_id},
            "nonce": {"essential": True, "value": expected.nonce},
        }
        params = {"client_id": expected.client_id, "access_token": access_token}
        claims = CodeIDToken(decoded.claims, decoded.header, options, params)
        claims.validate(now=int(now), leeway=int(CLOCK_SKEW))
    except JoseError as error:
        raise Problem("login-failed", f"{_REFUSED} ({error.description or error.error}).") from error
    except (TypeError, ValueError) as error:
        raise Problem("login-failed", f"{_REFUSED}.") from error
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _SUBJECT_LENGTH:
        raise Problem("login-failed", f"{_REFUSED} (it names no subject).")
    return dict(claims)
