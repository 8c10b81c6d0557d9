"""Make the pages that people see, and keep everything out of them that does not belong there.

A page brings its own stylesheet and script, which the policy knows by their hashes: nothing else is loaded or run.

References: Content Security Policy Level 3 sections 2.3.1 and 6.4
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mock_as.messages import NO_STORE, Answer

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup

_TEMPLATES = Path(__file__).parent / "templates"


def page(template: str, *, status: int = 200, form_action: Iterable[str] = (), **context: object) -> Answer:
    """Fill in a template.

    Args:
        template: its name, such as ``error.html``.
        status: the HTTP status.
        form_action: origins that forms of the page may lead to, beside the page's own; a browser asks for the origin
            of every redirect that answers a form, too.
        context: what the template shows; text in it is escaped.

    Returns:
        The page, which nobody may store.
    """
    own = {"stylesheet": _trusted("style.css"), "script": _trusted("live.js")}
    text = _environment().get_template(template).render({**context, **own})
    fields = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": _policy(form_action),
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
        **NO_STORE,
    }
    # Half a character, which a token may hold, cannot be sent.
    return Answer(status, (), text.encode(errors="replace")).with_headers(fields)


def _policy(form_action: Iterable[str]) -> str:
    rules = {
        "default-src": "'none'",
        "style-src": _hash("style.css"),
        "script-src": _hash("live.js"),
        "connect-src": "'self'",
        "img-src": "data:",
        "form-action": " ".join(("'self'", *form_action)),
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    return "; ".join(f"{name} {sources}" for name, sources in rules.items())


@functools.cache
def _part(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


@functools.cache
def _trusted(name: str) -> Markup:
    from markupsafe import Markup  # noqa: PLC0415 - see below

    return Markup(_part(name))  # noqa: S704 - a file of our own, with nothing of a request in it


@functools.cache
def _hash(name: str) -> str:
    digest = hashlib.sha256(_part(name).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2  # noqa: PLC0415 - a server that shows no page does without

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
