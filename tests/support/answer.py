"""A response, as a test looks at it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import httpx

from tests.support.instance import without_instance


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, exactly as the application sent it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    reads: int = 0
    """How often the application awaited a part of the request's body."""

    def all(self, name: str) -> list[str]:
        """Return every value of a header, in order."""
        return [value for key, value in self.headers if key.lower() == name]

    def header(self, name: str) -> str | None:
        """Return the value of a header that may stand only once."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} stands {len(values)} times"
        return values[0] if values else None

    def json(self) -> Any:
        """Return the body parsed."""
        return json.loads(self.body)

    def unnamed(self) -> Answer:
        """Return it without what names the refusal, which is another one each time."""
        return replace(self, body=without_instance(self.body))

    @classmethod
    def of(cls, response: httpx.Response) -> Answer:
        """Take over a response of httpx."""
        return cls(response.status_code, tuple(response.headers.multi_items()), response.content)
