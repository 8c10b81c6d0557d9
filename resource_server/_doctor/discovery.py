"""Look at the metadata of the authorization server: whether they are there, are its own, and name what is needed.

References: RFC 8414 sections 3 and 3.3, OpenID Connect Discovery 1.0 section 4
"""

from __future__ import annotations

from urllib.parse import urlsplit

from resource_server._doctor.causes import explain
from resource_server._doctor.finding import Finding, broken, fine, odd, passed_over
from resource_server._doctor.unit import Unit
from resource_server._protocol.messages import Unavailable
from resource_server._protocol.metadata import Metadata, metadata_urls
from resource_server._protocol.plain import plain
from resource_server._protocol.strict_json import loads_object
from resource_server._validation.discover import discover


def needs_discovery(unit: Unit) -> bool:
    """Tell whether the service looks endpoints up: where it is told all of them, it asks nobody for them."""
    settings = unit.settings
    introspection = unit.introspects and settings.introspection_endpoint is None
    return introspection or (unit.verifies and settings.jwks_uri is None)


async def judge_discovery(unit: Unit) -> list[Finding]:
    """Fetch the metadata as the service does, and judge them."""
    if not needs_discovery(unit):
        return [passed_over("discovery", "all endpoints are configured, so that the service does not look them up")]
    found = await unit.run(lambda: discover(unit.state))
    if isinstance(found, Unavailable):
        return [_failed(unit, found)]
    return [*_lacks(unit, found)] or [fine("discovery", f"the metadata are at {_where(unit)}, and name this issuer")]


def _failed(unit: Unit, fault: Unavailable) -> Finding:
    issuer = unit.settings.issuer
    if fault.cause == "issuer_mismatch":
        named = _named_issuer(unit)
        says = f"the metadata of {plain(issuer)} name another issuer, {plain(named)}"
        mend = "set RESOURCE_SERVER_ISSUER to the letter as the metadata have it"
        if isinstance(named, str) and named.rstrip("/") == issuer.rstrip("/"):
            mend += ": the final slash is the difference"
        return broken("discovery", says, mend)
    if fault.cause == "status_404":
        fault = Unavailable("not_found")
    says, mend = explain(f"the authorization server {plain(issuer)}", fault)
    if fault.cause == "not_found":
        says += f": {' and '.join(plain(urlsplit(url).path) for url in metadata_urls(issuer))}"
    return broken("discovery", says, mend)


def _lacks(unit: Unit, metadata: Metadata) -> list[Finding]:
    """Find what the metadata do not name: the service can do without what is only its second resort."""
    strategy = unit.settings.strategy
    first = "introspection_endpoint" if strategy.startswith("introspect") else "jwks_uri"
    needed = {"introspection_endpoint": unit.introspects, "jwks_uri": unit.verifies}
    found: list[Finding] = []
    for name, is_needed in needed.items():
        if not is_needed or unit.endpoint(name) is not None:
            continue
        find = broken if name == first or unit.settings.signed_introspection != "off" else odd
        says = f"the metadata of {plain(metadata.issuer)} name no {name}, which strategy {strategy} uses"
        mend = f"set RESOURCE_SERVER_{name.upper()}, or choose another RESOURCE_SERVER_STRATEGY"
        found.append(find("discovery", says, mend))
    return found


def _where(unit: Unit) -> str:
    last = unit.record.last("metadata")
    return "a place" if last is None else plain(urlsplit(last.request.url).path)


def _named_issuer(unit: Unit) -> object:
    """Return which issuer the metadata name; they could be read, or something else would be wrong with them."""
    answer = unit.record.answer("metadata")
    return None if answer is None else loads_object(answer.body).get("issuer")
