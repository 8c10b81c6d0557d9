"""The pages about authorization servers: one outline, and settings that are played with the tokens of the page."""

import json
import os
import re
import tomllib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from unittest.mock import patch

import httpx
import pytest
from fastapi import FastAPI

from mock_as import Client, MockAS
from mock_as.profiles import PROFILES
from resource_server import ConfigurationError, Principal, ResourceServer
from resource_server.fastapi import install, require
from tests.docs.pages import ROOT, blocks, read
from tests.docs.test_outline import headings

pytestmark = pytest.mark.anyio

SERVERS = ["keycloak", "auth0", "okta", "entra-id", "hydra", "zitadel"]
OUTLINE = [
    "What its tokens say",
    "Introspection",
    "Set up there",
    "Settings",
    "Three mistakes",
    "Checked, and not",
]
SCOPE = {"entra-id": "orders.read"}
SECRET = "the-secret-of-the-api"
MINTED = ("iss", "iat", "exp", "jti")
"""The claims that the mock writes by itself, and that say nothing of who has issued the token."""
ORDINARY = {"issuer", "audience", "client_id", "introspection_endpoint"}
OPAQUE = ["hydra", "zitadel"]
NO_FALLBACK = ["zitadel"]
"""Whose page says that its JWTs were not looked at."""


@dataclass(frozen=True, slots=True)
class Guide:
    """What a page says of its authorization server."""

    name: str
    settings: dict[str, Any]
    header: dict[str, Any]
    claims: dict[str, Any]

    @property
    def scope(self) -> str:
        """The scope that the route demands."""
        return SCOPE.get(self.name, "orders:read")

    @property
    def introspects(self) -> bool:
        """Whether there is somebody to ask."""
        return self.settings.get("strategy") != "jwks"

    def mock(self) -> MockAS:
        """Make an authorization server that answers as this one does, where there is a profile of it."""
        profile = self.name if self.name in PROFILES else "strict"
        clients = [Client(id=self.settings["client_id"], secret=SECRET, introspect=True)] if self.introspects else []
        return MockAS(issuer=self.settings["issuer"], profile=profile, clients=clients)

    def token(self, mock: MockAS, **wishes: Any) -> str:
        """Mint the token of the page; introspection tells of its scopes as text, whatever the token calls them."""
        absent = dict.fromkeys(("client_id", "scope", "aud"))
        claims = absent | {name: value for name, value in self.claims.items() if name not in MINTED}
        header = {"typ": None} | {name: value for name, value in self.header.items() if name != "alg"}
        token = mock.token(
            sub=claims["sub"], alg="RS256", header=header, claims=claims | wishes.pop("claims", {}), **wishes
        )
        mock.tokens.edit(token, scope=self.scope)
        return token.value

    def server(
        self, mock: MockAS, folder: Path, without: str | None = None, scope_claims: list[str] | None = None
    ) -> ResourceServer:
        """Make a resource server of the page's file, perhaps without one of its lines, or with one more."""
        text = re.sub(rf"^{without} = .*\n", "", shown(self.name, "toml", "resource-server.toml"), flags=re.MULTILINE)
        path = folder / "resource-server.toml"
        path.write_text(text, encoding="utf-8")
        options: dict[str, Any] = {"client_secret": SECRET} if "client_id" in text else {}
        if scope_claims is not None:
            options["scope_claims"] = scope_claims
        if "introspection_endpoint" in text:
            options["introspection_endpoint"] = mock.url.introspection
        with patch.dict(os.environ):
            for name in [name for name in os.environ if name.startswith("RESOURCE_SERVER_")]:
                del os.environ[name]
            return ResourceServer.from_env(env_file=None, toml_file=path, transport=mock.transport(), **options)


def shown(name: str, language: str, title: str) -> str:
    """Return the one block of a page that has this title."""
    [text] = [block.text for block in blocks(f"docs/as-{name}.md", language) if block.title == title]
    return text


def read_guide(name: str) -> Guide:
    """Read a page."""
    block = partial(shown, name)
    return Guide(
        name,
        tomllib.loads(block("toml", "resource-server.toml")),
        json.loads(block("json", "header")),
        json.loads(block("json", "claims")),
    )


@pytest.fixture(params=SERVERS)
def guide(request: pytest.FixtureRequest) -> Guide:
    """Read one page after the other."""
    return read_guide(request.param)


