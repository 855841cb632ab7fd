"""A small OpenID Connect provider in a process of its own: right in all, but for the one fault that it is told to have.

`python -m tests.master_daemon.accounts.provider_process` prints its address and serves until its input ends.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import sys
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core.util import create_half_hash
from flask import Flask, Response, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from ligan.web.serving import listen

CLIENT, SECRET = "ligan at the university", "a secret: with/odd+signs%"
Claims = dict[str, Any]
_DAY = 86400


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _unsigned(claims: Claims) -> str:
    return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(claims)}."


def _by_shared_secret(claims: Claims, key: bytes, kid: str) -> str:
    signed = f"{_part({'alg': 'HS256', 'kid': kid})}.{_part(claims)}"
    digest = hmac.new(key, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


class Provider:
    """What it knows: keys, codes that are out, and what it does wrong."""

    def __init__(self) -> None:
        self.url = ""
        self.fault = ""
        self.claims: Claims = {}
        self.keys = [RSAKey.generate_key(2048, {"kid": "first"}), ECKey.generate_key("P-256", {"kid": "second"})]
        self.codes: dict[str, dict[str, str]] = {}

    def id_token(self, asked: dict[str, str], access_token: str) -> str:
        now = int(time.time())
        claims: Claims = {"iss": self.url, "aud": CLIENT, "sub": "42", "iat": now, "exp": now + 300}
        claims |= {"nonce": asked["nonce"], "preferred_username": "Zoë", **self.claims}
        claims["at_hash"] = create_half_hash(access_token, "RS256").decode()
        claims = {name: value for name, value in {**claims, **self._wrong(now)}.items() if value is not None}
        return self._sign(claims)

    def _wrong(self, now: int) -> Claims:
        faults: dict[str, Claims] = {
            "nonce": {"nonce": "another"},
            "no nonce": {"nonce": None},
            "audience": {"aud": "another client"},
            "audience that is not us": {"aud": ["another", "a third"], "azp": CLIENT},
            "no audience": {"aud": None},
            "audiences": {"aud": [CLIENT, "another"]},
            "party": {"aud": [CLIENT, "another"], "azp": "another"},
            "issuer": {"iss": "https://evil.example"},
            "expired": {"iat": now - _DAY, "exp": now - 60},
            "no expiry": {"exp": None},
            "odd expiry": {"exp": "tomorrow"},
            "future": {"iat": now + _DAY, "nbf": now + _DAY, "exp": now + 2 * _DAY},
            "no subject": {"sub": None},
            "odd subject": {"sub": ["42"]},
            "empty subject": {"sub": ""},
            "access token": {"at_hash": create_half_hash("another", "RS256").decode()},
        }
        return faults.get(self.fault, {})

    def _sign(self, claims: Claims) -> str:
        key = self.keys[0]
        public = key.as_pem(private=False)
        other = RSAKey.generate_key(2048, {"kid": "first"})
        ways: dict[str, Callable[[], str]] = {
            "alg none": lambda: _unsigned(claims),
            "public key as secret": lambda: _by_shared_secret(claims, public, "first"),
            "client secret": lambda: _by_shared_secret(claims, SECRET.encode(), "first"),
            "other key": lambda: jwt.encode({"alg": "RS256", "kid": "first"}, claims, other),
            "unknown key": lambda: jwt.encode({"alg": "RS256", "kid": "nowhere"}, claims, other),
            "key in the head": lambda: jwt.encode(
                {"alg": "RS256", "kid": "first", "jwk": other.as_dict(private=False)}, claims, other
            ),
            "changed": lambda: self._changed(claims),
            "garbage": lambda: "a.b.c",
            "elliptic": lambda: jwt.encode({"alg": "ES256", "kid": "second"}, claims, self.keys[1]),
        }
        return ways.get(self.fault, lambda: jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key))()

    def _changed(self, claims: Claims) -> str:
        head, _, signature = jwt.encode({"alg": "RS256", "kid": "first"}, claims, self.keys[0]).split(".")
        return f"{head}.{_part({**claims, 'sub': 'root'})}.{signature}"


def make_app(provider: Provider) -> Flask:  # noqa: C901 (one function a route)
    app = Flask("provider")
    app.config["MAX_CONTENT_LENGTH"] = 1 << 20

    @app.get("/.well-known/openid-configuration")
    def discovery() -> Response:
        names = {"authorization": "authorize", "token": "token", "end_session": "logout"}
        if provider.fault == "no logout":
            del names["end_session"]
        endpoints = {f"{name}_endpoint": f"{provider.url}/{path}" for name, path in names.items()}
        issuer = "https://evil.example" if provider.fault == "discovery" else provider.url
        return jsonify({"issuer": issuer, "jwks_uri": f"{provider.url}/jwks", **endpoints})

    @app.get("/jwks")
    def jwks() -> Response:
        return jsonify({"keys": [key.as_dict(private=False) for key in provider.keys]})

    @app.get("/authorize")
    def authorize() -> Response:
        """Whoever comes is logged in."""
        asked = request.args.to_dict()
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        provider.codes[code] = asked
        if provider.fault == "denied":
            said = {"error": "access_denied", "error_description": "<script>alert(1)</script>"}
        else:
            said = {"code": code, "iss": "https://evil.example" if provider.fault == "mix-up" else provider.url}
        return redirect(f"{asked['redirect_uri']}?{urlencode({**said, 'state': asked['state']})}")  # type: ignore[return-value]

    @app.post("/token")
    def token() -> tuple[Response, int]:
        given, asked = request.form, provider.codes.pop(request.form["code"], None)
        basic = request.authorization
        assert basic is not None
        known = (basic.username, basic.password) == (CLIENT, SECRET)
        if asked is None or not known or given["redirect_uri"] != asked["redirect_uri"]:
            return jsonify({"error": "invalid_grant"}), 400
        if create_s256_code_challenge(given["code_verifier"]) != asked["code_challenge"]:
            return jsonify({"error": "invalid_grant"}), 400
        access = secrets.token_urlsafe(16)
        answer = {"access_token": access, "token_type": "Bearer", "id_token": provider.id_token(asked, access)}
        if provider.fault == "no id token":
            del answer["id_token"]
        return jsonify(answer), 500 if provider.fault == "broken" else 200

    @app.get("/logout")
    def logout() -> Response | tuple[str, int]:
        """RP-Initiated Logout 1.0: back to a registered address of the client that the hint was made for."""
        asked = request.args
        claims = jwt.decode(asked["id_token_hint"], KeySet(provider.keys), algorithms=["RS256", "ES256"]).claims
        right = CLIENT in (claims["aud"], asked["client_id"]) and claims["iss"] == provider.url
        if not right or asked["post_logout_redirect_uri"] != "http://127.0.0.1:9/login?out":
            return "no", 400
        return redirect(asked["post_logout_redirect_uri"])  # type: ignore[return-value]

    @app.post("/test")
    def told() -> Response:
        """For the test: which fault to have, what to say of the user, whether to change the keys."""
        order = request.get_json()
        provider.fault, provider.claims = order["fault"], order["claims"]
        if order["rotate"]:
            provider.keys[0] = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4)})
        return jsonify({})

    return app


def main() -> None:
    provider = Provider()
    server = listen(make_app(provider), "127.0.0.1", threads=4)
    provider.url = f"http://127.0.0.1:{server.port}"
    print(provider.url, flush=True)
    threading.Thread(target=server.run, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
