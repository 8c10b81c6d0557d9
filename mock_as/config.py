"""The configuration of a server: a file, inline JSON, the environment, and options of the command line.

What is later in this list has the last word, name by name. A name that does not exist is an error, which says where it
stands and which one was probably meant.
"""

from __future__ import annotations

import difflib
import inspect
import json
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from mock_as.clients import Client
from mock_as.errors import UsageError
from mock_as.faults.book import Wish
from mock_as.mock import MockAS
from mock_as.options import DEFAULT_AUDIENCE, IntrospectionOffer
from mock_as.sections import STRICT, Section, described, fields_of
from mock_as.tokens import TokenFormat
from mock_as.tokens.resources import Resource
from mock_as.tokens.rules import Rule
from mock_as.users import User

PREFIX = "MOCK_AS_"
"""What every variable of the environment begins with."""
INLINE = f"{PREFIX}CONFIG"
FILE = f"{PREFIX}CONFIG_FILE"
_NOT_OURS = {INLINE, FILE, f"{PREFIX}URL"}

_TABLES = ("clients", "faults", "issuers", "resources", "rules", "tokens", "users")
_ALMOST = 0.8


class Tokens(BaseModel):
    """The tokens of clients and resources that say nothing else."""

    model_config = STRICT

    format: TokenFormat = "jwt"
    """What they are: signed, or known to the server alone."""
    lifetime: int = 3600
    """How long access tokens live, in seconds."""


class Config(BaseModel):
    """Everything that can be configured: the keywords of MockAS, and how it is served."""

    model_config = STRICT

    issuer: str | None = None
    """The issuer URL; "auto" for the address that each request is sent to; by default the one it is served under."""
    front_url: str | None = None
    """Where browsers reach it, if not at the issuer's host: scheme, host and port."""
    back_url: str | None = None
    """Where other servers reach it: likewise."""
    audience: str | tuple[str, ...] = DEFAULT_AUDIENCE
    """The audience of tokens that name no other, or several."""
    clients: tuple[Annotated[Client, Section()], ...] = ()
    """Clients beside the ready-made ones."""
    users: tuple[Annotated[User, Section()], ...] = ()
    """People beside the ready-made ones."""
    resources: tuple[Annotated[Resource, Section()], ...] = ()
    """Resources whose tokens differ from the rest."""
    rules: tuple[Annotated[Rule, Section()], ...] = ()
    """Claims that tokens get by what they are for."""
    keys: str | None = None
    """A file of private keys, as a JWKS or PEM, so that they outlive the server."""
    token_format: TokenFormat = "jwt"  # noqa: S105 - no secret
    """The same as format in [tokens]."""
    lifetime: int = 3600
    """The same as lifetime in [tokens]."""
    seed: int | None = None
    """Makes every id, code and opaque token reproducible."""
    profile: str = "strict"
    """Which real server's behaviour is put on."""
    refuse_jwt_introspection: bool = False
    """Answer 400 unsupported_token_type for JWTs, as some real servers do."""
    introspection: IntrospectionOffer = "json"
    """What introspection answers to callers registered for JSON: json+jwt for a JWT where they ask for it."""
    jwks_max_age: int = 300
    """How long the keys may be cached, in seconds."""
    open_clients: bool = False
    """Let clients that are not registered authenticate with any secret."""
    rotate_refresh_tokens: bool = True
    """Replace a refresh token whenever it is used."""
    password_grant: bool = False
    """Offer the grant that RFC 9700 section 2.4 forbids."""
    admin_token: str | None = Field(default=None, repr=False)
    """What the control plane asks for as a bearer token."""
    admin: bool = True
    """Whether there is a control plane."""

    tokens: Tokens = Tokens()
    """What tokens are, where neither client nor resource says it."""
    issuers: tuple[str, ...] = ()
    """The names of further issuers, each with everything of its own; the last part of the URL of each."""
    faults: tuple[Annotated[Wish, Section()], ...] = ()
    """What goes wrong from the start, until somebody clears it, and again after each reset."""

    host: str = "127.0.0.1"
    """The address to listen at."""
    port: Annotated[int, Field(ge=0, le=65535)] = 9000
    """The port; 0 for any that is free."""
    admin_port: Annotated[int, Field(ge=0, le=65535)] | None = None
    """A port for the control plane alone, which is then not at the other."""
    allow_remote: bool = False
    """Listen at an address that other machines can reach."""
    tls: bool = False
    """Serve https, with a certificate made for it."""

    def make(self) -> MockAS:
        """Make the authorization server that is configured.

        Raises:
            UsageError: a value is not one that can be used.
        """
        mock = MockAS(**self._keywords())
        for name in self.issuers:
            mock.tenant(name)
        return mock

    def _keywords(self) -> dict[str, Any]:
        known = inspect.signature(MockAS).parameters
        return {name: getattr(self, name) for name in known if name in self.model_fields_set}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a configuration, which says what each name means."""
    sources = (Config, Tokens, Client, Resource, Rule, User, Wish)
    schema = described(Config.model_json_schema(), sources)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def load(
    path: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Config:
    """Read the configuration from everywhere.

    Args:
        path: the file; by default the one that the environment names.
        options: what has the last word.
        environ: the environment.

    Raises:
        UsageError: a file cannot be read, or says something that cannot be; the field is its name.
    """
    chosen = path or environ.get(FILE)
    merged: dict[str, Any] = {}
    if chosen:
        merged |= _checked(str(chosen), _read(Path(chosen)))
    if inline := environ.get(INLINE):
        merged |= _checked(INLINE, _parse_json(INLINE, inline))
    merged |= _checked("the environment", _variables(environ), lambda name: f"{PREFIX}{name.upper()}")
    merged |= _checked("the command line", dict(options or {}), lambda name: f"--{name.replace('_', '-')}")
    return Config.model_construct(set(merged), **merged)


# --------------------------------------------------------------------------------------------------------- sources


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(str(path), f"cannot be read: {reason}") from None
    if path.suffix == ".json":
        return _parse_json(str(path), text)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(str(path), f"is not TOML: {error}") from None


def _parse_json(source: str, text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError(source, "is not JSON") from None
    if not isinstance(document, dict):
        raise UsageError(source, "is not a JSON object")
    return document


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Read the scalars; a container engine may have set further variables, so only what is almost a name is an error.

    Kubernetes and Docker describe a service called mock-as in variables such as MOCK_AS_PORT=tcp://10.0.0.1:9000.
    """
    scalars = [name for name in Config.model_fields if name not in _TABLES]
    ours = {name: value for name, value in environ.items() if name.startswith(PREFIX) and name not in _NOT_OURS}
    found = {name.removeprefix(PREFIX).lower(): value for name, value in ours.items() if not _is_link(value)}
    for name in sorted(set(found) - set(scalars)):
        close = difflib.get_close_matches(name, scalars, n=1, cutoff=_ALMOST)
        if close:
            raise UsageError(PREFIX + name.upper(), f"is unknown; did you mean '{PREFIX}{close[0].upper()}'?")
    return {name: value for name, value in found.items() if name in scalars}


