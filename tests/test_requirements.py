"""What a route demands, and the judgement of a principal against it."""

from __future__ import annotations

import time
from itertools import product
from typing import Any

import pytest

from resource_server import (
    Assurance,
    ConfigurationError,
    InsufficientScope,
    InsufficientUserAuthentication,
    InvalidToken,
    Principal,
    Requirement,
    all_of,
    any_of,
    authorize,
)
from resource_server._protocol.claims import ClaimRules, judge_claims
from resource_server.errors import BearerTokenError
from resource_server.requirements import ANY_TOKEN, Demand, Detail, ScopeRules, detail
from tests.support.jwt import NOW


def with_scopes(*scopes: str, audience: tuple[str, ...] = ()) -> Principal:
    """Make a principal that was granted these scopes."""
    return Principal(scopes=frozenset(scopes), audience=audience)


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


def with_binding(name: str, demand: Demand | None) -> Requirement:
    """Make a requirement of one of the two bindings."""
    return Requirement(dpop=demand) if name == "dpop" else Requirement(mtls=demand)


def refusal(principal: Principal, requirement: Requirement, **known: Any) -> BearerTokenError | None:
    """Return what a principal is refused with, or nothing."""
    try:
        authorize(principal, requirement, now=NOW, **known)
    except BearerTokenError as error:
        return error
    return None


@pytest.mark.rfc("9470-3-a")
def test_authentication_context() -> None:
    """RFC 9470 §3: one of the classes named is enough; another one, or none, is refused with all that are named."""
    requirement = Requirement(acr_values=("gold", "platinum"))
    for enough in requirement.acr_values:
        assert refusal(Principal(acr=enough), requirement) is None
    for acr in (None, "silver", "Gold", "gold platinum", ""):
        error = refusal(Principal(acr=acr), requirement)
        assert isinstance(error, InsufficientUserAuthentication)
        assert (error.status, error.error) == (401, "insufficient_user_authentication")
        assert (error.acr_values, error.max_age, error.scope) == (("gold", "platinum"), None, ())


@pytest.mark.rfc("9470-3-a", "9470-6-a")
@pytest.mark.parametrize(
    ("age", "leeway", "is_enough"),
    [
        pytest.param(0, 0.0, True, id="this moment"),
        pytest.param(300, 0.0, True, id="as old as it may be"),
        pytest.param(301, 0.0, False, id="too old"),
        pytest.param(301, 5.0, True, id="too old, within the leeway"),
        pytest.param(306, 5.0, False, id="too old, beyond the leeway"),
        pytest.param(-1, 0.0, False, id="in the future"),
        pytest.param(-1, 5.0, True, id="in the future, within the leeway"),
        pytest.param(-6, 5.0, False, id="in the future, beyond the leeway"),
    ],
)
def test_age_of_authentication(age: float, leeway: float, is_enough: bool) -> None:  # noqa: FBT001 - a table's column
    """RFC 9470 §3: an authentication that is too old, or that has not been yet, is refused with the age allowed."""
    error = refusal(Principal(auth_time=NOW - age), Requirement(max_age=300), leeway=leeway)
    assert (error is None) is is_enough
    assert error is None or (isinstance(error, InsufficientUserAuthentication) and error.max_age == 300)


@pytest.mark.rfc("9470-6-a")
@pytest.mark.parametrize("member", ["acr", "auth_time"])
@pytest.mark.parametrize("value", ["x", "", None, True, ["gold"], {"gold": 1}, float("nan"), float("inf"), NOW + 1, -1])
def test_claims_that_fulfil_nothing(member: str, value: Any) -> None:
    """RFC 9470 §6: a claim of the wrong type, or none, is a reason to authenticate anew and not a bad token."""
    for members in ({member: value}, {}):
        principal = judge_claims(members, ClaimRules(issuer="https://as.example.com"), Assurance.LOCAL)
        assert isinstance(principal, Principal)
        error = refusal(principal, Requirement(acr_values=("gold",), max_age=300))
        assert isinstance(error, InsufficientUserAuthentication)


def test_the_clock_of_the_machine() -> None:
    """Without another time, an authentication is as old as the clock says."""
    requirement = Requirement(max_age=300)
    authorize(Principal(auth_time=time.time() - 10), requirement)
    with pytest.raises(InsufficientUserAuthentication):
        authorize(Principal(auth_time=time.time() - 1000), requirement)


@pytest.mark.rfc("9470-3-c")
def test_authentication_and_scope() -> None:
    """RFC 9470 §3: where both are lacking, one refusal says both, so that a client goes to the user once."""
    requirement = Requirement(scopes=all_of("pay"), acr_values=("gold",), max_age=60)
    error = refusal(Principal(), requirement)
    assert isinstance(error, InsufficientUserAuthentication)
    assert (error.acr_values, error.max_age, error.scope) == (("gold",), 60, ("pay",))
    error = refusal(Principal(acr="gold", auth_time=NOW), requirement)
    assert isinstance(error, InsufficientScope)
    assert refusal(Principal(acr="gold", auth_time=NOW, scopes=frozenset({"pay"})), requirement) is None


