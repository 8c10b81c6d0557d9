"""The people who can log in, and what is said about them.

References: OpenID Connect Core 1.0 section 5.4
"""

from __future__ import annotations

import pytest

from mock_as import MockAS, UsageError
from mock_as.users import User, claims_for


def test_the_ready_made() -> None:
    """There is somebody who may do everything, somebody who may read, somebody who may nothing, and a disabled one."""
    users = MockAS().users
    assert list(users) == ["alice", "bob", "carol", "mallory"]
    assert "admin" in users["alice"].scopes
    assert users["bob"].scopes == ("read", "orders:read")
    assert users["carol"].scopes == ()
    assert [sub for sub, user in users.items() if user.disabled] == ["mallory"]


def test_a_user_has_a_subject() -> None:
    """Nobody has no subject."""
    with pytest.raises(UsageError) as caught:
        User(sub="")
    assert caught.value.field == "users"


def test_what_is_said_to_whom() -> None:
    """What belongs to a scope is for userinfo, and the rest for every token."""
    user = User(sub="another", name="Another", claims={"email": "e@example.test", "name": "E.", "tenant": "acme"})
    assert user.personal == {"name": "E.", "preferred_username": "another", "email": "e@example.test"}
    assert user.told_to_all == {"tenant": "acme"}
    assert User(sub="another").personal == {}
    assert claims_for(["email", "read"], user.personal) == {"email": "e@example.test"}
