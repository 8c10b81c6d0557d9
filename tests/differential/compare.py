"""Ask both judges about the same requests, and sort what they say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from tests.differential.draft import Case
from tests.differential.ours import Ours, Ruling
from tests.differential.proofs import ORIGIN
from tests.differential.reading import is_number
from tests.differential.rules import explain
from tests.differential.worlds import worlds
from tests.interop.oracle import Oracle
from tests.support.jwt import AUDIENCE, ISSUER, NOW

BATCH = 250


@dataclass(frozen=True, slots=True)
class Difference:
    """A request that the judges differ about, and no rule says why."""

    case: Case
    ours: Ruling
    theirs: Ruling

    def __str__(self) -> str:
        """Show all of it."""
        ours, theirs = ("accepts" if ruling.accepted else ruling.reason for ruling in (self.ours, self.theirs))
        return f"ours: {ours}; theirs: {theirs}\n{self.case}"


@dataclass(slots=True)
class Tally:
    """What came of the requests."""

    accepted: int = 0
    refused: int = 0
    explained: Counter[str] = field(default_factory=Counter[str])
    """How often each rule was needed, by its name."""
    unexplained: list[Difference] = field(default_factory=list[Difference])

    @property
    def judged(self) -> int:
        """How many requests there were."""
        return self.accepted + self.refused + self.explained.total() + len(self.unexplained)


async def compare(requests: Iterable[Case], oracle: Oracle, *, now: float = NOW) -> Tally:
    """Ask both about requests; while the other judge thinks about a batch, ours does.

    Args:
        requests: what they are asked about.
        oracle: the other judge.
        now: the time it goes by, in whole seconds since the epoch; ours goes by the one of the requests.
    """
    sets = {world.name: {"issuer": ISSUER, "jwks": {"keys": list(map(dict, world.keys))}} for world in worlds()}
    oracle.begin(now, AUDIENCE, sets)
    tally, ours = Tally(), Ours()
    for batch in _batches(requests):
        oracle.hand_over([_written(case) for case in batch])
        rulings = [await ours.judge(case) for case in batch]
        for case, mine, verdict in zip(batch, rulings, oracle.verdicts(), strict=True):
            _sort(tally, case, mine, _read(verdict))
    return tally


def _sort(tally: Tally, case: Case, ours: Ruling, theirs: Ruling) -> None:
    if ours.accepted == theirs.accepted:
        if not same(ours.claims, theirs.claims):
            tally.unexplained.append(Difference(case, ours, theirs))
        elif ours.accepted:
            tally.accepted += 1
        else:
            tally.refused += 1
        return
    rule = explain(case, "theirs", theirs.reason) if ours.accepted else explain(case, "ours")
    if rule is None:
        tally.unexplained.append(Difference(case, ours, theirs))
    else:
        tally.explained[rule.name] += 1


def same(ours: Any, theirs: Any) -> bool:
    """Tell whether two JSON values are the same, as far as the numbers of JavaScript can tell."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        return ours.keys() == theirs.keys() and all(same(ours[name], theirs[name]) for name in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if is_number(ours) and is_number(theirs):
        return float(ours) == float(theirs)
    return bool(ours == theirs and type(ours) is type(theirs))


def _written(case: Case) -> dict[str, Any]:
    return {
        "world": case.world.name,
        "tolerance": case.leeway,
        "method": case.method,
        "url": f"{ORIGIN}{case.path}?{case.query}" if case.query else f"{ORIGIN}{case.path}",
        "headers": [[name.decode("ascii"), value.decode("latin-1")] for name, value in case.headers],
    }


def _read(verdict: Mapping[str, Any]) -> Ruling:
    return Ruling(verdict.get("claims"), f"{verdict.get('refused')} {verdict.get('why')}")


def _batches(requests: Iterable[Case]) -> Iterator[Sequence[Case]]:
    iterator = iter(requests)
    while batch := list(islice(iterator, BATCH)):
        yield batch