@pytest.mark.rfc("9396-9-a")
@pytest.mark.parametrize(
    ("details", "reason"),
    [
        pytest.param([{"type": "payment", "actions": ["initiate"]}], None, id="granted"),
        pytest.param([{"type": "account"}, {"type": "payment", "actions": ["initiate", "x"]}], None, id="among others"),
        pytest.param([{"type": "payment", "actions": ["status"]}], "insufficient_details", id="another action"),
        pytest.param([], "insufficient_details", id="none"),
        pytest.param(None, "insufficient_details", id="null"),
        pytest.param({"type": "payment", "actions": ["initiate"]}, "insufficient_details", id="no list"),
        pytest.param("payment", "insufficient_details", id="text"),
        pytest.param([{"actions": ["initiate"]}], "insufficient_details", id="no type"),
        pytest.param([{"type": ["payment"], "actions": ["initiate"]}], "insufficient_details", id="list for a type"),
        pytest.param(["payment"], "insufficient_details", id="list of texts"),
        pytest.param(
            [{"type": "payment", "actions": ["initiate"]}, {"actions": []}], "insufficient_details", id="one without"
        ),
    ],
)
def test_details(details: Any, reason: str | None) -> None:
    """RFC 9396 §9: details that are missing, or not a list of objects with a type, grant nothing: 403, not 401."""
    requirement = Requirement(scopes=all_of("pay"), details=(detail("payment", actions=["initiate"]),))
    claims = {"scope": "pay", "authorization_details": details}
    principal = judge_claims(claims, ClaimRules(issuer="https://as.example.com"), Assurance.LOCAL)
    assert isinstance(principal, Principal)
    error = refusal(principal, requirement)
    assert (None if error is None else error.reason) == reason
    assert error is None or (error.status, error.error, error.scope) == (403, "insufficient_scope", ("pay",))


@pytest.mark.rfc("9396-9-a")
def test_every_detail() -> None:
    """RFC 9396 §9: each detail that is demanded must be there; without the claim none is."""
    requirement = Requirement(details=(detail("payment"),)) & Requirement(details=(detail("account"),))
    assert requirement.details == (detail("payment"), detail("account"))
    one = Principal(claims={"authorization_details": ({"type": "payment"},)})
    both = Principal(claims={"authorization_details": ({"type": "payment"}, {"type": "account"})})
    assert [refusal(principal, requirement) is None for principal in (Principal(), one, both)] == [False, False, True]


@pytest.mark.rfc("mcp-4", "6750-3.1-c")
def test_rules_for_scopes() -> None:
    """Scopes that include others let in; who is refused is told what is needed, not what would include it."""
    rules = ScopeRules("hierarchic", (("admin", "orders"),))
    requirement = Requirement(scopes=any_of("orders.read", "reports"))
    for granted in ("orders.read", "orders", "admin", "reports"):
        assert refusal(with_scopes(granted), requirement, rules=rules) is None
    error = refusal(with_scopes("order"), requirement, rules=rules)
    assert error is not None
    assert error.scope == ("orders.read",)


@pytest.mark.rfc("9470-3-b")
@pytest.mark.parametrize(
    "wrong",
    [
        {"acr_values": ("gold silver",)},
        {"acr_values": ('go"ld',)},
        {"acr_values": ("",)},
        {"acr_values": (5,)},
        {"max_age": -1},
        {"max_age": 1.5},
        {"max_age": "300"},
        {"max_age": True},
        {"dpop": "maybe"},
        {"mtls": True},
        {"details": ("payment",)},
    ],
    ids=repr,
)
def test_what_no_token_could_satisfy(wrong: dict[str, Any]) -> None:
    """RFC 9470 §3: a value that could not stand in a challenge is refused when the route is declared, by its name."""
    [name] = wrong
    with pytest.raises(ConfigurationError, match=name):
        Requirement(**wrong)


@pytest.mark.parametrize(
    ("left", "right", "both"),
    [
        (None, None, None),
        ("off", None, "off"),
        (None, "optional", "optional"),
        ("optional", "required", "required"),
        ("required", "optional", "required"),
        ("off", "optional", "optional"),
        ("optional", "off", "off"),
    ],
)
@pytest.mark.parametrize("name", ["dpop", "mtls"])
def test_binding_adds_up(name: str, left: Demand | None, right: Demand | None, both: Demand | None) -> None:
    """Of two demands for a proof the stricter one holds, or else the one nearer to the route."""
    assert getattr(with_binding(name, left) & with_binding(name, right), name) == both


@pytest.mark.parametrize("name", ["dpop", "mtls"])
def test_binding_that_contradicts_itself(name: str) -> None:
    """A proof cannot be demanded and refused at once."""
    with pytest.raises(ConfigurationError, match=name):
        _ = with_binding(name, "off") & with_binding(name, "required")


@pytest.mark.rfc("9470-3-a")
def test_authentication_adds_up() -> None:
    """RFC 9470 §3: of two lists the common classes are left, of two ages the smaller; there must be one class left."""
    one = Requirement(acr_values=("gold", "silver"), max_age=300)
    other = Requirement(acr_values=("bronze", "silver"), max_age=60)
    assert ((one & other).acr_values, (one & other).max_age) == (("silver",), 60)
    assert (one & ANY_TOKEN) == one == (ANY_TOKEN & one)
    with pytest.raises(ConfigurationError, match="acr_values"):
        _ = one & Requirement(acr_values=("bronze",))


@pytest.mark.parametrize(
    ("requirement", "plain"),
    [
        (ANY_TOKEN, True),
        (Requirement(scopes=all_of("a"), assurance=Assurance.STALE, hide=True), True),
        (Requirement(audience="urn:a"), False),
        (Requirement(dpop="off"), False),
        (Requirement(mtls="optional"), False),
        (Requirement(acr_values=("gold",)), False),
        (Requirement(max_age=0), False),
        (Requirement(details=(Detail("payment"),)), False),
    ],
)
def test_plain(requirement: Requirement, plain: bool) -> None:  # noqa: FBT001 - a table's column
    """What few routes demand is noted when a route is declared, so that the others do not pay for it."""
    assert requirement.plain is plain
    assert (requirement & ANY_TOKEN).plain is plain
