"""Pages for people: escaped, complete, and loading nothing.

References: Content Security Policy Level 3 section 2.3.1
"""

from __future__ import annotations

import jinja2
import pytest

from mock_as.html import page
from mock_as.messages import Answer
from tests.mock_as.browsing import parse


def refusal(**changes: object) -> Answer:
    """Make a page that says that something is wrong."""
    context: dict[str, object] = {"title": "Wrong", "message": "Something is.", "home": "/"}
    return page("refusal.html", **{**context, **changes})  # type: ignore[arg-type] # the context holds anything


def test_text_is_escaped() -> None:
    """Whatever a page shows is text, and no part of the page."""
    root = parse(refusal(message="<b onclick='x'>&amp;").body.decode())
    assert "<b onclick='x'>&amp;" in [part.text for part in root.all("p")]
    assert not root.all("b")


def test_half_a_character() -> None:
    """What cannot be encoded, such as half of a surrogate pair, is replaced."""
    assert "Something? is." in parse(refusal(message="Something\ud800 is.").body.decode()).text


def test_nothing_is_left_out_silently() -> None:
    """A page that is not told what to show is a mistake of ours, which a test finds."""
    with pytest.raises(jinja2.UndefinedError):
        page("refusal.html")


def test_own_parts_stay() -> None:
    """No context takes the place of the stylesheet or the script, whose hashes are in the policy."""
    assert refusal(stylesheet="x", script="y").body == refusal().body


def test_origins_of_forms() -> None:
    """Forms lead home, and to the origins that are named."""
    answer = refusal(form_action=["https://app.example.test"], status=400)
    policy = dict(answer.headers)["content-security-policy"]
    rules = {name: sources for name, *sources in (rule.split() for rule in policy.split(";"))}
    assert rules["form-action"] == ["'self'", "https://app.example.test"]
    assert answer.status == 400
