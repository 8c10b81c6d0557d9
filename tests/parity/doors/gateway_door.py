"""The gateway, asked as each kind of proxy asks, and its answer passed on as that proxy does.

At ``/auth`` and ``/auth/nginx`` the demands stand in the query, as where a location is protected by them; Envoy's stand
in a policy file. What a proxy sends to no gateway, a public path, is sent to none here.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal
from urllib.parse import urlencode

from resource_server.forward_auth import ForwardAuth
from tests.parity.doors.asgi_call import ASGIDoor
from tests.parity.world import METADATA, PUBLIC, ROUTES, Route, Sent, World
from tests.support.answer import Answer

Kind = Literal["caddy", "nginx", "envoy"]
_WORDS = {"acr_values": "acr", "unavailable_status": "unavailable"}
_OWN = ("x-auth-", "x_auth_", "x-error-", "authorization")


def words(route: Route) -> dict[str, str]:
    """Write what a route demands in the words of the gateway."""
    said = {_WORDS.get(name, name): str(value) for name, value in route.demands.items()}
    said |= {"hide": "404"} if "hide" in said else {}
    ajax = {"ajax": "403"} if said.pop("ajax_forbidden", None) else {}
    return {"scope": " ".join(route.scopes), **said, **ajax}


class GatewayDoor:
    """A gateway and the proxy in front of it."""

    def __init__(self, world: World, kind: Kind, options: dict[str, Any]) -> None:
        """Make the gateway."""
        self._kind = kind
        self._rules = {path: words(route) for path, route in ROUTES.items()}
        server = world.server(trusted_proxies=["127.0.0.0/8"], **options)
        with TemporaryDirectory() as folder:
            policy = Path(folder) / "policy.toml"
            policy.write_text(_policy(self._rules), encoding="utf-8")
            self._door = ASGIDoor(ForwardAuth(server, policy=policy if kind == "envoy" else None))

    async def send(self, sent: Sent) -> Answer:
        """Ask the gateway about a request, and answer it."""
        if sent.path == METADATA:
            return await self._door.send(sent)
        answer = await self._door.send(self._question(sent))
        return _replay(answer, sent)

    def _question(self, sent: Sent) -> Sent:
        fields = tuple(field for field in sent.headers if field[0] != b"content-length")
        target = sent.path.encode() + (b"?" + sent.query if sent.query else b"")
        if self._kind == "envoy":
            return Sent(sent.method, "/auth/envoy" + sent.path, sent.query, fields, host=sent.host)
        query = urlencode(self._rules.get(sent.path.replace("%74", "t"), {})).encode()
        if self._kind == "nginx":
            whole = b"https://" + sent.host + target
            told = ((b"x-original-method", sent.method.encode()), (b"x-original-url", whole))
            return Sent("GET", "/auth/nginx", query, fields + told)
        forwarded = (
            (b"x-forwarded-method", sent.method.encode()),
            (b"x-forwarded-proto", b"https"),
            (b"x-forwarded-host", sent.host),
            (b"x-forwarded-uri", target),
        )
        return Sent("GET", "/auth", query, fields + forwarded)


def _policy(rules: dict[str, dict[str, str]]) -> str:
    """Write the routes as a policy file."""
    lines = [f"public = [{json.dumps(PUBLIC)}]"]
    for path, said in rules.items():
        lines += ["[[rules]]", *(f"{name} = {json.dumps(value)}" for name, value in {"path": path, **said}.items())]
    return "\n".join(lines)


def _replay(answer: Answer, sent: Sent) -> Answer:
    """Answer as the proxy would: with what it is told of a refusal, or with what the application behind it says."""
    if answer.status == 200:
        told = {name: answer.header(f"x-auth-{name}") or "" for name in ("subject", "scopes", "assurance")}
        body = json.dumps({**told, "scopes": told["scopes"].split()} if told["subject"] else "public").encode()
        # That the answer to the question is not to be kept is no word about the response.
        kept = [("cache-control", value) for value in answer.all("cache-control") if value != "no-store"]
        return Answer(200, tuple(kept), body)
    status, body = answer.status, answer.body
    meant = answer.header("x-error-status")
    if meant is not None:
        assert answer.status == (401 if meant == "401" else 403)
        status, body = int(meant), (answer.header("x-error-body") or "").encode()
    kept = [(name, value) for name, value in answer.headers if not name.startswith(_OWN)]
    if meant is not None:
        kept = [(name, value) for name, value in kept if name != "content-length"]
        kept.append(("content-length", str(len(body))))
    return Answer(status, tuple(kept), b"" if sent.method == "HEAD" else body)


def _open(kind: Kind, world: World, **options: Any) -> GatewayDoor:
    return GatewayDoor(world, kind, options)


open_caddy, open_nginx, open_envoy = (partial(_open, kind) for kind in ("caddy", "nginx", "envoy"))
