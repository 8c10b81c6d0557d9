"""The authorization servers that the scenarios are run against, each behind the same few verbs."""

from __future__ import annotations

import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from html import unescape
from typing import Literal, Protocol

import httpx

from mock_as import MockAS
from tests.interop.node import Child, command, serving

Kind = Literal["opaque", "jwt"]

_VERIFIER = "a-code-verifier-of-forty-three-characters-or-more"
_CHALLENGE = urlsafe_b64encode(sha256(_VERIFIER.encode()).digest()).rstrip(b"=").decode()


class Judge(Protocol):
    """An authorization server: what a scenario can ask of it, whoever wrote it."""

    @property
    def issuer(self) -> str:
        """The issuer identifier."""
        ...

    @property
    def audience(self) -> tuple[str, ...]:
        """The names of the resource server, for which ``token`` mints."""
        ...

    @property
    def caller(self) -> tuple[str, str]:
        """The credentials of a resource server that may introspect."""
        ...

    @property
    def denied(self) -> tuple[str, str]:
        """The credentials of one that may not."""
        ...

    @property
    def introspects_jwts(self) -> bool:
        """Whether it tells about its own JWTs, or refuses to."""
        ...

    def now(self) -> float:
        """Return the time it goes by, in seconds since the epoch."""
        ...

    def advance(self, seconds: float) -> None:
        """Let time pass for it."""
        ...

    def token(self, kind: Kind, scope: str = "read") -> str:
        """Mint an access token for the resource server."""
        ...

    def token_for_another(self, kind: Kind) -> str:
        """Mint an access token for another resource server."""
        ...

    def refresh_token(self) -> str:
        """Let an end user log in, and return the refresh token of the client."""
        ...

    def revoke(self, token: str) -> None:
        """Revoke a token that it minted."""
        ...

    def rotate(self) -> None:
        """Sign with a new key, and publish the old ones no longer."""
        ...

    def die(self) -> None:
        """Stop answering at once."""
        ...


class MockJudge:
    """The mock authorization server, over a socket."""

    def __init__(self, life: ExitStack, mock: MockAS) -> None:
        self._life = life
        self._mock = mock
        self.issuer = life.enter_context(mock.serve())
        self.audience = ("https://api.example.test",)
        self.caller, self.denied = mock.credentials("rs"), mock.credentials("rs.denied")
        self.introspects_jwts = mock.options.profile == "strict"

    def now(self) -> float:
        """Return the time of the mock's clock."""
        return self._mock.clock.now()

    def advance(self, seconds: float) -> None:
        """Move the mock's clock."""
        self._mock.clock.advance(seconds)

    def token(self, kind: Kind, scope: str = "read") -> str:
        """Mint an access token for the resource server."""
        return self._mock.token(format=kind, scope=scope).value

    def token_for_another(self, kind: Kind) -> str:
        """Mint an access token for another resource server."""
        return self._mock.token(format=kind, aud="https://other.example.test").value

    def refresh_token(self) -> str:
        """Let alice log in without a browser."""
        callback = "https://app.example.test/callback"
        place = self._mock.authorize(client_id="web", scope="offline_access read", redirect_uri=callback)
        form = {
            "grant_type": "authorization_code",
            "code": httpx.URL(place).params["code"],
            "redirect_uri": callback,
        }
        credentials = self._mock.credentials("web")
        answer = httpx.post(self._mock.url.token, data=form, auth=credentials, trust_env=False).raise_for_status()
        return str(answer.json()["refresh_token"])

    def revoke(self, token: str) -> None:
        """Revoke a token as the provider."""
        assert self._mock.revoke(token) == 1

    def rotate(self) -> None:
        """Sign with a new key, and publish the old one no longer."""
        self._mock.keys.rotate(overlap=False)

    def die(self) -> None:
        """Close the socket and every connection."""
        self._life.close()


