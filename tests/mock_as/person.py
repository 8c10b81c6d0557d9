"""A person at a browser, and the client that has sent them: what they do, and what they see."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

CALLBACK = "https://app.example.test/callback"
VERIFIER = "a-verifier-that-is-long-enough-to-be-one-of-rfc-7636"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()

_Attributes = dict[str, str | None]


@dataclass
class HtmlForm:
    """A form of a page."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """What it sends, without a button."""
    buttons: list[_Attributes] = field(default_factory=list[_Attributes])
    options: list[str] = field(default_factory=list[str])
    checkboxes: list[str] = field(default_factory=list[str])


class Page(HTMLParser):
    """A page with one form at most, read."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        self.response = response
        self.forms: list[HtmlForm] = []
        self.roles: dict[str, str] = {}
        self.headings: list[str] = []
        self.strong: list[str] = []
        self._open: list[tuple[str, _Attributes]] = []
        self.feed(response.text)

    @property
    def form(self) -> HtmlForm:
        """The only form."""
        (form,) = self.forms
        return form

    @property
    def policy(self) -> dict[str, list[str]]:
        """The content security policy."""
        rules = (rule.split() for rule in self.response.headers["content-security-policy"].split(";"))
        return {name: sources for name, *sources in rules}

    @property
    def choices(self) -> list[tuple[str, str]]:
        """What its buttons send."""
        return [(str(button.get("name")), str(button.get("value"))) for button in self.form.buttons]

    @property
    def subjects(self) -> list[str]:
        """Whom the login page offers."""
        return [value for name, value in self.choices if name == "user"]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Read an element."""
        attributes = dict(attrs)
        if tag not in {"input", "meta", "link", "br"}:
            self._open.append((tag, attributes))
        if tag == "form":
            self.forms.append(HtmlForm(attributes.get("action") or "", attributes.get("method") or "get"))
        elif self.forms and tag == "button":
            self.form.buttons.append(attributes)
        elif self.forms and tag == "input":
            self._handle_input(attributes)

    def _handle_input(self, attributes: _Attributes) -> None:
        name, value = attributes.get("name") or "", attributes.get("value") or ""
        if attributes.get("type") == "checkbox":
            self.form.checkboxes.append(value)
            if "checked" not in attributes:
                return
        self.form.fields.append((name, value))

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        """Read a text."""
        tag, attributes = self._open[-1] if self._open else ("", {})
        role = attributes.get("role")
        if role is not None:
            self.roles[role] = self.roles.get(role, "") + data.strip()
        if tag == "h1":
            self.headings.append(data)
        if tag == "strong":
            self.strong.append(data)
        if tag == "option":
            self.form.options.append(data)
        if tag == "textarea":
            self.form.fields.append((attributes.get("name") or "", data))


class Browser:
    """A browser, which keeps cookies and follows no redirect by itself.

    Args:
        client: what carries its requests.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def open(self, url: str, **parameters: str) -> Page:
        """Open a page."""
        return Page(await self.client.get(url, params=parameters or None))

    async def press(self, page: Page, button: tuple[str, str], **changes: str | list[str]) -> httpx.Response:
        """Press a button, with some fields filled in differently."""
        assert button in page.choices
        kept = [(name, value) for name, value in page.form.fields if name not in changes]
        for name, value in changes.items():
            kept.extend((name, part) for part in (value if isinstance(value, list) else [value]))
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return await self.client.post(page.form.action, content=urlencode([*kept, button]), headers=headers)

    async def log_in(self, page: Page, sub: str = "alice") -> dict[str, str]:
        """Log in by one click, and return what the client gets."""
        return redirected(await self.press(page, ("user", sub)))


def redirected(response: httpx.Response, to: str = CALLBACK) -> dict[str, str]:
    """Read the parameters of a redirect, which must lead to an address."""
    assert response.status_code == 303
    assert response.headers["cache-control"] == "no-store"
    return parameters_of(response.headers["location"], to)


def parameters_of(url: str, to: str = CALLBACK) -> dict[str, str]:
    """Read the parameters of a URL, each of which is there once."""
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == to
    pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def asking(**changes: str | None) -> dict[str, str]:
    """Return the parameters of an authorization request, with some of them changed; `None` leaves one out."""
    usual = {
        "response_type": "code",
        "client_id": "web",
        "redirect_uri": CALLBACK,
        "scope": "openid read write",
        "state": "a state & more",
        "nonce": "a-nonce",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


def twice(*more: tuple[str, str]) -> httpx.QueryParams:
    """Return the parameters of an authorization request, and some that may be there already."""
    parameters = httpx.QueryParams(asking())
    for name, value in more:
        parameters = parameters.add(name, value)
    return parameters
