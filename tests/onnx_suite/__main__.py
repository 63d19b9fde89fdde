"""ONNX's backend suite, imported: `make onnx-suite`, `PYTHONPATH=tests python -m onnx_suite --match Loop`.

In: nothing, or a part of the names of tests. Out: a line for each test that is not right, and how many are; with `--update`, the table of
docs/import.md. The exit code is 1 if a result is wrong, or if an import ends in anything but a proof or a refusal.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from queue import Queue
from threading import Thread
from types import FrameType
from typing import NoReturn

from onnx_suite import page
from onnx_suite.cases import Case, cases
from onnx_suite.judged import CRASHED, REFUSED, WRONG, Result, judge

ENDLESS = 300
"""Seconds for one test."""
MARK = "result: "


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
        return _work(not asked.no_proof)
    numbers = [n for n, case in enumerate(_every()) if asked.match in case.name or asked.match in case.operator]
    results = _judged(numbers, not asked.no_proof, asked.workers)
    counts = Counter(result.outcome for result in results)
    print(f"{len(results)} tests: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()))
    if asked.json:
        asked.json.write_text(json.dumps([[r.name, r.operator, r.outcome, r.why] for r in results]))
    if asked.update:
        page.write(results)
    return 1 if counts[WRONG] + counts[CRASHED] else 0


def _judged(numbers: Sequence[int], prove: bool, workers: int) -> list[Result]:
    """In processes that may end, since ONNX Runtime may end the one that it is in."""
    waiting: Queue[int] = Queue()
    for number in numbers:
        waiting.put(number)
    found: dict[int, Result] = {}

    def work() -> None:
        worker = Worker(prove)
        while not waiting.empty():
            number = waiting.get()
            found[number] = worker.judge(number)
            if found[number].outcome in (WRONG, CRASHED, REFUSED):
                print(f"{found[number].outcome} {found[number].name}: {found[number].why}", flush=True)

    threads = [Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[number] for number in numbers]


class Worker:
    """A process that judges, made anew where it ended."""

    def __init__(self, prove: bool) -> None:
        self.prove = prove
        self.process = self._started()

    def judge(self, number: int) -> Result:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith(MARK):
                return Result(*json.loads(line.removeprefix(MARK)))
        code = self.process.wait()
        self.process = self._started()
        case = _every()[number]
        return Result(case.name, case.operator, CRASHED, f"the process ended with {code}")

    def _started(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "onnx_suite", "--worker", *([] if self.prove else ["--no-proof"])]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _work(prove: bool) -> int:
    """Judges the tests whose numbers are on standard input."""
    signal.signal(signal.SIGALRM, _interrupt)
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        case = _every()[int(line)]
        signal.alarm(ENDLESS)
        result = judge(case, prove=prove)
        signal.alarm(0)
        print(MARK + json.dumps([result.name, result.operator, result.outcome, result.why]), flush=True)
    return 0


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise TimeoutError(f"no end after {ENDLESS} s")


@cache
def _every() -> Sequence[Case]:
    return cases()


if __name__ == "__main__":
    raise SystemExit(main())
