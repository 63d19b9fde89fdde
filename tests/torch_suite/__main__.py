"""PyTorch's own samples of its operators and modules, imported: `make torch-suite`, `PYTHONPATH=tests python -m torch_suite --match pool`.

In: nothing, or a part of the names of operators. Out: a line for each case that is not right, and how many are. The exit code is 1 if a
result is wrong, or if an import ends in anything but a model or a refusal.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import cache

from suite_workers import judge_in_processes, judge_numbers, report_counts
from torch_suite.cases import Case, list_cases
from torch_suite.judged import Asked, judge


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--match", default="", help="only operators with this in their name")
    parser.add_argument("--prove", action="store_true", help="prove each import too")
    parser.add_argument("--targets", action="store_true", help="run each import in JAX and MLX too")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        return judge_numbers(lambda number: judge(_every()[number], Asked(asked.prove, asked.targets)))
    names = {n: (case.name, case.operator) for n, case in enumerate(_every()) if asked.match in case.name}
    options = [option for option, given in (("--prove", asked.prove), ("--targets", asked.targets)) if given]
    results = judge_in_processes(["torch_suite", *options], names, asked.workers)
    return report_counts(results)


@cache
def _every() -> Sequence[Case]:
    return list_cases()


if __name__ == "__main__":
    raise SystemExit(main())
