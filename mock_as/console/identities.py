"""Who is known: clients, people, and the issuers at this address."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, cast

from starlette.responses import Response

from mock_as.clients import DEVICE_CODE, JWT_BEARER, TOKEN_EXCHANGE, Client
from mock_as.console.visit import PREFIX, Act, Show, ShowAgain, Visit
from mock_as.errors import UsageError, unknown
from mock_as.tokens import FORMATS, TokenFormat
from mock_as.users import User

GRANTS = {
    "client_credentials": "client credentials",
    "authorization_code": "authorization code",
    "refresh_token": "refresh token",
    DEVICE_CODE: "device code",
    TOKEN_EXCHANGE: "token exchange",
    JWT_BEARER: "JWT bearer",
    "password": "password",
}
"""The grants, in words."""


def overview(visit: Visit) -> Response:
    """Show who is known."""
    return _overview(visit)


def _overview(visit: Visit, error: UsageError | None = None) -> Response:
    return visit.show(
        "identities.html",
        error=error,
        clients=list(visit.issuer.clients.values()),
        users=list(visit.issuer.users.values()),
        tenants={name: tenant.issuer for name, tenant in sorted(visit.mock.tenants.items())},
        grants=GRANTS,
    )


# ----------------------------------------------------------------------------------------------------------- clients


def client(visit: Visit) -> Response:
    """Show the form of a client, new or known."""
    return _client(visit)


def _client(visit: Visit, error: UsageError | None = None) -> Response:
    known = visit.issuer.clients.get(visit.query.get("id") or visit.form.get("id", ""))
    return visit.show("client.html", error=error, client=known, values=_client_values(visit, known), grants=GRANTS,
                      formats=FORMATS)  # fmt: skip


def _client_values(visit: Visit, known: Client | None) -> dict[str, Any]:
    """Return what the fields of the form hold: what was sent, or else what is known."""
    if visit.form:
        return {**visit.form, "grants": visit.form.get_all("grants")}
    shown = known or Client(id="-", auth_methods=("none",))
    return {
        "id": shown.id if known else "",
        "secret": shown.secret if known else "",
        "scopes": " ".join(shown.scopes),
        "redirect_uris": "\n".join(shown.redirect_uris),
        "grants": list(shown.grants),
        "format": shown.format or "",
        "lifetime": shown.lifetime or "",
        "introspect": shown.introspect,
        "public": known is not None and known.is_public,
    }


def save_client(visit: Visit) -> Response:
    """Register a client, or change what is registered about one."""
    client_id, secret = visit.text("id") or "", visit.text("secret") or ""
    known = visit.issuer.clients.get(client_id)
    lifetime = visit.number("lifetime")
    methods = ("none",) if visit.form.get("public") else ("client_secret_basic", "client_secret_post")
    base = known or Client(id=client_id, secret=secret, auth_methods=methods)
    visit.issuer.clients[client_id] = replace(
        base,
        secret=secret,
        scopes=visit.words("scopes"),
        redirect_uris=visit.words("redirect_uris"),
        grants=tuple(visit.form.get_all("grants")),
        format=cast("TokenFormat | None", visit.text("format")),
        lifetime=None if lifetime is None else int(lifetime),
        introspect=visit.form.get("introspect") is not None,
    )
    return visit.go("/identities#clients", "saved")


def delete_client(visit: Visit) -> Response:
    """Forget a client."""
    visit.issuer.clients.pop(visit.form.get("id", ""), None)
    return visit.go("/identities#clients", "deleted")


# ------------------------------------------------------------------------------------------------------------- users


def user(visit: Visit) -> Response:
    """Show the form of a person, new or known."""
    return _user(visit)


def _user(visit: Visit, error: UsageError | None = None) -> Response:
    known = visit.issuer.users.get(visit.query.get("sub") or visit.form.get("sub", ""))
    shown = known or User(sub="-")
    values = visit.form or {
        "sub": shown.sub if known else "",
        "name": shown.name,
        "scopes": " ".join(shown.scopes),
        "claims": json.dumps(dict(shown.claims), indent=2) if shown.claims else "",
        "disabled": shown.disabled,
    }
    return visit.show("user.html", error=error, user=known, values=values)


def save_user(visit: Visit) -> Response:
    """Make a person known, or change what is known about one."""
    sub = visit.text("sub") or ""
    visit.issuer.users[sub] = User(
        sub=sub,
        name=visit.text("name") or "",
        scopes=visit.words("scopes"),
        claims=visit.members("claims") or {},
        disabled=visit.form.get("disabled") is not None,
    )
    return visit.go("/identities#users", "saved")


def delete_user(visit: Visit) -> Response:
    """Forget a person."""
    visit.issuer.users.pop(visit.form.get("sub", ""), None)
    return visit.go("/identities#users", "deleted")


# ----------------------------------------------------------------------------------------------------------- issuers


def new_issuer(visit: Visit) -> Response:
    """Make an issuer, and go there."""
    issuer = visit.mock.tenant(visit.text("name"))
    return Response(status_code=303, headers={"location": f"{issuer.identity.path}{PREFIX}/tokens"})


def delete_issuer(visit: Visit) -> Response:
    """Forget an issuer, and let every request go on that it holds."""
    name, tenants = visit.form.get("name", ""), visit.mock.tenants
    if name not in tenants:
        raise unknown("name", name, tenants)
    tenants.pop(name).release()
    return Response(status_code=303, headers={"location": f"{PREFIX}/identities?done=deleted"})


def reset(visit: Visit) -> Response:
    """Go back to how everything was when the server started."""
    visit.issuer.reset()
    return visit.go("/identities", "reset")


SHOWN: dict[str, Show] = {"/identities": overview, "/identities/client": client, "/identities/user": user}
DONE: dict[str, tuple[Act, ShowAgain]] = {
    "/identities/client": (save_client, _client),
    "/identities/client/delete": (delete_client, _overview),
    "/identities/user": (save_user, _user),
    "/identities/user/delete": (delete_user, _overview),
    "/identities/issuer": (new_issuer, _overview),
    "/identities/issuer/delete": (delete_issuer, _overview),
    "/identities/reset": (reset, _overview),
}
