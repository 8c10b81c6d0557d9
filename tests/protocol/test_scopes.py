"""Scopes that a route demands, and which granted ones are enough: by name, by hierarchy, by a star, by implication."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server import ConfigurationError, Scopes, all_of, any_of
from resource_server._protocol import scopes as scopes_module
from resource_server._protocol.scopes import ScopeRules, ScopeStrategy, as_scopes

LETTERS = ["a", "b", "c", "d"]
EXPRESSIONS = st.recursive(
    st.lists(st.sampled_from(LETTERS), max_size=3).map(lambda names: all_of(*names))
    | st.lists(st.sampled_from(LETTERS), min_size=1, max_size=3).map(lambda names: any_of(*names)),
    lambda inner: (
        st.builds(lambda left, right: left & right, inner, inner)
        | st.builds(lambda left, right: left | right, inner, inner)
    ),
    max_leaves=4,
)
GRANTS = st.frozensets(st.sampled_from(LETTERS))
SEGMENTS = st.lists(st.sampled_from(["orders", "read", "all", "*"]), min_size=1, max_size=4)
NAMES = st.builds(lambda segments, separator: separator.join(segments), SEGMENTS, st.sampled_from(".:/"))
RULES = st.builds(
    ScopeRules,
    st.sampled_from(["exact", "hierarchic", "wildcard"]),
    st.lists(st.lists(NAMES, min_size=1, max_size=3).map(tuple), max_size=3).map(tuple),
)


def grants(rules: ScopeRules, granted: str, needed: str | Scopes) -> bool:
    """Tell whether scopes between spaces contain what is needed."""
    return rules.grants(frozenset(granted.split()), as_scopes(needed))


@pytest.mark.parametrize(
    ("make", "alternatives"),
    [
        pytest.param(all_of, [()], id="nothing"),
        pytest.param(lambda: all_of("a"), [("a",)], id="one"),
        pytest.param(lambda: all_of("b", "a", "b"), [("b", "a")], id="several, in order, without repetition"),
        pytest.param(lambda: any_of("a", "b", "a"), [("a",), ("b",)], id="one of several"),
        pytest.param(lambda: all_of("a") & all_of("b"), [("a", "b")], id="and"),
        pytest.param(lambda: all_of("a") | all_of("b", "c"), [("a",), ("b", "c")], id="or"),
        pytest.param(lambda: all_of("x", any_of("a", "b")), [("x", "a"), ("x", "b")], id="or within and"),
        pytest.param(lambda: any_of("x", all_of("a", "b")), [("x",), ("a", "b")], id="and within or"),
        pytest.param(
            lambda: any_of("a", "b") & any_of("a", "c"), [("a",), ("a", "c"), ("b", "a"), ("b", "c")], id="and of ors"
        ),
        pytest.param(lambda: all_of("a") & all_of(), [("a",)], id="and nothing"),
        pytest.param(lambda: all_of("a") | all_of("a"), [("a",)], id="the same twice"),
        pytest.param(lambda: all_of("a") & "b", [("a", "b")], id="scopes and a name"),
        pytest.param(lambda: "a" & all_of("b"), [("a", "b")], id="a name and scopes"),
        pytest.param(lambda: all_of("a") | "b", [("a",), ("b",)], id="scopes or a name"),
        pytest.param(lambda: "a" | all_of("b"), [("a",), ("b",)], id="a name or scopes"),
        pytest.param(lambda: "a" & ("b" | all_of("c")), [("a", "b"), ("a", "c")], id="a name, and either"),
    ],
)
def test_algebra(make: Callable[[], Scopes], alternatives: list[tuple[str, ...]]) -> None:
    """A demand is kept as the complete ways in, in the order a reader would write them; a name stands for itself."""
    scopes = make()
    assert list(scopes.alternatives) == alternatives
    assert scopes.preferred == alternatives[0]


@given(EXPRESSIONS, EXPRESSIONS, GRANTS)
def test_and_or(left: Scopes, right: Scopes, granted: frozenset[str]) -> None:
    """`&` is granted by what grants both, `|` by what grants either: whatever is combined."""
    assert (left & right).granted_by(granted) == (left.granted_by(granted) and right.granted_by(granted))
    assert (left | right).granted_by(granted) == (left.granted_by(granted) or right.granted_by(granted))


def test_granted() -> None:
    """One alternative is enough, and all of it is needed."""
    scopes = any_of("a", all_of("b", "c"))
    granted = [names for names in ("", "a", "b", "c", "bc", "ab", "d") if scopes.granted_by(frozenset(names))]
    assert granted == ["a", "bc", "ab"]


@given(EXPRESSIONS, GRANTS)
def test_preferred_is_a_way_in(scopes: Scopes, granted: frozenset[str]) -> None:
    """RFC 6750 §3.1: a client that adds what the challenge names gets in, whatever it had, and more never hurts."""
    assert scopes.granted_by(granted | frozenset(scopes.preferred))
    assert not scopes.granted_by(granted) or scopes.granted_by(frozenset(LETTERS))


@pytest.mark.rfc("6750-3-d")
@pytest.mark.parametrize("name", ["", "a b", 'a"b', "a\\b", "é", "a\r\nX:1", "a\x00", "\x7f", "a\t"])
@pytest.mark.parametrize(
    "make",
    [
        lambda name: all_of("good", name),
        lambda name: any_of("good", name),
        lambda name: all_of("good") & name,
        lambda name: name | all_of("good"),
        lambda name: Scopes((("good", name),)),
    ],
    ids=["all_of", "any_of", "and", "or", "by hand"],
)
def test_illegal_name(make: Callable[[str], Scopes], name: str) -> None:
    """RFC 6749 §3.3: whichever way a demand is made, no name gets in that could not stand in a challenge."""
    with pytest.raises(ConfigurationError, match="not a scope token") as caught:
        make(name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("name", [None, 1, ["read"], b"read", len])
def test_name_of_another_type(name: Any) -> None:
    """RFC 6749 §3.3: a scope is a text; a list by mistake, or a function to decorate, is not taken for one."""
    with pytest.raises(ConfigurationError, match=f"not a scope token, but a {type(name).__name__}: write require"):
        all_of(name)


@pytest.mark.parametrize("make", [any_of, lambda: Scopes(())], ids=["any_of", "by hand"])
def test_no_alternative(make: Callable[[], Scopes]) -> None:
    """A route that nothing can satisfy is a mistake, and is said to be one."""
    with pytest.raises(ConfigurationError, match="at least one"):
        make()


@pytest.mark.rfc("mcp-4")
@pytest.mark.parametrize(
    ("granted", "needed", "is_enough"),
    [
        ("orders", "orders", True),
        ("orders", "orders.read", True),
        ("orders", "orders:read", True),
        ("orders", "orders/read", True),
        ("orders", "orders.read.all", True),
        ("orders.read", "orders.read:all", True),
        ("o", "o.read", True),
        ("orders", "orders.r", True),
        ("orders", "ordersx", False),
        ("orders", "ordersx.read", False),
        ("orders", "ordersXread", False),
        ("ord", "orders.read", False),
        ("orders", "order", False),
        ("orders.read", "orders", False),
        ("orders.read", "orders.write", False),
        ("read", "orders.read", False),
        ("Orders", "orders.read", False),
        ("orders.*", "orders.read", False),
        ("orders", "orders.", False),
        ("orders", "orders..read", False),
        ("orders.", "orders..read", False),
        ("", ".read", False),
        ("https", "https://api.example.com/orders", False),
        ("https:", "https://api.example.com/orders", False),
        ("https://api.example.com/orders", "https://api.example.com/orders/read", True),
    ],
)
def test_hierarchic(granted: str, needed: str, is_enough: bool) -> None:  # noqa: FBT001 - a table's column
    """A scope includes those that go on after it with a separator and a segment, and no other one."""
    assert grants(ScopeRules("hierarchic"), granted, needed) is is_enough
    assert grants(ScopeRules(), granted, needed) is (granted == needed)


@pytest.mark.rfc("mcp-4")
@pytest.mark.parametrize(
    ("granted", "needed", "is_enough"),
    [
        ("orders.*", "orders.read", True),
        ("orders:*", "orders:read", True),
        ("orders/*", "orders/read", True),
        ("orders.*", "orders.read.all", True),
        ("orders.read.*", "orders.read.all", True),
        ("orders.*", "orders.*", True),
        ("orders.*", "orders:read", False),
        ("orders.*", "orders", False),
        ("orders.*", "orders.", False),
        ("orders.*", "ordersx.read", False),
        ("orders", "orders.read", False),
        ("orders.r*", "orders.read", False),
        ("orders*", "orders.read", False),
        ("*.read", "orders.read", False),
        ("orders.*.all", "orders.read.all", False),
        ("*", "orders.read", False),
        ("*", "orders", False),
        (".*", "orders", False),
        ("*.*", "orders.read", False),
    ],
)
def test_wildcard(granted: str, needed: str, is_enough: bool) -> None:  # noqa: FBT001 - a table's column
    """A star is one as the whole last segment only, for one or more segments; alone it stands for nothing."""
    assert grants(ScopeRules("wildcard"), granted, needed) is is_enough


IMPLIED = (("admin", "write", "audit"), ("write", "read"), ("a", "b"), ("b", "c"), ("c", "a"))


@pytest.mark.rfc("mcp-4")
@pytest.mark.parametrize(
    ("granted", "needed", "is_enough"),
    [
        ("admin", "admin", True),
        ("admin", "write", True),
        ("admin", "read", True),
        ("write", "read", True),
        ("read", "write", False),
        ("write", "audit", False),
        ("admin", all_of("read", "audit"), True),
        ("write", all_of("read", "audit"), False),
        ("write", any_of("audit", "read"), True),
        ("write x", all_of("x") & any_of("audit", "read"), True),
        ("a", "c", True),
        ("c", "b", True),
        ("a", "d", False),
    ],
)
def test_implied(granted: str, needed: str | Scopes, is_enough: bool) -> None:  # noqa: FBT001 - a table's column
    """A scope includes what is configured to be included, and what that includes in turn; a circle is no harm."""
    assert grants(ScopeRules(implied=IMPLIED), granted, needed) is is_enough


@pytest.mark.parametrize(
    ("strategy", "implied", "granted"),
    [
        ("hierarchic", ("admin", "orders"), "admin"),
        ("hierarchic", ("role.admin", "orders.read"), "role"),
        ("wildcard", ("admin", "orders.*"), "admin"),
        ("wildcard", ("role.admin", "orders.read"), "role.*"),
    ],
)
def test_both_together(strategy: ScopeStrategy, implied: tuple[str, ...], granted: str) -> None:
    """What is implied includes by its spelling, and what includes by its spelling can imply."""
    assert grants(ScopeRules(strategy, (implied,)), granted, "orders.read")
    assert not grants(ScopeRules("exact", (implied,)), granted, "orders.read")


@given(RULES, st.frozensets(NAMES), st.lists(NAMES, min_size=1, max_size=3))
def test_what_holds_for_all_rules(rules: ScopeRules, granted: frozenset[str], names: list[str]) -> None:
    """More scopes never grant less, no rule takes away what is granted to the letter, and no scope grants nothing."""
    needed = any_of(*names[:2]) & all_of(*names[2:])
    got_in = rules.grants(granted, needed)
    assert got_in >= needed.granted_by(granted)
    assert rules.grants(granted | {"further"}, needed) >= got_in
    assert rules.grants(granted | frozenset(needed.preferred), needed)
    assert not rules.grants(frozenset(), needed)
    assert rules.grants(granted, needed) is got_in


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found is remembered; for scopes that are made up at run time it is forgotten again, and found again."""
    monkeypatch.setattr(scopes_module, "_MAX_REMEMBERED", 10)
    rules, sizes = ScopeRules("hierarchic"), set[int]()
    for number in range(25):
        for _ in range(2):
            assert grants(rules, "orders", f"orders.{number}")
            assert not grants(rules, "order", f"orders.{number}")
        sizes.add(len(rules._known))
        remembered = rules._known[f"orders.{number}"]
        assert rules._enough_for(f"orders.{number}") is remembered
    assert sizes == set(range(1, 11))


def test_memory_is_nobodys_business() -> None:
    """What was found is no part of the rules: neither compared, nor shown, nor given."""
    rules = ScopeRules("hierarchic")
    assert grants(rules, "orders", "orders.read")
    assert rules == ScopeRules("hierarchic")
    assert repr(rules) == "ScopeRules(strategy='hierarchic', implied=())"
    with pytest.raises(TypeError):
        ScopeRules("exact", (), {})  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue] - the point