async def ask(rs: ResourceServer, token: str, scope: str) -> tuple[int, str | None]:
    """Send one request to an API behind this server: the status, and how sure it was."""
    app = FastAPI()
    install(app, rs)

    @app.get("/orders")
    async def orders(caller: Annotated[Principal, require(scope)]) -> dict[str, str]:
        return {"assurance": caller.assurance}

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://api.example.com") as client:
        answer = await client.get("/orders", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code, answer.json().get("assurance")


@pytest.mark.parametrize("name", SERVERS)
def test_outline(name: str) -> None:
    """Each page has the same parts in the same order, and three mistakes."""
    page = f"docs/as-{name}.md"
    assert len(headings(page, 1)) == 1
    assert headings(page, 2) == OUTLINE
    mistakes = read(page).partition("## Three mistakes")[2].partition("\n## ")[0]
    assert re.findall(r"^(\d)\. \*\*", mistakes, re.MULTILINE) == ["1", "2", "3"]
    assert "Not checked" in read(page).partition("## Checked, and not")[2]


def test_every_page_is_in_the_table() -> None:
    """The page that leads to them has a row for each, and names the settings that it has beside the usual ones."""
    rows = dict(
        re.findall(
            r"^\| \[[^\]]+\]\(as-([\w-]+)\.md\).*\| ([^|]+) \|$", read("docs/authorization-servers.md"), re.MULTILINE
        )
    )
    assert sorted(rows) == sorted(SERVERS) == sorted(path.stem[3:] for path in (ROOT / "docs").glob("as-*.md"))
    for name, cell in rows.items():
        settings = tomllib.loads(shown(name, "toml", "resource-server.toml"))
        special = set(settings) - (ORDINARY - {"introspection_endpoint"})
        assert set(re.findall(r"`(\w+)`", cell)) == special


async def test_the_settings_accept_its_tokens(guide: Guide, tmp_path: Path) -> None:
    """With the page's settings a token as the page shows it is accepted, and one for another audience is not."""
    mock = guide.mock()
    async with guide.server(mock, tmp_path) as rs:
        expected = "introspected" if guide.introspects else "local"
        assert await ask(rs, guide.token(mock), guide.scope) == (200, expected)
        if guide.name in OPAQUE:
            assert await ask(rs, guide.token(mock, format="opaque"), guide.scope) == (200, "introspected")
        stranger = guide.token(mock, claims={"aud": "https://other.example.com"})
        assert (await ask(rs, stranger, guide.scope))[0] == 401


async def test_its_jwts_are_good_in_an_outage(guide: Guide, tmp_path: Path) -> None:
    """Where it can be asked and does not answer, its JWTs are accepted by their signature."""
    if not guide.introspects or guide.name in NO_FALLBACK:
        return
    mock = guide.mock()
    mock.fault("introspect", "timeout")
    async with guide.server(mock, tmp_path) as rs:
        assert await ask(rs, guide.token(mock), guide.scope) == (200, "local")


async def test_each_special_setting_is_needed(guide: Guide, tmp_path: Path) -> None:
    """Without any one of the lines that are not for everybody, there is a token of the page that is refused."""
    for name in sorted(set(guide.settings) - ORDINARY):
        mock = guide.mock()
        if guide.introspects:
            mock.fault("introspect", "timeout")
        try:
            rs = guide.server(mock, tmp_path, without=name)
        except ConfigurationError:
            continue
        async with rs:
            assert (await ask(rs, guide.token(mock), guide.scope))[0] in {401, 403}, name


@pytest.mark.parametrize(
    ("name", "claims", "scope_claims"),
    [
        ("entra-id", {"scp": None, "roles": ["orders.read", "orders.write"]}, None),
        ("auth0", {"scope": "openid", "permissions": ["orders:read"]}, ["permissions"]),
        ("auth0", {"azp": None, "client_id": "web", "jti": "1"}, None),
    ],
)
async def test_the_other_tokens_of_a_page(
    name: str, claims: dict[str, Any], scope_claims: list[str] | None, tmp_path: Path
) -> None:
    """What a page says beside its table holds too: a client's roles, permissions, and the standard's profile."""
    guide = read_guide(name)
    mock = guide.mock()
    async with guide.server(mock, tmp_path, scope_claims=scope_claims) as rs:
        assert await ask(rs, guide.token(mock, claims=claims), guide.scope) == (200, "local")


def test_the_key_that_zitadel_gives() -> None:
    """The function on Zitadel's page makes a server of the file that one downloads there."""
    from joserfc.jwk import RSAKey  # noqa: PLC0415 - what the page itself imports

    [block] = blocks("docs/as-zitadel.md", "python")
    namespace: dict[str, Any] = {}
    exec(compile(block.text, block.page, "exec"), namespace)  # noqa: S102 - the page is this repository's own
    pem = RSAKey.generate_key(2048).as_pem(private=True).decode()
    file = {"type": "application", "keyId": "81693565968962154", "key": pem, "clientId": "1@orders"}
    server: ResourceServer = namespace["server"](json.dumps(file))
    assert server.settings.client_id == "1@orders"
