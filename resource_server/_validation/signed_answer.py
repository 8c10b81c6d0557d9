"""Read an introspection answer that must be signed, or may be.

References: RFC 9701 section 5
"""

from __future__ import annotations

from http import HTTPStatus

from resource_server._protocol.introspection import (
    IntrospectionAnswer,
    judge_members,
    process_introspection_response,
)
from resource_server._protocol.messages import HTTPResponse, Unavailable
from resource_server._protocol.signed_introspection import (
    MEDIA_TYPE,
    TYP,
    AnswerRules,
    judge_signed_answer,
    refused,
)
from resource_server._validation.decrypt import open_answer
from resource_server._validation.flow import Flow
from resource_server._validation.state import IssuerState
from resource_server._validation.verdict import Inactive
from resource_server._validation.verify_jwt import verify_signature
from resource_server.principal import Principal

_NOBODY = Principal()


def read_answer(state: IssuerState, response: HTTPResponse) -> Flow[IntrospectionAnswer]:
    """Return what the answer says, once its signature is verified where it has one.

    Where a signature is required, nothing that has none is believed: neither a yes, nor a no, nor that tokens are to
    be verified here. Statuses that say no more than that there is no answer need none.

    Args:
        state: the issuer, whose keys vouch for the answer.
        response: the answer, read whole.
    """
    mode = state.policy.signed_introspection
    if mode != "off" and response.status == HTTPStatus.OK and response.media_type == MEDIA_TYPE:
        return (yield from _read_signed(state, response))
    answer = process_introspection_response(response, state.clock.wall())
    return refused("not_signed") if mode == "required" and _is_plain(response, answer) else answer


def _is_plain(response: HTTPResponse, answer: IntrospectionAnswer) -> bool:
    is_json = response.status == HTTPStatus.OK and response.media_type == "application/json"
    return is_json or not isinstance(answer, Unavailable)


def _read_signed(state: IssuerState, response: HTTPResponse) -> Flow[IntrospectionAnswer]:
    policy = state.policy
    jws = open_answer(policy.decryption, response.body, TYP)
    if jws is None:
        return refused("answer_not_jwt")
    rules = AnswerRules(
        issuer=policy.issuer, own_names=policy.own_names, algorithms=policy.algorithms, leeway=policy.leeway
    )
    members = judge_signed_answer(jws, rules, state.clock.wall())
    if isinstance(members, Unavailable):
        return members
    verdict = yield from verify_signature(state, jws, _NOBODY)
    if isinstance(verdict, Inactive):
        return refused(f"answer_{verdict.reason}")
    return verdict if isinstance(verdict, Unavailable) else judge_members(members)
