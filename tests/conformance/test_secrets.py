"""RFC 9700 §4.9.3: tokens and credentials are secrets. They are looked for wherever something could have kept them."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

from mock_as import MockAS, Token
from resource_server import BearerTokenError, RequestParts, ResourceServer, Settings
from tests.support.api import API
from tests.support.promises import CLIENT_SECRET, PRESENTED, assert_keeps_secrets

pytestmark = [pytest.mark.anyio, pytest.mark.attack("A-S-1")]

FAULTS: list[str | int] = [
    500,
    401,
    "invalid_client",
    "not_json",
    "html_error",
    "timeout",
    "refused",
    "reset",
    "exp_past",
    "active_int",
]
PERSONAL = "alice-the-subject"


async def live_through(api: API, mock_as: MockAS) -> list[Token]:
    """Send good, narrow, bad and unverifiable tokens of both formats, through every kind of outage."""
    tokens: list[Token] = []
    for fault in [None, *FAULTS]:
        if fault is not None:
            mock_as.fault("introspect", fault)
        for wish in ({"format": "opaque"}, {}, {"scope": "other"}, {"defect": "expired"}, {"defect": "bad_signature"}):
            tokens.append(mock_as.token(sub=PERSONAL, **wish))  # type: ignore[arg-type]
            await api.send(path="/both", token=tokens[-1])
        mock_as.clear_faults()
    return tokens


@pytest.mark.rfc("7662-5-a")
async def test_logs(api: API, mock_as: MockAS, caplog: pytest.LogCaptureFixture) -> None:
    """RFC 7662 §5: with everything logged at DEBUG, no token, no secret and no personal data is in our lines."""
    api = API(mock_as, observer=None)  # the observer that logs
    await live_through(api, mock_as)
    ours = [record for record in caplog.records if record.name.startswith("resource_server")]
    assert {record.levelno for record in ours} == {logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR}
    text = "\n".join(f"{record.getMessage()} {record.args!r} {record.exc_info!r}" for record in ours)
    assert PERSONAL not in text
    # Every logger is looked through, ours and those of the libraries below, when the test has ended.


async def test_events(api: API, mock_as: MockAS) -> None:
    """An observer is told no token and no claim: it may send what it hears anywhere."""
    tokens = await live_through(api, mock_as)
    text = repr(api.events)
    assert len(api.events) > len(tokens)
    assert_keeps_secrets(text)
    assert PERSONAL not in text


async def test_fingerprints(api: API, mock_as: MockAS) -> None:
    """A token's fingerprint joins the lines about it, and no one could compute it from the token."""
    token = mock_as.token(defect="wrong_aud")
    for _ in range(2):
        await api.send(token=token)
    first = {fingerprint(event) for event in api.events}
    other = API(mock_as)
    await other.send(token=token)
    second = {fingerprint(event) for event in other.events}
    assert (len(first), len(second)) == (1, 1)
    assert first.isdisjoint(second)


def fingerprint(event: Any) -> str:
    """Return an event's fingerprint, which must be there and short."""
    value: str = event.fingerprint
    assert len(bytes.fromhex(value)) <= 8
    return value


@pytest.mark.rfc("9700-4.9.3-a")
async def test_memory(api: API, mock_as: MockAS) -> None:
    """RFC 9700 §4.9.3: what is remembered about tokens would tell nobody the tokens: a dump of it holds none."""
    tokens = await live_through(api, mock_as)
    state = api.server._core.state
    # Not the server itself, which the state knows for the sake of streams: with it come the event loop and this test.
    remembered = list(leaves(state, {id(state.host)}))
    assert any(tokens[0].jti in leaf for leaf in remembered)  # the walk does reach what is remembered
    for token in tokens:
        text = token.value
        signature = text.rpartition(".")[2]
        assert [leaf for leaf in remembered if text in leaf or signature in leaf] == []


def leaves(value: Any, seen: set[int]) -> Iterator[str]:
    """Walk everything that can be reached from a value, and yield every text and byte string in it."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes | bytearray):
        yield value.decode("latin-1")
    elif isinstance(value, Mapping):
        for pair in list(value.items()):
            yield from leaves(list(pair), seen)
    elif isinstance(value, Iterable):
        for item in list(value):
            yield from leaves(item, seen)
    for name in [*getattr(value, "__dict__", ()), *getattr(type(value), "__slots__", ())]:
        yield from leaves(getattr(value, name, None), seen)


async def test_text_forms(api: API, mock_as: MockAS) -> None:
    """Neither `repr` nor `str` of anything that an application holds shows a secret."""
    token = mock_as.token(sub=PERSONAL)
    PRESENTED.add(token.value)
    parts = RequestParts("GET", ((b"authorization", b"Bearer " + token.value.encode()),), b"access_token=canary")
    principal = await api.server.authenticate(parts)
    shown = [api.server, api.server.settings, api.server._core.state.policy, principal, parts, api.server.token_methods]
    for value in shown:
        assert_keeps_secrets(f"{value!r} {value!s} {value}")
    assert token.value not in repr(principal.claims)


@pytest.mark.attack("A-S-2")
@pytest.mark.parametrize("fault", FAULTS)
async def test_exceptions(fault: Any, mock_as: MockAS) -> None:
    """A refusal's traceback, and everything chained to it, shows no token: not even one of the HTTP client's."""
    api = API(mock_as)
    token = mock_as.token(format="opaque")
    PRESENTED.add(token.value)
    mock_as.fault("introspect", fault, times=1)
    with pytest.raises(BearerTokenError) as refused:
        await api.server.authenticate(RequestParts("GET", ((b"authorization", b"Bearer " + token.value.encode()),)))
    chained: list[BaseException] = [refused.value]
    for error in chained:
        chained += [cause for cause in (error.__cause__, error.__context__) if cause is not None]
        assert_keeps_secrets(f"{error!r} {error} {error.args!r}")
        assert type(error).__module__.partition(".")[0] == "resource_server"
    assert_keeps_secrets("".join(traceback.format_exception(refused.value)))


def test_configuration_errors() -> None:
    """An option that is refused is named with its value, unless it is the secret."""
    for options in ({"client_secret": 5}, {"client_secret": CLIENT_SECRET, "issuer": "x"}, {"cache_ttl": -1}):
        with pytest.raises((ValueError, TypeError)) as refused:
            ResourceServer(**{"issuer": "https://as.example.test", "client_secret": CLIENT_SECRET, **options})  # type: ignore[arg-type]
        assert_keeps_secrets("".join(traceback.format_exception(refused.value, chain=True)))
    settings = Settings.build(
        issuer="https://as.example.test", audience="api", client_id="rs", client_secret=CLIENT_SECRET
    )
    assert_keeps_secrets(f"{settings!r} {settings.model_dump()!r} {settings.model_dump_json()}")


@pytest.mark.rfc("7662-2.1-e")
async def test_question(api: API, mock_as: MockAS) -> None:
    """RFC 7662 §2.1: the token stands in the body of a POST, and never in a URL or a header of the question."""
    token = mock_as.token()
    await api.send(token=token)
    entry = mock_as.requests("introspect").last
    assert (entry.method, entry.form["token"]) == ("POST", token.value)
    for asked in mock_as.requests():
        assert token.value not in asked.path + repr(asked.headers)
