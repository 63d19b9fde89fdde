"""Imports many models and counts: `make import`, `make import N=200 SEED=1 SETS=timm`.

In: names of sets, the size and the seed of the sample. Out: a line for each model; with `--update`, the table of docs/import.md, of the
last run of each set. Always: each model has a process that may be killed, so that one that takes too long or too much is a failure and
not the end.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Iterator
from multiprocessing.pool import Pool

from imports import page
from imports.cases import names
from imports.kept import SAMPLED, SETS, Measured, keep, kept
from imports.measured import Result, measure, reasons

MILLION = 1_000_000
LIMIT = 600
"""Seconds for one model."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--n", type=int, default=50, help="how many of timm's models, and of torchvision's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most", type=int, default=100, help="the most parameters that these may have, in millions")
    parser.add_argument("--update", action="store_true", help="write docs/import.md")
    asked = parser.parse_args()
    for of in asked.sets.split(","):
        results: list[Result] = []
        for result in _measured([(of, name) for name in names(of, asked.n, asked.seed, asked.most * MILLION)], asked.seed):
            results.append(result)
            said = result.failure or f"{result.lines} lines, {result.difference:.1e}, {sum(result.seconds):.1f} s"
            print(f"{result.of} {result.name}: {said}", flush=True)
        failed = [result for result in results if result.failure]
        print(f"{of}: {len(results) - len(failed)} of {len(results)} proved")
        for reason, count in reasons(failed).most_common():
            print(f"  {count}: {reason}")
        keep(Measured(of, asked.seed, asked.most if of in SAMPLED else None, results))
        if asked.update:
            page.write(kept())
    return 0


def _measured(cases: list[tuple[str, str]], seed: int) -> Iterator[Result]:
    context = multiprocessing.get_context("spawn")
    pool = _pool(context)
    for of, name in cases:
        try:
            yield pool.apply_async(measure, (of, name, seed)).get(LIMIT)
        except multiprocessing.TimeoutError:
            pool.terminate()
            pool = _pool(context)
            yield Result(of, name, failure=f"takes more than {LIMIT} s")
    pool.terminate()


def _pool(context: multiprocessing.context.SpawnContext) -> Pool:
    return context.Pool(1, maxtasksperchild=10)


if __name__ == "__main__":
    raise SystemExit(main())
