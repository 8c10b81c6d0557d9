"""What a resource server has to answer in every cell of the fault grid, written from the papers alone.

Nothing of the code under test is imported here, nor may it be: whoever changes one of the two reads the other.

The rules: a yes that is remembered holds for its time to live, a no likewise. ``active: false`` is final, and so is
everything else that the authorization server says clearly. Only where it gave no answer that can be relied on may a
policy fall back, on a recent yes or on the token's own signature. Keys and metadata of a better time are kept.
"""

from __future__ import annotations

OK, NO, OUT, ODD, CROWD = "ok", "no", "out", "odd", "crowd"
"""What a fault makes of an endpoint: nothing, a refusal, no answer, a configuration fault, no place to ask from."""
GONE, WRONG = "gone", "wrong"
"""What it makes of the key that signs: it is published no more, or its name has another key."""
_EFFECTS = {OUT: {*range(1, 19), 20, 21, *range(31, 48), 53, 54, 55}, ODD: {*range(22, 31), 51, 59}, NO: {48, 49, 50}}
HANGS = {3, 9, 10, 11}
_ALSO = {17: {OK}, 18: {OK}, 49: {OUT}, 60: {OUT}}


def effects(fault: int) -> set[str]:
    """Say what a fault may make of the endpoint it happens to; of some, the papers allow either of two readings."""
    special = {19: CROWD, 52: OK, 56: OK, 57: GONE, 58: WRONG, 60: OK}
    return {special.get(fault) or next(e for e, faults in _EFFECTS.items() if fault in faults)} | _ALSO.get(
        fault, set()
    )


def expected(fault: int, policy: int, token: str, cache: str, *, lapsed: bool) -> set[int]:
    """Return the statuses that are right; ``lapsed``: what was remembered is past its time to live."""
    outage = {401, 503} if policy == 7 else {401}
    introspects_first = policy not in (4, 5)
    if token not in ("good", "revoked"):
        return outage  # never 200, whoever says so
    if policy != 1 and not lapsed and cache != "cold":
        return {401} if cache == "negative" and introspects_first else {200}
    keys, answers = _endpoints(fault, policy, cache)
    honest = {200} if token == "good" else {401}
    found: set[int] = set()
    for key in keys:
        kept = {200} if cache != "cold" else None
        local = {OK: {200}, WRONG: {401}, OUT: kept, ODD: kept}.get(key)
        if introspects_first and cache == "negative" and key != GONE:
            local = {401}
        for answer in answers if introspects_first or (policy == 5 and local is None) else {OUT}:
            fallback = local if policy in (3, 4, 5, 7) else {200} if policy == 6 and cache == "positive" else None
            told = {OK: honest, NO: {401}, ODD: outage, CROWD: outage}.get(answer)
            found |= told or fallback or outage
    if policy == 5 and fault in HANGS and cache == "cold" and not lapsed:
        found |= outage  # listed: without keys, a key set that does not come takes all the time there is
    return found | ({403} if fault == 52 and 200 in found else set())


def _endpoints(fault: int, policy: int, cache: str) -> tuple[set[str], set[str]]:
    """Say what the fault makes of the keys and of introspection; the endpoint asked before the faulty one is out."""
    effect, at_keys, at_introspection = effects(fault), {OK}, {OK}
    if fault == 59:  # metadata: known from a better time, or neither endpoint can be found
        return ({OK}, {OK}) if cache != "cold" else ({OUT}, {ODD})
    if fault >= 54:
        return (effect, {OUT}) if policy in (3, 7) else (effect, {OK}) if policy in (4, 5) else ({OK}, {OK})
    if policy not in (4, 5):
        at_introspection = effect | ({OK} if fault == 19 and cache == "positive" and policy != 1 else set())
    elif fault >= 48:
        at_keys, at_introspection = ({OUT}, effect) if policy == 5 else ({OK}, {OK})
    elif fault != 19:
        at_keys = effect
    return at_keys, at_introspection
