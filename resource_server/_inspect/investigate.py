"""Inspect a token: read it, have it judged, and look at the signature and at what the authorization server says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from resource_server._inspect.findings import NAMES, Decision, Inspection, Introspection, Rung, Signature
from resource_server._inspect.judge import Judge, Refusal
from resource_server._inspect.ladder import tell_ladder
from resource_server._inspect.reading import read_token
from resource_server._inspect.times import spell_times
from resource_server._protocol.challenge import CHALLENGE_HEADER
from resource_server._protocol.jws import JWS, parse_jws
from resource_server._protocol.messages import Unavailable
from resource_server._protocol.plain import Scrubber, plain
from resource_server._protocol.problem import render_error
from resource_server._protocol.routing import find_issuer
from resource_server._protocol.sample import Sample
from resource_server._protocol.strict_json import StrictJSONError, loads_object
from resource_server._rehearsal import secrets_of
from resource_server._validation.decrypt import find_jwt
from resource_server._validation.flow import join
from resource_server._validation.state import Clock
from resource_server._validation.verdict import Inactive
from resource_server._validation.verify_jwt import fetch_keys, judge_content
from resource_server.errors import BearerTokenError, ConfigurationError
from resource_server.principal import Principal
from resource_server.requirements import ANY_TOKEN, Requirement

if TYPE_CHECKING:
    from resource_server.settings import Settings

_LONGEST = 1_000
_OK = 200
_CHALLENGE_HEADER = CHALLENGE_HEADER.encode("ascii")


async def inspect_token(
    sample: Sample,
    read_settings: Callable[[], Settings],
    requirement: Requirement = ANY_TOKEN,
    *,
    offline: bool = False,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """Find out everything about a token.

    Args:
        sample: the token.
        read_settings: reads the options of the service.
        requirement: what the route demands that it is for.
        offline: ask nobody.
        clock: what time it is.

    Returns:
        The inspection, as JSON has it, without secrets of ours, and without the token.

    Raises:
        ConfigurationError: the options are not acceptable, and it is not offline.
    """
    clock = clock or Clock()
    settings: Settings | None = None
    try:
        settings = read_settings()
        inspection = await _inspect(sample, settings, requirement, clock, offline=offline)
    except ConfigurationError as error:
        if not offline:
            raise
        note = f"judged by nothing, as there is no configuration: {plain(str(error), _LONGEST)}"
        inspection = Inspection(read_token(sample.value, clock.wall()), note=note)
    found = inspection.as_json()
    cleaned: dict[str, Any] = Scrubber(secrets_of(settings, sample)).clean_json(found, NAMES)
    return cleaned


async def _inspect(
    sample: Sample, settings: Settings, requirement: Requirement, clock: Clock, *, offline: bool
) -> Inspection:
    units = settings.units()
    issuer = units[0].issuer if len(units) == 1 else find_issuer(sample.value, [unit.mark() for unit in units])
    unit = next((unit for unit in units if unit.issuer == issuer), None)
    if unit is None:
        note = f"of none of the issuers that are trusted here: {plain(issuer)}"
        return Inspection(
            read_token(sample.value, clock.wall()), note=note, decision=Decision(401, "invalid_token", "wrong_issuer")
        )
    judge = Judge(unit, clock)
    try:
        return _offline(judge, sample) if offline else await _online(judge, sample, requirement)
    finally:
        await judge.aclose()


def _offline(judge: Judge, sample: Sample) -> Inspection:
    now, jws = judge.clock.wall(), find_jwt(judge.state, sample.value)
    reading = read_token(sample.value, now, None if jws is None else jws.payload)
    note = "nobody was asked, so that nothing vouches for what the token says of itself"
    found = None if jws is None else judge_content(judge.state, jws)
    if found is None:
        return Inspection(reading, note=note)
    said = f"is refused by our rules ({found.reason})" if isinstance(found, Inactive) else "fits our rules"
    rung = Rung("verify", "refused" if isinstance(found, Inactive) else "passed", f"what it says of itself {said}")
    return Inspection(reading, Signature("not looked at", "that takes the issuer's keys"), ladder=(rung,), note=note)


async def _online(judge: Judge, sample: Sample, requirement: Requirement) -> Inspection:
    outcome = await judge.decide(sample.request(), requirement)
    jws = find_jwt(judge.state, sample.value)
    now = judge.clock.wall()
    return Inspection(
        read_token(sample.value, now, None if jws is None else jws.payload),
        None if jws is None else await _signature(judge, jws),
        _introspection(judge, now),
        tell_ladder(judge, requirement, outcome),
        _decision(judge, outcome),
    )


def _decision(judge: Judge, outcome: Principal | Refusal) -> Decision:
    if isinstance(outcome, Principal):
        return Decision(_OK, assurance=str(outcome.assurance))
    rendered = render_error(outcome, judge.core.intake.error_style)
    challenge = next((value.decode("ascii") for name, value in rendered.headers if name == _CHALLENGE_HEADER), None)
    if isinstance(outcome, BearerTokenError):
        return Decision(rendered.status, outcome.error, outcome.reason, challenge=challenge)
    return Decision(rendered.status, None, "unavailable")


async def _signature(judge: Judge, jws: JWS) -> Signature:
    state = judge.state
    if not state.policy.needs_keys:
        return Signature("not looked at", "strategy introspect verifies none")
    if jws.algorithm not in state.policy.algorithms:
        return Signature("not looked at", f"algorithm {plain(jws.algorithm)} is not allowed")
    fault = None
    if state.keys.needs_fetch(judge.clock.monotonic(), state.policy.fallback_max_age):
        fault = await judge.run(lambda: join(state.flight("jwks"), lambda: fetch_keys(state)))
    candidates = state.keys.candidates(jws)
    wanted = f"kid {'(none)' if jws.key_id is None else plain(jws.key_id)}, alg {plain(jws.algorithm)}"
    for key in candidates:
        if state.keys.verifies(jws, (key,)):
            return Signature("verified", f"made with a key of the issuer ({wanted})", key.key_id)
    if candidates:
        return Signature("wrong", f"not made with the key that the token names ({wanted})")
    if isinstance(fault, Unavailable):
        return Signature("not looked at", f"the keys cannot be had ({fault.cause})")
    return Signature("unknown key", f"the issuer publishes no such key ({wanted})")


def _introspection(judge: Judge, now: float) -> Introspection | None:
    asked = judge.record.last("introspection")
    fault = judge.fault("introspection")
    if asked is None:
        return None if fault is None else Introspection(None, f"could not be asked ({fault})")
    answer = judge.record.answer("introspection")
    if answer is None:
        return Introspection(None, f"no answer ({fault})")
    members = _members(answer.body)
    says = "an answer" if fault is None else f"an answer that cannot be relied on ({fault})"
    return Introspection(answer.status, says, members, spell_times(members or {}, now))


def _members(body: bytes) -> dict[str, Any] | None:
    """Read an answer, which may be a JWT (RFC 9701 section 5)."""
    jws = parse_jws(body)
    try:
        return loads_object(body if jws is None else jws.payload)
    except StrictJSONError:
        return None
