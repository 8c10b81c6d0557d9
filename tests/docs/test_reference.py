"""The reference pages are complete and up to date: what they say is what the sources say."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import pytest

import resource_server._hosts
import resource_server.errors
from resource_server import ResourceServerError, Settings
from resource_server._validation import admit, keys, validate
from resource_server.errors import Reason
from scripts import public_names, reference
from tests.docs.pages import NAMES, blocks, read
from tests.support.jwt import signing_key

PUBLIC = {
    "resource_server": "docs/api.md",
    "resource_server.fastapi": "docs/api.md",
    "resource_server.receiver": "docs/api.md",
    "resource_server.testing": "docs/api.md",
    "mock_as": "docs/mock-api.md",
}
"""Every module that is imported from, and the page about it."""
OPTIONS: dict[str, dict[str, Any]] = Settings.model_json_schema()["properties"]


@pytest.mark.parametrize("page", [*reference.GENERATED, *reference.WHOLE])
def test_generated_parts_are_up_to_date(page: str) -> None:
    """What scripts/reference.py would write is what is written: else somebody forgot to run it."""
    assert reference.renewed(page) == read(page)


def test_check_finds_a_stale_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--check` names a file that is not up to date, or not there, and fails; without it the file is written."""
    (tmp_path / "docs/images").mkdir(parents=True)
    for page in reference.GENERATED:
        (tmp_path / page).write_text(
            reference.renewed(page).replace("```text\nclass", "```text\nclazz"), encoding="utf-8"
        )
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    assert reference.main("--check") == 1
    stale = ("docs/api.md", "docs/mock-api.md", *reference.WHOLE)
    assert capsys.readouterr().out.splitlines() == [f"{page} is not up to date" for page in stale]
    assert reference.main() == 0
    assert "```text\nclass " in (tmp_path / "docs/api.md").read_text(encoding="utf-8")
    assert reference.main("--check") == 0


def test_a_page_without_its_comments_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that has lost the comments around its generated part is an error, and stays as it is."""
    (tmp_path / "CONTRIBUTING.md").write_text("# Contributing\n", encoding="utf-8")
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    with pytest.raises(ValueError, match=r"CONTRIBUTING\.md needs"):
        reference.renewed("CONTRIBUTING.md")


def test_every_option_has_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option that is in no group of the page about configuration is an error that names it."""
    monkeypatch.setattr(reference, "OPTIONS", {title: names[1:] for title, names in reference.OPTIONS.items()})
    with pytest.raises(LookupError, match="issuer"):
        reference.options()


NEEDS = {
    "dpop": {"RESOURCE": "https://rs.example.com"},
    "dpop_replay": {"CACHE_URL": "redis://127.0.0.1"},
    "encrypted_tokens": {"DECRYPTION_KEY": json.dumps(signing_key("ES256").private_jwk(alg="ECDH-ES", use="enc"))},
}
"""Options that mean nothing without another one."""


def example(member: dict[str, Any]) -> str | None:
    """Return a value that an option can have, other than its default; none for a text."""
    [chosen] = [kind for kind in member.get("anyOf", [member]) if kind.get("type") != "null"]
    if "enum" in chosen:
        return str(chosen["enum"][-1])
    examples = {"boolean": str(not member.get("default")).lower(), "integer": "7", "number": "2.5"}
    return examples.get(chosen.get("type", ""))


