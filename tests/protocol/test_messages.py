"""The values that cross the edge of the protocol."""

from __future__ import annotations

import dataclasses

import pytest

from resource_server import RequestParts
from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable

HEADERS = (("content-type", " Application/JSON ; charset=utf-8"), ("x-twice", "1"), ("x-twice", "1"))


def test_header() -> None:
    """RFC 9110 §5.3: a header that stands twice where one value is expected says nothing that can be relied on."""
    response = HTTPResponse(200, HEADERS)
    assert response.header("content-type") == " Application/JSON ; charset=utf-8"
    assert response.header("x-twice") is None
    assert response.header("x-none") is None


@pytest.mark.parametrize(
    ("headers", "media_type"),
    [
        pytest.param(HEADERS, "application/json", id="parameters and case"),
        pytest.param((("content-type", "text/html"),), "text/html", id="no parameter"),
        pytest.param((), "", id="no header"),
        pytest.param((("content-type", "application/json"), ("content-type", "text/html")), "", id="two headers"),
    ],
)
def test_media_type(headers: tuple[tuple[str, str], ...], media_type: str) -> None:
    """RFC 9110 §8.3.1: a media type has no case, and its parameters do not belong to it."""
    assert HTTPResponse(200, headers).media_type == media_type


@pytest.mark.attack("A-S-1")
def test_nothing_secret_is_shown() -> None:
    """No message shows a URL, header or body in its representation: each may hold a token or a secret."""
    request = HTTPRequest(
        "POST", "https://canary.example", "introspection", 1, (("authorization", "canary"),), b"canary"
    )
    response = HTTPResponse(200, (("set-cookie", "canary"),), b"canary")
    parts = RequestParts("GET", [(b"authorization", b"canary")], b"canary", b"canary")
    assert "canary" not in repr([request, response, parts])


@pytest.mark.parametrize(
    "value", [HTTPRequest("GET", "https://as.example.com", "jwks", 1), HTTPResponse(200), Unavailable("timeout")]
)
def test_messages_are_values(value: HTTPRequest | HTTPResponse | Unavailable) -> None:
    """A message cannot be changed on its way."""
    name = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, "other")
    assert dataclasses.replace(value) == value


def test_what_is_not_said() -> None:
    """What nobody said of a message is absent: nothing is asked, answered, shown or proven by default."""
    assert tuple(RequestParts("GET", ())) == ("GET", (), b"", None, None, b"/", None, False, None)
    assert HTTPRequest("GET", "https://as.example.com", "jwks", 1).body == b""
    assert HTTPResponse(200).body == b""
    assert Unavailable("timeout") == Unavailable("timeout", None, "outage")
