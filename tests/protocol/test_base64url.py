"""Base64url: one text for each value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server._protocol.base64url import decode, encode


@given(st.binary(max_size=64))
def test_what_is_written_is_read(value: bytes) -> None:
    """RFC 7515 §2: base64url without padding stands for its bytes."""
    assert encode(value).rstrip("=") == encode(value)
    assert decode(encode(value).encode()) == value


@pytest.mark.rfc("7515-5.2-a")
@pytest.mark.parametrize("part", [b"A", b"AAAAA", b"AB", b"AAB", b"__"])
def test_no_other_text_for_it(part: bytes) -> None:
    """RFC 4648 §3.5: a length that no value has, and bits that encode nothing, are refused."""
    with pytest.raises(ValueError, match="base64url"):
        decode(part)


def test_only_the_padding_is_left_out() -> None:
    """RFC 7515 §2: what is left out at the end is the padding, and none of the alphabet."""
    assert encode(b"]\x00\x17") == "XQAX"
