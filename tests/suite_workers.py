"""Judges the cases of a suite from outside the project, in processes that may end: a runtime may end the one that it is in.

In: the module that judges, and the numbers of the cases with their names. Out: a `Result` for each. Always: a case that ends its process,
or does not end, is a result too, and the other cases are judged all the same.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from queue import Empty, Queue
from threading import Thread
from types import FrameType
from typing import NoReturn

from netc.dsl.record import Record

RIGHT, CONSTANT, REFUSED, WRONG, CRASHED = "right", "right with constant inputs", "refused", "wrong", "crashed"
ENDLESS = 300
"""Seconds for one case."""
_MARK = "result: "


class Result(Record):
    """`outcome` is one of the above, or one of the suite's own. `why` says what was refused or what differs."""

    name: str
    operator: str
    outcome: str
    why: str = ""


def judge_in_processes(module: Sequence[str], names: Mapping[int, tuple[str, str]], workers: int) -> list[Result]:
    """Judge cases, whose numbers have a name and an operator, by `python -m MODULE --worker`, and print those that are not right."""
    waiting: Queue[int] = Queue()
    for number in names:
        waiting.put(number)
    found: dict[int, Result] = {}

    def work() -> None:
        worker = _Worker(module)
        try:
            while True:
                number = waiting.get_nowait()
                found[number] = worker.judge(number) or Result(*names[number], CRASHED, f"the process ended with {worker.restart()}")
                if found[number].outcome in (WRONG, CRASHED, REFUSED):
                    print(f"{found[number].outcome} {found[number].name}: {found[number].why}", flush=True)
        except Empty:
            worker.end()

    threads = [Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[number] for number in names]


def report_counts(results: Sequence[Result]) -> int:
    """Print how many results have each outcome. Return the exit code."""
    counts = Counter(result.outcome for result in results)
    print(f"{len(results)} cases: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()))
    return 1 if counts[WRONG] + counts[CRASHED] else 0


class _Worker:
    """A process that judges."""

    def __init__(self, module: Sequence[str]) -> None:
        self.command = [sys.executable, "-W", "ignore", "-m", *module, "--worker"]
        self.process = self._start()

    def judge(self, number: int) -> Result | None:
        """Return the result of a case, or None if the process has ended."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith(_MARK):
                return Result(*json.loads(line.removeprefix(_MARK)))
        return None

    def restart(self) -> int:
        """Start the process anew, and return the exit code of the one before."""
        code = self.process.wait()
        self.process = self._start()
        return code

    def end(self) -> None:
        self.process.communicate()

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def judge_numbers(judge: Callable[[int], Result]) -> int:
    """Judge the cases whose numbers are on standard input, one in a line. Return the exit code."""
    signal.signal(signal.SIGALRM, _interrupt)
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        signal.alarm(ENDLESS)
        result = judge(int(line))
        signal.alarm(0)
        print(_MARK + json.dumps([result.name, result.operator, result.outcome, result.why]), flush=True)
    return 0


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise TimeoutError(f"no end after {ENDLESS} s")


def shorten_reason(why: str) -> str:
    """Return a reason without what is special in it: names, numbers, shapes."""
    return re.sub(r"`[^`]*`|\[[^\]]*\]|(?<![\w])-?\d[\d.e+-]*", "...", why)
