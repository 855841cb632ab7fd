"""The OpenID Connect provider: authorization code flow with PKCE (OpenID Connect Core 1.0; RFC 6749, 7636, 9207)."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from ligan.intervals import PROVIDER_KEYS, PROVIDER_KEYS_PAUSE, PROVIDER_TIMEOUT
from ligan.problem import Problem
from ligan.settings import AccountSettings, SettingsError
from ligan.web.address import is_address
from master_daemon.accounts import id_token
from master_daemon.accounts.id_token import Expected
from master_daemon.accounts.network import is_loopback
from master_daemon.accounts.pending import Pending, same
from master_daemon.accounts.secret_file import read_secret

CALLBACK = "/login/callback"
AFTER_LOGOUT = "/login?out"
_DISCOVERY = "/.well-known/openid-configuration"
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_END_SESSION = "end_session_endpoint"
_AGAIN = "Go back to the login page and try again."


@dataclass(frozen=True)
class _Known:
    """What the provider says of itself, read at `at` (Unix seconds)."""

    endpoints: Mapping[str, str]
    keys: KeySet
    at: float


class Provider:
    """One provider. Thread-safe. Raises SettingsError for settings that cannot be used."""

    def __init__(self, settings: AccountSettings) -> None:
        _check(settings)
        self._settings = settings
        self._secret = read_secret(settings.client_secret_file) if settings.client_secret_file else None
        self._known: _Known | None = None
        self._failures = 0
        self._lock = threading.Lock()

    @property
    def host(self) -> str:
        """For people: where they are sent."""
        return urlsplit(self._settings.issuer).netloc

    def login_address(self, pending: Pending, now: float) -> str:
        """Where the browser goes to log in. Raises Problem `unreachable`."""
        with self._client() as client:
            address, _ = client.create_authorization_url(
                self._discovered(now).endpoints["authorization_endpoint"],
                state=pending.state,
                nonce=pending.nonce,
                code_verifier=pending.verifier,
            )
        return str(address)

    def claims(self, answer: Mapping[str, str], pending: Pending, now: float) -> tuple[Mapping[str, Any], str]:
        """The ID token's claims, and itself, for the answer that the browser brings.

        Raises Problem `login-failed`, `unreachable`.
        """
        if not same(answer.get("state", ""), pending.state):
            raise Problem("login-failed", f"This answer belongs to another login. {_AGAIN}")
        if answer.get("iss", self._settings.issuer) != self._settings.issuer:  # RFC 9207: another provider's answer
            raise Problem("login-failed", f"This answer is another provider's. {_AGAIN}")
        if "error" in answer or not answer.get("code"):
            raise Problem("login-failed", f"The provider did not log you in ({_word(answer)}). {_AGAIN}")
        return self._checked(self._exchange(answer["code"], pending, now), pending, now)

    def logout_address(self, hint: str, now: float) -> str:
        """Where the browser is logged out at the provider too; empty where it offers that not, or does not answer.

        OpenID Connect RP-Initiated Logout 1.0, section 2. `hint` is the ID token of the login, or empty: then the
        provider may ask the person.
        """
        offered = self._end_session(now)
        if not offered:
            return ""
        back = self._settings.public_url.rstrip("/") + AFTER_LOGOUT
        said = {"id_token_hint": hint, "client_id": self._settings.client_id, "post_logout_redirect_uri": back}
        query = urlencode({name: value for name, value in said.items() if value})
        return f"{offered}{'&' if '?' in offered else '?'}{query}"

    def logout_origin(self, now: float) -> str:
        """Of that address, for a content security policy; empty where there is none."""
        parts = urlsplit(self._end_session(now))
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""

    def _end_session(self, now: float) -> str:
        if not self._settings.logout_at_provider:
            return ""
        try:
            return self._discovered(now).endpoints.get(_END_SESSION, "")
        except Problem:  # the login here is over all the same
            return ""

    def _exchange(self, code: str, pending: Pending, now: float) -> Mapping[str, Any]:
        address = self._discovered(now).endpoints["token_endpoint"]
        try:
            with self._client() as client:
                client.trust_env = _is_elsewhere(address)
                token: Mapping[str, Any] = client.fetch_token(
                    address,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=pending.verifier,
                    redirect_uri=self._settings.public_url.rstrip("/") + CALLBACK,
                    timeout=PROVIDER_TIMEOUT,
                    allow_redirects=False,
                )
        except AuthlibBaseError as error:
            raise Problem("login-failed", f"The provider refused the login ({error.error}). {_AGAIN}") from error
        except (requests.RequestException, ValueError) as error:
            raise _unreachable() from error
        return token

    def _checked(self, token: Mapping[str, Any], pending: Pending, now: float) -> tuple[Mapping[str, Any], str]:
        given = token.get("id_token")
        if not isinstance(given, str):
            raise Problem("login-failed", "The provider sent no ID token; the setting `scopes` must hold openid.")
        expected = Expected(self._settings.issuer, self._settings.client_id, pending.nonce)
        access = token.get("access_token")
        try:
            return id_token.check(given, self._discovered(now).keys, expected, access, now), given
        except Problem as problem:
            if not id_token.signed_by_unknown_key(problem):
                raise
            keys = self._discovered(now, PROVIDER_KEYS_PAUSE).keys
            return id_token.check(given, keys, expected, access, now), given

    def _client(self) -> OAuth2Session:
        return OAuth2Session(
            self._settings.client_id,
            self._secret,
            scope=" ".join(self._settings.scopes),
            redirect_uri=self._settings.public_url.rstrip("/") + CALLBACK,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic" if self._secret else "none",
        )

    def _discovered(self, now: float, fresh_for: float = PROVIDER_KEYS) -> _Known:
        failures = self._failures
        with self._lock:
            if self._known is not None and 0 <= now - self._known.at < fresh_for:
                return self._known
            if self._failures != failures:  # whoever has waited for one who asked in vain does not ask again
                raise _unreachable()
            try:
                self._known = self._discover(now)
            except Problem:
                self._failures += 1
                raise
            return self._known

    def _discover(self, now: float) -> _Known:
        """OpenID Connect Discovery 1.0, section 4: the document must be the very issuer's."""
        said = _get(self._settings.issuer.rstrip("/") + _DISCOVERY)
        if said.get("issuer") != self._settings.issuer:
            raise Problem("unreachable", "The provider calls itself otherwise than the setting `issuer` does.")
        endpoints = {name: said.get(name) for name in _ENDPOINTS}
        if not all(isinstance(address, str) and _is_safe(address) for address in endpoints.values()):
            raise _unreachable()
        known = {name: str(address) for name, address in endpoints.items()}
        offered = said.get(_END_SESSION)
        if isinstance(offered, str) and _is_safe(offered):
            known[_END_SESSION] = offered
        try:
            keys = KeySet.import_key_set(_get(known["jwks_uri"]))  # type: ignore[arg-type]  # it checks what it gets
        except (JoseError, KeyError, TypeError, ValueError) as error:
            raise _unreachable() from error
        return _Known(known, keys, now)


