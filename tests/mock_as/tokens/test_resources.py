"""The resources that tokens can be asked for; what the mint makes of them is tested with the mint."""

from __future__ import annotations

from typing import Any

import pytest

from mock_as import UsageError
from mock_as.tokens.resources import Resource, resource_registry


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"uri": ""}, r"^resources: a resource needs a uri"),
        ({"uri": "https://rs.example.test", "format": "jwe"}, r"^format: 'jwe' is unknown"),
        ({"uri": "https://rs.example.test", "lifetime": 0}, r"^lifetime: 0 is less than 1"),
        ({"uri": "https://rs.example.test", "alg": "ES265"}, r"^alg: 'ES265' is unknown; did you mean 'ES256'"),
    ],
)
def test_refuses_what_could_never_work(properties: dict[str, Any], message: str) -> None:
    """A resource that no token could be made for is refused at once, by the name of what is wrong with it."""
    with pytest.raises(UsageError, match=message):
        Resource(**properties)


def test_resources_are_known_by_their_uris() -> None:
    """A resource is found by its URI, and of two with the same one the later counts."""
    one, other = Resource(uri="https://rs.example.test"), Resource(uri="https://rs.example.test", lifetime=5)
    assert dict(resource_registry([one, other])) == {"https://rs.example.test": other}
