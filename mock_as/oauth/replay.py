"""Notice what comes a second time.

References: RFC 7523 section 3, RFC 9449 section 11.1
"""

from __future__ import annotations

import hashlib

from mock_as.pending import Shelf


def first_time(seen: Shelf, *names: str, lifetime: float) -> bool:
    """Tell whether something comes for the first time, and remember that it came.

    Args:
        seen: where it is remembered.
        names: what it is called: the kind of thing, whose it is, and which one.
        lifetime: for how long, in seconds.
    """
    # However long a name is, what is remembered of it is short.
    key = hashlib.sha256("\0".join(names).encode(errors="surrogatepass")).hexdigest()
    if seen.get(key) is not None:
        return False
    seen.put(key, True, lifetime)  # noqa: FBT003 - that it is there is all that it says
    return True
