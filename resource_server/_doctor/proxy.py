"""Send requests through the proxies in front of an API, and see whether its refusals come back whole.

References: RFC 6750 section 3, RFC 9110 section 11.6.1, RFC 9728 section 3
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, urlsplit

from resource_server._doctor.causes import explain
from resource_server._doctor.finding import Finding, broken, fine, odd, passed_over
from resource_server._protocol.challenge import CHALLENGE_HEADER, Challenge, parse_challenges
from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._protocol.plain import plain
from resource_server._protocol.sample import Sample
from resource_server._protocol.strict_json import StrictJSONError, loads_object
from resource_server._protocol.urls import is_loopback
from resource_server._runtime.exchange import Exchange

_MAX_BYTES = 262_144
_MALFORMED = "Bearer two words"
"""What is answered with 400: RFC 6750 section 3.1."""
_AUTH_REQUEST = (
    "nginx's auth_request knows 2xx, 401 and 403 only, and makes 500 of the rest: use the snippet of this project "
    "(resource-server snippets nginx), which passes status and challenge on"
)
_CHALLENGE = "pass WWW-Authenticate on: see `resource-server snippets`"


async def judge_proxy(url: str | None, sample: Sample | None, patience: float) -> list[Finding]:
    """Send requests that must be refused, and one with a token where there is one.

    Args:
        url: of a route that needs a token, as clients see it.
        sample: a token.
        patience: seconds for each request.
    """
    if url is None:
        return [passed_over("proxy", "no URL of the API was given: --url https://...")]
    # Certificates of the API are no business of RESOURCE_SERVER_CA_FILE, which is about the authorization server.
    exchange = Exchange(timeout=patience, trust_env=True)
    try:
        bare = await _get(exchange, url)
        found = [*_judge_bare(url, bare)]
        if isinstance(bare, HTTPResponse) and bare.status == HTTPStatus.UNAUTHORIZED:
            found += _judge_malformed(await _get(exchange, url, _MALFORMED))
            found += await _judge_metadata(exchange, url, bare)
            if sample is not None:
                found += await _send(exchange, url, sample)
    finally:
        await exchange.aclose()
    return found or [fine("proxy", f"{_shown(url)}: refusals come back with their challenge, and are not cached")]


async def _get(exchange: Exchange, url: str, authorization: str | None = None) -> HTTPResponse | Unavailable:
    headers = (("accept", "*/*"),) if authorization is None else (("accept", "*/*"), ("authorization", authorization))
    request = HTTPRequest("GET", url, "proxy", _MAX_BYTES, headers=headers)
    return await exchange.send(request, asyncio.get_running_loop().time() + exchange.timeout)


def _judge_bare(url: str, answer: HTTPResponse | Unavailable) -> Iterator[Finding]:
    if isinstance(answer, Unavailable):
        says, mend = explain(f"the API {_shown(url)}", answer)
        yield broken("proxy", says, mend)
    elif answer.status != HTTPStatus.UNAUTHORIZED:
        yield broken("proxy", *_wrong_status(answer))
    else:
        yield from _judge_challenges(answer)
        if "no-store" not in (answer.header("cache-control") or "").lower():
            says = "a refusal comes back without Cache-Control: no-store, so that a cache may keep it"
            yield odd("proxy", says, "let the proxy leave Cache-Control as it is")


def _wrong_status(answer: HTTPResponse) -> tuple[str, str]:
    status = answer.status
    says = f"without a token the answer is {status}, where 401 belongs"
    if status in range(HTTPStatus.MULTIPLE_CHOICES, HTTPStatus.BAD_REQUEST):
        return (
            f"{says}: a redirect to {_shown(answer.header('location') or '')}",
            "take the login page away from the paths of the API",
        )
    if status in range(HTTPStatus.OK, HTTPStatus.MULTIPLE_CHOICES):
        return says, "name a route that needs a token; if this one should, it is open: protect it"
    if status == HTTPStatus.NOT_FOUND:
        return says, "name a route that exists; or it hides itself from strangers, and another one shows more"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return says, f"look at the proxy's log, and at the API's; {_AUTH_REQUEST}"
    return says, "look at which of the proxies answers this"


def _judge_challenges(answer: HTTPResponse) -> Iterator[Finding]:
    values = [value for name, value in answer.headers if name == CHALLENGE_HEADER]
    if not values:
        yield broken("proxy", "the 401 comes back without WWW-Authenticate: clients cannot know what to do", _CHALLENGE)
        return
    challenges = _read(values)
    if challenges is None:
        yield broken("proxy", f"the field WWW-Authenticate cannot be parsed: {plain(', '.join(values))}", _CHALLENGE)
        return
    schemes = [challenge.scheme for challenge in challenges]
    if not {"bearer", "dpop"} & set(schemes):
        says = f"the 401 asks for {plain(', '.join(schemes))}, and not for a bearer token: it is another's"
        yield broken("proxy", says, "let only one of the two ask for credentials at this path")
    elif any("error" in challenge.params for challenge in challenges):
        says = "the challenge to a request without a token has an error code, which RFC 6750 section 3.1 forbids"
        yield odd("proxy", says, "look at which of the proxies answers this")


def _judge_malformed(answer: HTTPResponse | Unavailable) -> Iterator[Finding]:
    if isinstance(answer, Unavailable):
        says, mend = explain("the API, asked with a malformed Authorization,", answer)
        yield broken("proxy", says, mend)
    elif answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        says = f"a malformed Authorization is answered with {answer.status}, where 400 belongs"
        yield broken("proxy", says, _AUTH_REQUEST)
    elif answer.status not in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED}:
        yield odd("proxy", f"a malformed Authorization is answered with {answer.status}, where 400 belongs")
    elif not _has_error(answer):
        says = f"the {answer.status} to a malformed Authorization comes back without its challenge"
        yield odd("proxy", says, _CHALLENGE)


def _judge_sent(answer: HTTPResponse | Unavailable) -> Iterator[Finding]:
    if isinstance(answer, Unavailable):
        says, mend = explain("the API, asked with the token,", answer)
        yield broken("proxy", says, mend)
    elif answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        yield broken("proxy", f"with the token the answer is {answer.status}", f"look at its log; {_AUTH_REQUEST}")
    elif answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        if not _has_error(answer):
            says = f"with the token the answer is {answer.status}, and comes back without its challenge"
            yield broken("proxy", says, _CHALLENGE)
            return
        error = plain(_first_error(answer))
        says = f"with the token the answer is {answer.status} {error}, and its challenge comes back whole"
        yield odd("proxy", says, "look at the token: resource-server inspect")


async def _send(exchange: Exchange, url: str, sample: Sample) -> list[Finding]:
    """Send the token, unless everybody on the way could read it (RFC 6750 section 5.3)."""
    parts = _split(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        return [odd("proxy", "the token was not sent, for the URL is not https", "name the https URL that clients use")]
    return [*_judge_sent(await _get(exchange, url, f"Bearer {sample.value.decode('latin-1')}"))]


async def _judge_metadata(exchange: Exchange, asked: str, bare: HTTPResponse) -> list[Finding]:
    """Fetch our own metadata where the challenge says they are."""
    challenges = _read([value for name, value in bare.headers if name == CHALLENGE_HEADER]) or []
    url = next((one.params["resource_metadata"] for one in challenges if "resource_metadata" in one.params), None)
    if url is None:
        return []
    says = f"the metadata that the challenge names, {_shown(url)},"
    if _split(url)[:2] != _split(asked)[:2]:
        # Whoever answers here is not to choose what is asked from this machine.
        mend = "set RESOURCE_SERVER_RESOURCE to the address that clients use, or name that one in --url"
        return [odd("proxy", f"{says} are at another address than the API, and were not asked for", mend)]
    answer = await _get(exchange, url)
    document = _document(answer) if isinstance(answer, HTTPResponse) else None
    if document is not None and "resource" in document:
        return []
    mend = "let the proxy pass /.well-known/oauth-protected-resource on, without authentication"
    return [broken("proxy", f"{says} cannot be read from there", mend)]


def _split(url: str) -> SplitResult:
    """Take a URL apart; one that cannot be is nothing."""
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", "", "", "")


def _shown(url: str) -> str:
    """Write a URL without what may be secret in it: user information, query and fragment."""
    parts = _split(url)
    host = parts.netloc.rpartition("@")[2]
    return plain(f"{parts.scheme}://{host}{parts.path}" if host else parts.path)


def _document(answer: HTTPResponse) -> dict[str, Any] | None:
    if answer.status != HTTPStatus.OK:
        return None
    try:
        return loads_object(answer.body)
    except StrictJSONError:
        return None


def _has_error(answer: HTTPResponse) -> bool:
    return _first_error(answer) is not None


def _first_error(answer: HTTPResponse) -> str | None:
    challenges = _read([value for name, value in answer.headers if name == CHALLENGE_HEADER]) or []
    return next((challenge.params["error"] for challenge in challenges if "error" in challenge.params), None)


def _read(values: Sequence[str]) -> list[Challenge] | None:
    try:
        return parse_challenges(", ".join(values))
    except ValueError:
        return None
