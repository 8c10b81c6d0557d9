"""One look at the console: whose it is, what was sent, and the answers it can get.

References: RFC 9110 section 15.4.4 (303)
"""

from __future__ import annotations

import hmac
import json
import math
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from mock_as.errors import UsageError
from mock_as.html import page
from mock_as.issuer import Issuer
from mock_as.messages import Answer, Form, parse_form, parse_query
from mock_as.oauth.authorization_server import HonestServer

PREFIX = "/_mock/ui"
PAGES = {
    "tokens": "Tokens",
    "requests": "Requests",
    "faults": "Faults",
    "keys": "Keys",
    "clock": "Clock",
    "identities": "Clients & users",
    "try": "Try it",
}
"""The pages of the console, by the first part of their paths."""
CSRF = "mock-as-csrf"
"""The cookie that a form repeats: a page of another site cannot read it, and so cannot send the form."""

_NOTICES = {
    "revoked": "Revoked. Introspection calls it inactive from now on.",
    "expired": "Expired. Introspection calls it inactive; a JWT still says what it said.",
    "forgotten": "Forgotten.",
    "fault": "Set. The next request that it concerns will see it.",
    "clear": "All clear. The server behaves again.",
    "rotated": "Rotated. New tokens are signed with the new keys.",
    "changed": "Done.",
    "moved": "The clock has been moved.",
    "real": "The clock tells the real time again.",
    "saved": "Saved.",
    "deleted": "Deleted.",
    "reset": "Everything is as it was when the server started.",
}


class Mock(Protocol):
    """What the console needs of the mock that an issuer is one of."""

    @property
    def app(self) -> ASGIApp:
        """What answers requests."""
        ...

    @property
    def tenants(self) -> MutableMapping[str, Any]:
        """The issuers with a name."""
        ...

    def tenant(self, name: str | None = None) -> Issuer:
        """Return the issuer of a name, made at the first use."""
        ...


@dataclass(frozen=True, slots=True)
class Visit:
    """A request to the console."""

    request: Request
    form: Form
    """The parameters of the body."""
    query: Form
    """The parameters of the URL."""
    csrf: str
    """What the forms of the page have to repeat."""

    @property
    def issuer(self) -> Issuer:
        """The issuer that is looked at."""
        issuer: Issuer = self.request.scope["mock_as.issuer"]
        return issuer

    @property
    def mock(self) -> Mock:
        """The mock that the issuer is one of."""
        mock: Mock = self.request.scope["mock_as.mock"]
        return mock

    @property
    def server(self) -> HonestServer:
        """What answers honestly, and leaves no trace in the journal."""
        server: HonestServer = self.request.scope["mock_as.server"]
        return server

    @property
    def home(self) -> str:
        """The path of the console."""
        return f"{self.request.scope.get('root_path', '')}{PREFIX}"

    @property
    def part(self) -> str:
        """Which of the pages it is."""
        return self.request.url.path.removeprefix(self.home).strip("/").partition("/")[0]

    def __getitem__(self, name: str) -> str:
        """Return a parameter of the path."""
        return str(self.request.path_params[name])

    def text(self, name: str) -> str | None:
        """Return what was written into a field of the form, or ``None`` where that is nothing.

        Args:
            name: the name of the field.
        """
        return (self.form.get(name) or "").strip() or None

    def number(self, name: str) -> float | None:
        """Return the number that was written into a field of the form, or ``None`` where nothing was.

        Args:
            name: the name of the field.

        Raises:
            UsageError: it is not a number.
        """
        text = self.text(name)
        try:
            number = None if text is None else float(text)
        except ValueError:
            number = math.nan
        if number is not None and not math.isfinite(number):
            raise UsageError(name, f"{text!r} is not a number")
        return number

    def members(self, name: str) -> dict[str, Any] | None:
        """Return the JSON object that was written into a field of the form, or ``None`` where nothing was.

        Args:
            name: the name of the field.

        Raises:
            UsageError: it is not a JSON object.
        """
        text = self.text(name)
        if text is None:
            return None
        try:
            members = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UsageError(name, f"is not JSON: {error}") from error
        if not isinstance(members, dict):
            raise UsageError(name, 'is not a JSON object, such as {"tenant": "acme"}')
        return members

    def words(self, name: str) -> tuple[str, ...]:
        """Return the words of the fields of a name, each of them once.

        Args:
            name: the name of the fields.
        """
        return tuple(dict.fromkeys(word for value in self.form.get_all(name) for word in value.split()))

    def show(
        self, template: str, *, error: UsageError | None = None, form_action: Iterable[str] = (), **context: object
    ) -> Response:
        """Show a page.

        Args:
            template: its name.
            error: what was wrong with the form that it shows again.
            form_action: origins that its forms may lead to.
            context: what it shows.
        """
        status = 200 if error is None else 422
        answer = page(template, status=status, form_action=form_action, error=error, **self._frame(), **context)
        return self._with_cookie(as_response(answer))

    def go(self, path: str, done: str | None = None, **query: str) -> Response:
        """Lead on to a page of the console, so that loading it again does nothing twice.

        Args:
            path: its path in the console.
            done: what to say there, one of the notices.
            query: further parameters.
        """
        path, mark, fragment = path.partition("#")
        parameters = {**query, **({} if done is None else {"done": done})}
        asked = f"?{urlencode(parameters)}" if parameters else ""
        return Response(status_code=303, headers={"location": f"{self.home}{path}{asked}{mark}{fragment}"})

    def _events(self) -> str:
        """Return where the page learns that it is to be fetched again; nowhere if it is there only once."""
        again = self.request.method == "GET" and self.part != "try"
        return f"{self.home.removesuffix('/ui')}/events" if again else ""

    def _frame(self) -> dict[str, Any]:
        issuer = self.issuer
        return {
            "home": self.home,
            "events": self._events(),
            "pages": PAGES,
            "part": self.part,
            "issuer_url": issuer.issuer,
            "issuers": _issuers(self.mock, issuer),
            "clock_badge": clock_badge(issuer),
            "fault_count": sum(not fault.exhausted for fault in issuer.faults),
            "csrf": self.csrf,
            "notice": _NOTICES.get(self.query.get("done", "")),
            "form": self.form,
            "query": self.query,
        }

    def _with_cookie(self, response: Response) -> Response:
        if self.request.cookies.get(CSRF) != self.csrf:
            response.set_cookie(CSRF, self.csrf, httponly=True, samesite="strict", path=self.home)
        return response