class OIDCProvider:
    """panva's certified oidc-provider, which refuses to introspect its own JWTs."""

    audience = ("https://api.example/opaque", "https://api.example/jwt-es256")
    caller = ("rs-plain", "rs-plain-secret")
    denied = ("rs-denied", "rs-denied-secret")
    introspects_jwts = False

    def __init__(self, child: Child) -> None:
        self._child = child
        self.issuer = child.ready["issuer"]
        self._http = httpx.Client(base_url=self.issuer, trust_env=False, timeout=20)
        self._offset = 0.0

    def now(self) -> float:
        """Return the time of the machine, moved as the provider's own clock is."""
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        """Move the clock of the whole process."""
        self.set_clock(self._offset + seconds)

    def set_clock(self, offset: float) -> None:
        """Set the clock of the whole process to so many seconds from the machine's."""
        self._offset = offset
        self._http.post("/_/clock", json={"offset": offset}).raise_for_status()

    def token(self, kind: Kind, scope: str = "read") -> str:
        """Ask the token endpoint for an access token for the resource server."""
        return self._client_credentials({"opaque": "opaque", "jwt": "jwt-es256"}[kind], scope)

    def token_for_another(self, kind: Kind) -> str:
        """Ask the token endpoint for an access token for another resource server."""
        return self._client_credentials({"opaque": "opaque-short", "jwt": "jwt"}[kind], "read")

    def refresh_token(self) -> str:
        """Log an end user in by the provider's own pages."""
        callback = "http://127.0.0.1:9999/cb"
        query = {
            "client_id": "webapp",
            "response_type": "code",
            "redirect_uri": callback,
            "scope": "openid offline_access read",
            "prompt": "consent",
            "code_challenge": _CHALLENGE,
            "code_challenge_method": "S256",
        }
        with httpx.Client(base_url=self.issuer, trust_env=False, timeout=20) as browser:
            answer = browser.get("/auth", params=query)
            while not (place := answer.headers.get("location", "")).startswith(callback):
                answer = browser.get(place) if place else _submit(browser, answer)
            form = {
                "grant_type": "authorization_code",
                "code": httpx.URL(place).params["code"],
                "redirect_uri": callback,
                "code_verifier": _VERIFIER,
            }
            answer = browser.post("/token", data=form, auth=("webapp", "webapp-secret")).raise_for_status()
        return str(answer.json()["refresh_token"])

    def revoke(self, token: str) -> None:
        """Revoke a token as the client it was issued to."""
        self._http.post("/token/revocation", data={"token": token}, auth=_CLIENT).raise_for_status()

    def rotate(self) -> None:
        """Sign with new keys, and publish the old ones no longer."""
        self._http.post("/_/rotate").raise_for_status()

    def die(self) -> None:
        """Kill the process."""
        self._child.kill()

    def close(self) -> None:
        """Close the connections to it."""
        self._http.close()

    def _client_credentials(self, resource: str, scope: str) -> str:
        form = {"grant_type": "client_credentials", "scope": scope, "resource": f"https://api.example/{resource}"}
        answer = self._http.post("/token", data=form, auth=_CLIENT).raise_for_status()
        return str(answer.json()["access_token"])


_CLIENT = ("svc-basic", "svc-basic-secret")


def _submit(browser: httpx.Client, page: httpx.Response) -> httpx.Response:
    """Fill in the form of the provider's login page or of its consent page, and send it."""
    target = re.search(r'<form[^>]* action="([^"]+)"', page.text)
    prompt = re.search(r'name="prompt" value="(\w+)"', page.text)
    assert target is not None, page.text
    assert prompt is not None, page.text
    return browser.post(unescape(target[1]), data={"prompt": prompt[1], "login": "alice", "password": "any"})


@contextmanager
def mock_judge(mock: MockAS) -> Generator[MockJudge]:
    """Serve the mock authorization server while the block runs."""
    with ExitStack() as life:
        yield MockJudge(life, mock)


@contextmanager
def oidc_provider() -> Generator[OIDCProvider]:
    """Run oidc-provider while the block runs."""
    with serving(command("server.mjs", "oidc-provider")) as child:
        judge = OIDCProvider(child)
        try:
            yield judge
        finally:
            judge.close()
