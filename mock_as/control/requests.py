"""The journal, over HTTP: shown, counted, waited for, followed."""

# Without `from __future__ import annotations`: FastAPI evaluates the annotations.

from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import Header, Query
from fastapi.responses import Response, StreamingResponse
from pydantic import ConfigDict, Field

from mock_as.control.context import State, new_router
from mock_as.control.models import Expectation, Model
from mock_as.control.problems import TIMEOUT, problem
from mock_as.issuer import Issuer
from mock_as.journal import Entry, Requests
from mock_as.messages import encode_json
from mock_as.redaction import public_entry

router = new_router("requests")


class RequestFilter(Model):
    """Which requests."""

    # A URL has only texts.
    model_config = ConfigDict(strict=False)

    endpoint: str | None = None
    client_id: str | None = None
    token: str | None = None
    method: str | None = None
    path: str | None = None
    status: int | None = None
    fault: str | None = None
    since: int | None = None
    parameter: list[Annotated[str, Field(pattern="=")]] = Field(default_factory=list)
    """Parameters that the request itself had, each as ``name=value``."""

    def found(self, issuer: Issuer) -> Requests:
        """Return the requests.

        Args:
            issuer: whose they are.
        """
        facts = {name: getattr(self, name) for name in self.model_fields_set & _FACTS}
        parameters = [text.partition("=") for text in self.parameter]
        return issuer.requests(**{name: value for name, _, value in parameters} | facts)


_FACTS = frozenset(RequestFilter.model_fields) - {"parameter"}


class ExpectedRequests(RequestFilter, Expectation):
    """Which requests, and how many of them are waited for how long."""


_Filter = Annotated[RequestFilter, Query()]


def shown(issuer: Issuer, entry: Entry) -> dict[str, Any]:
    """Describe a request and what became of it, secrets left out and tokens by their ids.

    Args:
        issuer: whose journal it is in.
        entry: its entry there.
    """
    return public_entry(entry, issuer.tokens.id_of)


@router.get("/requests")
async def requests(issuer: State, wanted: _Filter) -> dict[str, Any]:
    """Show the requests that came in, secrets left out and tokens by their ids."""
    found = list(wanted.found(issuer))
    return {"count": len(found), "requests": [shown(issuer, entry) for entry in found]}


@router.get("/requests/count")
async def count(issuer: State, wanted: _Filter) -> dict[str, int]:
    """Count the requests that came in."""
    return {"count": wanted.found(issuer).count}


@router.get("/requests/wait", responses={TIMEOUT: {"description": "There were fewer within that time."}})
async def wait(issuer: State, wanted: Annotated[ExpectedRequests, Query()]) -> Response:
    """Wait until there are as many requests."""
    found = wanted.found(issuer)
    try:
        await found.wait_async(wanted.count, wanted.timeout)
    except TimeoutError:
        detail = f"{found.count} of {wanted.count} requests came within {wanted.timeout:g} s."
        return problem(TIMEOUT, "Too few requests", detail=detail, count=found.count)
    return Response(encode_json({"count": found.count}), media_type="application/json")


@router.delete("/requests")
async def forget(issuer: State, wanted: _Filter) -> dict[str, bool]:
    """Forget requests."""
    wanted.found(issuer).clear()
    return {"cleared": True}


# ------------------------------------------------------------------------------------------------------------ events


@router.get("/events", response_class=StreamingResponse)
async def events(
    issuer: State, since: int | None = None, last_event_id: Annotated[int | None, Header()] = None
) -> StreamingResponse:
    """Follow the requests as they come in, as server-sent events; by default those that are still to come."""
    after = next((number for number in (last_event_id, since) if number is not None), issuer.journal.number)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(stream(issuer, after), media_type="text/event-stream", headers=headers)


async def stream(issuer: Issuer, after: int) -> AsyncGenerator[bytes]:
    """Write requests as server-sent events, each with its number as its id.

    Args:
        issuer: whose requests.
        after: the number of the request before the first one.
    """
    entries = issuer.journal.follow(after)
    # Something at once, so that the client knows that it is heard; from here on an end of the server is one for it.
    yield b"retry: 1000\n\n"
    async for entry in entries:
        document = encode_json(shown(issuer, entry))
        yield b"id: %d\nevent: request\ndata: %b\n\n" % (entry.number, document)
