"""Base64url, as JOSE has it."""

from __future__ import annotations

import pytest

from mock_as.base64url import base64url, from_base64url


def test_example_of_the_rfc() -> None:
    """The example of RFC 7515 appendix C is written as there, without padding, and read again."""
    data = bytes([3, 236, 255, 224, 193])
    assert base64url(data) == "A-z_4ME"
    assert from_base64url("A-z_4ME") == data


@pytest.mark.parametrize("text", ["A-z_4ME=", "A+z/4ME", "A z", "\u00e9", "A", "AA\n"])
def test_what_is_none(text: str) -> None:
    """Padding, the other alphabet, white space and half a byte are refused."""
    with pytest.raises(ValueError, match=r"base64|padded|decod"):
        from_base64url(text)
