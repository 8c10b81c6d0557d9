"""A real nginx before an application, which ends TLS and passes on what clients have shown."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.support.live import end
from tests.support.sockets import Certificate

_CONFIGURATION = """
daemon off;
pid {folder}/nginx.pid;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_verify_client optional_no_ca;
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert;
        }}
    }}
}}
"""


def find_nginx() -> str | None:
    """Find the program, where it is installed: it is for administrators, so not everybody's path leads there."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def proxy(nginx: str, upstream: int, made: Certificate, folder: Path) -> Generator[int]:
    """Run the proxy while the block runs.

    Args:
        nginx: the program.
        upstream: the application's port.
        made: the certificate of the proxy.
        folder: for its files.

    Yields:
        Its port.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        paths = {"folder": folder, "certificate": made.certificate, "key": made.key}
        (folder / "nginx.conf").write_text(_CONFIGURATION.format(port=port, upstream=upstream, **paths))
        process = subprocess.Popen(
            [nginx, "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf"],
            # It takes over a socket that listens already, as when it is upgraded: nobody need wait until it is ready.
            env=os.environ | {"NGINX": f"{listener.fileno()};"},
            pass_fds=[listener.fileno()],
            stderr=subprocess.DEVNULL,
        )
    try:
        yield port
    finally:
        end(process)
