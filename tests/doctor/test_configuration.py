"""The doctor tells of options that are acceptable, and seldom meant."""

from __future__ import annotations

from typing import Any

import pytest

from resource_server import Settings
from resource_server._doctor.configuration import judge_configuration
from tests.support.play import options


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"issuer": "http://as.example.com", "allow_insecure_http": True}, "in the clear"),
        ({"audience": (), "strategy": "introspect"}, "no audience"),
        ({"require_audience": False}, "without aud"),
        ({"query_token": True}, "query"),
        ({"verbose_errors": True}, "callers are told"),
        ({"leeway": 200}, "200 s after its end"),
        ({"cache_ttl": 3600}, "up to 3600 s"),
    ],
)
def test_an_oddity(changes: dict[str, Any], word: str) -> None:
    """Each is a warning of its own, with the mend."""
    [found] = judge_configuration(Settings.build(**options(**changes)))
    assert (found.check, found.verdict) == ("configuration", "warning")
    assert word in found.says
    assert found.mend is not None


def test_nothing_odd() -> None:
    """Of usual options the issuer and the strategy are told."""
    settings = Settings.build(**options())
    [found] = judge_configuration(settings)
    assert found.verdict == "ok"
    assert settings.issuer in found.says
