"""Client certificates over real connections: to a server that ends TLS itself, and to one behind a real nginx."""

from __future__ import annotations

import ssl
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from mock_as import MockAS
from tests.support.api import API
from tests.support.live import serve
from tests.support.nginx import find_nginx, proxy
from tests.support.promises import PRESENTED
from tests.support.sockets import Certificate, certificate
from tests.support.tls_server import serve_tls

pytestmark = pytest.mark.anyio

HEADER = "X-SSL-Client-Cert"


def make(folder: Path, name: str) -> Certificate:
    """Make a certificate in a folder of its own."""
    (folder / name).mkdir()
    return certificate(folder / name, host="127.0.0.1" if name == "server" else f"{name}.example.test")


class Cast:
    """The certificates of all who take part, and a token that is bound to one client's.

    Args:
        folder: where the certificates are.
        mock_as: who issues the token.
    """

    def __init__(self, folder: Path, mock_as: MockAS) -> None:
        """Make them."""
        self.server, self.client, self.thief = (make(folder, name) for name in ("server", "client", "thief"))
        self.pem = self.client.certificate.read_text()
        digest = sha256(ssl.PEM_cert_to_DER_cert(self.pem)).digest()
        x5t = urlsafe_b64encode(digest).rstrip(b"=").decode()
        self.token = mock_as.token(sub="alice", scope="read", cnf={"x5t#S256": x5t}).value
        PRESENTED.add(self.token)

    async def ask(self, port: int, shown: Certificate | None, **fields: str) -> int:
        """Send the token over a new connection, and return the status of the answer."""
        context = ssl.create_default_context(cafile=str(self.server.certificate))
        if shown is not None:
            context.load_cert_chain(shown.certificate, shown.key)
        async with httpx.AsyncClient(verify=context, trust_env=False) as client:
            headers = {"authorization": f"Bearer {self.token}", **fields}
            answer = await client.get(f"https://127.0.0.1:{port}/things", headers=headers)
        assert self.token not in answer.text
        return answer.status_code


@pytest.fixture
def cast(tmp_path: Path, mock_as: MockAS) -> Cast:
    """Give the certificates and the token."""
    return Cast(tmp_path, mock_as)


@pytest.mark.rfc("8705-3-a", "8705-6.5-a")
async def test_a_server_that_ends_tls(cast: Cast, mock_as: MockAS) -> None:
    """RFC 8705 §3: the certificate of the handshake counts, as the server's ASGI extension tells it, and no header."""
    api, context = API(mock_as, mtls="optional"), cast.server.server_context()
    context.verify_mode = ssl.CERT_OPTIONAL
    for made in (cast.client, cast.thief):
        context.load_verify_locations(made.certificate)
    async with serve_tls(api.app, context) as port:
        assert await cast.ask(port, cast.client) == 200
        assert await cast.ask(port, cast.thief) == 401
        assert await cast.ask(port, None) == 401
        assert await cast.ask(port, cast.thief, **{HEADER: quote(cast.pem, safe="")}) == 401
    assert api.entered.total() == 1


@pytest.fixture
def behind_nginx(cast: Cast, mock_as: MockAS, tmp_path: Path) -> Iterator[int]:
    """Serve an API behind nginx, and give the proxy's port."""
    nginx = find_nginx()
    if nginx is None:
        pytest.skip("nginx is not installed")
    api = API(mock_as, mtls="optional", certificate_header=HEADER, trusted_proxies=["127.0.0.1"])
    with serve(api.app, "h11") as upstream, proxy(nginx, upstream, cast.server, tmp_path) as port:
        yield port


@pytest.mark.attack("A-D-10")
@pytest.mark.rfc("8705-3-a", "8705-6.5-a")
async def test_behind_nginx(cast: Cast, behind_nginx: int) -> None:
    """RFC 8705 §6.5: what nginx has seen in the handshake counts, and nothing that a client writes in its stead."""
    spoofed = quote(cast.pem, safe="")
    assert await cast.ask(behind_nginx, cast.client) == 200
    assert await cast.ask(behind_nginx, cast.client, **{HEADER: "nonsense"}) == 200
    assert await cast.ask(behind_nginx, cast.thief) == 401
    assert await cast.ask(behind_nginx, None) == 401
    for name in (HEADER, HEADER.lower(), HEADER.replace("-", "_")):
        assert await cast.ask(behind_nginx, cast.thief, **{name: spoofed}) == 401
        assert await cast.ask(behind_nginx, None, **{name: spoofed}) == 401