@pytest.mark.parametrize("name", [name for name, member in OPTIONS.items() if example(member)])
def test_every_option_can_be_an_environment_variable(
    name: str, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each option that is no text can be given as one, under the name on the page about configuration."""
    value = example(OPTIONS[name])
    for other, needed in NEEDS.get(name, {}).items():
        monkeypatch.setenv(f"RESOURCE_SERVER_{other}", needed)
    monkeypatch.setenv(f"RESOURCE_SERVER_{name.upper()}", value or "")
    assert f"`RESOURCE_SERVER_{name.upper()}`" in read("docs/configuration.md")
    assert str(getattr(Settings.from_env(), name)).lower() == value


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_described(module: str) -> None:
    """Each name in `__all__` has a heading on the page about its API, and says what it is; they are in order."""
    names = set(import_module(module).__all__)
    assert import_module(module).__all__ == sorted(names)
    entries = re.findall(r"^### `(\w+)`\n\n```text\n(.*?)\n```$", read(PUBLIC[module]), re.MULTILINE | re.DOTALL)
    described: dict[str, str] = dict(entries)
    assert names <= set(described)
    assert [name for name in names - {"Event"} if "\n    " not in described[name]] == []


def test_every_name_is_where_the_page_says() -> None:
    """Each described name exists in the module that is said to define it."""
    groups = [*public_names.NAMES.values(), *public_names.MOCK_NAMES.values()]
    placed = [(module, names) for modules in groups for module, names in modules.items()]
    lost = [name for module, names in placed for name in names if not hasattr(import_module(module), name)]
    assert lost == []


def test_reasons_are_all_explained() -> None:
    """The page about errors explains each reason for a refusal, and no other."""
    _, _, table = read("docs/errors.md").partition("| `reason` | the token |\n|---|---|\n")
    rows = table.partition("\n\n")[0].splitlines()
    assert sorted(re.findall(r"^\| `(\w+)` \| \w", "\n".join(rows), re.MULTILINE)) == sorted(get_args(Reason))


def test_exception_tree_is_the_real_one() -> None:
    """The tree on the page about errors has every exception, under its parent and with its status."""
    [tree, *_] = [block.text for block in blocks("docs/errors.md", "text")]
    parents: list[str] = []
    for line in tree.splitlines():
        found = re.match(r"( *)(\w+)(?:\(\w+\))?(?: +(\d{3}))?", line)
        assert found is not None
        kind = getattr(resource_server.errors, found[2])
        parents = [*parents[: len(found[1]) // 2], found[2]]
        assert [base.__name__ for base in reversed(kind.__mro__) if issubclass(base, ResourceServerError)] == parents
        assert getattr(kind, "status", None) == (int(found[3]) if found[3] else None)
    shown = set(re.findall(r"^ *(\w+)", tree, re.MULTILINE))
    defined = [name for name, kind in vars(resource_server.errors).items() if isinstance(kind, type)]
    assert shown == {name for name in defined if issubclass(getattr(resource_server.errors, name), ResourceServerError)}


@pytest.mark.parametrize("page", NAMES)
def test_defaults_are_the_real_ones(page: str) -> None:
    """Wherever a page writes an option with its default in seconds, that is the default."""
    written = re.findall(r"`(\w+)`[^`.|]{0,12}\((\d+) s\)", read(page))
    assert [(name, float(value)) for name, value in written] == [
        (name, Settings.model_fields[name].default) for name, _ in written
    ]


@pytest.mark.parametrize(
    ("sentence", "seconds"),
    [
        ("at least 30 seconds", keys.MIN_FRESH),
        ("at most an hour", keys.MAX_FRESH),
        ("5 minutes where it says nothing", keys.DEFAULT_FRESH),
        ("then one every 30 seconds", keys.SLOW_SPACING),
        ("in an outage | 5 s |", validate.FALLBACK_TTL),
    ],
)
def test_times_in_the_prose_are_the_real_ones(sentence: str, seconds: float) -> None:
    """The times on the page about how a request is judged are those of the code."""
    units = {"s": 1, "seconds": 1, "minutes": 60, "hour": 3600}
    assert sentence in " ".join(read("docs/how-a-request-is-judged.md").split())
    found = re.search(r"(\d+|an) (s|seconds|minutes|hour)\b", sentence)
    assert found is not None
    assert (1 if found[1] == "an" else int(found[1])) * units[found[2]] == seconds


def test_other_bounds_in_the_prose_are_the_real_ones() -> None:
    """The wait of a 503 without `Retry-After` from above, and the longest form that is read, are those of the code."""
    assert f"else {admit.DEFAULT_RETRY_AFTER:g} seconds" in " ".join(read("docs/errors.md").split())
    assert resource_server._hosts.MAX_FORM_BYTES == 64 * 1024
    assert "64 KiB" in read("docs/how-a-request-is-judged.md")
