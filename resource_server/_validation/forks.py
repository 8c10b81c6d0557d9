"""Stay usable in a process that is forked off while other threads are at work.

Only the thread that forks lives on in the child. A lock that another one held at that moment would never be released
there, and what it guards might be half changed. So the locks of this package are all taken for the moment of a fork,
and what the child must not go on with (work begun by threads that it does not have) is forgotten afterwards.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from threading import Lock, RLock
from typing import Any
from weakref import WeakMethod, WeakSet

PATIENCE, _ROUND = 1.0, 0.05
"""Seconds to wait for all locks, and for one of them. They are held for microseconds: only the thread that forks can
be in the way of itself, in a signal handler for instance, and that one lives on in the child and releases its lock."""

_forking = RLock()
_locks: WeakSet[Lock] = WeakSet()
_methods: list[WeakMethod[Callable[[], Any]]] = []
_taken: list[list[Lock]] = []


def fork_safe_lock() -> Lock:
    """Make a lock that nobody else holds in a process forked off: for what is held briefly."""
    lock = Lock()
    with _forking:
        _locks.add(lock)
    return lock


def after_fork(method: Callable[[], Any]) -> None:
    """Have a bound method called in every process that is forked off, for as long as its object lives."""
    with _forking:
        _methods[:] = [known for known in _methods if known() is not None]
        _methods.append(WeakMethod(method))


def _before() -> None:
    _forking.acquire()
    locks, deadline = list(_locks), time.monotonic() + PATIENCE
    taken = [lock for lock in locks if lock.acquire(timeout=_ROUND)]
    while len(taken) < len(locks) and time.monotonic() < deadline:
        for lock in taken:  # somebody may hold one and wait for another
            lock.release()
        taken = [lock for lock in locks if lock.acquire(timeout=_ROUND)]
    _taken.append(taken)


def _after() -> None:
    for lock in _taken.pop():
        lock.release()
    _forking.release()


def _after_in_child() -> None:
    _after()
    for known in _methods:
        method = known()
        if method is not None:
            method()


if hasattr(os, "register_at_fork"):  # pragma: no branch - there is no fork on Windows
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_after_in_child)
