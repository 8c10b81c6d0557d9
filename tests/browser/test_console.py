"""The console in a real browser: what people do with it, by mouse and by keyboard."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import httpx
import pytest

from mock_as import MockAS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect

UI = "/_mock/ui"


def introspect(url: str, token: str) -> bool:
    """Ask as a resource server whether a token is good."""
    response = httpx.post(f"{url}/introspect", data={"token": token}, auth=("rs", "rs-secret"))
    active: bool = response.json()["active"]
    return active


def clipboard(page: Page) -> str:
    """Return what was copied."""
    return str(page.evaluate("navigator.clipboard.readText()"))


def test_mint_copy_revoke(page: Page, url: str) -> None:
    """A token is minted, copied as a command line, and revoked; introspection and the page agree about it."""
    page.goto(f"{UI}/tokens")
    page.get_by_label("Subject").fill("alice")
    page.get_by_label("write", exact=True).check()
    page.get_by_role("button", name="Mint", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("tok-1")
    page.get_by_role("button", name="Copy curl").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    field = next(word for word in shlex.split(clipboard(page)) if word.startswith("Authorization: "))
    token = field.rpartition(" ")[2]
    assert token == page.locator("#token").inner_text()
    assert introspect(url, token)
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("status")).to_contain_text("Revoked")
    expect(page.locator("#answer pre")).to_contain_text('"active": false')
    assert not introspect(url, token)


def test_requests_are_live(page: Page, mock: MockAS, url: str) -> None:
    """A fault that is set with one press shows in the journal as soon as it has happened, without loading the page."""
    page.goto(f"{UI}/faults")
    page.get_by_role("textbox", name="How often").fill("1")
    page.get_by_role("button", name="503", exact=True).click()
    expect(page.locator("#faults tbody tr")).to_have_count(1)
    page.goto(f"{UI}/requests")
    expect(page.get_by_text("No request yet.")).to_be_visible()
    response = httpx.post(f"{url}/introspect", data={"token": mock.token().value}, auth=("rs", "rs-secret"))
    assert response.status_code == 503
    row = page.locator("#request-1")
    expect(row).to_contain_text("503")
    expect(row).to_contain_text("status(503)")
    row.get_by_role("link", name="1", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Request 1")


def test_log_in(page: Page) -> None:
    """The code flow goes from the console to the login page and back, and ends with tokens that introspection knows."""
    page.goto(f"{UI}/try")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(re.compile("/authorize"))
    page.get_by_role("button", name=re.compile("alice", re.IGNORECASE)).first.click()
    page.wait_for_url(re.compile("/try/callback"))
    expect(page.get_by_role("heading", name="The client exchanges the code")).to_be_visible()
    expect(page.get_by_role("heading", name="ID token")).to_be_visible()
    expect(page.locator("main")).to_contain_text('"username": "alice"')
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing here")


def test_deny(page: Page) -> None:
    """A person who denies comes back with an error, and no token."""
    page.goto(f"{UI}/try")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Deny").click()
    page.wait_for_url(re.compile("/try/callback"))
    expect(page.get_by_role("alert")).to_contain_text("access_denied")
    expect(page.get_by_role("heading", name="Access token")).to_have_count(0)


def test_keyboard_only(page: Page, mock: MockAS) -> None:
    """Everything can be reached and done with the keyboard: skip the navigation, mint a token, see where one is."""
    page.goto(f"{UI}/tokens")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    subject = page.get_by_label("Subject")
    expect(subject).to_be_focused()
    assert subject.evaluate("part => getComputedStyle(part).outlineStyle") != "none"
    page.keyboard.type("bob")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("tok-1")
    assert [record.subject for record in mock.tokens.select()] == ["bob"]
    button = page.get_by_role("button", name="Revoke")
    for _ in range(40):
        page.keyboard.press("Tab")
        if button.evaluate("part => part === document.activeElement"):
            break
    page.keyboard.press("Space")
    expect(page.get_by_role("status")).to_contain_text("Revoked")


def test_hostile_text_does_nothing(page: Page, mock: MockAS) -> None:
    """What a token says is shown; it opens no dialog and runs no script."""
    dialogs: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    mock.token("<script>alert(1)</script><img src=x onerror=alert(2)>", claims={"x": "</pre><script>alert(3)</script>"})
    page.goto(f"{UI}/tokens")
    expect(page.locator("#tok-1")).to_contain_text("<script>alert(1)</script>")
    page.goto(f"{UI}/tokens/tok-1")
    expect(page.locator("#answer")).to_contain_text("alert(3)")
    assert dialogs == []


def test_without_javascript(chromium: Browser, url: str) -> None:
    """Without scripts everything works that does not need one, and nothing is offered that does."""
    context = chromium.new_context(base_url=url, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{UI}/tokens")
    page.get_by_role("button", name="Mint", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("tok-1")
    expect(page.get_by_role("button", name="Copy", exact=True)).to_have_count(0)
    page.get_by_text("As a command line").click()
    expect(page.locator("#curl")).to_be_visible()
    page.goto(f"{UI}/clock")
    page.get_by_role("button", name="+1 h").click()
    expect(page.locator("#badges")).to_contain_text("Clock +1 h")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_layout(chromium: Browser, mock: MockAS, url: str, scheme: str, width: int) -> None:
    """No page is wider than the screen, and text stands out from what is behind it, in both colour schemes."""
    mock.token("alice")
    mock.fault("jwks", 503, times=2)
    httpx.get(f"{url}/jwks")
    context = chromium.new_context(
        base_url=url, color_scheme="dark" if scheme == "dark" else "light", viewport={"width": width, "height": 800}
    )
    page = context.new_page()
    for path in ("tokens", "tokens/tok-1", "requests", "requests/1", "faults", "keys", "clock", "identities", "try"):
        page.goto(f"{UI}/{path}")
        sizes = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert sizes[0] <= sizes[1], path
        assert page.evaluate(_FAINT) == [], path
    context.close()
    mock.clear_faults()


# What has less contrast than WCAG 2.2 success criterion 1.4.3 asks for: 4.5 to 1, whatever the size.
_FAINT = """() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = (part) => {
    for (; part; part = part.parentElement) {
      const found = numbers(getComputedStyle(part).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const contrast = (part) => {
    const [a, b] = [numbers(getComputedStyle(part).color), behind(part)].map(light).sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  const own = (part) => [...part.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  return [...document.querySelectorAll("body *")]
    .filter((part) => own(part) && part.tagName !== "SCRIPT" && part.getClientRects().length)
    .filter((part) => contrast(part) < 4.5).map((part) => part.outerHTML.slice(0, 80));
}"""
