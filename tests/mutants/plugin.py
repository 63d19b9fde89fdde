"""What a run of tests reports: pytest plugins, used in processes of their own.

`Recorder` notes which probes each test reaches, and how long it takes; `Selection` runs some tests, in a given order.
"""

from __future__ import annotations

import builtins
import os
import signal
from collections.abc import Generator
from pathlib import Path
from time import process_time
from typing import Any

import pytest

COLLECTING = 60.0
"""CPU seconds for the collection of tests."""
PATIENCE = 20.0
SLOWER = 5
"""The time limit of a test: `SLOWER` times its duration without a mistake, plus `PATIENCE` seconds."""
HITS = "MUTANTS_HITS"
SITE = f"""
import atexit, builtins, os

hits = set()
builtins.__hit__ = hits.add

@atexit.register
def write():
    with open(os.environ["{HITS}"], "a") as file:
        file.write("".join(f"{{hit}} " for hit in hits))
"""
"""The sitecustomize.py of processes that tests start: these note the probes they reach in a file."""


class Recorder:
    """Runs every `of`-th test from number `share` on. `tests`: seconds of the processor and the probes reached, of those that pass."""

    def __init__(self, share: int, of: int) -> None:
        self.share, self.of = share, of
        self.tests: dict[str, tuple[float, list[int]]] = {}
        self.failed: set[str] = set()
        self.imported: list[int] = []
        self.elsewhere = Path(os.environ[HITS])
        self.hits: set[int] = set()
        builtins.__hit__ = self.hits.add  # type: ignore[attr-defined]

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = items[self.share :: self.of]
        self.imported = sorted(self.hits)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        self.hits.clear()
        self.elsewhere.write_text("")
        began = process_time()
        result = yield
        self.hits.update(map(int, self.elsewhere.read_text().split()))
        self.tests[item.nodeid] = (process_time() - began, sorted(self.hits))
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome != "passed":
            self.failed.add(report.nodeid)

    def options(self) -> list[str]:
        return []

    def summary(self) -> dict[str, Any]:
        passed = {name: found for name, found in self.tests.items() if name not in self.failed}
        return {"tests": passed, "failed": sorted(self.failed), "imported": self.imported}


class NoEnd(BaseException):
    """A test takes much longer than without a mistake."""


def _give_up(*_: object) -> None:
    raise NoEnd


class Selection:
    """Runs the tests of these names, in this order, until one fails, or takes much longer than its `seconds`."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds = seconds
        self.order = {name: index for index, name in enumerate(seconds)}
        self.failure = ""
        signal.signal(signal.SIGPROF, _give_up)
        signal.setitimer(signal.ITIMER_PROF, COLLECTING)

    def options(self) -> list[str]:
        return ["--exitfirst", *dict.fromkeys(name.partition("::")[0] for name in self.order)]

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted((i for i in items if i.nodeid in self.order), key=lambda i: self.order[i.nodeid])

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        signal.setitimer(signal.ITIMER_PROF, PATIENCE + SLOWER * self.seconds[nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.failure:
            self.failure = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.failure:
            self.failure = f"{report.nodeid} cannot be imported"

    def summary(self) -> dict[str, Any]:
        return {"failure": self.failure}
