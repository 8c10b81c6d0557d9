"""The policy file: what it demands, what it lets pass, and what of it is refused at the start."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server import ANY_TOKEN, ConfigurationError, Requirement, all_of, any_of
from resource_server._gateway.policy import Policy, read_policy

FILE = """
public = ["/healthz", "/"]

[[rules]]
path = "/orders/*"
scope = "orders:read"

[[rules]]
path = "/orders/*"
methods = ["POST", "PUT"]
scope = ["orders:write", "orders:admin"]
satisfy = "any"
max_age = 60

[[rules]]
path = "/admin/*"
scope = "admin"
acr = ["gold", "silver"]
hide = 404
"""
BY_HOST = """
[[rules]]
path = "/*"
scope = "all"

[[rules]]
host = "a.example"
path = "/only"
scope = "a"

[[rules]]
host = "b.example"
path = "/*"
scope = "b"
"""


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    """Give a policy that was read from a file."""
    return policy_of(FILE, tmp_path)


def policy_of(text: str, folder: Path) -> Policy:
    """Read a policy."""
    file = folder / "policy.toml"
    file.write_text(text, encoding="utf-8")
    return read_policy(file)


def test_rules(policy: Policy) -> None:
    """All rules that fit hold together, and everything else needs a token."""
    read = Requirement(scopes=all_of("orders:read"))
    write = Requirement(scopes=all_of("orders:read") & any_of("orders:write", "orders:admin"), max_age=60)
    assert policy.demand("GET", b"/orders/7", None) == read
    assert policy.demand("HEAD", b"/orders", None) == read
    assert policy.demand("POST", b"/orders", None) == write
    assert policy.demand("GET", b"/elsewhere", None) == ANY_TOKEN
    admin = Requirement(scopes=all_of("admin"), acr_values=("gold", "silver"), hide=True)
    assert policy.demand("GET", b"/admin/x", None) == admin


@pytest.mark.parametrize("path", ["/healthz", "/"])
def test_public(policy: Policy, path: str) -> None:
    """A public path needs nothing."""
    assert policy.demand("GET", path.encode(), None) is None


@pytest.mark.attack("A-F-6", "A-FA-2")
@pytest.mark.parametrize(
    "path",
    ["/healthz/", "//healthz", "/healthz;a", "/%68ealthz", "/x/../healthz", "/healthz/.", "/HEALTHZ", "/healthz%2f"],
)
def test_nearly_public(policy: Policy, path: str) -> None:
    """Public is a path to the letter: what an application might take for it is not."""
    assert policy.demand("GET", path.encode(), None) is not None


@pytest.mark.attack("A-F-6", "A-FA-2")
@pytest.mark.parametrize(
    "path",
    [
        "/admin",
        "/admin/",
        "//admin",
        "/%61dmin",
        "/%2561dmin",
        "/%252561dmin",
        "/%25252561dmin",
        "/admin%2fx",
        "/admin/./x",
        "/./admin",
        "/admin;a/x",
        "/;a/admin",
        "/ADMIN",
        "/healthz/../admin",
        "/healthz/%2e%2e/admin",
        "/healthz/..%2fadmin",
        "/healthz/..;/admin",
        "/healthz%2f..%2fadmin",
        "/%2e/admin",
        "/x/..%5cadmin",
        "/admin%3bx",
        "/admin%20" + "/..",
    ],
)
def test_other_spellings(policy: Policy, path: str) -> None:
    """Whatever some application might read as a path below /admin demands what is demanded there."""
    demanded = policy.demand("GET", path.encode(), None)
    assert demanded is not None
    if path != "/admin%20/..":
        assert ("admin",) in demanded.scopes.alternatives


_PIECES = st.lists(
    st.sampled_from(["/", "//", "%2f", ".", "..", "%2e", ";x", "\\", "%5c", "a", "%61", "?"]), max_size=8
)


@pytest.mark.attack("A-F-6")
@given(before=_PIECES, after=_PIECES)
def test_no_spelling_lets_in(before: list[str], after: list[str]) -> None:
    """Around a protected segment nothing makes a path public."""
    policy = Policy(public=["/a", "/"])
    path = "/" + "".join(before) + "/secret/" + "".join(after)
    assert policy.demand("GET", path.encode(), None) is not None


@pytest.mark.attack("A-FA-2")
def test_hosts(tmp_path: Path) -> None:
    """A rule for a host adds to those for all; where rules name hosts, any other host has none and is refused."""
    policy = policy_of(BY_HOST, tmp_path)
    assert policy.demand("GET", b"/only", "a.example") == Requirement(scopes=all_of("all", "a"))
    assert policy.demand("GET", b"/only", "b.example") == Requirement(scopes=all_of("all", "b"))
    for host in ("c.example", None):
        with pytest.raises(LookupError):
            policy.demand("GET", b"/only", host)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("public = [", "is not TOML"),
        ("rule = []", "there is no 'rule' here, only public, rules"),
        ('public = "/x"', "public must be a list of texts"),
        ("public = [1]", "public must be a list of texts"),
        ('public = ["x"]', "public takes whole paths"),
        ('public = ["/a/../b"]', "public takes whole paths"),
        ('public = ["/a%20b"]', "public takes whole paths"),
        ('public = ["/a/*/b"]\n[[rules]]\npath = "/a/*"', "has a rule"),
        ("rules = 1", "rules are tables"),
        ("rules = [1]", "rules are tables"),
        ("[[rules]]", "rule 1 (None): path must be a pattern"),
        ('[[rules]]\npath = "GET /x"', "path must be a pattern"),
        ('[[rules]]\npath = "x"', "rule 1 ('x'): a rule's pattern"),
        ('[[rules]]\npath = "/x"\nscopes = "a"', "there is no 'scopes' here"),
        ('[[rules]]\npath = "/x"\nscope = {}', "scope must be a text or a number"),
        ('[[rules]]\npath = "/x"\nscope = true', "scope must be a text or a number"),
        ('[[rules]]\npath = "/x"\nscope = [1]', "scope must be a list of texts"),
        ('[[rules]]\npath = "/x"\nhide = 403', "hide cannot be '403'"),
        ('[[rules]]\npath = "/x"\nhost = "A.example"', "host must be a name in lower case"),
        ('[[rules]]\npath = "/x"\nhost = 1', "host must be a name in lower case"),
        ('[[rules]]\npath = "/x"\nmethods = []', "methods takes names in capital letters"),
        ('[[rules]]\npath = "/x"\nmethods = ["get"]', "methods takes names in capital letters"),
        ('[[rules]]\npath = "/x"\nmethods = "GET"', "methods must be a list of texts"),
        ('[[rules]]\npath = "/x"\naudience = "a"\n[[rules]]\npath = "/x"\naudience = "b"', "two audiences"),
    ],
)
def test_what_is_refused(text: str, message: str, tmp_path: Path) -> None:
    """A file that cannot be meant so is refused at the start, and the message names the file and what is wrong."""
    with pytest.raises(ConfigurationError) as refused:
        policy_of(text, tmp_path)
    assert message in str(refused.value)
    assert "policy.toml" in str(refused.value)


def test_no_file(tmp_path: Path) -> None:
    """A file that is not there, or not text, is refused as well."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_policy(tmp_path / "nothing.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="is not TOML"):
        read_policy(tmp_path / "bytes.toml")
