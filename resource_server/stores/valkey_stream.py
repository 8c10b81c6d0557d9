"""The log of revocations, as a stream in Valkey or Redis: for an event loop, and for threads.

A log has one connection, and does one thing after the other. What goes wrong closes it; the next attempt begins anew.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from redis.exceptions import RedisError

from resource_server._protocol.messages import Unavailable
from resource_server._validation.feed import BEGINNING, LISTEN_FOR, Append, Page, Read
from resource_server._validation.outbox import BATCH
from resource_server._validation.revocations import MAX_REVOCATIONS
from resource_server.stores.connect import connect, connect_blocking, disconnect, disconnect_blocking, read_address
from resource_server.stores.guard import cause_of

PATIENCE = LISTEN_FOR + 0.5
"""Seconds until an answer is given up: longer than the wait for something new."""
_MAX_ENTRIES = 2 * MAX_REVOCATIONS
_FIELD = b"r"
# A server that speaks garbage makes its client fail in these ways.
_FAILURES = (RedisError, OSError, ValueError, TypeError, LookupError, AttributeError)

# All or nothing, in one round trip. MINID and MAXLEN are approximate: whole nodes of the stream are let go at once.
# What takes no entry ever again (its last place is taken, or it is no stream) makes way: whoever can write to the store
# would otherwise need to do so only once.
_APPEND = b"""
for number = 3, #ARGV do
  local added = redis.pcall('XADD', KEYS[1], '*', 'r', ARGV[number])
  if type(added) == 'table' and added.err then
    if not (string.find(added.err, 'WRONGTYPE') or string.find(added.err, 'exhausted')) then return added end
    redis.call('DEL', KEYS[1])
    redis.call('XADD', KEYS[1], '*', 'r', ARGV[number])
  end
end
local now = redis.call('TIME')
local oldest = math.max(0, now[1] * 1000 - tonumber(ARGV[1]))
redis.call('XTRIM', KEYS[1], 'MINID', '~', string.format('%.0f', oldest))
redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[2])
return redis.call('PEXPIRE', KEYS[1], ARGV[1])
"""


class _Stream:
    """A stream, and a connection to it once there is one.

    Args:
        url: where the store is, as :func:`resource_server.stores.connect.connect` reads it.
        name: the key of the stream.

    Raises:
        ConfigurationError: the URL is none.
    """

    def __init__(self, url: str, name: bytes) -> None:
        """Connect to nothing yet."""
        read_address(url)
        self._url = url
        self._name = name
        self._client: Any = None


class ValkeyStream(_Stream):
    """A stream, seen from one task."""

    async def perform(self, step: Read | Append) -> Page | Unavailable | None:
        """Read or write. Never raises; what went wrong is returned."""
        try:
            async with asyncio.timeout(PATIENCE):
                if isinstance(step, Read):
                    return await self._read(step)
                await self._execute(*_append_command(self._name, step))
        except _FAILURES as error:
            await self.aclose()
            return Unavailable(cause_of(error))
        return None

    async def aclose(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(*_FAILURES):
                await disconnect(client)

    async def _read(self, step: Read) -> Page:
        found = await self._execute(*_read_command(self._name, step))
        anchor = await self._execute("XRANGE", self._name, step.after, step.after)
        return _page(step, found, anchor)

    async def _execute(self, *command: bytes | str | int) -> Any:  # noqa: ANN401 - the store may say anything
        if self._client is None:
            self._client = connect(self._url, patience=PATIENCE)
        return await self._client.execute_command(*command)


class BlockingValkeyStream(_Stream):
    """A stream, seen from one thread. After a fork, make a new one."""

    def perform(self, step: Read | Append) -> Page | Unavailable | None:
        """Read or write. Never raises; what went wrong is returned."""
        try:
            if isinstance(step, Read):
                return self._read(step)
            self._execute(*_append_command(self._name, step))
        except _FAILURES as error:
            self.close()
            return Unavailable(cause_of(error))
        return None

    def close(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(*_FAILURES):
                disconnect_blocking(client)

    def _read(self, step: Read) -> Page:
        found = self._execute(*_read_command(self._name, step))
        anchor = self._execute("XRANGE", self._name, step.after, step.after)
        return _page(step, found, anchor)

    def _execute(self, *command: bytes | str | int) -> Any:  # noqa: ANN401 - the store may say anything
        if self._client is None:
            self._client = connect_blocking(self._url, patience=PATIENCE)
        return self._client.execute_command(*command)


def _read_command(name: bytes, step: Read) -> tuple[bytes | str | int, ...]:
    # Zero would be for ever, and a moment, to a server with nothing else to do, as long as a tenth of a second.
    wait = ("BLOCK", max(1, round(step.wait * 1000))) if step.wait else ()
    return ("XREAD", "COUNT", BATCH, *wait, "STREAMS", name, step.after)


def _append_command(name: bytes, step: Append) -> tuple[bytes | str | int, ...]:
    keep_for = max(1, round(step.keep_for * 1000))
    return ("EVAL", _APPEND, 1, name, keep_for, _MAX_ENTRIES, *step.values)


def _page(step: Read, found: Any, anchor: Any) -> Page:  # noqa: ANN401 - the store may say anything
    """Read the answers: what is new, and the entry we know last, looked for after that."""
    entries = found[0][1] if found else ()
    known = bool(anchor) or step.after == BEGINNING
    return Page(tuple((place, (fields or {}).get(_FIELD, b"")) for place, fields in entries), known)
