"""What a run of tests reports: pytest plugins, used in processes of their own.

`Recorder` notes which probes each test reaches, and how long it takes; `Selection` runs some tests, in a given order.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import os
import signal
from collections import defaultdict
from collections.abc import Generator, Sequence
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from tests.mutants.hits import HITS, Hits

COLLECTING = 60.0
"""CPU seconds for the collection of tests."""
PATIENCE = 20.0
SLOWER = 5
"""The time limit of a test: `SLOWER` times its duration without a mistake, plus `PATIENCE` seconds."""


class Recorder:
    """Runs every `of`-th test from number `share` on. `tests`: seconds of the processor and the probes reached, of those that pass.

    A test also reaches what its fixtures and the results of cached functions were made by, though another test may have asked first. What a
    module runs when it is imported belongs to no test, so all `files` with probes are imported before the tests.
    """

    def __init__(self, share: int, of: int, files: Sequence[str], probes: int) -> None:
        self.share, self.of, self.files = share, of, files
        self.tests: dict[str, tuple[float, list[int]]] = {}
        self.failed: set[str] = set()
        self.imported: list[int] = []
        self.fixtures: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
        """What made a fixture, by its name and by the node whose tests share it."""
        self.hits = Hits(Path(os.environ[HITS]), probes)
        self.hits.note_cached_results(Path.cwd())
        builtins.__hit__ = self.hits.note  # type: ignore[attr-defined]

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = items[self.share :: self.of]
        for path in self.files:
            with contextlib.suppress(Exception):  # a template, or a module for another system
                importlib.import_module(name_module(path))
        self.imported = sorted(self.hits.update())

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Generator[None, Any, Any]:
        with self.hits.collect() as reached:
            result = yield
        self.fixtures[fixturedef.argname, request.node.nodeid] |= reached
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        began = process_time()
        with self.hits.collect() as reached:
            result = yield
        for name in getattr(item, "fixturenames", ()):
            for node in item.listchain():
                reached |= self.fixtures.get((name, node.nodeid), set())
        self.tests[item.nodeid] = (process_time() - began, sorted(reached))
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome != "passed":
            self.failed.add(report.nodeid)

    def options(self) -> list[str]:
        return []

    def summary(self) -> dict[str, Any]:
        passed = {name: found for name, found in self.tests.items() if name not in self.failed}
        return {"tests": passed, "failed": sorted(self.failed), "imported": self.imported}


def name_module(path: str) -> str:
    """The name by which the tree imports a file of netc: `netc.dsl.ast` for `dsl/ast.py`."""
    parts = Path(path).with_suffix("").parts
    return ".".join((*(() if parts[0] == "netc" else ("netc",)), *parts)).removesuffix(".__init__")


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
