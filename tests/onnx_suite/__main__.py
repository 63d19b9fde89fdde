"""ONNX's backend suite, imported: `make onnx-suite`, `PYTHONPATH=tests python -m onnx_suite --match Loop`.

In: nothing, or a part of the names of tests. Out: a line for each test that is not right, and how many are; with `--update`, the table of
docs/import.md. The exit code is 1 if a result is wrong, or if an import ends in anything but a proof or a refusal.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from onnx_suite import page
from onnx_suite.cases import Case, cases
from onnx_suite.judged import judge
from suite_workers import judge_in_processes, judge_numbers, report_counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--match", default="", help="only tests with this in their name or operator")
    parser.add_argument("--no-proof", action="store_true", help="compare with the suite's outputs only")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, help="keep the results")
    parser.add_argument("--update", action="store_true", help="write docs/import.md")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        return judge_numbers(lambda number: judge(_every()[number], prove=not asked.no_proof))
    names = {n: (case.name, case.operator) for n, case in enumerate(_every()) if asked.match in case.name or asked.match in case.operator}
    results = judge_in_processes(["onnx_suite", *(["--no-proof"] if asked.no_proof else [])], names, asked.workers)
    if asked.json:
        asked.json.write_text(json.dumps([[r.name, r.operator, r.outcome, r.why] for r in results]))
    if asked.update:
        page.write(results)
    return report_counts(results)


@cache
def _every() -> Sequence[Case]:
    return cases()


if __name__ == "__main__":
    raise SystemExit(main())
