"""What the mock says to a test that asked for something it cannot do."""

from __future__ import annotations

from mock_as import UsageError
from mock_as.errors import unknown


def test_error_names_field_and_likeness() -> None:
    """An error names the argument, what was given, and what was probably meant."""
    error = unknown("defect", "alg_nune", ["alg_none", "expired"])
    assert isinstance(error, ValueError)
    assert error.field == "defect"
    assert str(error) == "defect: 'alg_nune' is unknown; did you mean 'alg_none'?"


def test_error_lists_everything_where_nothing_is_alike() -> None:
    """Where nothing comes close, an error lists what there is."""
    assert unknown("format", "xyz", {"opaque", "jwt"}).message == "'xyz' is unknown; there are jwt, opaque"


def test_error_is_of_the_kind_that_python_has_for_it() -> None:
    """A wrong value is a ValueError, so that nobody needs to know the mock's own kind."""
    assert issubclass(UsageError, ValueError)
