"""The page about the control plane: complete, and loading nothing."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from mock_as import MockAS
from tests.mock_as.browsing import Element, parse

pytestmark = pytest.mark.anyio


async def manual(client: httpx.AsyncClient, root: str = "") -> Element:
    """Return the page."""
    response = await client.get(f"{root}/_mock/docs")
    assert response.status_code == 200
    return parse(response.text)


def part(page: Element, method: str, path: str) -> Element:
    """Return the part of the page about one request."""
    [found] = [
        item
        for item in page.all("div")
        if [element.text for element in item if element.tag in {"span", "code"}][:2] == [method, path]
        and "route" in item.attributes.get("class", "")
    ]
    return found


async def test_every_route(client: httpx.AsyncClient) -> None:
    """Whatever the OpenAPI document has is on the page, in the same words."""
    document: dict[str, Any] = (await client.get("/_mock/openapi.json")).json()
    page = await manual(client)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            summary = " ".join(operation["description"].partition("\n\n")[0].split())
            assert summary in part(page, method.upper(), path).text


async def test_members(client: httpx.AsyncClient) -> None:
    """A member has its name, its place, its type and its default."""
    page = await manual(client)
    fault = {row[0]: row[1:] for row in part(page, "POST", "/_mock/faults").rows()}
    assert fault["endpoint"] == ["body", "text", "required"]
    assert fault["action"] == ["body", "text or whole number", ""]
    assert fault["every"] == ["body", "whole number", "1"]
    assert fault["match"][:2] == ["body", "object"]
    tokens = {row[0]: row[1:] for row in part(page, "POST", "/_mock/tokens").rows()}
    assert tokens["format"] == ["body", '"jwt" or "opaque"', ""]
    assert tokens["scope"] == ["body", "text or list of text", '"read"']
    waited = {row[0]: row[1:] for row in part(page, "GET", "/_mock/requests/wait").rows()}
    assert waited["count"] == ["query", "whole number", "1"]
    assert part(page, "PATCH", "/_mock/metadata").rows() == [["any", "body", "anything", ""]]
    assert not part(page, "POST", "/_mock/snapshot").all("table")


async def test_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    """The page needs no network but the server itself: the policy lets nothing else be loaded or run."""
    response = await client.get("/_mock/docs")
    policy = dict(rule.split(maxsplit=1) for rule in response.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"].startswith("'sha256-")
    page = parse(response.text)
    assert not [item for item in page if item.attributes.get("src")]
    assert {item.attributes["href"] for item in page.all("link")} == {"data:,"}


async def test_of_a_tenant(mock: MockAS, client: httpx.AsyncClient) -> None:
    """The page of a tenant names the tenant's routes, and leads to the tenant's document and console."""
    root = f"/t/{mock.tenant('acme').name}"
    page = await manual(client, root)
    assert part(page, "GET", f"{root}/_mock/clock").text.endswith("Tell the time.")
    targets = [link.attributes["href"] for link in page.all("a")]
    assert targets[:2] == [f"{root}/_mock/ui", f"{root}/_mock/openapi.json"]
    assert (await client.get(targets[1])).json()["openapi"].startswith("3.")


async def test_the_console_leads_there(client: httpx.AsyncClient) -> None:
    """Whoever looks at the console finds the page."""
    console = parse((await client.get("/_mock/ui/tokens")).text)
    [link] = [link for link in console.one("nav").all("a") if link.text == "Admin API"]
    assert (await client.get(link.attributes["href"])).status_code == 200
