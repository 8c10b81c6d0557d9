"""What the control plane answers where something is wrong: a problem document that names the field.

References: RFC 9457
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from mock_as.errors import UsageError
from mock_as.messages import encode_json

NOT_FOUND = 404
TIMEOUT = 408
HINT = "The endpoints are in the metadata; the console is at /_mock/ui, the admin API is described at /_mock/docs."

_UNPROCESSABLE = 422
_NO_OBJECT = frozenset({"dict_type", "missing", "model_attributes_type"})
_TEXT = {"type": "string"}
_ERROR = {"type": "object", "properties": {"field": _TEXT, "message": _TEXT}}
_SCHEMA = {
    "type": "object",
    "required": ["title", "status"],
    "properties": {
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "errors": {"type": "array", "items": _ERROR},
    },
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "What is wrong.", "content": {"application/problem+json": {"schema": _SCHEMA}}}
}
"""How OpenAPI describes the refusals of every route."""


class JSONResponse(Response):
    """A response in ASCII, so that no text of a test can fail to be encoded."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """Write the body."""
        return encode_json(content)


def problem(status: int, title: str, **members: object) -> Response:
    """Answer that something is wrong.

    Args:
        status: the HTTP status.
        title: what, in a few words.
        members: what else there is to know about it.
    """
    document = encode_json({"title": title, "status": status, **members})
    return Response(document, status, media_type="application/problem+json")


def not_there(what: str) -> HTTPException:
    """Return the error to raise where there is no such thing.

    Args:
        what: what is missing, with its article.
    """
    return HTTPException(NOT_FOUND, f"There is no such {what}.")


def install(app: FastAPI) -> None:
    """Answer everything that goes wrong in an application with a problem document.

    Args:
        app: the application.
    """
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(UsageError, _unusable)
    app.add_exception_handler(HTTPException, _refused)


async def _invalid(_request: Request, error: Exception) -> Response:
    found: list[dict[str, Any]] = list(error.errors()) if isinstance(error, RequestValidationError) else []
    return _wrong([{"field": _field(item["loc"]), "message": _message(item)} for item in found])


def _field(location: tuple[Any, ...]) -> str:
    # Where JSON ends to be JSON is the only place that is a number: it is about the body as a whole.
    named = location[1:] if location[1:2] and not isinstance(location[1], int) else location[:1]
    return ".".join(map(str, named))


def _message(item: dict[str, Any]) -> str:
    if item["type"] == "json_invalid":
        return f"is not JSON: {item['ctx']['error']} at character {item['loc'][-1]}"
    if item["loc"] == ("body",) and item["type"] in _NO_OBJECT:
        return "is not a JSON object, or came without Content-Type: application/json"
    return str(item["msg"])


async def _unusable(_request: Request, error: Exception) -> Response:
    field, message = (error.field, error.message) if isinstance(error, UsageError) else ("", "")
    return _wrong([{"field": field, "message": message}])


def _wrong(errors: list[dict[str, str]]) -> Response:
    detail = "; ".join(f"{item['field']}: {item['message']}" for item in errors)
    return problem(_UNPROCESSABLE, "Invalid request", detail=detail, errors=errors)


async def _refused(request: Request, error: Exception) -> Response:
    status, title = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "")
    headers = error.headers if isinstance(error, HTTPException) else None
    response = problem(status, title, **({"hint": HINT, "path": request.url.path} if status == NOT_FOUND else {}))
    response.headers.update(headers or {})
    return response
