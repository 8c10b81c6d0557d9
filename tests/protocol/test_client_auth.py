"""How the resource server presents itself at the introspection endpoint."""

from __future__ import annotations

from base64 import b64decode
from urllib.parse import unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server._protocol.client_auth import ClientCredentials

TEXTS = st.text(st.characters(codec="utf-8"))


def decoded(credentials: ClientCredentials) -> tuple[str, str]:
    """Read a Basic header as an authorization server does: base64, then the first colon, then form decoding."""
    [(name, value)] = credentials.headers()
    assert name == "authorization"
    assert value.startswith("Basic ")
    client_id, _, secret = b64decode(value.removeprefix("Basic "), validate=True).decode("ascii").partition(":")
    return unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")


@pytest.mark.rfc("7662-2.1-c")
def test_basic_example() -> None:
    """RFC 6749 §2.3.1: the example's client identifier and secret make the example's header."""
    credentials = ClientCredentials("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw")
    expected = "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"
    assert credentials.headers() == (("authorization", expected),)
    assert credentials.parameters() == ()


@pytest.mark.rfc("7662-2.1-d")
@given(TEXTS, TEXTS)
def test_basic_is_form_encoded_first(client_id: str, secret: str) -> None:
    """RFC 6749 §2.3.1: both are form-urlencoded before base64, so that a colon or an umlaut changes nothing."""
    assert decoded(ClientCredentials(client_id, secret)) == (client_id, secret)


@pytest.mark.rfc("7662-2.1-d")
def test_basic_with_everything_awkward() -> None:
    """RFC 6749 appendix B: colon, at sign, percent, plus, blank and an accent survive the way."""
    assert decoded(ClientCredentials("rs:1", "p@ss:%+ é")) == ("rs:1", "p@ss:%+ é")


@pytest.mark.rfc("7662-2.1-c")
def test_post() -> None:
    """RFC 6749 §2.3.1: client_secret_post sends both as form parameters, and no header."""
    credentials = ClientCredentials("rs:1", "p@ss", "client_secret_post")
    assert credentials.parameters() == (("client_id", "rs:1"), ("client_secret", "p@ss"))
    assert credentials.headers() == ()


@pytest.mark.attack("A-S-1")
def test_secret_is_not_shown() -> None:
    """The representation of the credentials names the client and not its secret."""
    shown = repr(ClientCredentials("rs", "canary"))
    assert "rs" in shown
    assert "canary" not in shown
