"""The watch over secrets sees them, and changes nothing for the test that is watched."""

from __future__ import annotations

import logging

import pytest

from tests.support.keeping import watching

LOGGER = logging.getLogger("tests.keeping")


class OneError(Exception):
    """An exception to watch."""


class OtherError(OneError, ValueError):
    """One that is derived from it."""


@pytest.mark.attack("A-S-1")
@pytest.mark.parametrize(
    "secret",
    [
        "a canary",
        "eyJhbGciOiJub25lIn0.e30.",
        "-----BEGIN PRIVATE KEY-----",
        "Basic cnM6cnMtc2VjcmV0",
        "Bearer Kz~8mXK1EalYznwH",
    ],
)
def test_secrets_are_seen(secret: str) -> None:
    """A secret in a message, in its arguments, in an exception beside it or in one of ours is found."""
    with watching(LOGGER, OneError) as found:
        LOGGER.debug("a line with %s", secret)
        LOGGER.debug("a line with %(secret)s", {"secret": secret})
        try:
            raise RuntimeError(secret)  # noqa: TRY301 - the one that the line below is about
        except RuntimeError:
            LOGGER.exception("a failure")
        for error in (OneError(secret), OtherError("a reason", secret)):
            assert secret in error.args
    assert len(found) == 5


def test_nothing_else_is(caplog: pytest.LogCaptureFixture) -> None:
    """What gives nothing away is not found, and only what a test wants to be told reaches its log."""
    with watching(LOGGER, OneError) as found:
        LOGGER.debug("TokenValidated(fingerprint='7afc40d72806', issuer='https://as.example.com')")
        LOGGER.warning("a warning")
        with pytest.raises(OneError, match="a reason"):
            raise OtherError("a reason")
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        for name in (None, LOGGER.name):
            caplog.clear()
            with caplog.at_level(logging.DEBUG, name):
                LOGGER.debug("a detail")
            LOGGER.debug("another one")
            assert caplog.messages == ["a detail"]
    assert found == []
    assert (LOGGER.level, LOGGER.filters) == (logging.NOTSET, [])
    assert "__new__" not in vars(OneError)
