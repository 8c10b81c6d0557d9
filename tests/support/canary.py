"""Look for secrets where none may be: in a value, an exception and everything that hangs on it, and the log."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator

import pytest


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Walk an exception, its cause and its context."""
    while error is not None:
        yield error
        yield from chain(error.__cause__)
        error = error.__context__


def text_of(error: BaseException) -> str:
    """Write down everything an exception tells, with the local variables of every frame of this package."""
    parts: list[str] = []
    for link in chain(error):
        parts += [repr(link), str(link), repr(link.args), repr(getattr(link, "__notes__", ()))]
        shown = traceback.TracebackException.from_exception(link, capture_locals=True)
        for frame in shown.stack:
            if "/resource_server/" in frame.filename:
                parts += [frame.line or "", *(f"{name}={value}" for name, value in (frame.locals or {}).items())]
    return "\n".join(parts)


def log_text(caplog: pytest.LogCaptureFixture) -> str:
    """Write down everything that was logged, with the arguments and the traceback of each record."""
    formatter = logging.Formatter("%(name)s %(levelname)s %(message)s %(args)r")
    return "\n".join(formatter.format(record) for record in caplog.records)
