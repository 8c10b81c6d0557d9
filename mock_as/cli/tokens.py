"""The commands about tokens."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from mock_as.cli import remote
from mock_as.cli.screen import show, show_json
from mock_as.errors import UsageError

AsJSON = Annotated[bool, typer.Option("--json", help="Print the whole answer as JSON.")]
_Token = Annotated[str | None, typer.Argument(metavar="TOKEN", help="The token or its id; - reads standard input.")]
_Sub = Annotated[str | None, typer.Option(help="Every token of a subject.")]
_ClientId = Annotated[str | None, typer.Option(help="Every token issued to a client.")]
_All = Annotated[bool, typer.Option("--all", help="Every token there is.")]


def token(  # noqa: PLR0913 - each is something that a token has
    *,
    sub: Annotated[str | None, typer.Option(help="The subject; by default the client itself.")] = None,
    client_id: Annotated[str | None, typer.Option(help="Whom it is issued to.", show_default="svc")] = None,
    scope: Annotated[str | None, typer.Option(help="The scopes; an empty text for none.", show_default="read")] = None,
    token_format: Annotated[str | None, typer.Option("--format", help="jwt or opaque.")] = None,
    opaque: Annotated[bool, typer.Option("--opaque", help="The same as --format opaque.")] = False,
    aud: Annotated[str | None, typer.Option(help="The audience.")] = None,
    expires_in: Annotated[float | None, typer.Option(help="How long it lives, in seconds; may be negative.")] = None,
    alg: Annotated[str | None, typer.Option(help="The algorithm of the signature.", show_default="ES256")] = None,
    claims: Annotated[str | None, typer.Option(metavar="JSON", help="Further claims; null removes one.")] = None,
    header: Annotated[str | None, typer.Option(metavar="JSON", help="Further header parameters.")] = None,
    key: Annotated[str | None, typer.Option(help="Who signs: unpublished, previous, or a kid.")] = None,
    defect: Annotated[str | None, typer.Option(help="What is wrong with it, such as expired.")] = None,
    curl: Annotated[bool, typer.Option("--curl", help="Print a command that presents it.")] = False,
    as_json: AsJSON = False,
) -> None:
    """Mint a token, right or wrong."""
    order = {
        "sub": sub,
        "client_id": client_id,
        "scope": scope,
        "format": "opaque" if opaque else token_format,
        "aud": aud,
        "expires_in": expires_in,
        "alg": alg,
        "claims": _object("--claims", claims),
        "header": _object("--header", header),
        "key": key,
        "defect": defect,
    }
    said: dict[str, Any] = {name: value for name, value in order.items() if value is not None}
    if scope == "":
        said["scope"] = None
    document = remote.call("POST", "tokens", body=said)
    show(document, as_json=as_json, text=document["curl" if curl else "token"])


def revoke(
    token: _Token = None,
    *,
    sub: _Sub = None,
    client_id: _ClientId = None,
    everything: _All = False,
    as_json: AsJSON = False,
) -> None:
    """Revoke tokens: introspection calls them inactive from now on."""
    document = remote.call("POST", "tokens", "revoke", body=_selection(token, sub, client_id, everything=everything))
    show(document, as_json=as_json, text=f"{document['revoked']} revoked")


def expire(
    token: _Token = None,
    *,
    sub: _Sub = None,
    client_id: _ClientId = None,
    everything: _All = False,
    as_json: AsJSON = False,
) -> None:
    """Let tokens expire now, as introspection sees it."""
    document = remote.call("POST", "tokens", "expire", body=_selection(token, sub, client_id, everything=everything))
    show(document, as_json=as_json, text=f"{document['expired']} expired")


def introspect(
    token: Annotated[str, typer.Argument(help="The token; - reads standard input.")],
    *,
    client: Annotated[str, typer.Option("--as", metavar="CLIENT", help="Who asks.")] = "rs",
) -> None:
    """Ask about a token, as a resource server does, and print the answer."""
    try:
        credentials = remote.call("GET", "clients", client, "credentials")
    except UsageError as error:
        raise UsageError("--as", error.message) from None
    show_json(remote.introspect(_read(token), credentials))


def _selection(token: str | None, sub: str | None, client_id: str | None, *, everything: bool) -> dict[str, Any]:
    named = {"token": None if token is None else _read(token), "sub": sub, "client_id": client_id}
    said: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    if everything:
        said["all"] = True
    if len(said) != 1:
        raise UsageError("TOKEN", "name exactly one of TOKEN, --sub, --client-id, --all")
    return said


def _read(token: str) -> str:
    """Return a token: one that is not on the command line cannot be read from the list of processes."""
    return sys.stdin.readline().strip() if token == "-" else token  # noqa: S105 - no secret


def _object(option: str, text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise UsageError(option, "is not a JSON object")
    return document
