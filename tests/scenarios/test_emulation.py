"""The profile of a real server answers as that server does: same status, same error, same members of the same kinds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mock_as.pytest_plugin import MockASFactory
from tests.scenarios.judges import Judge, OIDCProvider, mock_judge

Shape = tuple[int, str | None, dict[str, str]]

NEW = {"sub", "username", "tenant"}
"""What the two were told to say beside, and not alike."""


def shape(answer: httpx.Response) -> Shape:
    """Reduce an answer to what a resource server depends on."""
    document: dict[str, Any] = answer.json()
    kinds = {name: type(value).__name__ for name, value in document.items() if name not in {*NEW, "error_description"}}
    return answer.status_code, document.get("error"), kinds


@pytest.fixture
def emulation(mock_as_factory: MockASFactory) -> Iterator[Judge]:
    """Let the mock be what it takes oidc-provider to be."""
    with mock_judge(mock_as_factory(issuer="auto", profile="oidc-provider")) as judge:
        yield judge


def introspect(judge: Judge, token: str, **options: Any) -> Shape:
    """Ask a judge about a token."""
    with httpx.Client(trust_env=False) as client:
        metadata = client.get(f"{judge.issuer}/.well-known/openid-configuration").raise_for_status().json()
        return shape(client.post(metadata["introspection_endpoint"], data={"token": token}, **options))


def test_good_token(provider: OIDCProvider, emulation: Judge) -> None:
    """What is said of an active opaque token."""
    asked = [introspect(judge, judge.token("opaque"), auth=judge.caller) for judge in (provider, emulation)]
    assert asked[0] == asked[1]


def test_jwt(provider: OIDCProvider, emulation: Judge) -> None:
    """What is said of a JWT."""
    asked = [introspect(judge, judge.token("jwt"), auth=judge.caller) for judge in (provider, emulation)]
    assert asked[0] == asked[1] == (400, "unsupported_token_type", {"error": "str"})


def test_refresh_token(provider: OIDCProvider, emulation: Judge) -> None:
    """What is said of a refresh token."""
    asked = [introspect(judge, judge.refresh_token(), auth=judge.caller) for judge in (provider, emulation)]
    assert asked[0] == asked[1]


@pytest.mark.parametrize("token", ["never-issued", "a.b.c", "é"])
def test_unknown_token(token: str, provider: OIDCProvider, emulation: Judge) -> None:
    """What is said of a token that nobody issued."""
    asked = [introspect(judge, token, auth=judge.caller) for judge in (provider, emulation)]
    assert asked[0] == asked[1] == (200, None, {"active": "bool"})


def test_caller_that_may_not(provider: OIDCProvider, emulation: Judge) -> None:
    """What is said to a caller that may not know."""
    asked = [introspect(judge, judge.token("opaque"), auth=judge.denied) for judge in (provider, emulation)]
    assert asked[0] == asked[1] == (200, None, {"active": "bool"})


def test_wrong_credentials(provider: OIDCProvider, emulation: Judge) -> None:
    """What is said to a caller with a wrong secret."""
    asked = [introspect(judge, "any", auth=(judge.caller[0], "wrong")) for judge in (provider, emulation)]
    assert asked[0] == asked[1] == (401, "invalid_client", {"error": "str"})


def test_no_credentials(provider: OIDCProvider, emulation: Judge) -> None:
    """What is said to a caller without credentials."""
    asked = [introspect(judge, "any") for judge in (provider, emulation)]
    assert asked[0] == asked[1]
