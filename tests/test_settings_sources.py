"""Where options come from: the environment, a ``.env`` file, secret files and a TOML file, in this order."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from resource_server import ConfigurationError, ResourceServer, Settings
from resource_server._sources import ENV_PREFIX

ISSUER = "https://as.example.com"
SECRET = "canary-client-secret"
COMPLETE: dict[str, Any] = {"issuer": ISSUER, "audience": "rs", "client_id": "rs", "client_secret": SECRET}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take away what the machine itself says, and stand in an empty folder."""
    for name in [name for name in os.environ if name.upper().startswith(ENV_PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """Say everything that is needed in the environment."""
    for name, value in COMPLETE.items():
        monkeypatch.setenv(ENV_PREFIX + name.upper(), value)


def refusal(**options: Any) -> str:
    """Return what is said of a configuration that is not acceptable."""
    with pytest.raises(ConfigurationError) as refused:
        Settings.from_env(**options)
    assert SECRET not in str(refused.value)
    assert (refused.value.__cause__, refused.value.__context__ is None or refused.value.__suppress_context__) == (
        None,
        True,
    )
    return str(refused.value)


@pytest.mark.usefixtures("complete")
@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("CACHE_TTL", "7.5", 7.5),
        ("CACHE_SIZE", "10", 10),
        ("UNAVAILABLE_STATUS", "503", 503),
        ("STRATEGY", "introspect", "introspect"),
        (
            "AUDIENCE",
            "https://a.example.com, https://b.example.com",
            ("https://a.example.com", "https://b.example.com"),
        ),
        ("SCOPE_CLAIMS", "scp scope", ("scp", "scope")),
        ("CROSS_CHECK", "false", False),
        ("CLIENT_AUTH_METHOD", "client_secret_post", "client_secret_post"),
        ("JWT_PROFILE", "lenient", "lenient"),
        ("ERROR_FORMAT", "oauth", "oauth"),
        ("ALGORITHMS", "ES256,RS256", ("ES256", "RS256")),
        ("REALM", "a realm", "a realm"),
        ("TRUST_ENV", "1", True),
        ("INTROSPECTION_ENDPOINT", "https://as.example.com/i", "https://as.example.com/i"),
    ],
)
def test_the_environment(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object) -> None:
    """Each option is a variable with the prefix ``RESOURCE_SERVER_``."""
    monkeypatch.setenv(ENV_PREFIX + name, text)
    assert getattr(Settings.from_env(), name.lower()) == value


def test_nothing_said() -> None:
    """What is needed and missing is named."""
    assert refusal().startswith("issuer")


@pytest.mark.usefixtures("complete")
def test_the_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A keyword wins over the environment, that over ``.env``, that over secret files, those over TOML."""
    names = ["leeway", "cache_ttl", "negative_cache_ttl", "stale_if_error", "timeout"]
    (tmp_path / "settings.toml").write_text("".join(f"{name} = 5.0\n" for name in names))
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in names[:4]:
        (secrets / f"resource_server_{name}").write_text("4.0\n")
    (tmp_path / ".env").write_text("".join(f"RESOURCE_SERVER_{name.upper()}=3.0\n" for name in names[:3]))
    for name in names[:2]:
        monkeypatch.setenv(ENV_PREFIX + name.upper(), "2.0")
    settings = Settings.from_env(secrets_dir=secrets, toml_file="settings.toml", leeway=1.0)
    assert [getattr(settings, name) for name in names] == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_a_file_for_each_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A secret may come from a file of its own, as orchestrators mount them; a final line break is not part of it."""
    (tmp_path / "resource_server_client_secret").write_text(SECRET + "\n")
    (tmp_path / "somebody_elses_secret").write_text("other")
    for name in ("issuer", "audience", "client_id"):
        monkeypatch.setenv(ENV_PREFIX + name.upper(), COMPLETE[name])
    settings = Settings.from_env(secrets_dir=tmp_path)
    assert settings.client_secret is not None
    assert settings.client_secret.get_secret_value() == SECRET
    assert SECRET not in repr(settings)


def test_a_toml_file(tmp_path: Path) -> None:
    """A TOML file has the options as its keys, with TOML's own types."""
    (tmp_path / "a.toml").write_text(
        f'issuer = "{ISSUER}"\naudience = ["a", "b"]\nstrategy = "jwks"\ncache_ttl = 3\ncross_check = false\n'
    )
    settings = Settings.from_env(toml_file=tmp_path / "a.toml")
    assert (settings.audience, settings.cache_ttl, settings.cross_check) == (("a", "b"), 3.0, False)