def _is_link(value: str) -> bool:
    return value.startswith(("tcp://", "udp://"))


# -------------------------------------------------------------------------------------------------------- judgement


def _checked(source: str, document: Mapping[str, Any], spell: Callable[[str], str] = str) -> dict[str, Any]:
    """Return what a source says, each value as the type it is to have."""
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        raise UsageError(source, "; ".join(_problems(error, spell))) from None
    said = {name: getattr(config, name) for name in config.model_fields_set}
    tokens = said.pop("tokens", None)
    if tokens is not None:
        names = {"format": "token_format", "lifetime": "lifetime"}
        said |= {names[name]: getattr(tokens, name) for name in tokens.model_fields_set}
    return said


def _problems(error: ValidationError, spell: Callable[[str], str]) -> list[str]:
    """Name each value that cannot be, and what is wrong with it; one that could have several types is named once."""
    found: dict[str, list[str]] = {}
    for detail in error.errors(include_url=False):
        first, *rest = _without_types(detail["loc"])
        path, message = (spell(str(first)), *rest), detail["msg"].replace("a valid tuple", "a valid list")
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, UsageError):
            path, message = (*path, cause.field), cause.message
        elif detail["type"] == "extra_forbidden":
            message = _hint(str(detail["loc"][-1]), _names_at(detail["loc"]))
        found.setdefault(_place(path), []).append(message)
    return [f"{place}: {' or '.join(messages)}" for place, messages in found.items()]


def _without_types(path: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Leave out which of several types did not fit: those are steps of a path as pydantic sees it."""
    depth = {"tokens": 2}.get(str(path[0]), 3) if path[0] in _TABLES else 1
    return (*path[:depth], *(step for step in path[depth:] if isinstance(step, int)))


def _place(path: Iterable[int | str]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _names_at(path: tuple[int | str, ...]) -> list[str]:
    sections = {"clients": Client, "faults": Wish, "resources": Resource, "rules": Rule, "users": User}
    if len(path) == 1:
        return list(Config.model_fields)
    return list(Tokens.model_fields) if path[0] == "tokens" else fields_of(sections[str(path[0])])


def _hint(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"is unknown; did you mean {close[0]!r}?" if close else f"is unknown; there are {', '.join(sorted(known))}"
