"""The configuration: where it comes from, who has the last word, and how a mistake is named."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from mock_as import Client, MockAS, UsageError
from mock_as.config import Config, json_schema, load
from mock_as.tokens.resources import Resource
from mock_as.tokens.rules import Rule
from mock_as.users import User

EXAMPLE = """
issuer = "https://as.example.test"
profile = "strict"
issuers = ["one", "two"]

[tokens]
format = "opaque"
lifetime = 60

[[clients]]
id = "orders"
secret = "s"
grants = ["client_credentials"]
scopes = ["read", "write"]
claims = { tenant = "acme", sub = "${client_id}" }

[[users]]
sub = "alice"
scopes = ["read", "admin"]
claims = { email = "alice@example.test" }

[[resources]]
uri = "https://orders.example.test"
format = "jwt"

[[rules]]
when = { scope = "admin*" }
claims = { roles = ["admin"] }

[[faults]]
endpoint = "jwks"
action = "not_json"
times = 2
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give the path of a file of configuration."""
    path = tmp_path / "mock_as.toml"
    path.write_text(EXAMPLE)
    return path


def inline(document: Any) -> dict[str, str]:
    """Return an environment with a configuration in it."""
    return {"MOCK_AS_CONFIG": json.dumps(document)}


def complaint(environ: dict[str, str], **options: Any) -> str:
    """Return what is wrong with a configuration."""
    with pytest.raises(UsageError) as caught:
        load(options=options, environ=environ)
    return str(caught.value)


def test_every_section_arrives(file: Path) -> None:
    """What a file says is what the server is made of: scalars, tables, further issuers and faults."""
    config = load(file, environ={})
    mock = config.make()
    assert mock.issuer == "https://as.example.test"
    assert mock.token(client_id="orders").format == "opaque"
    assert config.lifetime == 60
    assert mock.clients["orders"] == Client(
        id="orders",
        secret="s",
        scopes=("read", "write"),
        claims={"tenant": "acme", "sub": "${client_id}"},
    )
    assert mock.users["alice"] == User(sub="alice", scopes=("read", "admin"), claims={"email": "alice@example.test"})
    assert mock.resources["https://orders.example.test"] == Resource(uri="https://orders.example.test", format="jwt")
    assert mock.rules == (Rule(when={"scope": "admin*"}, claims={"roles": ["admin"]}),)
    assert set(mock.tenants) == {"one", "two"}
    assert [(fault.plan.endpoint, fault.plan.times) for fault in mock.faults] == [("jwks", 2)]


def test_client_has_the_words_of_the_tables_above() -> None:
    """A client and a resource say the format of their tokens as [tokens] does, and a client the form of its answers."""
    client = {"id": "rs", "secret": "s", "introspect": True, "response": "jwt", "format": "opaque"}
    mock = load(environ=inline({"clients": [client], "introspection": "json+jwt"})).make()
    assert (mock.clients["rs"].response, mock.token(client_id="rs").format) == ("jwt", "opaque")
    assert mock.options.introspection == "json+jwt"


def test_without_anything() -> None:
    """Where nothing is said the server is the one that MockAS() makes."""
    config = load(environ={})
    assert config.model_fields_set == set()
    assert config.make().options == MockAS().options


def test_last_word(file: Path) -> None:
    """Options have the last word, then the environment, inline JSON, the file; each name by itself."""
    environ = {
        **inline({"lifetime": 120, "audience": "https://inline.example.test", "seed": 1}),
        "MOCK_AS_CONFIG_FILE": str(file),
        "MOCK_AS_LIFETIME": "180",
        "MOCK_AS_AUDIENCE": "https://environment.example.test",
    }
    config = load(options={"lifetime": 240}, environ=environ)
    assert config.lifetime == 240
    assert config.audience == "https://environment.example.test"
    assert config.seed == 1
    assert config.token_format == "opaque"
    assert [client.id for client in config.clients] == ["orders"]


def test_table_of_tokens_has_its_own_rank() -> None:
    """[tokens] says the same as the names without a table, and yields to what is later."""
    environ = {**inline({"tokens": {"format": "opaque"}}), "MOCK_AS_TOKEN_FORMAT": "jwt"}
    assert load(environ=environ).token_format == "jwt"


def test_file_of_json(tmp_path: Path) -> None:
    """A file whose name ends in .json is JSON, with the same names."""
    path = tmp_path / "mock_as.json"
    path.write_text(json.dumps({"lifetime": 60, "users": [{"sub": "alice"}]}))
    config = load(path, environ={})
    assert (config.lifetime, config.users) == (60, (User(sub="alice"),))


def test_scalars_in_the_environment() -> None:
    """Each scalar has a variable; numbers and truth values are read."""
    environ = {"MOCK_AS_OPEN_CLIENTS": "true", "MOCK_AS_SEED": "7", "MOCK_AS_PORT": "0", "MOCK_AS_ADMIN": "no"}
    config = load(environ=environ)
    assert (config.open_clients, config.seed, config.port, config.admin) == (True, 7, 0, False)


def test_variables_of_others() -> None:
    """What Docker and Kubernetes say about a service of this name is no configuration, and neither is MOCK_AS_URL."""
    environ = {
        "MOCK_AS_PORT": "tcp://10.0.0.1:9000",
        "MOCK_AS_PORT_9000_TCP_ADDR": "10.0.0.1",
        "MOCK_AS_SERVICE_HOST": "10.0.0.1",
        "MOCK_AS_URL": "http://127.0.0.1:9000",
        "PATH": "/bin",
    }
    assert load(environ=environ).model_fields_set == set()


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"isuer": "x"}, "MOCK_AS_CONFIG: isuer: is unknown; did you mean 'issuer'?"),
        (
            {"clients": [{"id": "a", "secret": "b"}, {"id": "c", "secret": "d", "scpoes": []}]},
            "MOCK_AS_CONFIG: clients[1].scpoes: is unknown; did you mean 'scopes'?",
        ),
        ({"users": [{}]}, "MOCK_AS_CONFIG: users[0].sub: Field required"),
        ({"users": [{"sub": ""}]}, "MOCK_AS_CONFIG: users[0].users: a user needs a sub"),
        ({"tokens": {"fromat": "jwt"}}, "MOCK_AS_CONFIG: tokens.fromat: is unknown; did you mean 'format'?"),
        ({"tokens": {"xyz": 1}}, "MOCK_AS_CONFIG: tokens.xyz: is unknown; there are format, lifetime"),
        ({"port": 65536}, "MOCK_AS_CONFIG: port: Input should be less than or equal to 65535"),
        (
            {"audience": 5},
            "MOCK_AS_CONFIG: audience: Input should be a valid string or Input should be a valid list",
        ),
        (
            {"users": [{"sub": "alice", "scopes": ["read", 1]}], "seed": [7]},
            "MOCK_AS_CONFIG: users[0].scopes[1]: Input should be a valid string; seed: Input should be a valid integer",
        ),
        ({"clients": {}}, "MOCK_AS_CONFIG: clients: Input should be a valid list"),
        ([], "MOCK_AS_CONFIG: is not a JSON object"),
    ],
)
def test_mistakes_are_named(document: Any, message: str) -> None:
    """A mistake is named with its source, its place, and the name that was probably meant; several all at once."""
    found = complaint(inline(document))
    assert sorted(found.removeprefix("MOCK_AS_CONFIG: ").split("; ")) == sorted(
        message.removeprefix("MOCK_AS_CONFIG: ").split("; ")
    )


def test_mistakes_elsewhere() -> None:
    """A variable is named as the environment has it and an option as the command line does; no value is shown."""
    assert complaint({"MOCK_AS_LIFETIME": "secret"}) == (
        "the environment: MOCK_AS_LIFETIME: Input should be a valid integer, unable to parse string as an integer"
    )
    assert complaint({"MOCK_AS_ISUER": "x"}) == "MOCK_AS_ISUER: is unknown; did you mean 'MOCK_AS_ISSUER'?"
    assert complaint({}, admin_port=-1) == (
        "the command line: --admin-port: Input should be greater than or equal to 0"
    )
    assert complaint({"MOCK_AS_CONFIG": "{"}) == "MOCK_AS_CONFIG: is not JSON"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("mock_as.toml", b"issuer =", "is not TOML: Invalid value"),
        ("mock_as.json", b"issuer =", "is not JSON"),
        ("mock_as.toml", b"\xff", "cannot be read: it is not UTF-8"),
        ("mock_as.toml", None, "cannot be read: No such file or directory"),
    ],
)
def test_unreadable_file(name: str, content: bytes | None, message: str, tmp_path: Path) -> None:
    """A file that is not there, or is nothing that can be read, is named with the reason."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        load(path, environ={})
    assert caught.value.field == str(path)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"issuer": "ftp://as.example.test"}, "issuer"),
        ({"lifetime": 0}, "lifetime"),
        ({"issuers": ["a/b"]}, "tenant"),
        ({"faults": [{"endpoint": "jwks", "status": 503}, {"endpoint": "jwsk"}]}, "faults[1].endpoint"),
    ],
)
def test_values_that_no_server_can_have(document: Any, field: str) -> None:
    """What only the server itself can judge is judged when it is made, and the field is named."""
    with pytest.raises(UsageError) as caught:
        load(environ=inline(document)).make()
    assert caught.value.field == field


def test_keywords_are_those_of_the_server() -> None:
    """Every keyword of MockAS can be configured, but for a clock, and has the same default."""
    parameters = {name: one.default for name, one in inspect.signature(MockAS).parameters.items() if name != "clock"}
    assert {name: Config.model_fields[name].default for name in parameters} == parameters


def test_schema_describes_everything() -> None:
    """The JSON Schema forbids unknown names, and says of each name at the top what it means."""
    schema = json_schema()
    assert schema["additionalProperties"] is False
    assert all(schema["$defs"][name]["additionalProperties"] is False for name in ("Client", "Rule", "User", "Wish"))
    assert [name for name, one in schema["properties"].items() if not one.get("description")] == []
    assert schema["$defs"]["Client"]["properties"]["introspect"]["description"].startswith("Whether it may introspect")


def test_secrets_do_not_show() -> None:
    """No secret is in a text form of the configuration."""
    config = load(environ=inline({"admin_token": "canary", "clients": [{"id": "a", "secret": "canary"}]}))
    assert "canary" not in repr(config)
