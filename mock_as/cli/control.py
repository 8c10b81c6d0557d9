"""The commands that change how a server behaves, and look at what it was asked."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from mock_as.cli import remote
from mock_as.cli.screen import show, show_json, show_table
from mock_as.cli.tokens import AsJSON
from mock_as.errors import UsageError, unknown
from mock_as.shell import printable

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1, "": 1}
_MOVE = re.compile(r"[+-](\d+(\.\d+)?[dhms]?)+")
_KEY_CHANGES = ("activate", "delete", "list", "publish", "replace", "rotate", "stage", "unpublish")
_KID_CHANGES = ("activate", "delete", "publish", "replace", "unpublish")


def keys(
    change: Annotated[str, typer.Argument(help=", ".join(_KEY_CHANGES))] = "list",
    kid: Annotated[str | None, typer.Argument(help="Which key, where it is about one.")] = None,
    *,
    alg: Annotated[str | None, typer.Option(help="The algorithm of a key to rotate or to stage.")] = None,
    overlap: Annotated[bool, typer.Option(help="Whether the old key stays published.")] = True,
    as_json: AsJSON = False,
) -> None:
    """Show the keys, or change them: rotate, stage, publish, unpublish, activate, replace, delete."""
    if change not in _KEY_CHANGES:
        raise unknown("CHANGE", change, _KEY_CHANGES)
    if (change in _KID_CHANGES) != (kid is not None):
        raise UsageError("KID", f"is needed for {', '.join(_KID_CHANGES)}, and for nothing else")
    algorithm = {} if alg is None else {"alg": alg}
    if change == "rotate":
        document = remote.call("POST", "keys", "rotate", body={**algorithm, "overlap": overlap})
    elif change == "stage":
        document = remote.call("POST", "keys", body=algorithm)
    elif kid is None:
        document = remote.call("GET", "keys")
    else:
        document = (
            remote.call("DELETE", "keys", kid) if change == "delete" else remote.call("POST", "keys", kid, change)
        )
    if as_json:
        show_json(document)
    else:
        rows: list[dict[str, Any]] = document["keys"]
        show_table(rows, rows[0] if rows else [])


def clock(
    move: Annotated[str | None, typer.Argument(metavar="MOVE", help="+1h, -30s, +1d12h, freeze, reset.")] = None,
    *,
    as_json: AsJSON = False,
) -> None:
    """Tell the time of the server, or move it."""
    document = remote.call("GET", "clock") if move is None else remote.call("POST", "clock", body=_movement(move))
    time = datetime.fromtimestamp(document["now"], UTC).isoformat(timespec="seconds")
    frozen = ", frozen" if document["frozen"] else ""
    show(document, as_json=as_json, text=f"{time} ({document['offset']:+.15g} s{frozen})")


def _movement(move: str) -> dict[str, Any]:
    if move in {"freeze", "reset"}:
        return {move: True}
    if not _MOVE.fullmatch(move):
        raise UsageError("MOVE", f"{move!r} is no move; there are +1h, -30s, +1d12h, freeze, reset")
    parts = re.findall(r"(\d+(?:\.\d+)?)([dhms]?)", move)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return {"advance": -seconds if move.startswith("-") else seconds}


def fault(  # noqa: PLR0913 - each is something that a fault has
    endpoint: Annotated[str, typer.Argument(help="Where: introspect, jwks, *, …; or `list`, or `clear`.")],
    action: Annotated[str | None, typer.Argument(help="What happens, or a status; or which fault is cleared.")] = None,
    *,
    times: Annotated[int | None, typer.Option(help="How often; by default until it is cleared.")] = None,
    after: Annotated[int | None, typer.Option(help="How many requests go well first.")] = None,
    every: Annotated[int | None, typer.Option(help="Only to each of so many requests.")] = None,
    probability: Annotated[float | None, typer.Option(help="How likely it is, from 0 to 1.")] = None,
    seconds: Annotated[float | None, typer.Option(help="How long, for actions that take their time.")] = None,
    status: Annotated[int | None, typer.Option(help="The status.")] = None,
    retry_after: Annotated[str | None, typer.Option(help="The header field.")] = None,
    body: Annotated[str | None, typer.Option(help="The body.")] = None,
    client_id: Annotated[str | None, typer.Option(help="Only to requests of a client.")] = None,
    token: Annotated[str | None, typer.Option(help="Only to requests about a token, named by its id or text.")] = None,
    sub: Annotated[str | None, typer.Option(help="Only to requests about tokens of a subject.")] = None,
    as_json: AsJSON = False,
) -> None:
    """Misbehave; `fault list` shows the faults that are set, `fault clear` takes them back."""
    if endpoint == "list":
        _list_faults(as_json=as_json)
        return
    if endpoint == "clear":
        show(remote.call("DELETE", "faults", *([action] if action else [])), as_json=as_json, text="cleared")
        return
    order = {
        "action": action,
        "times": times,
        "after": after,
        "every": every,
        "probability": probability,
        "seconds": seconds,
        "status": status,
        "retry_after": retry_after,
        "body": body,
    }
    facts = {"client_id": client_id, "token": token, "sub": sub}
    match = {name: fact for name, fact in facts.items() if fact is not None}
    said = {name: value for name, value in order.items() if value is not None}
    document = remote.call("POST", "faults", body={"endpoint": endpoint, **said, **({"match": match} if match else {})})
    show(document, as_json=as_json, text=f"{document['id']}: {document['endpoint']} {document['action']}")


def _list_faults(*, as_json: bool) -> None:
    document = remote.call("GET", "faults")
    if as_json:
        show_json(document)
    else:
        show_table(document["faults"], ["id", "endpoint", "action", "match", "applied", "left"])


def requests(
    endpoint: Annotated[str | None, typer.Argument(help="To which endpoint; by default to any.")] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with those that are to come.")] = False,
    client_id: Annotated[str | None, typer.Option(help="Only those of a client.")] = None,
    status: Annotated[int | None, typer.Option(help="Only those with an answer of this status.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each request as a line of JSON.")] = False,
) -> None:
    """Show what the server was asked."""
    wanted = {"endpoint": endpoint, "client_id": client_id, "status": status}
    if follow:
        found = (entry for entry in remote.events() if all(entry[n] == v for n, v in wanted.items() if v is not None))
    else:
        found = iter(remote.call("GET", "requests", **wanted)["requests"])
    for entry in found:
        if as_json:
            show_json(entry)
        else:
            typer.echo(_line(entry))


def _line(entry: dict[str, Any]) -> str:
    time = datetime.fromtimestamp(entry["at"], UTC).strftime("%H:%M:%S")
    outcome = "no answer" if entry["status"] is None else entry["status"]
    parts = [time, entry["endpoint"], entry["method"], entry["path"], entry["client_id"] or "-", f"→ {outcome}"]
    return printable("  ".join(parts) + (f"  fault={entry['fault']}" if entry["fault"] else ""))


def reset(
    *,
    keep: Annotated[
        list[str] | None, typer.Option(help="What stays: clients, clock, keys, …; may be repeated.")
    ] = None,
    as_json: AsJSON = False,
) -> None:
    """Bring everything back to how it was when the server started."""
    show(remote.call("POST", "reset", body={"keep": keep} if keep else None), as_json=as_json, text="reset")


def health() -> None:
    """Tell by the status whether the server is up, for the health check of a container."""
    if remote.call("GET", "health").get("status") != "ok":
        raise remote.RemoteError(f"at {remote.base_url()} there is another server, or one that is not well")
    typer.echo("ok")
