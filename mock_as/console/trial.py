"""Try it: the flows step by step, each with its request and its answer, and then a call of an API.

What a flow has to remember while a person is at the login page is in a cookie of theirs: it is nobody else's business.

References: RFC 6749 sections 4.1 and 4.4, RFC 7636 section 4, RFC 8628 section 3, RFC 9207 section 2
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.responses import Response

from mock_as.base64url import base64url, from_base64url
from mock_as.clients import DEVICE_CODE, Client
from mock_as.console.calls import Call, basic, call_api, challenges, post
from mock_as.console.tokens import decode, introspection
from mock_as.console.visit import Act, Show, ShowAgain, Visit
from mock_as.errors import UsageError, unknown

_COOKIE = "mock-as-trial"
_MINUTES = 10 * 60
_CODE = "authorization_code"
_MACHINE = "client_credentials"
_FLOWS = {
    _CODE: "Authorization code with PKCE",
    _MACHINE: "Client credentials",
    DEVICE_CODE: "Device code",
}
_METHODS = frozenset({"client_secret_basic", "client_secret_post", "none"})
"""How the console can authenticate as a client: others need a key that is not at hand."""


# ------------------------------------------------------------------------------------------------------ the choice


def overview(visit: Visit) -> Response:
    """Show the flows."""
    return _overview(visit)


def _overview(visit: Visit, error: UsageError | None = None) -> Response:
    flow = visit.form.get("flow") or visit.query.get("flow") or _CODE
    clients = _clients(visit, flow)
    return visit.show(
        "try.html",
        error=error,
        form_action=[_origin(visit.issuer.url.authorization)],
        flows=_FLOWS,
        flow=flow,
        clients=clients,
        subjects=list(visit.issuer.users),
        callback=_callback(visit),
        usual_scope=_usual_scope(flow, clients),
        token="",
        device=DEVICE_CODE,
    )


def _clients(visit: Visit, grant: str) -> list[Client]:
    clients = visit.issuer.clients.values()
    return [client for client in clients if grant in client.grants and _METHODS & set(client.auth_methods)]


def _usual_scope(flow: str, clients: list[Client]) -> str:
    usual = ("read",) if flow == _MACHINE else ("openid", "profile", "read", "offline_access")
    known = set(clients[0].scopes) if clients else set[str]()
    return " ".join(scope for scope in usual if scope in known)


def _chosen(visit: Visit, grant: str) -> Client:
    name, clients = visit.form.get("client_id", ""), {client.id: client for client in _clients(visit, grant)}
    if name not in clients:
        raise unknown("client_id", name, clients)
    return clients[name]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _callback(visit: Visit) -> str:
    return f"{_origin(str(visit.request.url))}{visit.home}/try/callback"


# ----------------------------------------------------------------------------------------------------- code + PKCE


def start(visit: Visit) -> Response:
    """Send the browser to the authorization endpoint, with a challenge whose answer stays in a cookie."""
    client, callback = _chosen(visit, _CODE), _callback(visit)
    if callback not in client.redirect_uris:
        visit.issuer.clients[client.id] = replace(client, redirect_uris=(*client.redirect_uris, callback))
    verifier, state, nonce = (secrets.token_urlsafe(32) for _ in range(3))
    request = {
        "response_type": "code",
        "client_id": client.id,
        "redirect_uri": callback,
        "scope": " ".join(visit.words("scope")),
        "state": state,
        "nonce": nonce,
        "code_challenge": base64url(hashlib.sha256(verifier.encode()).digest()),
        "code_challenge_method": "S256",
        "login_hint": visit.text("login_hint"),
        "prompt": visit.text("prompt"),
    }
    asked = {name: value for name, value in request.items() if value}
    response = Response(status_code=303, headers={"location": f"{visit.issuer.url.authorization}?{urlencode(asked)}"})
    kept = json.dumps({"request": asked, "verifier": verifier}).encode()
    response.set_cookie(
        _COOKIE, base64url(kept), max_age=_MINUTES, httponly=True, samesite="lax", path=f"{visit.home}/try"
    )
    return response


async def come_back(visit: Visit) -> Response:
    """Take what the authorization endpoint sent back, and exchange the code."""
    kept = _kept(visit)
    if kept is None:
        raise UsageError("state", "no login of this browser is under way; a code is good once only, so start again")
    problem = _judge(visit, kept["request"])
    call = None if problem or "code" not in visit.query else await _exchange(visit, kept)
    response = visit.show(
        "try_code.html",
        url=visit.issuer.url.authorization,
        asked=kept["request"],
        verifier=kept["verifier"],
        returned=dict(visit.query),
        problem=problem,
        call=call,
        **_after(visit, call),
    )
    # A code is good once: loading the page again must not try it again, for that would revoke the tokens.
    response.delete_cookie(_COOKIE, path=f"{visit.home}/try")
    return response


def _kept(visit: Visit) -> dict[str, Any] | None:
    text = visit.request.cookies.get(_COOKIE, "")
    try:
        kept = json.loads(from_base64url(text))
        whole = isinstance(kept["request"], dict) and isinstance(kept["verifier"], str)
    except (ValueError, KeyError, TypeError):
        return None
    return {"request": kept["request"], "verifier": kept["verifier"]} if whole else None


def _judge(visit: Visit, asked: dict[str, Any]) -> str | None:
    """Say what is wrong with what came back, as a client has to."""
    if visit.query.get("state") != asked.get("state"):
        return "The state is not the one that was sent: a client has to stop here."
    if visit.query.get("iss", visit.issuer.issuer) != visit.issuer.issuer:
        return "It is from another issuer than was asked: a client has to stop here."
    return None


async def _exchange(visit: Visit, kept: dict[str, Any]) -> Call:
    client = visit.issuer.clients.get(str(kept["request"].get("client_id")))
    form = {
        "grant_type": _CODE,
        "code": visit.query["code"],
        "redirect_uri": str(kept["request"].get("redirect_uri")),
        "code_verifier": kept["verifier"],
    }
    if client is None:
        raise UsageError("client_id", "the client has been forgotten meanwhile")
    return await _post_as(visit, client, visit.issuer.url.token, form)


# ----------------------------------------------------------------------------------------------- without a browser


async def ask(visit: Visit) -> Response:
    """Ask for a token in the name of a client itself."""
    client = _chosen(visit, _MACHINE)
    form = {"grant_type": _MACHINE, "scope": " ".join(visit.words("scope")), "resource": visit.text("resource") or ""}
    call = await _post_as(visit, client, visit.issuer.url.token, form)
    return visit.show("try_token.html", title=_FLOWS[_MACHINE], call=call, waiting=None, **_after(visit, call))


async def begin_device(visit: Visit) -> Response:
    """Ask for a user code and a device code."""
    client = _chosen(visit, DEVICE_CODE)
    form = {"scope": " ".join(visit.words("scope"))}
    call = await _post_as(visit, client, visit.issuer.url.device_authorization, form)
    return visit.show("try_device.html", call=call, answer=_document(call), client_id=client.id)


async def poll_device(visit: Visit) -> Response:
    """Ask whether the person has decided."""
    client = _chosen(visit, DEVICE_CODE)
    form = {"grant_type": DEVICE_CODE, "device_code": visit.text("device_code") or ""}
    call = await _post_as(visit, client, visit.issuer.url.token, form)
    patient = _document(call).get("error") in {"authorization_pending", "slow_down"}
    waiting = {"client_id": client.id, "device_code": form["device_code"]} if patient else None
    return visit.show("try_token.html", title=_FLOWS[DEVICE_CODE], call=call, waiting=waiting, **_after(visit, call))


async def _post_as(visit: Visit, client: Client, url: str, form: dict[str, str]) -> Call:
    """Send a form as a client would, with the credentials it is registered with."""
    form = {name: value for name, value in form.items() if value}
    if "client_secret_basic" in client.auth_methods:
        return await post(visit.mock.app, url, form, {"authorization": basic(client.id, client.secret)})
    proof = {"client_secret": client.secret} if "client_secret_post" in client.auth_methods else {}
    return await post(visit.mock.app, url, {**form, "client_id": client.id, **proof}, {})


# ------------------------------------------------------------------------------------------------------- and then?


def _document(call: Call | None) -> dict[str, Any]:
    try:
        document = json.loads(call.body) if call is not None else None
    except (ValueError, RecursionError):
        document = None
    return document if isinstance(document, dict) else {}


def _after(visit: Visit, call: Call | None) -> dict[str, Any]:
    """Return what is shown of the tokens that came, if some did."""
    document = _document(call)
    token, id_token = str(document.get("access_token") or ""), str(document.get("id_token") or "")
    return {
        "token": token,
        "parts": decode(token) if token else [],
        "id_parts": decode(id_token) if id_token else [],
        "introspected": introspection(visit, token, "rs") if token and "rs" in visit.issuer.clients else None,
        "api": "",
    }


async def call(visit: Visit) -> Response:
    """Call an API with a token, and read its challenge."""
    token, url = visit.text("token"), visit.text("url")
    if token is None:
        raise UsageError("token", "there is none: get one first")
    if url is None:
        raise UsageError("url", "say where your API is")
    made = await call_api(url, token)
    found = challenges(", ".join(made.all_of("www-authenticate")))
    return visit.show("try_call.html", call=made, challenges=found, token=token, api=url)


def _call_again(visit: Visit, error: UsageError) -> Response:
    token, api = visit.text("token") or "", visit.text("url") or ""
    return visit.show("try_call.html", error=error, call=None, challenges=[], token=token, api=api)


def api(visit: Visit) -> Response:
    """Show the form that calls an API."""
    return visit.show("try_call.html", call=None, challenges=[], token="", api="")


SHOWN: dict[str, Show] = {"/try": overview, "/try/callback": come_back, "/try/call": api}
DONE: dict[str, tuple[Act, ShowAgain]] = {
    "/try/start": (start, _overview),
    "/try/client": (ask, _overview),
    "/try/device": (begin_device, _overview),
    "/try/device/poll": (poll_device, _overview),
    "/try/call": (call, _call_again),
}
