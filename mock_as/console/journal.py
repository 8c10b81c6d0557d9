"""The requests that came in: what was asked, what was answered, and which fault had a hand in it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote, urlencode

from starlette.responses import Response

from mock_as.console.visit import Act, Show, ShowAgain, Visit, moment
from mock_as.errors import UsageError
from mock_as.issuer import Issuer
from mock_as.journal import ENDPOINTS, Entry
from mock_as.messages import Form, Headers
from mock_as.redaction import public_entry
from mock_as.shell import command_line

MOST = 200
"""How many requests are shown."""
_OURS = frozenset({"accept-encoding", "connection", "content-length", "host", "transfer-encoding"})
"""The header fields that curl sends by itself."""
_SUCCESS = 400


def overview(visit: Visit) -> Response:
    """Show the requests, the latest first."""
    return _overview(visit)


def _overview(visit: Visit, error: UsageError | None = None) -> Response:
    wanted = {name: visit.query[name] for name in ("endpoint", "client_id", "token") if visit.query.get(name)}
    endpoint = wanted.pop("endpoint", None)
    found = [entry for entry in visit.issuer.requests(endpoint, **wanted) if _is_wanted(entry, visit.query)]
    return visit.show(
        "requests.html",
        error=error,
        rows=[_Row.of(visit.issuer, entry) for entry in found[: -MOST - 1 : -1]],
        count=len(found),
        total=visit.issuer.requests().count,
        endpoints=sorted(ENDPOINTS),
        token_url=visit.issuer.url.token,
    )


def _is_wanted(entry: Entry, query: Form) -> bool:
    outcome = query.get("outcome")
    if outcome == "fault":
        return entry.fault is not None
    if outcome == "failed":
        return entry.status is None or entry.status >= _SUCCESS
    return outcome != "good" or (entry.status is not None and entry.status < _SUCCESS)


def look(visit: Visit) -> Response:
    """Show one request, and what was answered."""
    entry = next((entry for entry in visit.issuer.requests() if str(entry.number) == visit["number"]), None)
    if entry is None:
        raise UsageError("request", f"{visit['number']} is not remembered")
    seen = public_entry(entry, visit.issuer.tokens.id_of)
    answer = seen["answer"]
    return visit.show(
        "request.html",
        row=_Row.of(visit.issuer, entry),
        seen=seen,
        answer=answer if isinstance(answer, str) else json.dumps(answer, indent=2, ensure_ascii=False),
        answer_headers=() if entry.answer is None else _public_headers(entry.answer.headers),
        curl=replay(visit.issuer, entry),
    )


def _public_headers(headers: Headers) -> Headers:
    """Leave out what is secret in the header fields of an answer: sessions, and codes on their way to a client."""
    return tuple((name, _public_value(name, value)) for name, value in headers)


def _public_value(name: str, value: str) -> str:
    if name == "set-cookie":
        return "***"
    return re.sub(r"[?#].*", "?***", value) if name == "location" else value


def forget(visit: Visit) -> Response:
    """Forget every request."""
    visit.issuer.requests().clear()
    return visit.go("/requests", "forgotten")


def replay(issuer: Issuer, entry: Entry) -> str:
    """Return a command line that sends a request again, credentials included.

    Args:
        issuer: who got it.
        entry: the request.
    """
    request, base = entry.request, issuer.identity.back
    url = f"{base}{quote(request.path.removeprefix(issuer.identity.path))}"
    query = urlencode(request.query.pairs)
    options = [part for name, value in request.headers if name not in _OURS for part in ("-H", f"{name}: {value}")]
    if request.method != "GET":
        options = ["-X", request.method, *options]
    # Raw, because the other options send the file that a text names which begins with an @.
    body = ["--data-raw", request.body.decode(errors="replace")] if request.body else []
    return command_line(("curl", "-i", *options, *body, f"{url}?{query}" if query else url))


@dataclass(frozen=True, slots=True)
class _Row:
    """A request as the table shows it."""

    number: int
    at: str
    endpoint: str
    method: str
    path: str
    client_id: str | None
    about: str
    status: int | None
    reason: str
    fault: str | None
    milliseconds: str

    @classmethod
    def of(cls, issuer: Issuer, entry: Entry) -> _Row:
        record = issuer.tokens.get(entry.form.get("token", ""))
        return cls(
            number=entry.number,
            at=moment(entry.at),
            endpoint=entry.endpoint,
            method=entry.method,
            path=entry.path,
            client_id=entry.client_id,
            about="" if record is None else record.token.id,
            status=entry.status,
            reason="" if entry.status is None else reason(entry.status),
            fault=entry.fault,
            milliseconds=f"{entry.duration * 1000:.1f}",
        )


def reason(status: int) -> str:
    """Return what a status is called.

    Args:
        status: the status.
    """
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


SHOWN: dict[str, Show] = {"/requests": overview, "/requests/{number}": look}
DONE: dict[str, tuple[Act, ShowAgain]] = {"/requests/forget": (forget, _overview)}
