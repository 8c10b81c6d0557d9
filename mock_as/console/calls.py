"""The requests that the console sends itself: to the server it belongs to, and to an API nearby.

References: RFC 6749 section 2.3.1, RFC 6750 section 3, RFC 9110 section 11.6.1
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote_plus, urlencode

from mock_as.errors import UsageError
from mock_as.messages import FORM_TYPE

if TYPE_CHECKING:
    import httpx
    from starlette.types import ASGIApp

PATIENCE = 5.0
"""How long an API may take, in seconds."""
MOST_BYTES = 64 * 1024
"""How much of its answer is read."""
_SECRET_PLACES = frozenset({ip_address("fd00:ec2::254")})
"""Where a cloud tells its machines their credentials, if not at a link-local address."""
_PORTS = frozenset({None, *range(1, 65536)})


@dataclass(frozen=True, slots=True)
class Call:
    """A request, and the answer to it."""

    method: str
    url: str
    sent: str
    """The header fields and the body that were sent."""
    status: int | None = None
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    problem: str | None = None
    """Why there is no answer."""

    @property
    def received(self) -> str:
        """The header fields and the body that came back."""
        return _message(self.headers, pretty(self.body))

    def all_of(self, name: str) -> list[str]:
        """Return the values of a header field.

        Args:
            name: in lower case.
        """
        return [value for key, value in self.headers if key == name]


def _message(headers: tuple[tuple[str, str], ...], body: str) -> str:
    return "\n".join([*(f"{name}: {value}" for name, value in headers), *(("", body) if body else ())])


def pretty(text: str) -> str:
    """Write JSON with a line for each member; other text stays as it is.

    Args:
        text: what may be JSON.
    """
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def basic(client_id: str, secret: str) -> str:
    """Return the credentials of a client as HTTP Basic has them.

    Args:
        client_id: its id.
        secret: its secret.

    References: RFC 6749 section 2.3.1
    """
    joined = f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()
    return f"Basic {base64.b64encode(joined).decode()}"


async def post(app: ASGIApp, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Call:
    """Send a form to an endpoint of this server, without a socket but with its faults and into its journal.

    Args:
        app: the server.
        url: the URL of the endpoint.
        form: the parameters.
        headers: further header fields, with names in lower case.

    Returns:
        What was sent, and what came back.
    """
    import httpx  # noqa: PLC0415 - a server that nobody tries does without

    fields = {"content-type": FORM_TYPE, "accept": "application/json", **headers}
    call = Call("POST", url, _message(tuple(fields.items()), "&\n".join(urlencode(form).split("&"))))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        return await _sent(client, httpx.Request("POST", url, headers=fields, content=urlencode(form)), call)


async def call_api(url: str, token: str) -> Call:
    """Send a token to an API, if it is one of this machine or of a private network.

    Args:
        url: the URL of the API.
        token: the text of the access token.

    Returns:
        What was sent, and what came back.

    Raises:
        UsageError: it is not a URL, or the API is elsewhere.
    """
    import httpx  # noqa: PLC0415 - see above

    target = _judge(url)
    host = target.netloc.decode("ascii")
    address = await _nearby(target.host, target.port or (443 if target.scheme == "https" else 80))
    fields = {"authorization": f"Bearer {token}", "accept": "application/json, */*", "accept-encoding": "identity"}
    # As bytes: a token that is not in ASCII is one of the defects.
    sent = [(name.encode(), value.encode(errors="replace")) for name, value in {**fields, "host": host}.items()]
    call = Call("GET", url, _message((("host", host), *fields.items()), ""))
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:  # noqa: S501 - a developer's own certificate
        # To the address that was judged, whatever the name means a moment later.
        request = client.build_request("GET", target.copy_with(host=address), headers=sent)
        request.extensions["sni_hostname"] = target.host
        return await _sent(client, request, call)


def _judge(url: str) -> httpx.URL:
    import httpx  # noqa: PLC0415 - see above

    try:
        target = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise UsageError("url", f"{url!r} is not a URL: {error}") from error
    if target.scheme not in {"http", "https"} or not target.host or target.userinfo or target.port not in _PORTS:
        raise UsageError("url", f"{url!r} is not an http(s) URL")
    return target


async def _nearby(host: str, port: int) -> str:
    addresses = [host] if _is_address(host) else await _resolved(host, port)
    if not all(_is_near(address) for address in addresses):
        raise UsageError("url", f"{host!r} is neither this machine nor in a private network; call it with curl")
    return addresses[0]


async def _resolved(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UsageError("url", f"there is no host {host!r}") from None
    return [str(entry[4][0]) for entry in found]


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_near(address: str) -> bool:
    """Tell whether an address is one of this machine or of a private network, and no cloud's place for secrets."""
    parsed = ip_address(address.partition("%")[0])
    # Python 3.11 and 3.12 judge an IPv4 address in the clothes of IPv6 by the clothes.
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    if parsed in _SECRET_PLACES:
        return False
    return parsed.is_loopback or (parsed.is_private and not parsed.is_link_local and not parsed.is_unspecified)


async def _sent(client: httpx.AsyncClient, request: httpx.Request, call: Call) -> Call:
    import httpx  # noqa: PLC0415 - see above

    try:
        async with asyncio.timeout(PATIENCE):
            response = await client.send(request, stream=True)
            body = await _read(response)
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        reason = f"no answer within {PATIENCE:g} s" if isinstance(error, TimeoutError) else str(error)
        return _without_answer(call, f"{type(error).__name__}: {reason}")
    headers = tuple((name.lower(), value) for name, value in response.headers.multi_items())
    return Call(call.method, call.url, call.sent, response.status_code, response.reason_phrase, headers, body)


def _without_answer(call: Call, problem: str) -> Call:
    return Call(call.method, call.url, call.sent, problem=problem)


async def _read(response: httpx.Response) -> str:
    body = b""
    try:
        async for part in response.aiter_bytes():
            body += part
            if len(body) > MOST_BYTES:
                return body[:MOST_BYTES].decode(errors="replace") + f"\n… (the first {MOST_BYTES} bytes)"
    finally:
        await response.aclose()
    return body.decode(errors="replace")


class Challenge(NamedTuple):
    """One challenge of a WWW-Authenticate field."""

    scheme: str
    parameters: dict[str, str]


_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PART = re.compile(
    rf'\s*(?:(?P<name>{_WORD})\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>{_WORD}))|(?P<scheme>{_WORD}))'
)
_SEPARATOR = re.compile(r"[\s,]*")


def challenges(field: str) -> list[Challenge]:
    """Read a WWW-Authenticate field.

    Args:
        field: its value.

    Returns:
        The challenges in it; what cannot be read ends the list.

    References: RFC 9110 section 11.6.1
    """
    found: list[Challenge] = []
    position = 0
    while (part := _PART.match(field, position)) is not None:
        if part["scheme"]:
            found.append(Challenge(part["scheme"], {}))
        elif found:
            quoted = part["quoted"]
            found[-1].parameters[part["name"]] = part["plain"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        separator = _SEPARATOR.match(field, part.end())
        position = part.end() if separator is None else separator.end()
    return found