def _get(address: str) -> dict[str, Any]:
    try:
        with requests.Session() as session:
            session.trust_env = _is_elsewhere(address)
            answer = session.get(address, timeout=PROVIDER_TIMEOUT, allow_redirects=False, auth=_without_login)
        answer.raise_for_status()
        said = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise _unreachable() from error
    if not isinstance(said, dict):
        raise _unreachable()
    return said


def _is_elsewhere(address: str) -> bool:
    """Then the way may lead through the site's proxy, as the environment says; on this machine it never does."""
    return not is_loopback(urlsplit(address).hostname or "")


def _without_login(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """None of a .netrc either."""
    return request


def _check(settings: AccountSettings) -> None:
    missing = [name for name in ("public_url", "issuer", "client_id") if not getattr(settings, name)]
    if missing:
        raise SettingsError(f'accounts.{missing[0]}: mode = "oidc" needs it; docs/accounts.md shows a whole section.')
    for name in ("public_url", "issuer"):
        if not _is_safe(getattr(settings, name)):
            raise SettingsError(f"accounts.{name}: write https://HOST; plain http is for this machine only.")


def _is_safe(address: str) -> bool:
    """TLS, or no wire at all."""
    if not is_address(address):
        return False
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))


def _word(answer: Mapping[str, str]) -> str:
    """The provider's word for what is wrong; whatever is no word of RFC 6749, section 4.1.2.1, is not shown."""
    word = answer.get("error", "no code")
    return word if len(word) <= 40 and word.replace("_", "").replace(" ", "").isalpha() else "unknown error"


def _unreachable() -> Problem:
    return Problem("unreachable", "The login provider does not answer as it should; try again in a moment.")
