"""Which requirement a path has: a strange spelling brings more demands and never fewer, and is never public."""

from __future__ import annotations

import sys
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server import ANY_TOKEN, ConfigurationError, InvalidRequest, Requirement
from resource_server._paths import LONGEST_ODD, PathRules

ADMIN, READ, WRITE = (Requirement.of(scope) for scope in ("admin", "read", "write"))
RULES = PathRules(
    {
        "/admin/*": ADMIN,
        "/orders": READ,
        "POST /orders": WRITE,
        "/orders/{id}": READ,
        "GET /items": READ,
        "HEAD /probe": READ,
        "/": WRITE,
    },
    public=["/healthz", "/docs/"],
)
SPELLINGS = [
    "//admin",
    "/admin/",
    "/admin//",
    "/ADMIN",
    "/Admin/x",
    "/./admin",
    "/x/../admin",
    "/x//../admin",
    "/x/;/../../admin",
    "/x/..;/admin",
    "/x/..;a=b/admin/",
    "/;a/admin",
    "/admin;a=b/x",
    "/admin;a",
    "\\admin",
    "/\\admin",
    "/x\\..\\admin",
    "http://evil.example/admin",
    "http://evil.example//admin/x",
    "/%61dmin",
    "admin",
    "admin/x",
    "%61dmin",
    "/admin%2fx",
    "/%2e/admin",
    "/x/%2e%2e/admin",
    "/x%2f..%2fadmin",
    "/admin\n",
    "/admin\x00",
    "/admin ",
    "/ad\tmin",
    "/adm\u200bin",
    "/\uff41dmin",
    "/adm\u0131n".replace("\u0131", "\uff49"),
    "\uff0fadmin",
    "/admin.json",
    "/admin.json/",
    "/admin/../public",
    "/x/../admin//..",
    "/x//../../admin//../y",
]


def scopes(method: str, *paths: str) -> set[str]:
    """Return the scopes that are demanded."""
    return set(RULES.requirement(method, *paths).scopes.preferred)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/admin", {"admin"}),
        ("PUT", "/admin/", {"admin"}),
        ("GET", "/admin/users/1", {"admin"}),
        ("GET", "/administrators", set()),
        ("GET", "/x/admin", set()),
        ("GET", "/orders", {"read"}),
        ("HEAD", "/orders", {"read"}),
        ("OPTIONS", "/orders", {"read"}),
        ("TRACE", "/orders", {"read"}),
        ("BREW", "/items", {"read"}),
        ("brew", "/items", {"read"}),
        ("PUT", "/items", set()),
        ("POST", "/orders", {"read", "write"}),
        ("post", "/orders", {"read", "write"}),
        ("GET", "/orders/1", {"read"}),
        ("GET", "/orders/1/items", set()),
        ("HEAD", "/probe", {"read"}),
        ("GET", "/probe", set()),
        ("GET", "/", {"write"}),
        ("GET", "", {"write"}),
        ("GET", "/unknown", set()),
        ("GET", "*", set()),
    ],
)
def test_patterns(method: str, path: str, expected: set[str]) -> None:
    """A pattern is a path, fills a segment, or takes all below; GET is for all that may be taken for it; all hold."""
    assert scopes(method, path) == expected


@pytest.mark.attack("A-F-6")
@pytest.mark.parametrize("path", SPELLINGS)
def test_strange_spellings(path: str) -> None:
    """Whatever some router could read as a path with a rule has the rule, and is not public."""
    assert "admin" in scopes("GET", path)
    assert not RULES.is_public(path)


def test_public() -> None:
    """A path is public to the letter, and only where every router reads it so."""
    assert RULES.is_public("/healthz")
    assert RULES.is_public("/docs/")
    for path in ("/healthz/", "//healthz", "/HEALTHZ", "/docs", "healthz", "/healthz\n", "/healthz;a", "/x/../healthz"):
        assert not RULES.is_public(path)
    assert RULES.is_public("/healthz", "/healthz")
    assert not RULES.is_public("/healthz", "/admin")


def test_several_methods() -> None:
    """What is demanded of any method is demanded; where that contradicts itself, the request is malformed."""
    assert set(RULES.requirement_of_any(["GET", "post"], "/orders").scopes.preferred) == {"read", "write"}
    on, off = Requirement.of(dpop="required"), Requirement.of(dpop="off")
    rules = PathRules({"POST /x": on, "PUT /x": off})
    with pytest.raises(InvalidRequest):
        rules.requirement_of_any(["POST", "PUT"], "/x")


def test_several_paths() -> None:
    """Where routers differ, what any of them needs is demanded."""
    assert scopes("GET", "/admin", "/x") == scopes("GET", "/x", "/admin") == {"admin"}


def test_default() -> None:
    """What is demanded everywhere holds beside each rule."""
    assert PathRules().requirement("GET", "/x") is ANY_TOKEN
    rules = PathRules({"/admin/*": ADMIN}, default=READ)
    assert set(rules.requirement("GET", "/admin").scopes.preferred) == {"admin", "read"}
    assert list(rules) == [("/*", READ), ("/admin/*", ADMIN)]


def test_no_requirement() -> None:
    """A scope's name in place of a requirement is refused, with the name of the rule."""
    demand: Any = "orders:read"
    with pytest.raises(ConfigurationError, match=r"^rule '/orders' must be made with Requirement\.of"):
        PathRules({"/orders": demand})
    with pytest.raises(ConfigurationError, match=r"^default must be made with Requirement\.of"):
        PathRules(default=demand)


