"""However a path is spelled, no spelling of it reaches a protected endpoint without a token."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import resource_server
from mock_as import MockAS
from tests.support.api import API, RS
from tests.support.promises import assert_refused
from tests.support.secrecy import SHORTEST

pytestmark = [pytest.mark.anyio, pytest.mark.attack("A-F-6")]

SPELLINGS = [
    "//things",
    "/things/",
    "/things//",
    "/./things",
    "/public/../things",
    "/things;a=b",
    "/things%2f",
    "/%74hings",
    "/THINGS",
    "/things\x00",
    "/things\n",
    "/things?x",
    "/things#x",
    "/public/things",
    "things",
    "",
    "*",
    "http://api.example.test/things",
]


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize("path", SPELLINGS)
async def test_spellings(path: str, method: str, api: API, mock_as: MockAS) -> None:
    """A path that is not the route's is not the route; one that is the route's is judged."""
    answer = await api.send(method, path=path)
    assert answer.status in {307, 400, 401, 404, 405}
    assert api.entered.total() == 0
    token = mock_as.token(scope="read write")
    assert (await api.send(path="/things", token=token)).status == 200


async def test_redirect_for_a_slash(api: API) -> None:
    """The redirect to the path without the slash tells nobody anything: what it leads to is judged."""
    redirected = await api.send(path="/things/")
    assert redirected.status == 307
    assert_refused(await api.send(path="/things"), 401, scope="read")


@given(path=st.text(st.characters(codec="latin-1"), max_size=30).map(lambda text: "/" + text))
async def test_any_path(path: str) -> None:
    """Whatever path somebody makes up, without a token no protected endpoint is entered, and nothing breaks."""
    api = shared()
    answer = await api.send(path=path)
    assert answer.status in {200, 307, 401, 404, 405}
    assert set(api.entered) <= {"/public"}


@given(value=st.binary(max_size=80).filter(lambda value: not is_ours(value)))
@pytest.mark.attack("A-R-8")
async def test_any_authorization(value: bytes) -> None:
    """Whatever bytes stand in the Authorization field, the answer is a well-formed refusal."""
    api = shared()
    answer = await api.send(path="/both", authorization=value)
    assert answer.status in {400, 401}
    assert api.entered["/both"] == 0


def is_ours(value: bytes) -> bool:
    """Tell whether a word of a value is part of our code: Hypothesis takes its ideas from there, and from the tests.

    What we say is nobody's secret, and would be taken for one where it is found in an answer.
    """
    return any(len(word) >= SHORTEST and word in sources() for word in re.split(rb"[ ,\t]+", value))


@cache
def sources() -> bytes:
    """Return all of our code."""
    return b"".join(path.read_bytes() for path in Path(resource_server.__file__).parent.rglob("*.py"))


@cache
def shared() -> API:
    """Make one API for all the generated examples, none of which can have a fixture of its own."""
    return API(MockAS(clients=[RS]), strategy="introspect")
