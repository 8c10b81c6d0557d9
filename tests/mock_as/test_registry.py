"""What is registered under names."""

from __future__ import annotations

from mock_as.registry import Registry


def test_goes_back_to_what_was_there_first() -> None:
    """A registry is a mapping that knows how it began, and how it was at any time it was dumped."""
    registry = Registry({"a": 1})
    registry["b"] = 2
    dumped = registry.dump()
    del registry["a"]
    assert (dict(registry), len(registry), registry.get("a")) == ({"b": 2}, 1, None)
    registry.load(dumped)
    assert dict(registry) == {"a": 1, "b": 2}
    registry.reset()
    assert dict(registry) == {"a": 1}


def test_can_change_while_it_is_looked_at() -> None:
    """An entry can be taken away while the entries are gone through."""
    registry = Registry({"a": 1, "b": 2})
    for name in registry:
        del registry[name]
    assert not registry
