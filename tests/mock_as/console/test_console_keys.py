"""The page of the keys: in three columns, rotated, staged, published and taken away.

References: RFC 7517 section 5
"""

from __future__ import annotations

import httpx
import pytest

from mock_as import MockAS
from tests.mock_as.browsing import Browser, Page

pytestmark = pytest.mark.anyio


def columns(page: Page) -> list[list[str]]:
    """Return the names of the keys in each column."""
    return [[code.text for code in column.all("code")] for column in page.root.with_id("keys").all("section")]


async def test_rotation(mock: MockAS, browser: Browser) -> None:
    """A key signs, is kept for a while after a rotation, and retires after the next; without overlap at once."""
    first = mock.keys.signing().kid
    page = await browser.open("/keys")
    assert columns(page) == [[first], [], []]
    page = await browser.send(page, page.forms("/keys/rotate")[0])
    second = mock.keys.signing().kid
    assert (page.notice, columns(page)) == (
        "Rotated. New tokens are signed with the new keys.",
        [[second], [first], []],
    )
    page = await browser.send(page, page.forms("/keys/rotate")[1])
    assert columns(page) == [[mock.keys.signing().kid], [], [first, second]]


async def test_key_that_waits(mock: MockAS, browser: Browser) -> None:
    """A staged key is published, signs, and is deleted when it is told to be; one in use can go unpublished."""
    page = await browser.submit(await browser.open("/keys"), "/keys/stage", alg="ES256")
    [waiting] = columns(page)[2]
    for verb, place in (("publish", 1), ("activate", 0), ("unpublish", 0), ("publish", 0), ("delete", None)):
        form = next(
            form for form in page.forms("/keys/change")
            if (form.one("input", name="kid").attributes["value"], form.one("input", name="verb").attributes["value"])
            == (waiting, verb)
        )  # fmt: skip
        page = await browser.send(page, form)
        assert page.notice == "Done."
        assert [index for index, kids in enumerate(columns(page)) if waiting in kids] == (
            [] if place is None else [place]
        )
        if verb == "unpublish":
            assert "not published" in page.root.with_id("keys").text
    assert waiting not in [key["kid"] for key in mock.keys.describe()]


async def test_same_kid(mock: MockAS, browser: Browser) -> None:
    """A new key can take the name of an old one."""
    before = mock.keys.signing()
    page = await browser.open("/keys")
    form = next(
        form for form in page.forms("/keys/change")
        if form.one("input", name="verb").attributes["value"] == "replace"
    )  # fmt: skip
    await browser.send(page, form)
    after = mock.keys.signing()
    assert (after.kid, after.public() == before.public()) == (before.kid, False)


async def test_download(mock: MockAS, client: httpx.AsyncClient) -> None:
    """The JWKS is handed over as a file, without a trace in the journal."""
    response = await client.get("/_mock/ui/keys/jwks.json")
    assert response.json() == mock.keys.jwks()
    assert response.headers["content-disposition"] == 'attachment; filename="jwks.json"'
    assert mock.requests().count == 0


@pytest.mark.parametrize(
    ("action", "changes", "said"),
    [
        ("/keys/change", {"kid": "nothing"}, "kid"),
        ("/keys/change", {"verb": "nothing"}, "verb"),
        ("/keys/stage", {"alg": "nothing"}, "alg"),
        ("/keys/stage", {"alg": ""}, "alg"),
        ("/keys/rotate", {"alg": "nothing"}, "alg"),
    ],
)
async def test_mistake(mock: MockAS, browser: Browser, action: str, changes: dict[str, str], said: str) -> None:
    """A mistake is named, and the keys stay as they are."""
    before = mock.keys.describe()
    page = await browser.submit(await browser.open("/keys"), action, **changes)
    assert (page.status, page.alert.partition(" ")[0]) == (422, said)
    assert mock.keys.describe() == before