@pytest.mark.usefixtures("complete")
def test_a_dotenv_file_belongs_to_the_whole_application(tmp_path: Path) -> None:
    """Lines for other parts of the application are none of our business, also where they sound like an option."""
    (tmp_path / ".env").write_text(
        "DATABASE_URL=postgres://x\nISSUER=https://x.example.com\nRESOURCE_SERVER_LEEWAY=9\n"
    )
    settings = Settings.from_env()
    assert (settings.leeway, settings.issuer) == (9.0, ISSUER)


@pytest.mark.usefixtures("complete")
def test_a_dotenv_file_may_be_elsewhere_or_nowhere(tmp_path: Path) -> None:
    """Which file is read is the caller's choice; one that is not there is passed over."""
    (tmp_path / ".env").write_text("RESOURCE_SERVER_LEEWAY=9\n")
    (tmp_path / "other").write_text("RESOURCE_SERVER_LEEWAY=8\n")
    assert Settings.from_env(env_file=None).leeway == 0.0
    assert Settings.from_env(env_file=tmp_path / "other").leeway == 8.0
    assert Settings.from_env(env_file=tmp_path / "missing").leeway == 0.0


@pytest.mark.usefixtures("complete")
@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("RESOURCE_SERVER_CACHE_TLL", "RESOURCE_SERVER_CACHE_TTL"),
        ("RESOURCE_SERVER_CLIENTSECRET", "RESOURCE_SERVER_CLIENT_SECRET"),
        ("RESOURCE_SERVER_UNAVAILABLE_STATE", "RESOURCE_SERVER_UNAVAILABLE_STATUS"),
        ("RESOURCE_SERVER_ISSUERS", "RESOURCE_SERVER_ISSUER"),
    ],
)
def test_a_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, meant: str) -> None:
    """A variable that is almost an option is refused with a suggestion: ignoring it would leave a default instead."""
    monkeypatch.setenv(name, SECRET)
    message = refusal()
    assert name in message
    assert f"did you mean {meant}?" in message


@pytest.mark.usefixtures("complete")
@pytest.mark.parametrize("name", ["PORT", "SERVICE_HOST", "PORT_8080_TCP_ADDR", "SERVICE_PORT_HTTP"])
def test_an_orchestrators_variables_are_let_be(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A service that is called resource-server gets variables from its orchestrator that mean nothing here."""
    monkeypatch.setenv(ENV_PREFIX + name, "tcp://10.0.0.1:80")
    assert Settings.from_env().issuer == ISSUER


@pytest.mark.usefixtures("complete")
@pytest.mark.parametrize(
    ("file", "content", "option"),
    [
        (".env", "RESOURCE_SERVER_CACHE_TLL=1\n", "'resource_server_cache_tll'"),
        ("a.toml", "cache_tll = 1\n", "'cache_tll'"),
        ("a.toml", "[resource_server]\ncache_ttl = 1\n", "'resource_server'"),
    ],
)
def test_an_unknown_option_in_a_file(tmp_path: Path, file: str, content: str, option: str) -> None:
    """In a file that is written for us, what is no option is a mistake."""
    (tmp_path / file).write_text(content)
    assert f"unknown option {option}" in refusal(toml_file="a.toml" if file == "a.toml" else None)


@pytest.mark.usefixtures("complete")
@pytest.mark.parametrize(
    "options",
    [
        {"toml_file": "missing.toml"},
        {"toml_file": "broken.toml"},
        {"toml_file": "latin1"},
        {"env_file": "latin1"},
        {"secrets_dir": "missing"},
        {"secrets_dir": "broken.toml"},
    ],
    ids=lambda options: " ".join(f"{name} {value}" for name, value in options.items()),
)
def test_a_file_that_cannot_be_read(tmp_path: Path, options: dict[str, str]) -> None:
    """A file that was named and cannot be read stops the start: its options would silently be the defaults."""
    (tmp_path / "broken.toml").write_text(f'client_secret = "{SECRET}')
    (tmp_path / "latin1").write_bytes(b"RESOURCE_SERVER_REALM=\xe9\n")
    assert refusal(**options).startswith("the configuration cannot be read")


@pytest.mark.usefixtures("complete")
def test_a_bad_value_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value is judged alike wherever it comes from."""
    monkeypatch.setenv("RESOURCE_SERVER_TIMEOUT", "soon")
    assert refusal() == "timeout: Input should be a valid number, unable to parse string as a number (got 'soon')"


@pytest.mark.usefixtures("complete")
def test_an_unknown_keyword_beside_the_environment() -> None:
    """Keywords are keywords here too."""
    with pytest.raises(TypeError, match="'cache_tll'"):
        ResourceServer.from_env(cache_tll=1)
