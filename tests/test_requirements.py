"""What a route demands, and the judgement of a principal against it."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server import (
    Assurance,
    ConfigurationError,
    InsufficientScope,
    InvalidToken,
    Principal,
    Requirement,
    Scopes,
    all_of,
    any_of,
    authorize,
)
from resource_server.requirements import ANY_TOKEN

NAMES = ["a", "b", "c", "d"]
EXPRESSIONS = st.recursive(
    st.lists(st.sampled_from(NAMES), max_size=3).map(lambda names: all_of(*names))
    | st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(lambda names: any_of(*names)),
    lambda inner: (
        st.builds(lambda left, right: left & right, inner, inner)
        | st.builds(lambda left, right: left | right, inner, inner)
    ),
    max_leaves=4,
)
GRANTS = st.frozensets(st.sampled_from(NAMES))


def with_scopes(*scopes: str, audience: tuple[str, ...] = ()) -> Principal:
    """Make a principal that was granted these scopes."""
    return Principal(scopes=frozenset(scopes), audience=audience)


@pytest.mark.parametrize(
    ("scopes", "alternatives"),
    [
        pytest.param(all_of(), [()], id="nothing"),
        pytest.param(all_of("a"), [("a",)], id="one"),
        pytest.param(all_of("b", "a", "b"), [("b", "a")], id="several, in order, without repetition"),
        pytest.param(any_of("a", "b", "a"), [("a",), ("b",)], id="one of several"),
        pytest.param(all_of("a") & all_of("b"), [("a", "b")], id="and"),
        pytest.param(all_of("a") | all_of("b", "c"), [("a",), ("b", "c")], id="or"),
        pytest.param(all_of("x", any_of("a", "b")), [("x", "a"), ("x", "b")], id="or within and"),
        pytest.param(any_of("x", all_of("a", "b")), [("x",), ("a", "b")], id="and within or"),
        pytest.param(
            any_of("a", "b") & any_of("a", "c"), [("a",), ("a", "c"), ("b", "a"), ("b", "c")], id="and of ors"
        ),
        pytest.param(all_of("a") & all_of(), [("a",)], id="and nothing"),
        pytest.param(all_of("a") | all_of("a"), [("a",)], id="the same twice"),
    ],
)
def test_algebra(scopes: Scopes, alternatives: list[tuple[str, ...]]) -> None:
    """A requirement is kept as the complete ways in, in the order a reader would write them."""
    assert list(scopes.alternatives) == alternatives
    assert scopes.preferred == alternatives[0]


@given(EXPRESSIONS, EXPRESSIONS, GRANTS)
def test_and_or(left: Scopes, right: Scopes, granted: frozenset[str]) -> None:
    """`&` is granted by what grants both, `|` by what grants either: whatever is combined."""
    assert (left & right).granted_by(granted) == (left.granted_by(granted) and right.granted_by(granted))
    assert (left | right).granted_by(granted) == (left.granted_by(granted) or right.granted_by(granted))


@given(EXPRESSIONS, GRANTS)
def test_preferred_is_a_way_in(scopes: Scopes, granted: frozenset[str]) -> None:
    """RFC 6750 §3.1: a client that adds what the challenge names gets in, whatever it had, and more never hurts."""
    assert scopes.granted_by(granted | frozenset(scopes.preferred))
    assert not scopes.granted_by(granted) or scopes.granted_by(frozenset(NAMES))


@pytest.mark.rfc("6750-3-d")
@pytest.mark.parametrize("scope", ["", "a b", 'a"b', "a\\b", "é", "a\r\nX:1", "a\x00", "\x7f", "a\t"])
@pytest.mark.parametrize("make", [all_of, any_of])
def test_illegal_scope(make: Any, scope: str) -> None:
    """RFC 6749 §3.3: a scope that could never stand in a challenge is refused when the route is declared."""
    with pytest.raises(ConfigurationError, match="not a scope token") as caught:
        make("good", scope)
    assert repr(scope) in str(caught.value)


@pytest.mark.parametrize("scope", [None, 1, ["read"], b"read"])
def test_scope_of_another_type(scope: Any) -> None:
    """RFC 6749 §3.3: a scope is a text; a list by mistake is not taken for its members."""
    with pytest.raises(ConfigurationError, match="not a scope token"):
        all_of(scope)


def test_no_alternative() -> None:
    """A route that nothing can satisfy is a mistake, and is said to be one."""
    with pytest.raises(ConfigurationError, match="at least one"):
        any_of()


@pytest.mark.rfc("6750-3.1-c", "9110-11.4-a", "mcp-3")
@pytest.mark.parametrize("granted", [(), ("read",), ("write",), ("readwrite",), ("READ", "WRITE"), ("read write",)])
def test_insufficient_scope(granted: tuple[str, ...]) -> None:
    """RFC 6750 §3.1: too little scope is refused, and the refusal names all that is needed, not what is missing."""
    with pytest.raises(InsufficientScope) as caught:
        authorize(with_scopes(*granted), Requirement(scopes=all_of("read", "write")))
    assert caught.value.scope == ("read", "write")


def test_sufficient_scope() -> None:
    """RFC 6750 §3.1: what is needed is enough, and more is no harm."""
    requirement = Requirement(scopes=all_of("read") & any_of("write", "admin"))
    for granted in (("read", "write"), ("admin", "read"), ("read", "write", "admin", "x")):
        authorize(with_scopes(*granted), requirement)
    with pytest.raises(InsufficientScope) as caught:
        authorize(with_scopes("write", "admin"), requirement)
    assert caught.value.scope == ("read", "write")


@pytest.mark.rfc("9700-2.3-a", "9068-4-c")
@pytest.mark.attack("A-C-3")
def test_audience_of_a_route() -> None:
    """RFC 9700 §2.3: a route with a name of its own takes only tokens meant for it, before their scope counts."""
    requirement = Requirement(audience="urn:reports", scopes=all_of("read"))
    authorize(with_scopes("read", audience=("urn:rs", "urn:reports")), requirement)
    for audience in ((), ("urn:rs",), ("urn:reports/",), ("URN:reports",)):
        with pytest.raises(InvalidToken) as caught:
            authorize(with_scopes(audience=audience), requirement)
        assert (caught.value.reason, caught.value.scope) == ("wrong_audience", ())


def test_any_token() -> None:
    """A route that demands a token and nothing more lets every principal in."""
    authorize(Principal(), ANY_TOKEN)
    assert Requirement() == ANY_TOKEN
    assert Requirement(audience=None, assurance=Assurance.LOCAL, unavailable_status=None) == ANY_TOKEN
    assert [ANY_TOKEN.hide, ANY_TOKEN.ajax_forbidden] == [False, False]


def test_requirements_add_up() -> None:
    """What a router demands and what its route demands hold together, and neither loosens the other."""
    router = Requirement(scopes=all_of("read"), assurance=Assurance.STALE, hide=True, unavailable_status=503)
    route = Requirement(scopes=any_of("write", "admin"), audience="urn:rs", ajax_forbidden=True)
    for both in (router & route, route & router):
        assert both.scopes.granted_by(frozenset({"read", "admin"}))
        assert not both.scopes.granted_by(frozenset({"admin"}))
        assert (both.audience, both.assurance, both.unavailable_status) == ("urn:rs", Assurance.STALE, 503)
        assert (both.hide, both.ajax_forbidden) == (True, True)


@pytest.mark.parametrize(("left", "right"), list(product(Assurance, Assurance)))
def test_the_stricter_assurance_holds(left: Assurance, right: Assurance) -> None:
    """Of two demands for assurance, the one that accepts less holds."""
    combined = Requirement(assurance=left) & Requirement(assurance=right)
    assert combined.assurance.rank == max(left.rank, right.rank)


def test_the_later_status_holds() -> None:
    """Where two places say how to answer an outage, the one nearer to the route is heard."""
    outer, inner = Requirement(unavailable_status=503), Requirement(unavailable_status=401)
    assert (outer & inner).unavailable_status == 401
    assert (inner & outer).unavailable_status == 503
    assert (outer & Requirement()).unavailable_status == 503


def test_two_audiences() -> None:
    """One route cannot be two resource servers; the same name twice is one."""
    one, other = Requirement(audience="urn:a"), Requirement(audience="urn:b")
    assert (one & one).audience == "urn:a"
    with pytest.raises(ConfigurationError, match=r"urn:a.*urn:b"):
        _ = one & other
