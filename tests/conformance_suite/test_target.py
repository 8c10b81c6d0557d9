"""The description of a target: what it may say, and what is told of a mistake."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from resource_server.conformance.errors import SuiteError
from resource_server.conformance.target import Route, Target, load_target, read_target

WHOLE = """
[target]
name = "orders"
version = "1.2"
url = "http://127.0.0.1:{port}/"
start = "{python} -m serve --port {port}"
ready = "/up"

[target.environment]
WHERE = "port {port}"
TIMES = 3

[routes]
read = "GET /read"
post = "POST /things"
public = "/healthz"

[claims]
audience = "https://orders.example.test"
format = "jwt"
alg = "ES256"
cache_seconds = 2
leeway_seconds = 0.5

[features]
dpop = true
metadata = false
introspection = "keys are enough"
"""


def described(tmp_path: Path, text: str) -> Target:
    """Read a description from a file."""
    path = tmp_path / "target.toml"
    path.write_text(text, encoding="utf-8")
    return load_target(path)


def test_everything_that_a_file_says_is_read(tmp_path: Path) -> None:
    """Each member has its place, and a route without a method is a GET."""
    target = described(tmp_path, WHOLE)
    assert (target.name, target.version, target.ready, target.folder) == ("orders", "1.2", "/up", tmp_path)
    assert target.routes["read"] == Route("GET", "/read")
    assert target.routes["post"] == Route("POST", "/things")
    assert target.routes["public"] == Route("GET", "/healthz")
    assert (target.audience, target.format, target.alg) == ("https://orders.example.test", "jwt", "ES256")
    assert (target.cache_seconds, target.leeway_seconds) == (2.0, 0.5)


def test_a_file_may_say_next_to_nothing(tmp_path: Path) -> None:
    """The name is the folder's, and the command may be a list of words."""
    target = described(tmp_path, '[target]\nstart = ["serve", "all at once"]')
    assert (target.name, target.start, target.cache_seconds) == (tmp_path.name, ("serve", "all at once"), None)


def test_the_port_and_the_interpreter_are_filled_in(tmp_path: Path) -> None:
    """The URL, the command and the environment can name them."""
    target = described(tmp_path, WHOLE).at(8123)
    assert target.url == "http://127.0.0.1:8123"
    assert target.start == (sys.executable, "-m", "serve", "--port", "8123")
    assert target.environment == {"WHERE": "port 8123", "TIMES": "3"}


@pytest.mark.parametrize(
    ("need", "reason"),
    [
        ("dpop", ""),
        ("metadata", "the target does not claim the feature 'metadata'"),
        ("introspection", "keys are enough"),
        ("problem_json", "the target does not claim the feature 'problem_json'"),
        ("jwks", ""),
        ("rfc9068", ""),
        ("jwt", ""),
        ("opaque", "the target takes no opaque tokens"),
        ("route:post", ""),
        ("route:hidden", "the target names no route 'hidden'"),
        ("cache_seconds", ""),
    ],
)
def test_what_is_missing_has_a_reason(tmp_path: Path, need: str, reason: str) -> None:
    """A claim is what the file says, or what follows from the tokens that the target takes."""
    assert described(tmp_path, WHOLE).missing(need) == reason


def test_what_is_claimed_follows_from_the_tokens() -> None:
    """Who takes opaque tokens introspects, and who takes JWTs knows the keys."""
    opaque = read_target({"claims": {"format": "opaque"}}, Path())
    assert not opaque.missing("introspection")
    assert opaque.missing("jwks")
    assert opaque.missing("cache_seconds") == "the target does not say how long it remembers an answer"
    assert read_target({"claims": {"format": "jwt"}}, Path()).missing("introspection")


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"tarrget": {}}, "no table 'tarrget'; there are target, routes"),
        ({"target": {"ur": "x"}}, "no member of .target. 'ur'; there are name"),
        ({"routes": {"reed": "/x"}}, "no member of .routes. 'reed'"),
        ({"features": {"dpob": True}}, "no member of .features. 'dpob'"),
        ({"claims": {"audiences": "x"}}, "no member of .claims. 'audiences'"),
        ({"target": 5}, "target is no table"),
        ({"target": {"url": "127.0.0.1"}}, "url is '127.0.0.1'"),
        ({"target": {"environment": []}}, "environment is no table"),
        ({"routes": {"read": "GET read"}}, "route read is 'GET read'"),
        ({"routes": {"read": 5}}, "route read is 5"),
        ({"claims": {"format": "saml"}}, "format is 'saml'"),
        ({"claims": {"cache_seconds": "2"}}, "cache_seconds is '2'"),
        ({"claims": {"cache_seconds": True}}, "cache_seconds is True"),
        ({"claims": {"leeway_seconds": -1}}, "leeway_seconds is -1"),
        ({"features": {"dpop": ""}}, "feature dpop is ''"),
    ],
)
def test_a_mistake_is_named(document: dict[str, Any], told: str) -> None:
    """What does not exist, or has no such value, is told with its name and its value."""
    with pytest.raises(SuiteError, match=told):
        read_target(document, Path())


@pytest.mark.parametrize("content", [b"[target", b"\xff"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    """What cannot be read is told with its path."""
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(SuiteError, match=r"broken\.toml cannot be read"):
        load_target(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """So is one that does not exist."""
    with pytest.raises(SuiteError, match=r"nothing\.toml cannot be read"):
        load_target(tmp_path / "nothing.toml")
