"""Run all checks: those that lean on others after them, and those that do not at the same time.

Each question is bounded by the timeout, and so are all of them together: no more than six follow one another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from resource_server._doctor.clock import judge_clock
from resource_server._doctor.configuration import judge_configuration
from resource_server._doctor.discovery import judge_discovery, needs_discovery
from resource_server._doctor.finding import CHECKS, Check, Finding, Report, arranged, because, broken, passed_over
from resource_server._doctor.introspection import judge_introspection
from resource_server._doctor.jwks import judge_jwks
from resource_server._doctor.proxy import judge_proxy
from resource_server._doctor.reach import Place, Reached, Unreached, place_of
from resource_server._doctor.store import judge_store
from resource_server._doctor.tls import judge_tls
from resource_server._doctor.token import claims_of, judge_token
from resource_server._doctor.unit import Unit
from resource_server._protocol.plain import Scrubber, plain
from resource_server._protocol.routing import find_issuer
from resource_server._protocol.sample import Sample
from resource_server._rehearsal import secrets_of
from resource_server._validation.state import Clock
from resource_server.errors import ConfigurationError

if TYPE_CHECKING:
    from resource_server.settings import Settings

_ASKED: tuple[Check, ...] = ("discovery", "tls", "clock", "jwks", "introspection", "token")
"""What is found out by asking the authorization server."""
_LONGEST = 1_000
DEFAULT_PATIENCE = 5.0
"""Seconds for each question where there are no options to say it."""


async def examine(
    read_settings: Callable[[], Settings],
    *,
    sample: Sample | None = None,
    url: str | None = None,
    patience: float | None = None,
    clock: Clock | None = None,
) -> Report:
    """Look at everything a resource server leans on.

    Args:
        read_settings: reads its options.
        sample: an access token that should be good.
        url: of a route of the API, as clients see it.
        patience: seconds for each question; by default the service's own.
        clock: what time it is.
    """
    clock = clock or Clock()
    try:
        settings = read_settings()
        units = [Unit(options, clock, patience) for options in settings.units()]
    except ConfigurationError as error:
        says = plain(str(error), _LONGEST)
        found = [broken("configuration", says, "correct the option that is named: in the environment, or in its file")]
        found += [because(check, "configuration") for check in CHECKS[1:-1]]
        found += await judge_proxy(url, sample, patience or DEFAULT_PATIENCE)
        return _report(found, Scrubber(secrets_of(None, sample)))
    scrubber = Scrubber(secrets_of(settings, sample))
    try:
        parts = await asyncio.gather(
            judge_store(units[0]),
            judge_proxy(url, sample, patience or settings.timeout),
            *(_examine_unit(unit, _share(units, unit, sample), several=len(units) > 1) for unit in units),
        )
    finally:
        await asyncio.gather(*(unit.aclose() for unit in units))
    return _report([finding for part in parts for finding in part], scrubber)


def _report(found: Iterable[Finding], scrubber: Scrubber) -> Report:
    cleaned = [
        replace(finding, says=scrubber.clean(finding.says), mend=finding.mend and scrubber.clean(finding.mend))
        for finding in found
    ]
    return Report(arranged(cleaned))


def _share(units: list[Unit], unit: Unit, sample: Sample | None) -> Sample | None:
    """Give the token to the authorization server whose it is; where nobody can tell, to the first."""
    if sample is None or len(units) == 1:
        return sample
    named = find_issuer(sample.value, [each.settings.mark() for each in units])
    owner = next((each for each in units if each.settings.issuer == named), units[0])
    return sample if unit is owner else None


async def _examine_unit(unit: Unit, sample: Sample | None, *, several: bool) -> list[Finding]:
    found = [*judge_configuration(unit.settings), *(await _examine_asking(unit, sample))]
    if not several:
        return found
    return [replace(finding, says=f"{plain(unit.settings.issuer)}: {finding.says}") for finding in found]


async def _examine_asking(unit: Unit, sample: Sample | None) -> list[Finding]:
    found: list[Finding] = []
    reached: dict[Place, Reached | Unreached] = {}
    if needs_discovery(unit):
        place = place_of(unit.settings.issuer)
        reached = await _reach(unit, [place])
        outcome = reached.get(place)
        if isinstance(outcome, Unreached):
            return _unreached(outcome)
    found += await judge_discovery(unit)
    reached |= await _reach(unit, [place for place in unit.places() if place not in reached])
    found += _judge_tls(unit, reached)
    asked = await asyncio.gather(
        _judge_endpoint("jwks", unit, reached, found, lambda: judge_jwks(unit, sample)),
        _judge_endpoint("introspection", unit, reached, found, lambda: judge_introspection(unit)),
    )
    found += [finding for part in asked for finding in part]
    return [*found, *await _judge_time_and_token(unit, sample, found)]


async def _judge_time_and_token(unit: Unit, sample: Sample | None, before: list[Finding]) -> list[Finding]:
    clock = judge_clock(unit, claims_of(unit, sample))
    token = await judge_token(unit, sample, [*before, *clock])
    # What introspection says of an opaque token is known now, its times among it.
    later = judge_clock(unit, claims_of(unit, sample))
    if later != clock and any(finding.verdict == "failed" for finding in later):
        return [*later, because("token", "clock")]
    return [*clock, *token]


def _judge_tls(unit: Unit, reached: Mapping[Place, Reached | Unreached]) -> list[Finding]:
    if unit.settings.trust_env:
        return [passed_over("tls", "a proxy of the environment may be in between (RESOURCE_SERVER_TRUST_ENV)")]
    return judge_tls(unit, reached)


async def _reach(unit: Unit, places: list[Place]) -> dict[Place, Reached | Unreached]:
    if unit.settings.trust_env:
        return {}
    return dict(zip(places, await asyncio.gather(*map(unit.reach, places)), strict=True))


def _unreached(outcome: Unreached) -> list[Finding]:
    """Say that the authorization server cannot be reached, and that nothing else can be known of it."""
    culprit: Check = "tls" if outcome.handshake else "discovery"
    failed = broken(culprit, f"the authorization server: {outcome.says}", outcome.mend)
    return [failed if check == culprit else because(check, culprit) for check in _ASKED]


async def _judge_endpoint(
    check: Check,
    unit: Unit,
    reached: Mapping[Place, Reached | Unreached],
    before: list[Finding],
    judge: Callable[[], Awaitable[list[Finding]]],
) -> list[Finding]:
    """Judge an endpoint, unless it is known already that it cannot be asked."""
    name, used = ("jwks_uri", unit.verifies) if check == "jwks" else ("introspection_endpoint", unit.introspects)
    url = unit.endpoint(name)
    if not used:
        return await judge()
    if url is None and any((finding.check, finding.verdict) == ("discovery", "failed") for finding in before):
        return [because(check, "discovery")]
    outcome = None if url is None else reached.get(place_of(url))
    if not isinstance(outcome, Unreached):
        return await judge()
    return [because(check, "tls")] if outcome.handshake else [broken(check, f"{name}: {outcome.says}", outcome.mend)]
