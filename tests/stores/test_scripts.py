"""What the store is told, and which answers are answers."""

from __future__ import annotations

from typing import Any

import pytest

from resource_server._validation.flow import AddOnce, Recall, Recalled, Release, Remember, StoreCall
from resource_server.stores.scripts import UnexpectedAnswerError, command, read_answer

NAME = b"name:{1}"


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        (Recall(NAME, 2.0), (0, 2000, 262_144)),
        (Recall(NAME, 0.0001, 0.5), (500, 1, 262_144)),
        (AddOnce(NAME, 0.25), (250,)),
        (AddOnce(NAME, 0.0), (1,)),
        (Remember(NAME, b"value", 1.5), (b"value", 1500, 0)),
        (Remember(NAME, b"value", 1e-9, replace=True), (b"value", 1, 1)),
        (Release(NAME), ()),
    ],
)
def test_command(call: StoreCall, arguments: tuple[Any, ...]) -> None:
    """A call is one script over a name and the claim beside it, with times in whole milliseconds, never none."""
    verb, script, count, name, claim, owner, *rest = command(call, b"owner")
    assert (verb, count, name, claim, owner) == ("EVAL", 2, NAME, NAME + b":claim", b"owner")
    assert isinstance(script, bytes)
    assert tuple(rest) == arguments


@pytest.mark.parametrize(
    ("call", "said", "read"),
    [
        (Recall(NAME, 2.0), [NAME, b"value", 1500], Recalled(b"value", 1.5)),
        (Recall(NAME, 2.0), [NAME, b"", 1], Recalled(b"", 0.001)),
        (Recall(NAME, 2.0), [NAME, 1], Recalled(claimed=True)),
        (Recall(NAME, 2.0), [NAME, 0], Recalled()),
        (AddOnce(NAME, 2.0), [NAME, 1], True),
        (AddOnce(NAME, 2.0), [NAME, 0], False),
        (Remember(NAME, b"value", 2.0), [NAME, 1], None),
        (Release(NAME), [NAME, 1], None),
    ],
)
def test_answers(call: StoreCall, said: list[Any], read: Any) -> None:
    """Each call has its own few answers."""
    assert read_answer(call, said) == read


@pytest.mark.attack("A-C-2")
@pytest.mark.parametrize("call", [Recall(NAME, 2.0), AddOnce(NAME, 2.0), Remember(NAME, b"", 2.0), Release(NAME)])
@pytest.mark.parametrize(
    "said",
    [
        None,
        b"OK",
        1,
        NAME,
        [],
        [NAME],
        [NAME, 2],
        [NAME, b"1"],
        [NAME, None],
        [b"name:{2}", 1],
        [b"name:{2}", b"value", 1500],
        [NAME, 1, 1],
        [NAME, b"value", b"1500"],
        [NAME, b"value", 1500, 1],
        [NAME, [NAME], 1500],
    ],
)
def test_anything_else_is_none(call: StoreCall, said: Any) -> None:
    """An answer to another question, or in another form, is refused with a message that shows nothing."""
    with pytest.raises(UnexpectedAnswerError) as caught:
        read_answer(call, said)
    assert NAME.decode() not in str(caught.value)


def test_values_are_not_shown() -> None:
    """Neither what is written nor what is read shows its value."""
    assert "canary" not in repr([Remember(NAME, b"canary", 1.0), Recalled(b"canary", 1.0)])
