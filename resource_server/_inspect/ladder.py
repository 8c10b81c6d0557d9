"""Tell the way from a request to its decision, rung by rung, by what was found on it.

References: RFC 6750 section 2, RFC 7662 section 2.2, RFC 9068 section 4
"""

from __future__ import annotations

from collections.abc import Callable

from resource_server._inspect.findings import Outcome, Rung, RungName
from resource_server._inspect.judge import Judge, Refusal
from resource_server._protocol.introspection import process_introspection_response
from resource_server._protocol.messages import Unavailable
from resource_server._protocol.plain import plain_list
from resource_server._validation.verdict import Active, Inactive, Verdict
from resource_server.errors import BearerTokenError, InsufficientScope, InsufficientUserAuthentication
from resource_server.principal import Assurance, Principal
from resource_server.requirements import Requirement

_MIDDLE: dict[str, tuple[RungName, ...]] = {
    "introspect": ("introspect",),
    "introspect_then_jwks": ("introspect", "fallback"),
    "jwks": ("verify",),
    "jwks_then_introspect": ("verify", "introspect"),
}
_SPARED: dict[Outcome, Rung] = {
    "passed": Rung("fallback", "not needed", "the authorization server has answered"),
    "refused": Rung("fallback", "not reached", "no fallback overrules the authorization server's no"),
    "not reached": Rung("fallback", "not reached", "it was decided before"),
}
"""The fallback, by what came of asking the authorization server."""


def tell_ladder(judge: Judge, requirement: Requirement, outcome: Principal | Refusal) -> tuple[Rung, ...]:
    """Tell each rung.

    Args:
        judge: who has judged.
        requirement: what the route demands.
        outcome: what came of it.
    """
    middle = _MIDDLE[judge.settings.strategy]
    if judge.verdict is None:
        stopped = f"what was sent is no access token that is looked at ({_reason(outcome)})"
        later: tuple[RungName, ...] = (*middle, "admit", "authorize")
        return (Rung("extract", "refused", stopped), *map(_unreached, later))
    return (
        Rung("extract", "passed", "one token, in the Authorization field"),
        *(_TOLD[name](judge, judge.verdict) for name in middle),
        *_last(judge.verdict, requirement, outcome),
    )


def _unreached(name: RungName) -> Rung:
    return Rung(name, "not reached", "it was decided before")


def _introspect(judge: Judge, verdict: Verdict) -> Rung:
    answer, fault = judge.record.answer("introspection"), judge.fault("introspection")
    if answer is None and fault is None:
        vouched = isinstance(verdict, Active)
        says = "the signature has decided" if vouched else "what the token says of itself has decided"
        return Rung("introspect", "not needed" if vouched else "not reached", says)
    if fault is not None:
        return Rung("introspect", "unanswered", f"no answer to rely on ({fault})")
    if isinstance(verdict, Inactive) and verdict.reason == "inactive":
        return Rung("introspect", "refused", "active: false, which nothing overrules")
    if answer is not None and process_introspection_response(answer, judge.clock.wall()) == "unsupported_token_type":
        return Rung("introspect", "unanswered", "this server wants its JWTs verified locally (unsupported_token_type)")
    if isinstance(verdict, Inactive):
        return Rung("introspect", "refused", f"active: true, and not for us ({verdict.reason})")
    return Rung("introspect", "passed", "active: true")


def _fallback(judge: Judge, verdict: Verdict) -> Rung:
    asked = _introspect(judge, verdict)
    if asked.outcome != "unanswered":
        return _SPARED[asked.outcome]
    if isinstance(verdict, Active):
        return Rung("fallback", "passed", "the token's own signature vouches for it")
    if isinstance(verdict, Inactive):
        return Rung("fallback", "refused", f"the token's own signature and claims: {verdict.reason}")
    if verdict.fault == "configuration" and not judge.settings.fallback_on_configuration_fault:
        return Rung("fallback", "not reached", "not taken where the fault is in our own configuration")
    return Rung("fallback", "unanswered", f"the token's own signature does not settle it ({_why_unsettled(judge)})")


def _why_unsettled(judge: Judge) -> str:
    return judge.fault("jwks") or judge.fault("metadata") or "no JWT, or of an unknown key or another type"


def _verify(_: Judge, verdict: Verdict) -> Rung:
    if isinstance(verdict, Active):
        local = verdict.principal.assurance is Assurance.LOCAL
        return _verified() if local else Rung("verify", "unanswered", "left to introspection")
    if isinstance(verdict, Unavailable):
        return Rung("verify", "unanswered", f"no keys to rely on, or no JWT ({verdict.cause})")
    return Rung("verify", "refused", f"the token's own signature and claims, or what was answered: {verdict.reason}")


def _verified() -> Rung:
    return Rung("verify", "passed", "the token's own signature vouches for it")


_TOLD: dict[RungName, Callable[[Judge, Verdict], Rung]] = {
    "introspect": _introspect,
    "fallback": _fallback,
    "verify": _verify,
}
"""What tells a rung between the credential and the verdict."""


def _last(verdict: Verdict, requirement: Requirement, outcome: Principal | Refusal) -> tuple[Rung, Rung]:
    demanded = _demanded(requirement)
    if isinstance(outcome, Principal):
        until = "its times, audience and binding are right at this moment"
        return Rung("admit", "passed", until), Rung("authorize", "passed", f"demanded: {demanded}")
    if not isinstance(verdict, Active):
        says = "there is nothing to rely on" if isinstance(verdict, Unavailable) else "the token is not good"
        return Rung("admit", "refused", f"{says} ({_reason(outcome)})"), _unreached("authorize")
    at_route = isinstance(outcome, InsufficientScope | InsufficientUserAuthentication)
    if at_route or _reason(outcome) == "wrong_audience":
        granted = plain_list(sorted(verdict.principal.scopes))
        says = f"demanded: {demanded}; granted: {granted} ({_reason(outcome)})"
        return Rung("admit", "passed", "the token is good at this moment"), Rung("authorize", "refused", says)
    says = f"the token is good, and this request is not ({_reason(outcome)})"
    return Rung("admit", "refused", says), _unreached("authorize")


def _demanded(requirement: Requirement) -> str:
    preferred = " ".join(requirement.scopes.preferred)
    parts = [f"scope {preferred}" if preferred else ""]
    parts.append("" if requirement.audience is None else f"audience {requirement.audience}")
    parts.append(f"acr {' or '.join(requirement.acr_values)}" if requirement.acr_values else "")
    parts.append("" if requirement.max_age is None else f"max_age {requirement.max_age} s")
    return ", ".join(part for part in parts if part) or "a good token"


def _reason(outcome: Principal | Refusal) -> str:
    if isinstance(outcome, BearerTokenError):
        return outcome.reason or outcome.error or "no token"
    return "unavailable"
