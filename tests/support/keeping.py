"""No log line and no exception of ours gives a secret away, in whatever test it is written or raised.

Everything that is called a canary is a secret, wherever it stands; so is whatever looks like a JWT (a token, a proof,
an assertion, a signed answer), like a private key or like credentials.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from resource_server import ResourceServerError

SECRETS = re.compile(r"canary|eyJ[\w-]{8}|PRIVATE KEY|(?:Basic|Bearer|DPoP) [\w+/.~-]{12}")
_EVERYTHING = 1
"""A level of its own, below DEBUG: every other one that is set is a test's own wish."""
_FORMAT = logging.Formatter("%(levelname)s %(message)s %(args)r")


class _Watch(logging.Filter):
    """Sees every record of a logger, and lets through those that would be there without it."""

    def __init__(self, logger: logging.Logger, found: list[str]) -> None:
        """Begin to watch."""
        super().__init__()
        self._logger = logger
        self._found = found

    def filter(self, record: logging.LogRecord) -> bool:
        """Look for secrets in a record."""
        text = _FORMAT.format(record)
        if SECRETS.search(text):
            self._found.append(text)
        level = logging.getLogger().level if self._logger.level == _EVERYTHING else self._logger.level
        return record.levelno >= level


@contextmanager
def watching(logger: logging.Logger, errors: type[Exception]) -> Generator[list[str]]:
    """Find the secrets that a logger is told, down to DEBUG, or that an exception is made of.

    Args:
        logger: the logger.
        errors: the exceptions, those derived from it included.

    Yields:
        What gives a secret away, as it comes.
    """
    found: list[str] = []
    watch, level = _Watch(logger, found), logger.level

    def new(kind: type[Exception], *args: Any, **kwargs: Any) -> Exception:
        text = f"{kind.__name__} {args!r} {kwargs!r}"
        if SECRETS.search(text):
            found.append(text)
        return super(errors, kind).__new__(kind, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(errors, "__new__", new)
        logger.addFilter(watch)
        logger.setLevel(_EVERYTHING)
        try:
            yield found
        finally:
            logger.removeFilter(watch)
            logger.setLevel(level)


@pytest.fixture(autouse=True)
def secrets_are_kept() -> Iterator[None]:
    """Read everything that the library logs, and what every exception of its own is made of."""
    with watching(logging.getLogger("resource_server"), ResourceServerError) as found:
        yield
    assert found == []
