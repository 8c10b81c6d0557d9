"""Change the code in thousands of small ways, and see which changes no test notices.

    python -m scripts.mutate                                  all of _protocol and _validation
    python -m scripts.mutate resource_server/_protocol/jws.py --jobs 1
    python -m scripts.mutate --sample 500 --json build/mutation.json

A change that alters nothing anyone could observe is judged in `scripts/mutation/equivalent.toml`, with its reason.
What is left over is printed, and is a rule without a test.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from scripts.mutation.operators import Mutant, find_mutants
from scripts.mutation.trials import try_all

ROOT = Path(__file__).parents[1]
PACKAGES = ("resource_server/_protocol", "resource_server/_validation")
TESTS = (
    "tests/protocol",
    "tests/validation",
    "tests/server",
    "tests/conformance",
    "tests/test_downstream.py",
    "tests/test_lease.py",
)
JUDGED = Path(__file__).parent / "mutation" / "equivalent.toml"
REQUIRED = 95.0
"""Percent of the mutants that are not equivalent."""
COLUMNS = ("mutants", "killed", "timeout", "survived", "unreached", "equivalent", "untried")


def judged(path: Path = JUDGED) -> set[tuple[str, str, str, str, int]]:
    """Read which mutants are equivalent, by their keys."""
    entries: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8")).get("equivalent", [])
    return {
        (str(ROOT / entry["module"]), entry["scope"], entry["was"], entry["now"], entry.get("nth", 0))
        for entry in entries
    }


def _modules(names: Sequence[str]) -> list[Path]:
    paths = [ROOT / name for name in names or PACKAGES]
    return [module for path in paths for module in (sorted(path.glob("*.py")) if path.is_dir() else [path])]


def share(counts: Counter[str]) -> float:
    """Return the percentage of mutants that were noticed, of those that can be."""
    noticed = counts["killed"] + counts["timeout"]
    possible = noticed + counts["survived"] + counts["unreached"]
    return 100 * noticed / possible if possible else 100.0


def _print_table(by_module: dict[str, Counter[str]]) -> None:
    width = max(map(len, by_module))
    print(f"{'':{width}}", *(f"{column:>10}" for column in COLUMNS), "  share")
    for module, counts in by_module.items():
        print(f"{module:{width}}", *(f"{counts[column]:>10}" for column in COLUMNS), f"{share(counts):>6.1f}%")


def _print_left_over(mutants: Iterable[tuple[Mutant, str]]) -> None:
    for mutant, outcome in mutants:
        where = f"{mutant.path.relative_to(ROOT)}:{mutant.place.lines[0]}"
        nth = f" (nth = {mutant.nth})" if mutant.nth else ""
        print(f"\n{outcome}: {where} {mutant.place.scope}{nth}\n  - {mutant.was}\n  + {mutant.now}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print how many mutants of each module are noticed; return 1 where that is too few."""
    parser = argparse.ArgumentParser(prog="python -m scripts.mutate", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("modules", nargs="*", help="files or folders; all of _protocol and _validation by default")
    parser.add_argument("--tests", nargs="+", default=TESTS, help="files or folders of tests")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time")
    parser.add_argument("--sample", type=int, help="only so many of them, always the same ones")
    parser.add_argument("--minutes", type=float, default=math.inf, help="try them in any order, for so long at most")
    parser.add_argument("--json", type=Path, help="write every mutant and how it ended to this file")
    options = parser.parse_args(arguments)
    mutants = [mutant for module in _modules(options.modules) for mutant in find_mutants(module)]
    if options.sample is not None and options.sample < len(mutants):
        mutants = random.Random(0).sample(mutants, options.sample)  # noqa: S311 - the same ones each time
    if options.minutes < math.inf:
        random.Random(0).shuffle(mutants)  # noqa: S311 - the same order each time
    until = time.monotonic() + 60 * options.minutes
    equivalent = judged()
    outcomes = try_all(
        [mutant for mutant in mutants if mutant.key not in equivalent], options.tests, options.jobs, until
    )
    ended = [(m, "equivalent" if m.key in equivalent else outcomes.by_mutant.get(m.key, "untried")) for m in mutants]
    return _report(ended, outcomes.unsteady, options.json)


def _report(ended: list[tuple[Mutant, str]], unsteady: Sequence[str], file: Path | None) -> int:
    by_module: dict[str, Counter[str]] = {}
    for mutant, outcome in sorted(ended, key=lambda pair: pair[0].path):
        for name in (str(mutant.path.relative_to(ROOT)), "all"):
            by_module.setdefault(name, Counter()).update(("mutants", outcome))
    by_module["all"] = by_module.pop("all")
    _print_left_over((mutant, outcome) for mutant, outcome in ended if outcome in {"survived", "unreached"})
    print()
    _print_table(by_module)
    for test in unsteady:
        print(f"left out, because it fails in another order: {test}")
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps([_members(*pair) for pair in ended], indent=1) + "\n", encoding="utf-8")
    return 0 if share(by_module["all"]) >= REQUIRED else 1


def _members(mutant: Mutant, outcome: str) -> dict[str, object]:
    return {
        "module": mutant.path.relative_to(ROOT).as_posix(),
        "line": mutant.place.lines[0],
        "scope": mutant.place.scope,
        "was": mutant.was,
        "now": mutant.now,
        "nth": mutant.nth,
        "outcome": outcome,
    }


if __name__ == "__main__":
    sys.exit(main())
