"""What a proxy's configuration demands, in the words of a query."""

from __future__ import annotations

import pytest

from resource_server import ANY_TOKEN, Assurance, Requirement, all_of, any_of
from resource_server._gateway.words import MAX_QUERY_BYTES, WordsError, read_query


@pytest.mark.parametrize(
    ("query", "demanded"),
    [
        ("", ANY_TOKEN),
        ("scope=a", Requirement(scopes=all_of("a"))),
        ("scope=a&scope=b", Requirement(scopes=all_of("a", "b"))),
        ("scope=a+b,c%20d", Requirement(scopes=all_of("a", "b", "c", "d"))),
        ("scope=a+b&satisfy=any", Requirement(scopes=any_of("a", "b"))),
        ("scope=a&scope=b&satisfy=all", Requirement(scopes=all_of("a", "b"))),
        ("audience=https%3A%2F%2Fapi.example", Requirement(audience="https://api.example")),
        ("acr=gold+silver", Requirement(acr_values=("gold", "silver"))),
        ("max_age=300", Requirement(max_age=300)),
        ("max_age=0", Requirement(max_age=0)),
        ("ajax=403&hide=404", Requirement(ajax_forbidden=True, hide=True)),
        ("dpop=required&mtls=off", Requirement(dpop="required", mtls="off")),
        ("unavailable=503", Requirement(unavailable_status=503)),
        ("assurance=introspected", Requirement(assurance=Assurance.INTROSPECTED)),
    ],
)
def test_words(query: str, demanded: Requirement) -> None:
    """Each word demands what it says, and all of them together."""
    assert read_query(query.encode()) == demanded


@pytest.mark.parametrize(
    ("query", "cause"),
    [
        ("scopes=a", "unknown_word"),
        ("Scope=a", "unknown_word"),
        ("scope=a&", "malformed_query"),
        ("scope", "malformed_query"),
        ("scope=%zz", "malformed_query"),
        ("scope=%ff", "malformed_query"),
        ("scope=" + "a" * MAX_QUERY_BYTES, "malformed_query"),
        ("scope=", "bad_scope"),
        ("scope=a&scope=+,", "bad_scope"),
        ("scope=a%22b", "bad_words"),
        ("satisfy=any", "bad_satisfy"),
        ("scope=a&satisfy=some", "bad_satisfy"),
        ("scope=a&satisfy=any&satisfy=all", "repeated_word"),
        ("max_age=1&max_age=2", "repeated_word"),
        ("max_age=-1", "bad_max_age"),
        ("max_age=1.5", "bad_max_age"),
        ("max_age=%D9%A1", "bad_max_age"),
        ("max_age=", "bad_max_age"),
        ("ajax=401", "bad_ajax"),
        ("hide=true", "bad_hide"),
        ("dpop=maybe", "bad_dpop"),
        ("mtls=1", "bad_mtls"),
        ("unavailable=500", "bad_unavailable"),
        ("assurance=high", "bad_assurance"),
        ("audience=+", "bad_audience"),
        ("acr=a%22", "bad_words"),
    ],
)
def test_what_cannot_be_understood(query: str, cause: str) -> None:
    """A word that does not exist, stands twice or has no such value demands nothing that could be met."""
    with pytest.raises(WordsError) as refused:
        read_query(query.encode())
    assert refused.value.cause == cause
