"""The part of docs/peers.md that is written from the results: a table, and a sentence for each thing that differs."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
SIGNS = {"passed": "✓", "failed": "✗", "not_applicable": "-", "undecided": "?"}
_WIDTH = 120
_SEVERITIES = ("critical", "high", "medium", "low")
_DOCUMENTS = {
    "6750": "Bearer tokens (RFC 6750)",
    "7662": "Introspection (RFC 7662)",
    "9110": "HTTP (RFC 9110, RFC 9111)",
    "9111": "HTTP (RFC 9110, RFC 9111)",
    "field": "Under load and in trouble",
    "9457": "Problem documents, metadata, step-up (RFC 9457, RFC 9728, RFC 9470)",
    "9470": "Problem documents, metadata, step-up (RFC 9457, RFC 9728, RFC 9470)",
    "9728": "Problem documents, metadata, step-up (RFC 9457, RFC 9728, RFC 9470)",
    "9449": "Proof of possession (RFC 9449)",
}
_JWTS = "JWTs (RFC 7515, RFC 7519, RFC 8725, RFC 9068)"
Peers = Mapping[str, Mapping[str, Any]]
Notes = Mapping[str, Sequence[Mapping[str, Any]]]


def spliced(page: str, text: str) -> str:
    """Put a text between the two comments of a page.

    Args:
        page: the page.
        text: what stands there from now on.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no place for the results")
    return f"{before}{BEGIN}\n\n{text}\n{END}{after}"


def written(document: Mapping[str, Any], notes: Notes) -> str:
    """Write the results.

    Args:
        document: the results.
        notes: what there is to say to what failed, for each peer.
    """
    peers: Peers = document["peers"]
    clauses = document["clauses"]
    return "\n".join([*_who(document), *_scores(clauses, peers), *_tables(clauses, peers), *_remarks(peers, notes)])


def unexplained(document: Mapping[str, Any], notes: Notes) -> list[str]:
    """Return what failed and has no note, as `PEER CLAUSE`.

    Args:
        document: the results.
        notes: what there is to say to what failed, for each peer.
    """
    return [
        f"{name} {clause}"
        for name, peer in document["peers"].items()
        for clause in _with(peer, "failed")
        if not any(clause in note["clauses"] for note in notes.get(name, ()))
    ]


def _who(document: Mapping[str, Any]) -> Iterator[str]:
    ran = ", ".join(f"{name} {version}" for name, version in document["runtime"].items() if version)
    yield f"Run on {ran}.\n"
    yield "| | what it is | versions | run on |"
    yield "|---|---|---|---|"
    for number, peer in enumerate(document["peers"].values()):
        versions = ", ".join(f"{package} {version}" for package, version in peer["versions"].items())
        yield f"| **{_letter(number)}** {peer['title']} | {peer['what']} | {versions} | {peer['date']} |"
    yield ""


def _letter(number: int) -> str:
    return chr(ord("A") + number)


def _scores(clauses: Sequence[Mapping[str, str]], peers: Peers) -> Iterator[str]:
    yield "### By what hangs on it\n"
    yield "How many clauses each fails, of those that apply to it.\n"
    yield "| | " + " | ".join(_SEVERITIES) + " |"
    yield "|---|" + "---:|" * len(_SEVERITIES)
    for number, peer in enumerate(peers.values()):
        counts = Counter((one["severity"], peer["verdicts"][one["id"]]) for one in clauses)
        cells = [_score(counts, severity) for severity in _SEVERITIES]
        yield f"| **{_letter(number)}** {peer['title']} | " + " | ".join(cells) + " |"
    yield ""


def _score(counts: Mapping[tuple[str, str], int], severity: str) -> str:
    failed = counts.get((severity, "failed"), 0)
    return f"{failed} of {failed + counts.get((severity, 'passed'), 0)}"


def _tables(clauses: Sequence[Mapping[str, str]], peers: Peers) -> Iterator[str]:
    groups: dict[str, list[Mapping[str, str]]] = {}
    for clause in clauses:
        groups.setdefault(_DOCUMENTS.get(clause["id"].partition("-")[0], _JWTS), []).append(clause)
    letters = " | ".join(_letter(number) for number in range(len(peers)))
    for group, members in groups.items():
        yield f"### {group}\n"
        yield f"| clause | | | {letters} |"
        yield "|---|---|---|" + ":---:|" * len(peers)
        for clause in members:
            signs = [SIGNS[peer["verdicts"][clause["id"]]] for peer in peers.values()]
            said = f"{clause['severity']}, {clause['level']}"
            yield f"| `{clause['id']}` | {clause['title']} | {said} | " + " | ".join(signs) + " |"
        yield ""


def _remarks(peers: Peers, notes: Notes) -> Iterator[str]:
    yield "### What differs, and why\n"
    for number, (name, peer) in enumerate(peers.items()):
        yield f"#### {_letter(number)}: {peer['title']}\n"
        yield from _explained(peer, notes.get(name, ()))
        yield from _not_applicable(peer)


def _explained(peer: Mapping[str, Any], notes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    failed = _with(peer, "failed")
    if not failed:
        yield "Nothing failed.\n"
        return
    yield "| clauses | seen of the first | why |"
    yield "|---|---|---|"
    for note in notes:
        clauses = [clause for clause in note["clauses"] if clause in failed]
        if clauses:
            seen = peer["observed"][clauses[0]].replace("`", "'").replace("|", "\\|")
            yield f"| {', '.join(f'`{clause}`' for clause in clauses)} | `{seen}` | {note['says']} |"
    yield ""


def _not_applicable(peer: Mapping[str, Any]) -> Iterator[str]:
    reasons = Counter(peer["observed"][clause] for clause in _with(peer, "not_applicable"))
    told = "; ".join(f"{reason} ({number})" for reason, number in reasons.items())
    if told:
        text = f"What does not apply, and how many clauses that is: {told}."
        yield textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
        yield ""


def _with(peer: Mapping[str, Any], verdict: str) -> list[str]:
    return [clause for clause, found in peer["verdicts"].items() if found == verdict]
