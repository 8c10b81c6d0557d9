"""Everything that people paste is read: curl with and without -v, redirects, folded fields, developer tools."""

from __future__ import annotations

import json

import pytest

from resource_server._explain.answer import Sent, UnreadableError
from resource_server._explain.paste import read_fields, read_paste

CHALLENGE = 'Bearer realm="x"'
VERBOSE = """\
* Trying 127.0.0.1:443...
} [5 bytes data]
> GET /orders HTTP/2
> Host: api.example
> authorization: Bearer s3cr3t-t0ken
>
* Request completely sent off
< HTTP/2 401
< www-authenticate: Bearer realm="x"
< content-type: application/json
<
{ [18 bytes data]
{"error": "x"}
second* Connection #0 to host api.example left intact
"""


def test_curl_include() -> None:
    """The status line, each field and the body are taken; a prompt before them is not."""
    head = f"$ curl -i https://x/\r\nHTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: {CHALLENGE}\r\n"
    text = head + '\r\n{"a":\r\n1}'
    [answer] = read_paste(text)
    assert (answer.status, answer.reason, answer.sent) == (401, "Unauthorized", None)
    assert answer.fields == (("www-authenticate", CHALLENGE),)
    assert answer.body == '{"a":\n1}'


def test_curl_verbose() -> None:
    """What was sent is told from what was received, and curl's own notes are passed over."""
    [answer] = read_paste(VERBOSE)
    assert (answer.status, answer.reason) == (401, "")
    assert answer.fields == (("www-authenticate", CHALLENGE), ("content-type", "application/json"))
    assert answer.body == '{"error": "x"}\nsecond'
    assert answer.sent == Sent("bearer", "s3cr3t-t0ken")
    assert "s3cr3t" not in repr(answer)


def test_a_request_without_credentials() -> None:
    """Where the request is shown and has no credentials, that is known; the next request begins anew."""
    [answer] = read_paste(VERBOSE.replace("> authorization: Bearer s3cr3t-t0ken\n", ""))
    assert answer.sent == Sent(None)
    first, second = read_paste(VERBOSE + "> GET /b HTTP/1.1\n>\n< HTTP/1.1 200 OK\n<\n")
    assert (first.sent, second.sent) == (Sent("bearer", "s3cr3t-t0ken"), Sent(None))


def test_credentials_of_the_command() -> None:
    """The command line above the answer says what was sent."""
    [answer] = read_paste("$ curl -i -H 'Authorization: DPoP s3cr3t-t0ken' https://x\nHTTP/1.1 401\n")
    assert answer.sent == Sent("dpop", "s3cr3t-t0ken")


def test_a_token_in_the_url() -> None:
    """A token in the URL is one that was sent, and a secret."""
    [answer] = read_paste("$ curl -i 'https://x/?a=1&access_token=s3cr3t-t0ken'\nHTTP/1.1 401\n")
    assert answer.sent == Sent("bearer", "s3cr3t-t0ken")


def test_several_responses() -> None:
    """Redirects come first; interim responses and that of a CONNECT do not count."""
    text = (
        "HTTP/1.1 200 Connection established\n\nHTTP/1.1 100 Continue\n\nHTTP/1.1 302 Found\nLocation: /b\n\n"
        "HTTP/3 401 \nwww-authenticate: a\n"
    )
    assert [answer.status for answer in read_paste(text)] == [302, 401]


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ("WWW-Authenticate: Bearer a=b\nwww-authenticate: DPoP c=d", ["Bearer a=b", "DPoP c=d"]),
        ('WWW-Authenticate: Bearer a="b",\n  c="d"', ['Bearer a="b", c="d"']),
        ('WWW-Authenticate: Bearer a="b",\n\tc="d"', ['Bearer a="b", c="d"']),
        ("www-authenticate:", [""]),
    ],
)
def test_fields(written: str, values: list[str]) -> None:
    """A field that comes twice is two values, and one that is folded is one."""
    [answer] = read_paste(f"HTTP/1.1 401 No\n{written}\n\n")
    assert answer.all("www-authenticate") == values
    assert answer.first("www-authenticate") == values[0]


def test_indented_by_wget() -> None:
    """Wget indents everything it prints of a response."""
    [answer] = read_paste("  HTTP/1.1 401 Unauthorized\n  Server: x\n  WWW-Authenticate: Bearer a=b\n")
    assert answer.fields == (("server", "x"), ("www-authenticate", "Bearer a=b"))


def test_a_body_without_an_empty_line() -> None:
    """What is no field ends the fields."""
    [answer] = read_paste("HTTP/1.1 401 Unauthorized\nserver: x\n<html>\nno: field\n")
    assert (answer.fields, answer.body) == ((("server", "x"),), "<html>\nno: field")


@pytest.mark.parametrize(
    "text", ["", "hello\n> no\n", "HTTP/1.1 700 No\n", "HTTP/1.1 100 Continue\n\n", "< HTTP/1.1 x\n"]
)
def test_no_response(text: str) -> None:
    """Where there is no response, the error says what one looks like, and repeats nothing."""
    with pytest.raises(UnreadableError, match="status line like"):
        read_paste(text)


def test_har() -> None:
    """A HAR document has requests and responses, in order."""
    entry = {
        "request": {"headers": [{"name": "Authorization", "value": "Bearer s3cr3t-t0ken"}]},
        "response": {
            "status": 401,
            "statusText": "Unauthorized",
            "headers": [{"name": "WWW-Authenticate", "value": CHALLENGE}, {"name": 1}, "x"],
            "content": {"text": "body"},
        },
    }
    blocked = {"request": {"headers": []}, "response": {"status": 0, "headers": []}}
    [answer] = read_paste(json.dumps({"log": {"entries": [blocked, entry]}}))
    assert (answer.status, answer.reason, answer.body) == (401, "Unauthorized", "body")
    assert answer.fields == (("www-authenticate", CHALLENGE),)
    assert answer.sent == Sent("bearer", "s3cr3t-t0ken")
    [first, second] = read_paste(json.dumps([entry, {"request": {}, "response": {"status": 204}}]))
    assert (first, second.sent) == (answer, Sent(None))


def test_one_response_in_json() -> None:
    """An object with a status, fields by name and a body is a response."""
    document = {
        "statusCode": 403,
        "headers": {"WWW-Authenticate": ["a", "b"], "Retry-After": 3},
        "body": {"error": "x"},
    }
    [answer] = read_paste(json.dumps(document))
    assert answer.fields == (("www-authenticate", "a"), ("www-authenticate", "b"), ("retry-after", "3"))
    assert (answer.status, answer.body, answer.sent) == (403, '{"error": "x"}', None)


@pytest.mark.parametrize(
    "text", ["{", "[" * 100_000, "{}", "[]", "[1]", '{"status": "401"}', '{"status": true}', '{"status": 99}']
)
def test_json_without_a_response(text: str) -> None:
    """JSON that is none, or has no status, is refused."""
    with pytest.raises(UnreadableError, match="JSON"):
        read_paste(text)


def test_fields_by_themselves() -> None:
    """Fields are read as they stand in a response; what is none is refused without repeating it."""
    assert read_fields(["WWW-Authenticate: Bearer a=b ", "X:y"]) == (("www-authenticate", "Bearer a=b"), ("x", "y"))
    with pytest.raises(UnreadableError, match=r"^a field is written as 'Name: value'$"):
        read_fields(["s3cr3t"])
