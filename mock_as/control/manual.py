"""The page for people about the control plane, written of the OpenAPI document that machines read."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from mock_as.control.context import ISSUER, PREFIX
from mock_as.html import page

PATH = f"{PREFIX}/docs"

_WORDS = {
    "array": "list",
    "boolean": "true or false",
    "integer": "whole number",
    "null": "null",
    "number": "number",
    "object": "object",
    "string": "text",
}


class _Member(NamedTuple):
    name: str
    place: str
    kind: str
    default: str


class _Operation(NamedTuple):
    method: str
    path: str
    words: str
    members: list[_Member]


def install(app: FastAPI) -> None:
    """Add the page to the control plane.

    Args:
        app: the control plane; the scope of a request says whose it is.
    """

    async def show(request: Request) -> Response:
        root = request.scope.get("root_path", "")
        answer = page(
            "manual.html",
            issuer_url=request.scope[ISSUER].issuer,
            home=f"{root}{PREFIX}/ui",
            openapi=f"{root}{app.openapi_url}",
            root=root,
            concerns=_concerns(app.openapi()),
        )
        return Response(answer.body, answer.status, dict(answer.headers))

    app.add_route(PATH, show, methods=["GET"], include_in_schema=False)


def _concerns(document: dict[str, Any]) -> dict[str, list[_Operation]]:
    found: dict[str, list[_Operation]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            found.setdefault(operation["tags"][0], []).append(_operation(method.upper(), path, operation, document))
    return found


def _operation(method: str, path: str, operation: dict[str, Any], document: dict[str, Any]) -> _Operation:
    members = [
        _member(item["name"], "query", item["schema"], required=item.get("required", False))
        for item in operation.get("parameters", [])
        if item["in"] == "query"
    ]
    content = operation.get("requestBody", {}).get("content", {})
    for schema in _options(content.get("application/json", {}).get("schema", {})):
        model = document["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], schema)
        if model.get("additionalProperties") is True:
            members.append(_Member("any", "body", "anything", ""))
        for name, member in model.get("properties", {}).items():
            members.append(_member(name, "body", member, required=name in model.get("required", [])))
    summary = " ".join(operation["description"].partition("\n\n")[0].split())
    return _Operation(method, path, summary, members)


def _member(name: str, place: str, schema: dict[str, Any], *, required: bool) -> _Member:
    default = schema.get("default")
    words = "required" if required else "" if default in (None, []) else json.dumps(default)
    return _Member(name, place, _kind(schema), words)


def _options(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]


def _kind(schema: dict[str, Any]) -> str:
    return " or ".join(dict.fromkeys(_one_kind(option) for option in _options(schema))) or "null"


def _one_kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " or ".join(json.dumps(value) for value in schema["enum"])
    kind = _WORDS.get(schema.get("type", ""), "anything")
    inner = schema.get("items")
    return f"{kind} of {_kind(inner)}" if inner else kind
