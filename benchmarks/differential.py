"""The differential test at length: an implementation that nobody here wrote judges every request as well.

What the requests are, and which differences are meant, is said in ``tests/differential``. Needs Node.js, and
``npm install --no-package-lock`` in ``tests/interop``.
"""

from __future__ import annotations

import argparse
import time

from benchmarks.harness import Figure
from tests.differential.cases import cases
from tests.differential.compare import compare
from tests.differential.rules import RULES
from tests.interop.oracle import oracle

_SHOWN = 20
_ENOUGH = 100_000


async def measure(arguments: list[str]) -> list[Figure]:
    """Judge requests, print what nobody can explain, and count what each rule explains.

    Args:
        arguments: ``--cases`` says how many, ``--seed`` which series.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks differential")
    parser.add_argument("--cases", type=int, default=120_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    started = time.perf_counter()
    with oracle() as judge:
        tally = await compare(cases(options.seed, options.cases), judge)
    took = time.perf_counter() - started
    for difference in tally.unexplained[:_SHOWN]:
        print(difference)
    unexplained, unused = len(tally.unexplained), [rule.name for rule in RULES if not tally.explained[rule.name]]
    whole = tally.judged >= _ENOUGH
    return [
        Figure("differential, requests", tally.judged, "requests", target=f">= {_ENOUGH}", met=whole or None),
        Figure("differential, speed", tally.judged / took, "requests/s", note=f"{took:.0f} s"),
        Figure("both accept", tally.accepted, "requests"),
        Figure("both refuse", tally.refused, "requests"),
        Figure("unexplained", unexplained, "requests", target="= 0", met=unexplained == 0),
        Figure(
            "rules that nothing needs",
            len(unused),
            "rules",
            met=not unused or (None if not whole else False),
            target="= 0",
            note=", ".join(unused),
        ),
        *(
            Figure(f"explained: {rule.name}", tally.explained[rule.name], "requests", note=f"{rule.stricter} refuse")
            for rule in RULES
        ),
    ]
