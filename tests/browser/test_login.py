"""The login page in a real browser: with the keyboard, without JavaScript, and back to an application elsewhere.

References: RFC 6749 section 4.1, Content Security Policy Level 3 section 6.4.1, OpenID Connect Core 1.0 section 3.1.2
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest

from mock_as import MockAS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect

CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


class Callback(BaseHTTPRequestHandler):
    """An application that shows what came back to it."""

    def do_GET(self) -> None:
        """Show the query."""
        self._show(urlsplit(self.path).query)

    def do_POST(self) -> None:
        """Show the form."""
        self._show(self.rfile.read(int(self.headers["content-length"])).decode())

    def _show(self, parameters: str) -> None:
        names = " ".join(sorted(dict(parse_qsl(parameters))))
        body = f'<!doctype html><link rel="icon" href="data:,"><h1>{self.command}: {names}</h1>'.encode()
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Say nothing."""


@pytest.fixture
def application() -> Generator[str]:
    """Serve the application, which is another site as the browser sees it."""
    server = HTTPServer(("127.0.0.1", 0), Callback)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def asking(application: str, **more: str) -> str:
    """Return where an application sends the browser."""
    parameters = {
        "response_type": "code",
        "client_id": "web",
        "redirect_uri": f"{application}/callback",
        "scope": "openid read",
        "state": "s",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **more,
    }
    return f"/authorize?{urlencode(parameters)}"


@pytest.fixture
def plain_page(chromium: Browser, url: str) -> Generator[Page]:
    """Open a tab of a browser that runs no script."""
    context = chromium.new_context(base_url=url, java_script_enabled=False)
    yield context.new_page()
    context.close()


def test_the_enter_key(page: Page, application: str, mock: MockAS) -> None:
    """Who types a subject and presses Enter is logged in as that subject, not as the first user there is."""
    page.goto(asking(application))
    page.get_by_label("Somebody else").fill("somebody")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading")).to_have_text("GET: code iss state")
    (code,) = mock.pending.codes
    assert mock.pending.codes.get(code).granted.sub == "somebody"


def test_form_post(page: Page, application: str) -> None:
    """A form that carries the answer is sent by itself, to another site."""
    page.goto(asking(application, response_mode="form_post"))
    page.get_by_role("button", name="Bob").click()
    expect(page.get_by_role("heading")).to_have_text("POST: code iss state")


def test_without_javascript(plain_page: Page, application: str) -> None:
    """Everything works without a script: logging in, going on, granting less, the form, being silent, logging out."""
    page = plain_page
    page.goto(asking(application))
    page.get_by_label("read").uncheck()
    page.get_by_role("button", name="Bob").click()
    expect(page.get_by_role("heading")).to_have_text("GET: code iss state")
    page.goto(asking(application, response_mode="form_post"))
    page.get_by_role("button", name="Go on as bob").click()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading")).to_have_text("POST: code iss state")
    page.goto(asking(application, prompt="none"))
    expect(page.get_by_role("heading")).to_have_text("GET: code iss state")
    page.goto(f"/end_session?{urlencode({'client_id': 'web', 'post_logout_redirect_uri': f'{application}/'})}")
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url(f"{application}/")
    page.goto(asking(application, prompt="none"))
    expect(page.get_by_role("heading")).to_have_text("GET: error error_description iss state")


def test_a_device(page: Page, url: str) -> None:
    """A person enters the code of a device by keyboard alone, and lets it in."""
    device = httpx.post(f"{url}/device_authorization", data={"client_id": "device", "scope": "read"}).json()
    page.goto("/device")
    expect(page.get_by_label("The code that your device shows")).to_be_focused()
    page.keyboard.type(device["user_code"].lower())
    page.keyboard.press("Enter")
    expect(page.get_by_text(device["user_code"])).to_be_visible()
    page.get_by_role("button", name="Alice").focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("status")).to_contain_text("The device gets access.")
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": device["device_code"],
        "client_id": "device",
    }
    assert httpx.post(f"{url}/token", data=form).json()["scope"] == "read"