def test_one_public_path() -> None:
    """A single public path need not stand in a list."""
    assert PathRules(public="/healthz").public == {"/healthz"}


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "admin",
        "get /admin",
        "GET POST /admin",
        " /admin",
        "GET  /admin",
        "/admin*",
        "/*/admin",
        "/**",
        "/orders/{}",
        "/orders/{id:int}",
        "/orders/x{id}",
        "/orders/{id",
        "/orders//x",
        "/orders/../x",
        "/orders/./x",
        "/orders;a",
        "/orders\\x",
    ],
)
def test_no_pattern(pattern: str) -> None:
    """What is no pattern is refused when it is written."""
    with pytest.raises(ConfigurationError, match="pattern"):
        PathRules({pattern: ADMIN})


@pytest.mark.parametrize(
    ("public", "message"),
    [
        ("healthz", "begin with a slash"),
        ("", "begin with a slash"),
        ("/static/*", "no patterns"),
        ("/users/{id}/photo", "no patterns"),
        ("/admin", "has a rule"),
        ("//Admin;a", "a rule"),
    ],
)
def test_no_public_path(public: str, message: str) -> None:
    """A public path is a path and no pattern, and has no rule in any spelling."""
    with pytest.raises(ConfigurationError, match=message):
        PathRules({"/admin/*": ADMIN}, public=[public])


ONE, TWO = Requirement.of(audience="one"), Requirement.of(audience="two")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("/a", "/a/"),
        ("/a", "/A"),
        ("/a", "/*"),
        ("/a/*", "/a/b/c"),
        ("/a/b/c", "/a/*"),
        ("/a/{x}", "/{y}/b"),
        ("/a/{x}/c", "/a/*"),
        ("GET /a", "/a"),
        ("/a", "GET /a"),
        ("GET /a", "HEAD /a"),
        ("HEAD /a", "GET /a"),
    ],
)
def test_contradiction(first: str, second: str) -> None:
    """Two rules that a request can be for, and that nobody can satisfy, are refused when they are written."""
    with pytest.raises(ConfigurationError, match="two audiences") as refused:
        PathRules({first: ONE, second: TWO})
    assert repr(first) in str(refused.value)
    with pytest.raises(ConfigurationError, match="two audiences"):
        PathRules({first: ONE}, default=TWO)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("/a", "/b"),
        ("/a", "/a/b"),
        ("/a/b", "/a"),
        ("/a/*", "/b/*"),
        ("/a/{x}", "/b/{x}"),
        ("GET /a", "POST /a"),
        ("HEAD /a", "POST /a"),
    ],
)
def test_no_contradiction(first: str, second: str) -> None:
    """Rules that no request can be for at once may demand what they like."""
    rules = PathRules({first: ONE, second: TWO})
    assert [requirement.audience for _, requirement in rules] == [None, "one", "two"]


@pytest.mark.attack("A-F-6")
def test_ambiguous_path() -> None:
    """A spelling that brings demands together that exclude each other is a bad request, and never a yes."""
    rules = PathRules({"/a/*": ONE, "/b/*": TWO})
    for path in ("/a/../b/x", "/a/%2e%2e/b"):
        with pytest.raises(InvalidRequest):
            rules.requirement("GET", path)


def test_long_paths() -> None:
    """A long path is judged as a short one; one that is odd besides is refused before it costs anything."""
    assert scopes("GET", "/admin/" + "x" * 100_000) == {"admin"}
    assert scopes("GET", "/admin/" + ".x" * 1000) == {"admin"}
    with pytest.raises(InvalidRequest):
        RULES.requirement("GET", "/admin/" + "%2e" * LONGEST_ODD)
    with pytest.raises(InvalidRequest):
        RULES.requirement("GET", "/admin/" + "\ufdfa" * (LONGEST_ODD // 2))


@pytest.mark.parametrize("piece", ["a", "../", "x/", "a;b%2e%2e/../\\//.x", ".a", "a:", "\u200b", "x/../"])
def test_work_grows_with_the_length(piece: str) -> None:
    """Reading a path in many ways takes time in proportion to its length: nobody has been judged yet."""

    def steps(length: int) -> int:
        path, taken = "/ " + piece * (length // len(piece)), count()
        sys.setprofile(lambda *_: next(taken))
        try:
            PathRules({"/admin/*": ADMIN}).requirement("GET", path)
        finally:
            sys.setprofile(None)
        return next(taken)  # calls, of Python's own functions too: the clock of a machine under load proves nothing

    assert steps(LONGEST_ODD - 100) < 12 * steps(LONGEST_ODD // 10)


@pytest.mark.attack("A-F-6")
@given(
    st.lists(
        st.sampled_from(["/", "//", "\\", "/.", "/..", "/x/..", ";a", "%2f", "%2e", "\n", ".", "x"])
        | st.characters(max_codepoint=0x2FF),
        max_size=8,
    ).map("".join)
)
def test_more_and_never_fewer(noise: str) -> None:
    """Nothing that follows a path with a rule for all below it takes the rule away, and only names are public."""
    assert "admin" in scopes("GET", f"/admin/{noise}")
    assert RULES.is_public(noise) is (noise in {"/healthz", "/docs/"})


@given(st.text(max_size=50))
def test_any_text(path: str) -> None:
    """Any text has an outcome, the same each time."""
    assert scopes("GET", path) == scopes("GET", path)
