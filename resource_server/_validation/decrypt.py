"""Find the JWT in a token that is encrypted for us, or in an answer that is.

A token can be encrypted anew by whoever has what is in it: our key for that is public. So all that is remembered of it,
and all that is revoked, goes by what is inside.

References: RFC 7516 section 5.2, RFC 7519 section 5.2, RFC 9068 section 4, RFC 9701 section 5
"""

from __future__ import annotations

from resource_server._protocol.jwe import JWE, Decryption, PrivateKey, judge_jwe, parse_jwe, read_nested
from resource_server._protocol.jws import JWS, parse_jws
from resource_server._protocol.messages import Unavailable
from resource_server._protocol.shape import judge_shape
from resource_server._validation.limiter import RATE_LIMITED
from resource_server._validation.state import IssuerState
from resource_server._validation.verdict import Inactive
from resource_server.errors import Reason

_TYP = "at+jwt"


def read_token(
    state: IssuerState, key: bytes, token: bytes, *, peer: str | None
) -> JWS | Inactive | Unavailable | None:
    """Take an access token apart, and judge its looks.

    What is told by its looks is as quickly judged as looked up, and not remembered. What had to be decrypted for that
    is: and of those that come to nothing, one client may send only so many.

    Args:
        state: the issuer.
        key: the token's digest.
        token: the access token.
        peer: the address of the client that sent it, which is charged; ``None`` for nobody.

    Returns:
        The JWT; ``None`` for an opaque token; or why it is refused.
    """
    policy = state.policy
    jws, jwe = parse_jws(token), _encrypted(state, token)
    if jwe is None:
        misfit = judge_shape(token, jws, policy.shape)
        if misfit is None and jws is not None and policy.encrypted_tokens == "required":
            misfit = "not_encrypted"
        return jws if misfit is None else Inactive(misfit)
    misfit = judge_shape(token, None, policy.shape._replace(format="any"))
    found = _find_key(jwe, policy.decryption) if misfit is None else misfit
    if isinstance(found, str):
        return Inactive(found)
    # A token that was good a moment ago is not kept waiting for those that are not.
    opened = _decrypt_charged(state, jwe, found, peer=None if state.cache.knows(key) else peer)
    if opened is None:
        _remember_refusal(state, key)
        return Inactive("malformed")
    if isinstance(opened, Unavailable):
        return opened
    misfit = judge_shape(token, opened, policy.shape)
    if misfit is None and opened.algorithm not in policy.algorithms:
        misfit = "algorithm_not_allowed"
    if misfit is None:
        return opened
    regret(state, token, peer=peer)
    return Inactive(misfit)


def regret(state: IssuerState, token: bytes, *, peer: str | None) -> None:
    """Charge a client after all, whose token was decrypted, and no good: anybody can encrypt for us.

    Args:
        state: the issuer.
        token: the access token.
        peer: the address of the client that sent it; ``None`` for nobody.
    """
    if _encrypted(state, token) is not None:
        state.decryptions.charge(peer, state.clock.monotonic())


def find_jwt(state: IssuerState, token: bytes) -> JWS | None:
    """Take an access token apart that somebody of ours names; ``None`` where there is no JWT in it."""
    jwe = _encrypted(state, token)
    if jwe is None:
        return parse_jws(token)
    found = _find_key(jwe, state.policy.decryption)
    return None if isinstance(found, str) else _decrypt(jwe, found, _TYP)


def open_answer(decryption: Decryption | None, content: bytes, typ: str) -> JWS | None:
    """Take an answer apart, encrypted or not; ``None`` where there is no JWT in it.

    Args:
        decryption: our keys.
        content: the answer.
        typ: the type of JWT that is expected.
    """
    jwe = None if decryption is None else parse_jwe(content)
    if jwe is None:
        return parse_jws(content)
    found = _find_key(jwe, decryption)
    return None if isinstance(found, str) else _decrypt(jwe, found, typ)


def _encrypted(state: IssuerState, token: bytes) -> JWE | None:
    return None if state.policy.encrypted_tokens == "off" else parse_jwe(token)


def _find_key(jwe: JWE, decryption: Decryption | None) -> PrivateKey | Reason:
    if decryption is None:
        return "unknown_key"
    return judge_jwe(jwe, decryption) or decryption.select(jwe) or "unknown_key"


def _decrypt_charged(state: IssuerState, jwe: JWE, key: PrivateKey, *, peer: str | None) -> JWS | Unavailable | None:
    """Decrypt a token that anybody may have made up: RSA takes ten times as long for it as to verify a signature."""
    wait = state.decryptions.charge(peer, state.clock.monotonic())
    if wait is not None:
        return Unavailable(RATE_LIMITED, wait, fault="crowd")
    opened = _decrypt(jwe, key, _TYP)
    if opened is not None:
        state.decryptions.refund(peer)
    return opened


def _decrypt(jwe: JWE, key: PrivateKey, typ: str) -> JWS | None:
    from resource_server._protocol import jose  # noqa: PLC0415 - cryptography is loaded when something is encrypted

    content = jose.decrypt(jwe, key)
    return None if content is None else read_nested(jwe, content, typ)


def _remember_refusal(state: IssuerState, key: bytes) -> None:
    clock = state.clock
    state.cache.put(key, Inactive("malformed"), now=clock.monotonic(), wall=clock.wall())
