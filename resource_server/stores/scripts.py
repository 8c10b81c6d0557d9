"""What is said to the store, and how its answers are read.

Each call is one script, and so one round trip that nothing can come between. Every answer repeats the name that was
asked about: an answer that belongs to another question is never taken for ours.
"""

from __future__ import annotations

from typing import Any

from resource_server._validation.flow import AddOnce, Recall, Recalled, Release, StoreCall

MAX_VALUE_BYTES = 262_144
"""A longer value is none of ours."""

# A value counts where it has long enough to live; else whoever comes first is to find it out. Who has the claim and
# asks again has lost it on the way, or could not give it back: it would only wait for itself.
_RECALL = b"""
local ttl = redis.call('PTTL', KEYS[1])
if ttl > tonumber(ARGV[2]) and redis.call('STRLEN', KEYS[1]) <= tonumber(ARGV[4]) then
  return {KEYS[1], redis.call('GET', KEYS[1]), ttl}
end
local owner = redis.call('GET', KEYS[2])
if owner and owner ~= ARGV[1] then return {KEYS[1], 0} end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[3])
return {KEYS[1], 1}
"""

# Who no longer has the claim was slow, and what is there by now is newer; unless it was told to replace it.
_REMEMBER = b"""
local owner = redis.call('GET', KEYS[2])
if ARGV[4] == '1' or owner == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  redis.call('DEL', KEYS[2])
else
  redis.call('SET', KEYS[1], ARGV[2], 'NX', 'PX', ARGV[3])
end
return {KEYS[1], 1}
"""

_RELEASE = b"""
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
return {KEYS[1], 1}
"""

_ADD_ONCE = b"""
if redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[2]) then return {KEYS[1], 1} end
return {KEYS[1], 0}
"""


class UnexpectedAnswerError(ValueError):
    """The store said something that is no answer to the question; the message is constant."""


def command(call: StoreCall, owner: bytes) -> tuple[bytes | str | int, ...]:
    """Write a call as the arguments of one command.

    Args:
        call: what is wanted.
        owner: whose claims these are.
    """
    script, arguments = _script(call)
    return ("EVAL", script, 2, call.name, call.name + b":claim", owner, *arguments)


def _script(call: StoreCall) -> tuple[bytes, tuple[bytes | int, ...]]:
    if isinstance(call, Recall):
        return _RECALL, (_milliseconds(call.min_ttl), _milliseconds(call.claim_for) or 1, MAX_VALUE_BYTES)
    if isinstance(call, AddOnce):
        return _ADD_ONCE, (_milliseconds(call.ttl) or 1,)
    if isinstance(call, Release):
        return _RELEASE, ()
    return _REMEMBER, (call.value, _milliseconds(call.ttl) or 1, int(call.replace))


def _milliseconds(seconds: float) -> int:
    return max(0, round(seconds * 1000))


def read_answer(call: StoreCall, answer: Any) -> Recalled | bool | None:  # noqa: ANN401 - the store may say anything
    """Read the answer to a call.

    Raises:
        UnexpectedAnswerError: it is none.
    """
    if not isinstance(answer, list) or len(answer) < len(("name", "number")) or answer[0] != call.name:
        raise UnexpectedAnswerError("not an answer to the question")
    if isinstance(call, Recall):
        return _read_recalled(answer[1:])
    if answer[1:] not in ([0], [1]):
        raise UnexpectedAnswerError("not a number")
    return answer[1] == 1 if isinstance(call, AddOnce) else None


def _read_recalled(said: list[Any]) -> Recalled:
    match said:
        case [bytes() as value, int() as ttl]:
            return Recalled(value, ttl / 1000)
        case [0 | 1 as claimed]:
            return Recalled(claimed=claimed == 1)
        case _:
            raise UnexpectedAnswerError("neither a value nor a claim")
