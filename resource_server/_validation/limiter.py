"""Bound how many unknown tokens one client may have looked up.

Only a question to the authorization server is charged: what is known, or can be judged without asking, is free, and so
is a token that was good a moment ago. So a client with good tokens never meets the limit, and one that tries out
tokens meets it soon.
"""

from __future__ import annotations

from ipaddress import AddressValueError, IPv6Address

from cachetools import LRUCache

from resource_server._validation.forks import fork_safe_lock

CLIENTS = 10_000
"""How many clients are remembered; the least recently charged is forgotten first, and may begin anew."""
RATE_LIMITED = "rate_limited"
"""The cause of an ``Unavailable`` that the limit has brought about."""
_NETWORK_BITS = 64
_MAX_ADDRESS = 64


class Limiter:
    """An allowance for each client that is used up by questions and grows again in time; safe for threads.

    Of a client only one number is kept: the moment at which all of its allowance will have grown again.

    Args:
        rate: questions a second, in the long run; ``None`` for no limit.
        burst: questions at once, after a quiet time.
    """

    def __init__(self, rate: float | None, burst: int) -> None:
        """Start with everybody's allowance whole."""
        self._interval = 0.0 if rate is None else 1 / rate
        self._allowance = (burst - 1) * self._interval
        self._whole_at: LRUCache[str, float] = LRUCache(CLIENTS)
        self.lock = fork_safe_lock()

    def __len__(self) -> int:
        """Count the clients that are remembered."""
        return len(self._whole_at)

    def charge(self, peer: str | None, now: float) -> float | None:
        """Charge a client with one question.

        Args:
            peer: its address; without one there is nobody to charge.
            now: monotonic seconds.

        Returns:
            ``None`` where the question may be asked, else the seconds after which it may.
        """
        if not self._interval or not peer:
            return None
        client = client_of(peer)
        with self.lock:
            whole_at = max(now, self._whole_at.get(client, now))
            wait = whole_at - now - self._allowance
            if wait > 0:
                return wait
            self._whole_at[client] = whole_at + self._interval
            return None

    def refund(self, peer: str | None) -> None:
        """Take a charge back: what was asked has turned out to be no trouble."""
        if not self._interval or not peer:
            return
        client = client_of(peer)
        with self.lock:
            if client in self._whole_at:
                self._whole_at[client] -= self._interval


def client_of(peer: str) -> str:
    """Name who is behind an address: of IPv6 its /64, which is what one customer has at least.

    What is no address is taken as it stands, cut to an address's length: behind a proxy anybody may have written it.
    """
    if ":" not in peer:
        return peer[:_MAX_ADDRESS]
    try:
        address = IPv6Address(peer)
    except AddressValueError:
        return peer[:_MAX_ADDRESS]
    mapped = address.ipv4_mapped
    return f"{int(address) >> _NETWORK_BITS:x}::" if mapped is None else str(mapped)
