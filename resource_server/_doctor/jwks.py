"""Look at the key set of the authorization server: which keys the service can use, and why not the others.

References: RFC 7517 sections 4 and 5, RFC 7518 section 6
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from resource_server._doctor.causes import explain
from resource_server._doctor.finding import Finding, broken, fine, odd, passed_over
from resource_server._doctor.unit import Unit
from resource_server._protocol.jwks import read_key
from resource_server._protocol.jws import JWS
from resource_server._protocol.plain import plain, plain_list
from resource_server._protocol.sample import Sample
from resource_server._protocol.strict_json import StrictJSONError, loads_object
from resource_server._validation.decrypt import find_jwt
from resource_server._validation.verify_jwt import fetch_keys

_PRIVATE = "d"
_MOST = 5
"""How many keys that cannot be used are told of."""


async def judge_jwks(unit: Unit, sample: Sample | None) -> list[Finding]:
    """Fetch the key set as the service does, and judge each key.

    Args:
        unit: the authorization server.
        sample: a token whose key should be in it.
    """
    if not unit.verifies:
        return [passed_over("jwks", "strategy introspect verifies no signatures")]
    if unit.endpoint("jwks_uri") is None:
        return [passed_over("jwks", "there is no jwks_uri")]
    fault = await unit.run(lambda: fetch_keys(unit.state))
    entries = _entries(unit)
    told = list(_private(entries))
    if fault is not None:
        says, mend = explain("the key set", fault)
        return [broken("jwks", says, mend), *told, *_skipped(unit, entries)]
    return [*_judge_token(unit, entries, sample), *told, *_judge_keys(unit, entries)]


def why_unusable(entry: object, algorithms: frozenset[str]) -> str | None:
    """Say why a key cannot verify access tokens, or ``None`` where it can.

    Args:
        entry: one of the set.
        algorithms: those that are allowed.
    """
    if not isinstance(entry, dict):
        return "is no object"
    if _PRIVATE in entry or "k" in entry:
        return "comes with its private part" if _PRIVATE in entry else "is symmetric"
    key = read_key(entry)
    if key is None:
        return _why_unread(entry)
    if not key.algorithms & algorithms:
        return f"is for {plain_list(sorted(key.algorithms))}, of which RESOURCE_SERVER_ALGORITHMS allows none"
    return None


def _why_unread(entry: dict[str, Any]) -> str:
    if entry.get("use", "sig") != "sig":
        return f"is for use {plain(entry['use'])}"
    if "key_ops" in entry:
        operations = entry["key_ops"]
        if not isinstance(operations, list) or "verify" not in operations:
            return "is not for verifying (key_ops)"
    if entry.get("kty") == "RSA":
        return "is an RSA key of a length, an exponent or an alg that is not accepted"
    return f"is of a kind that is not known here (kty {plain(entry.get('kty'))}, crv {plain(entry.get('crv'))})"


def _entries(unit: Unit) -> list[object]:
    answer = unit.record.answer("jwks")
    try:
        keys = None if answer is None else loads_object(answer.body).get("keys")
    except StrictJSONError:
        return []
    return keys if isinstance(keys, list) else []


def _private(entries: Sequence[object]) -> Iterator[Finding]:
    names = [_name(entry) for entry in entries if isinstance(entry, dict) and _PRIVATE in entry]
    if names:
        says = f"the key set publishes private keys: {', '.join(names[:_MOST])}; whoever reads it can issue tokens"
        yield odd("jwks", says, "replace these keys at once, and publish only the public part of the new ones")


def _skipped(unit: Unit, entries: Sequence[object]) -> Iterator[Finding]:
    allowed = unit.state.policy.algorithms
    reasons = [(_name(entry), why_unusable(entry, allowed)) for entry in entries]
    told = [f"{name} {reason}" for name, reason in reasons if reason is not None]
    if told:
        more = "; and more" if len(told) > _MOST else ""
        yield odd("jwks", f"keys that cannot be used: {'; '.join(told[:_MOST])}{more}")


def _judge_keys(unit: Unit, entries: Sequence[object]) -> list[Finding]:
    allowed = unit.state.policy.algorithms
    usable = [_name(entry) for entry in entries if why_unusable(entry, allowed) is None]
    if not usable:
        says = "none of the published keys can be used with RESOURCE_SERVER_ALGORITHMS"
        return [broken("jwks", says, "allow the algorithm the tokens are signed with"), *_skipped(unit, entries)]
    says = f"{len(usable)} of {len(entries)} published keys can be used: {', '.join(usable[:_MOST])}"
    unfit = [entry for entry in entries if why_unusable(entry, allowed) is not None]
    # That there are keys for something else beside those for signatures is as usual as it is right.
    strange = [entry for entry in unfit if isinstance(entry, dict) and entry.get("use", "sig") == "sig"]
    told = [entry for entry in strange if _PRIVATE not in entry]
    return [fine("jwks", says), *_skipped(unit, told)]


def _judge_token(unit: Unit, entries: Sequence[object], sample: Sample | None) -> Iterator[Finding]:
    jws = None if sample is None else find_jwt(unit.state, sample.value)
    if jws is None or unit.state.keys.candidates(jws):
        return
    published = ", ".join(_name(entry) for entry in entries[:_MOST]) or "none"
    says = f"the key that the token names, {_key_of(jws)}, is not published; published: {published}"
    mend = (
        "let the authorization server publish a key until the last token that it has signed has ended; or it was "
        "rotated away, and the token is old: get a new one; or the token is of another issuer"
    )
    yield broken("jwks", says, mend)


def _key_of(jws: JWS) -> str:
    return f"kid {'(none)' if jws.key_id is None else plain(jws.key_id)} for {plain(jws.algorithm)}"


def _name(entry: object) -> str:
    named = entry.get("kid") if isinstance(entry, dict) else None
    return "(no kid)" if named is None else plain(named, 64)
