"""The console under ``/_mock/ui``: what a test can do in Python, for people and their eyes.

Every page is written by the server and works without JavaScript, which only makes it live. A form that was sent leads
on to a page, and to nothing else.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mock_as.console import clock, faults, identities, journal, keys, tokens, trial
from mock_as.console.visit import PREFIX, Act, Show, ShowAgain, Visit, as_response, is_own_form, open_visit
from mock_as.errors import UsageError
from mock_as.html import page

_Handler = Callable[[Request], Awaitable[Response]]
_FRONT = ("/_mock", "/_mock/", PREFIX, f"{PREFIX}/")
_PARTS = (tokens, journal, faults, keys, clock, identities, trial)


def install(app: FastAPI) -> None:
    """Add the console to the control plane.

    Args:
        app: the control plane; the scope of a request says whose it is.
    """
    # First of all: no other part of the control plane takes these paths.
    app.router.routes[:0] = _routes()


def _routes() -> list[Route]:
    found = [Route(path, _reader(_front), methods=["GET"]) for path in _FRONT]
    for part in _PARTS:
        found += [Route(f"{PREFIX}{path}", _reader(show), methods=["GET"]) for path, show in part.SHOWN.items()]
        found += [
            Route(f"{PREFIX}{path}", _writer(act, again), methods=["POST"]) for path, (act, again) in part.DONE.items()
        ]
    return [*found, Route(f"{PREFIX}/{{path:path}}", _reader(_nothing))]


def _front(visit: Visit) -> Response:
    return visit.go("/tokens")


def _nothing(visit: Visit) -> Response:
    message = "There is no such page. What was here may have been forgotten since, with a reset for example."
    return _refusal(404, "Nothing here", message, visit)


def _reader(show: Show) -> _Handler:
    async def read(request: Request) -> Response:
        visit = await open_visit(request)
        try:
            return await _whatever(show(visit))
        except UsageError as error:
            return _refusal(404, "Nothing here", str(error), visit)

    return read


def _writer(act: Act, again: ShowAgain) -> _Handler:
    async def write(request: Request) -> Response:
        visit = await open_visit(request)
        if not is_own_form(visit):
            message = (
                "This form is not one that the console has shown to this browser. Go back, load the page, try again."
            )
            return _refusal(403, "Not from here", message, visit)
        try:
            return await _whatever(act(visit))
        except UsageError as error:
            return await _whatever(again(visit, error))

    return write


async def _whatever(result: Response | Awaitable[Response]) -> Response:
    return await result if inspect.isawaitable(result) else result


def _refusal(status: int, title: str, message: str, visit: Visit) -> Response:
    return as_response(page("refusal.html", status=status, title=title, message=message, home=visit.home))
