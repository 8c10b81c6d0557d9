"""What the pages on proxies give to paste is what was tried."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT

EXAMPLES = ROOT / "examples"
TITLED = re.compile(r'^```[a-z]+ title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def titled(page: str) -> dict[str, str]:
    """Return the blocks of a page that have the name of a file."""
    return dict(TITLED.findall((ROOT / "docs" / page).read_text(encoding="utf-8")))


def test_nginx() -> None:
    """Each file on the page is the tested one to the letter, and none of the snippets is missing."""
    shown = titled("nginx.md")
    folder = EXAMPLES / "nginx"
    snippets = {str(file.relative_to(folder)) for file in (folder / "resource-server").iterdir()}
    assert snippets | {"nginx.conf", "policy.toml"} == set(shown)
    for name, text in shown.items():
        assert text == (folder / name).read_text(encoding="utf-8"), name


def test_ingress_nginx() -> None:
    """The Ingress on the page has the annotations of the tested one."""
    page = (ROOT / "docs/ingress-nginx.md").read_text(encoding="utf-8")
    manifest = (ROOT / "deploy/kubernetes/orders.yaml").read_text(encoding="utf-8")
    [block] = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert block in manifest
