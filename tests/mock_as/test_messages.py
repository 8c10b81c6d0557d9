"""HTTP messages as values."""

from __future__ import annotations

import pytest

from mock_as.messages import (
    FORM_TYPE,
    MOST_PARAMETERS,
    Answer,
    Form,
    Request,
    json_answer,
    oauth_error,
    parse_form,
    parse_query,
)


def test_form_keeps_what_was_sent() -> None:
    """A form holds every parameter in order, and shows the first of those that are repeated."""
    form = Form([("a", "1"), ("b", "2"), ("a", "3")])
    assert (form["a"], list(form), len(form), form.get_all("a")) == ("1", ["a", "b"], 2, ["1", "3"])
    assert form.pairs == (("a", "1"), ("b", "2"), ("a", "3"))
    assert form.repeated() == {"a"}


def test_form_hides_secrets_when_printed() -> None:
    """A form that lands in a log shows neither a token nor a secret."""
    shown = repr(Form([("token", "t0p"), ("client_secret", "s3cret"), ("scope", "read")]))
    assert "t0p" not in shown
    assert "s3cret" not in shown
    assert "'scope': 'read'" in shown


def test_messages_hide_secrets_when_printed() -> None:
    """A request and an answer that land in a traceback show neither credentials nor tokens."""
    request = Request("POST", "/token", (("authorization", "Basic s3cret"),), Form(), Form(), b"s3cret", b"s3cret")
    assert "s3cret" not in repr(request)
    assert repr(json_answer({"access_token": "s3cret"})) == "Answer(status=200)"


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        (FORM_TYPE, b"a=1+2%2B3&b=&a=%E2%82%AC", (("a", "1 2+3"), ("b", ""), ("a", "€"))),
        (f"{FORM_TYPE}; charset=UTF-8", b"a=1", (("a", "1"),)),
        (FORM_TYPE.upper(), b"a=1", (("a", "1"),)),
        (FORM_TYPE, b"", ()),
        (None, b"", ()),
    ],
)
def test_form_is_decoded(content_type: str, body: bytes, expected: tuple[tuple[str, str], ...]) -> None:
    """A form is decoded as RFC 6749 appendix B says, whatever else its media type says."""
    form = parse_form(content_type, body)
    assert form is not None
    assert form.pairs == expected


@pytest.mark.parametrize(
    ("content_type", "body"),
    [(None, b"a=1"), ("application/json", b"{}"), (FORM_TYPE, b"\xff"), (FORM_TYPE, b"a=%ff")],
)
def test_what_is_no_form_is_none(content_type: str | None, body: bytes) -> None:
    """Another media type, and bytes that are no UTF-8, are not parameters."""
    assert parse_form(content_type, body) is None


def test_very_many_parameters_are_not_read() -> None:
    """A short text that would become very many parameters is none, in a body as in a URL."""
    many = b"&".join(b"a" for _ in range(MOST_PARAMETERS + 1))
    assert parse_form(FORM_TYPE, many) is None
    assert parse_query(many).pairs == ()
    few = parse_form(FORM_TYPE, many[2:])
    assert few is not None
    assert (len(few.pairs), few.repeated()) == (MOST_PARAMETERS, {"a"})


def test_request_joins_repeated_fields() -> None:
    """A header field that is there twice is read as one list, and one that is not there as nothing."""
    request = Request("GET", "/", (("accept", "a"), ("x", "1"), ("accept", "b")), None)
    assert (request.header("accept"), request.header("missing")) == ("a, b", None)


def test_headers_replace_their_namesakes() -> None:
    """Setting a header field takes the old one away, and leaves the others."""
    answer = Answer(200, (("a", "1"), ("b", "2"), ("a", "3")), b"").with_headers({"a": "4"})
    assert answer.headers == (("b", "2"), ("a", "4"))


def test_json_is_ascii() -> None:
    """JSON is written in ASCII: no text, not even half a character, can fail to be encoded."""
    answer = json_answer({"name": "\ud800é"})
    assert answer.body.isascii()
    assert answer.json() == {"name": "\ud800é"}


def test_errors_are_not_stored() -> None:
    """An error of OAuth names its code, and nobody may store it."""
    answer = oauth_error("invalid_request", "No.", 405, {"allow": "POST"})
    assert answer.json() == {"error": "invalid_request", "error_description": "No."}
    assert dict(answer.headers) == {
        "content-type": "application/json",
        "cache-control": "no-store",
        "pragma": "no-cache",
        "allow": "POST",
    }
