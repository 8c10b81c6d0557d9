"""Every option: where it may be said, what it may be, and what is said of a wrong one."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from pydantic import SecretStr

from resource_server import ConfigurationError, ResourceServer, Settings
from resource_server._options.keywords import Options
from resource_server._protocol.client_auth import ClientCredentials
from resource_server._sources import ENV_PREFIX
from tests.support.sockets import certificate

ISSUER = "https://as.example.com"
SECRET = "canary-client-secret"
NEEDED: dict[str, Any] = {"issuer": ISSUER, "audience": "https://rs.example.com", "client_id": "rs"}
COMPLETE: dict[str, Any] = NEEDED | {"client_secret": SECRET}
DEFAULTS: dict[str, Any] = {
    "authorization_servers": (),
    "client_auth_method": None,
    "client_key": None,
    "client_assertion_audience": "issuer",
    "client_certificate_file": None,
    "client_certificate_key_file": None,
    "bearer_token": None,
    "bearer_token_file": None,
    "token_endpoint": None,
    "signed_introspection": "off",
    "encrypted_tokens": "off",
    "decryption_key": None,
    "decryption_algorithms": ("ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW", "RSA-OAEP-256"),
    "content_encryption_algorithms": ("A128GCM", "A256GCM", "A128CBC-HS256", "A256CBC-HS512"),
    "token_prefix": None,
    "scope_strategy": "exact",
    "implied_scopes": {},
    "dpop": "off",
    "dpop_algorithms": ("ES256", "ES384", "ES512", "Ed25519", "EdDSA", "PS256", "RS256"),
    "dpop_window": 60.0,
    "dpop_nonce": False,
    "dpop_secret": None,
    "dpop_replay": None,
    "dpop_replay_size": 100_000,
    "mtls": "off",
    "certificate_header": None,
    "trusted_proxies": (),
    "sender_constrained": False,
    "resource": None,
    "external_url": None,
    "resource_name": None,
    "resource_documentation": None,
    "resource_policy_uri": None,
    "resource_tos_uri": None,
    "scopes_supported": (),
    "metadata_key": None,
    "introspection_endpoint": None,
    "jwks_uri": None,
    "strategy": "introspect_then_jwks",
    "cache_ttl": 60.0,
    "negative_cache_ttl": 10.0,
    "cache_size": 50_000,
    "negative_cache_size": 10_000,
    "stale_if_error": 0.0,
    "fallback_max_age": 3600.0,
    "fallback_on_configuration_fault": False,
    "unavailable_status": 401,
    "leeway": 0.0,
    "timeout": 5.0,
    "retries": 2,
    "max_concurrent_calls": 64,
    "cache_url": None,
    "cache_secret": None,
    "cache_timeout": 0.05,
    "revocation_memory": 86_400.0,
    "token_format": "any",
    "token_pattern": None,
    "rate_limit": None,
    "rate_limit_burst": 50,
    "rate_limited_status": 429,
    "jwt_profile": "rfc9068",
    "require_audience": True,
    "scope_claims": ("scope",),
    "cross_check": True,
    "max_token_length": 16_384,
    "query_token": False,
    "form_token": False,
    "realm": "api",
    "error_format": "auto",
    "verbose_errors": False,
    "allow_insecure_http": False,
    "ca_file": None,
    "trust_env": False,
}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take away what the machine itself says, and stand in an empty folder."""
    for name in [name for name in os.environ if name.upper().startswith(ENV_PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def build(**options: Any) -> Settings:
    """Validate options beyond, or in place of, those that are needed."""
    return Settings.build(**(COMPLETE | options))


def refusal(**options: Any) -> str:
    """Return what is said of options that are not acceptable."""
    with pytest.raises(ConfigurationError) as refused:
        build(**options)
    assert SECRET not in str(refused.value) + repr(refused.value)
    assert (refused.value.__cause__, refused.value.__suppress_context__) == (None, True)
    return str(refused.value)


def test_the_defaults() -> None:
    """The defaults are the safe ones: nothing stale, 401, strict, https, no token outside the header."""
    settings = build()
    assert {name: getattr(settings, name) for name in DEFAULTS} == DEFAULTS
    assert {*DEFAULTS, *COMPLETE, "algorithms"} == set(Settings.model_fields)
    assert not {"none", "HS256", "HS384", "HS512"} & set(settings.algorithms)


def test_the_keywords_for_type_checkers_are_the_options() -> None:
    """``Options`` names exactly the fields of ``Settings``, so that no keyword is unknown to a type checker."""
    assert set(get_type_hints(Options)) == set(Settings.model_fields)
    assert Options.__required_keys__ == frozenset()


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_option_is_documented(name: str) -> None:
    """Each option says in a sentence what it does."""
    description = Settings.model_fields[name].description or ""
    assert description[:1].isupper() or description[:1] == "`"
    assert description.endswith(".")


def test_a_constructor_call_reads_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a constructor call says is all there is: no variable and no file changes a test or a second server."""
    monkeypatch.setenv("RESOURCE_SERVER_CACHE_TTL", "1")
    (tmp_path / ".env").write_text("RESOURCE_SERVER_LEEWAY=9\n")
    assert (build().cache_ttl, build().leeway) == (60.0, 0.0)
    assert ResourceServer(**COMPLETE).settings.cache_ttl == 60.0


def test_settings_do_not_change() -> None:
    """There are no setters: what was validated stays."""
    with pytest.raises(ValueError, match="frozen"):
        build().cache_ttl = 1.0  # type: ignore[misc]


def test_an_unknown_keyword_is_a_type_error() -> None:
    """A misspelt keyword is refused as Python refuses it."""
    with pytest.raises(TypeError, match="no option 'cache_tll', 'ttl'"):
        build(ttl=1, cache_tll=2)


BAD: list[tuple[str, Any]] = [
    ("cache_ttl", -1.0),
    ("cache_ttl", math.inf),
    ("cache_ttl", math.nan),
    ("cache_ttl", "soon"),
    ("negative_cache_ttl", -0.1),
    ("stale_if_error", -1),
    ("fallback_max_age", math.inf),
    ("cache_size", 0),
    ("negative_cache_size", 1.5),
    ("max_token_length", 0),
    ("scopes_supported", ['a"b']),
    ("leeway", 301),
    ("leeway", -1),
    ("timeout", 0),
    ("timeout", 301),
    ("timeout", math.nan),
    ("unavailable_status", 500),
    ("retries", -1),
    ("retries", 11),
    ("max_concurrent_calls", 0),
    ("cache_timeout", 0),
    ("cache_timeout", 6),
    ("revocation_memory", 0),
    ("revocation_memory", math.inf),
    ("token_format", "jwe"),
    ("token_pattern", "("),
    ("rate_limit", 0),
    ("rate_limit", math.inf),
    ("rate_limit_burst", 0),
    ("rate_limited_status", 503),
    ("strategy", "guess"),
    ("client_auth_method", "none"),
    ("jwt_profile", "any"),
    ("error_format", "xml"),
    ("algorithms", ("none",)),
    ("algorithms", "HS256 ES256"),
    ("algorithms", ()),
    ("realm", "line\nbreak"),
    ("realm", "é"),
    ("ca_file", "/nonexistent/ca.pem"),
    ("cross_check", "perhaps"),
    ("audience", 7),
]


@pytest.mark.rfc("8725-3.2-a", "7518-3.2-a", "8725-3.5-a", "9068-2.1-a")
@pytest.mark.parametrize(("name", "value"), BAD, ids=str)
def test_a_bad_value_is_named_with_its_option(name: str, value: Any) -> None:
    """A value that is not acceptable is refused at construction, and the message names the option and the value."""
    message = refusal(**{name: value})
    assert message.startswith(f"{name}")
    assert repr(value) in message


def test_every_problem_is_named_at_once() -> None:
    """Who has made two mistakes is told of both."""
    message = refusal(cache_ttl=-1, leeway=-2)
    assert "cache_ttl" in message
    assert "leeway" in message


@pytest.mark.rfc("6750-5.3-b", "8414-2-a")
@pytest.mark.parametrize("name", ["issuer", "introspection_endpoint", "jwks_uri"])
@pytest.mark.parametrize(
    "url",
    ["http://as.example.com", "as.example.com", "ftp://as.example.com", "https://", "https://as.example.com/#x", ""],
)
def test_urls_are_https(name: str, url: str) -> None:
    """RFC 6750 §5.3: an authorization server is spoken to over https."""
    message = refusal(**{name: url})
    assert name in message
    assert repr(url) in message


@pytest.mark.attack("A-S-1")
def test_a_password_in_a_url_is_not_shown() -> None:
    """A URL with user information is refused, and not quoted: it holds a password."""
    message = refusal(issuer="https://user:canary-password@as.example.com")
    assert "issuer" in message
    assert "canary" not in message


@pytest.mark.parametrize(
    "url", ["http://localhost:8080", "http://127.0.0.1:1", "http://[::1]:1", "http://as.localhost"]
)
def test_http_on_this_machine(url: str) -> None:
    """Beyond the loopback interface only: what never leaves the machine needs no TLS."""
    assert build(issuer=url).issuer == url


def test_http_by_choice() -> None:
    """An operator may insist."""
    assert build(issuer="http://as.example.com", allow_insecure_http=True).issuer == "http://as.example.com"


def test_an_issuer_has_no_query() -> None:
    """RFC 8414 §2: an issuer has neither query nor fragment; an endpoint may have a query."""
    assert "issuer" in refusal(issuer=f"{ISSUER}/?a=b")
    assert build(jwks_uri=f"{ISSUER}/keys?a=b").jwks_uri == f"{ISSUER}/keys?a=b"


@pytest.mark.parametrize("strategy", ["introspect", "introspect_then_jwks", "jwks_then_introspect"])
@pytest.mark.parametrize("missing", ["client_id", "client_secret"])
def test_introspection_needs_credentials(strategy: str, missing: str) -> None:
    """RFC 7662 §2.1: who introspects must say who asks; that is found out before the first request."""
    message = refusal(strategy=strategy, **{missing: None})
    assert strategy in message
    assert missing in message
    assert build(strategy="jwks", client_id=None, client_secret=None).client_id is None


@pytest.mark.rfc("9068-4-c")
@pytest.mark.parametrize("strategy", ["jwks", "introspect_then_jwks", "jwks_then_introspect"])
def test_jwts_need_an_audience(strategy: str) -> None:
    """RFC 9068 §4: who verifies JWTs must know its own name; who only introspects may leave that to the server."""
    assert "audience" in refusal(strategy=strategy, audience=())
    assert build(strategy="introspect", audience=()).audience == ()


@pytest.mark.parametrize(
    ("value", "words"), [("a", ("a",)), ("a b", ("a", "b")), ("a, b,c", ("a", "b", "c")), (["a", "b"], ("a", "b"))]
)
def test_lists_may_be_one_text(value: Any, words: tuple[str, ...]) -> None:
    """A list can be said in an environment variable too."""
    assert build(audience=value).audience == words


def test_certificates_are_looked_at_when_they_are_named(tmp_path: Path) -> None:
    """A file that holds no certificate is found out at construction, and not by the first outage."""
    made = certificate(tmp_path)
    assert build(ca_file=str(made.certificate)).ca_file == made.certificate
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nothing")
    assert "nonsense.pem" in refusal(ca_file=nonsense)


@pytest.mark.attack("A-S-1")
def test_the_secret_is_shown_nowhere() -> None:
    """Neither the text of the settings, nor a dump of them, nor the policy made of them shows the secret."""
    settings = build()
    shown = [repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()]
    shown += [repr(settings.policy()), repr(settings.policy().client)]
    assert not any(SECRET in text for text in shown)
    assert settings.client_secret == SecretStr(SECRET)


@pytest.mark.attack("A-S-1")
@pytest.mark.parametrize("secret", [b"\xff" + SECRET.encode(), [SECRET], {"secret": SECRET}, 7])
def test_a_secret_that_is_not_acceptable_is_not_shown(secret: Any) -> None:
    """What is said of a bad secret names the option and leaves the value out."""
    message = refusal(client_secret=secret)
    assert message.startswith("client_secret")
    assert str(secret) not in message


def test_the_policy_says_what_the_options_say() -> None:
    """Every option that decides about tokens reaches the flows as it was set."""
    changed = {
        "strategy": "jwks_then_introspect",
        "introspection_endpoint": f"{ISSUER}/i",
        "jwks_uri": f"{ISSUER}/k",
        "leeway": 3.0,
        "fallback_max_age": 4.0,
        "fallback_on_configuration_fault": True,
        "cross_check": False,
        "allow_insecure_http": True,
        "jwt_profile": "lenient",
    }
    policy = build(
        **changed,
        algorithms="ES256",
        require_audience=False,
        scope_claims="scp scope",
        client_auth_method="client_secret_post",
    ).policy()
    assert {name: getattr(policy, name) for name in changed} == changed
    assert policy.algorithms == {"ES256"}
    assert isinstance(policy.client, ClientCredentials)
    assert (policy.client.client_id, policy.client.secret) == ("rs", SECRET)
    assert policy.client.method == "client_secret_post"
    rules, jwt_rules = policy.introspection_rules, policy.jwt_rules
    assert (rules.issuer, rules.scope_claims) == (ISSUER, ("scp", "scope"))
    assert rules.audience == {COMPLETE["audience"]}
    assert (rules.require_audience, rules.required) == (False, frozenset())
    assert (jwt_rules.issuer, jwt_rules.audience, jwt_rules.scope_claims) == (ISSUER, rules.audience, ("scp", "scope"))
    # What nobody has vouched for must name its audience, whatever the operator trusts the server with.
    assert jwt_rules.require_audience
    assert jwt_rules.required == {"iss", "exp", "aud"}


def test_a_server_that_only_verifies_has_no_credentials() -> None:
    """Without an introspection there is nobody to authenticate to."""
    assert build(strategy="jwks", client_secret=None).policy().client is None


@pytest.mark.parametrize("option", ["audience", "algorithms", "scope_claims"])
def test_a_list_is_not_written_as_json(option: str) -> None:
    """A JSON list in a variable would be taken for one strange word, which no token has."""
    message = refusal(**{option: '["https://api.example.com"]'})
    assert option in message
    assert "not as JSON" in message


def test_an_empty_secret_is_none() -> None:
    """A variable that an orchestrator sets to nothing is a secret that is missing."""
    assert "client_secret" in refusal(client_secret="")


def test_a_missing_option_is_told_with_its_variable() -> None:
    """The first error most people see says what to set, in either way of setting it."""
    with pytest.raises(ConfigurationError, match=r"issuer: is required .*RESOURCE_SERVER_ISSUER"):
        Settings.build(audience="api")


@pytest.mark.rfc("6750-3-d")
@pytest.mark.parametrize(
    "untold",
    [
        {"resource_name": "Orders"},
        {"resource_tos_uri": "https://api.example.test/terms"},
        {"scopes_supported": ["read"]},
        {"metadata_key": SECRET},
    ],
    ids=lambda untold: next(iter(untold)),
)
def test_what_nobody_would_be_told(untold: dict[str, Any]) -> None:
    """RFC 9728 §2: what stands in the metadata alone is a mistake where no metadata are served."""
    [name] = untold
    assert f"{name} needs resource" in refusal(**untold)


@pytest.mark.parametrize("text", ["admin", "admin:read", "admin=read;writer", '{"admin": ["read"]}'])
def test_implied_scopes_in_another_spelling(text: str) -> None:
    """What is not a table is no empty one: the message shows how it is written."""
    assert "implied_scopes: must be written as admin=read,write;writer=read" in refusal(implied_scopes=text)


@pytest.mark.parametrize("table", [{"a b": ["c"]}, {"a": ["b c"]}, {"a": ['"']}, {"": ["a"]}, {"a": ["é"]}, "=a"])
def test_scopes_that_are_none(table: Any) -> None:
    """RFC 6749 §3.3: what could never be granted includes nothing, and is not included."""
    assert "implied_scopes" in refusal(implied_scopes=table)
