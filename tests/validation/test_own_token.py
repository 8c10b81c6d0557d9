"""The access token of our own: when it is read, renewed and given up."""

from __future__ import annotations

from pathlib import Path

from resource_server._validation.own_token import MAX_FILE_BYTES, OwnToken, read_token


def test_a_refusal_of_an_older_token() -> None:
    """What was refused is not in use any more: the one that has taken its place may be shown at once, and stays."""
    own = OwnToken()
    own.accept("new", 100.0, 0.0)
    assert own.refuse("old", 1.0)
    assert own.fetched(1.0) == "new"


def test_a_refusal_in_a_row() -> None:
    """A token that is refused is given up; another one that is refused right after it is not, for five seconds."""
    own = OwnToken()
    own.accept("one", 100.0, 0.0)
    assert own.refuse("one", 1.0)
    assert own.fetched(1.0) is None
    assert own.refuse("one", 1.0)  # it was shown in more than one question: another one is on its way
    own.accept("two", 100.0, 1.0)
    assert not own.refuse("two", 5.9)
    assert own.fetched(5.9) == "two"
    assert own.refuse("two", 6.0)


def test_one_renewal_at_a_time() -> None:
    """Permission to renew ahead of the end is given to one, and again where nothing came of it."""
    own = OwnToken()
    own.accept("one", 100.0, 0.0)
    assert [own.take_renewal(now) for now in (79.9, 80.0, 84.9, 85.0)] == [False, True, False, True]


def test_a_file_is_read_when_it_changes(tmp_path: Path) -> None:
    """A file that looks as before is not read again, but after a refusal."""
    file, own = tmp_path / "token", OwnToken()
    assert own.from_file(file) is None
    file.write_text("first")
    assert own.from_file(file) == "first"
    own._value = "remembered"
    assert own.from_file(file) == "remembered"
    own.refuse("remembered", 0.0)
    assert own.from_file(file) == "first"


def test_a_refusal_of_what_is_in_a_file(tmp_path: Path) -> None:
    """What is in a file is read again once in five seconds, where it is refused all the time."""
    file, own = tmp_path / "token", OwnToken()
    file.write_text("first")
    own.from_file(file)
    assert [own.refuse("first", now) for now in (0.0, 0.1, 4.9, 5.0)] == [True, False, False, True]


def test_the_longest_token_in_a_file(tmp_path: Path) -> None:
    """A token may be as long as the limit, and none longer is taken: nor the beginning of one."""
    file = tmp_path / "token"
    file.write_text("t" * MAX_FILE_BYTES)
    assert read_token(file) == "t" * MAX_FILE_BYTES
    file.write_text("t" * (MAX_FILE_BYTES + 1))
    assert read_token(file) is None


def test_a_file_without_an_end() -> None:
    """No more than the limit is read of a file, however much there is in it."""
    assert read_token(Path("/dev/zero")) is None