class _Issuer(NamedTuple):
    name: str
    url: str
    path: str
    current: bool


def _issuers(mock: Mock, current: Issuer) -> list[_Issuer]:
    named = [
        _Issuer(name, tenant.issuer, f"{tenant.identity.path}{PREFIX}", tenant is current)
        for name, tenant in sorted(mock.tenants.items())
    ]
    return [_Issuer("default", "", PREFIX, not any(one.current for one in named)), *named]


def clock_badge(issuer: Issuer) -> str | None:
    """Say how far an issuer's clock is from the real time, or nothing where it tells that.

    Args:
        issuer: whose clock it is.
    """
    clock = issuer.clock
    if clock.frozen:
        return f"Clock stopped at {moment(clock.now())}"
    return f"Clock {duration(clock.offset, sign=True)}" if clock.offset else None


def moment(seconds: float) -> str:
    """Write a time for people to read.

    Args:
        seconds: the time, in seconds since the epoch.
    """
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g} s"


_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def duration(seconds: float, *, units: int = 2, sign: bool = False) -> str:
    """Write a duration for people to read.

    Args:
        seconds: how long; negative for the other direction.
        units: how many units, from the largest on.
        sign: put a sign in front, whichever it is.
    """
    rest, parts = abs(seconds), list[str]()
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count:.0f} {unit}")
    words = " ".join(parts[:units]) or f"{rest:.2g} s"
    prefix = "\N{MINUS SIGN}" if seconds < 0 else "+" if sign else ""
    return prefix + words


def as_response(answer: Answer) -> Response:
    """Turn an answer into what the console sends."""
    return Response(answer.body, answer.status, dict(answer.headers))


Show = Callable[[Visit], Response | Awaitable[Response]]
Act = Callable[[Visit], Response | Awaitable[Response]]
ShowAgain = Callable[[Visit, UsageError], Response | Awaitable[Response]]


async def open_visit(request: Request) -> Visit:
    """Read a request.

    Args:
        request: the request.
    """
    form = parse_form(request.headers.get("content-type"), await request.body()) or Form()
    query = parse_query(request.scope.get("query_string", b""))
    return Visit(request, form, query, request.cookies.get(CSRF) or secrets.token_urlsafe(24))


def is_own_form(visit: Visit) -> bool:
    """Tell whether a form is one that this console has shown to this browser.

    Args:
        visit: the request that brought it.
    """
    cookie = visit.request.cookies.get(CSRF, "")
    return bool(cookie) and hmac.compare_digest(cookie.encode(), visit.form.get("csrf", "").encode())
