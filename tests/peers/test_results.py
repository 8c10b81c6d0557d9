"""The comparison of resource servers: what is written about it, and what it is made of."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from resource_server.conformance.run import Plan, choose, run
from resource_server.conformance.target import load_target
from scripts import peers, peers_page

DOCUMENT: dict[str, Any] = json.loads(peers.RESULTS.read_text(encoding="utf-8"))
NOTES: dict[str, list[dict[str, Any]]] = tomllib.loads(peers.NOTES.read_text(encoding="utf-8"))
LISTED = peers.peers()
STRANGERS = [peer for peer in LISTED if peer.environment]
_PIN = re.compile(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*")
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")
_ROW = re.compile(r"^\| `(?P<clause>[\w.-]+)` \| .+? \| .+? \| (?P<signs>.+) \|$", re.MULTILINE)


def test_the_page_says_what_the_results_say() -> None:
    """The page is written from the results and from nothing else."""
    assert peers.main("--check") == 0


def test_a_page_that_was_changed_by_hand_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign that somebody turned is noticed, and rendering turns it back."""
    page = tmp_path / "peers.md"
    text = peers.PAGE.read_text(encoding="utf-8")
    page.write_text(text.replace("| ✗ |", "| ✓ |", 1), encoding="utf-8")
    monkeypatch.setattr(peers, "PAGE", page)

    assert peers.main("--check") == 1
    assert peers.main("--render") == 0
    assert page.read_text(encoding="utf-8") == text


def test_every_row_has_a_sign_for_everybody() -> None:
    """The table has each clause once, and says what was found of each peer."""
    rows = {row["clause"]: row["signs"].split(" | ") for row in _ROW.finditer(peers.PAGE.read_text(encoding="utf-8"))}

    assert list(rows) != []
    assert rows == {
        clause["id"]: [peers_page.SIGNS[peer["verdicts"][clause["id"]]] for peer in DOCUMENT["peers"].values()]
        for clause in DOCUMENT["clauses"]
    }


def test_the_results_are_of_everybody_who_is_listed() -> None:
    """No peer is missing, and none is left over."""
    assert list(DOCUMENT["peers"]) == [peer.name for peer in LISTED]


def test_our_own_door_holds_every_clause() -> None:
    """What is ours fails nothing."""
    assert "failed" not in DOCUMENT["peers"][peers.OURS]["verdicts"].values()


def test_what_failed_is_explained() -> None:
    """Each failure of a peer has a sentence about its default, or its switch."""
    assert peers_page.unexplained(DOCUMENT, NOTES) == []


def test_a_failure_without_a_sentence_is_found() -> None:
    """A new failure asks for a new sentence."""
    [name, *_] = [peer.name for peer in STRANGERS]

    assert peers_page.unexplained(DOCUMENT, NOTES | {name: []}) != []


def test_the_sentences_are_about_clauses_and_peers_that_exist() -> None:
    """A note names a peer that is listed, and clauses of the suite."""
    clauses = {clause["id"] for clause in DOCUMENT["clauses"]}

    assert set(NOTES) <= {peer.name for peer in STRANGERS}
    assert {clause for notes in NOTES.values() for note in notes for clause in note["clauses"]} <= clauses


@pytest.mark.parametrize("peer", STRANGERS, ids=lambda peer: peer.name)
def test_every_package_is_pinned(peer: peers.Peer) -> None:
    """An environment has exact versions and no addresses, and the results are of these."""
    folder = peers.PEERS / peer.environment
    if (folder / "package.json").exists():
        pinned = json.loads((folder / "package.json").read_text(encoding="utf-8"))["dependencies"]
        assert all(_VERSION.fullmatch(version) for version in pinned.values())
    else:
        lines = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
        assert all(_PIN.fullmatch(line) for line in lines)
        pinned = dict(line.lower().split("==") for line in lines)
    assert {name: pinned.get(name) for name in peer.packages} == DOCUMENT["peers"][peer.name]["versions"]


@pytest.mark.parametrize("peer", LISTED, ids=lambda peer: peer.name)
def test_every_target_can_be_read(peer: peers.Peer) -> None:
    """The description of each target is one that the suite understands, with the routes that it needs."""
    target = load_target(peer.target / "target.toml")

    assert {"read", "write", "both", "post", "public"} <= set(target.routes)
    assert target.start


def test_only_who_is_named_is_run_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The results of the others stay as they are."""
    stored = tmp_path / "results.json"
    stored.write_text(json.dumps(DOCUMENT | {"clauses": peers.clauses()}), encoding="utf-8")
    monkeypatch.setattr(peers, "RESULTS", stored)
    monkeypatch.setattr(peers, "judge", lambda peer: {"title": peer.title})

    found = peers.results([peers.OURS])["peers"]

    assert found[peers.OURS] == {"title": LISTED[0].title}
    assert {name: found[name] for name in found if name != peers.OURS} == {
        name: peer for name, peer in DOCUMENT["peers"].items() if name != peers.OURS
    }


def test_results_of_another_suite_are_not_mixed_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the clauses have changed, everybody is run, and a name that nobody has is a mistake."""
    stored = tmp_path / "results.json"
    stored.write_text(json.dumps(DOCUMENT | {"clauses": []}), encoding="utf-8")
    monkeypatch.setattr(peers, "RESULTS", stored)

    with pytest.raises(SystemExit, match="run everybody"):
        peers.results([peers.OURS])
    with pytest.raises(SystemExit, match="no peer nobody"):
        peers.results(["nobody"])


def test_our_own_version_is_the_installed_one() -> None:
    """What is ours has no environment of its own."""
    assert set(peers.versions(LISTED[0])) == {"resource-server"}


def test_long_answers_and_ports_are_left_out() -> None:
    """What differs from run to run does not change the page, and a row stays a row."""
    seen = peers.shown("at 127.0.0.1:43211\nsaid " + "x" * 500)

    assert seen.startswith("at 127.0.0.1 said x")
    assert len(seen) <= 202


def test_a_page_without_a_place_is_left_alone() -> None:
    """Results go between two comments, or nowhere."""
    with pytest.raises(ValueError, match="no place"):
        peers_page.spliced("a page", "a table")


def test_the_dependency_that_people_write_by_hand_is_judged() -> None:
    """A peer runs through the suite: what it holds is held, and what it does not is seen."""
    target = load_target(peers.PEERS / "handwritten" / "target.toml")
    ours = replace(target, start=(sys.executable, *target.start[1:]))

    report = run(Plan(ours, clauses=choose(["6750-2.1-a", "6750-3-a", "6750-3.1-f", "7662-2.2-f"])))

    assert {result.clause.id: result.outcome.verdict for result in report.results} == {
        "6750-2.1-a": "passed",
        "6750-3-a": "passed",
        "6750-3.1-f": "failed",
        "7662-2.2-f": "failed",
    }
