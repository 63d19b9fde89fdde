"""Which tests `make quick` runs: the first case of each test, without the tests that slow_tests.txt lists and those of the zoo.

`make time-quick` runs the first case of every test, and adds those to the list that take more than a twentieth of a second of a core. A test
that is faster than it was stays in the list until its line is deleted.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NAME = "quick selection"
LIST = Path(__file__).parent / "slow_tests.txt"
SECONDS = 0.05
"""The time on a core of a test and its fixtures from which on `make quick` leaves it out."""
TEST = re.compile(r"^def (test_\w+)", re.MULTILINE)
STARTED = pytest.StashKey[float]()
PROPERTY = "cpu_seconds"
LATER = ("zoo", "long", "rest")
"""The marks of cases that `make test` leaves out too."""


def chosen(config: pytest.Config) -> QuickSelection | None:
    if config.getoption("--time-quick"):
        return QuickTimes()
    return QuickSelection() if config.getoption("--quick") else None


class QuickSelection:
    """A plugin that leaves out all but the first cases."""

    def __init__(self) -> None:
        self.slow = frozenset(LIST.read_text(encoding="utf-8").split())

    @pytest.hookimpl
    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Ignore the zoo, and without importing them files all of whose tests are slow."""
        if collection_path.suffix != ".py":
            return True if collection_path.name == "zoo" else None
        path = collection_path.relative_to(LIST.parents[1]).as_posix()
        tests = TEST.findall(collection_path.read_text(encoding="utf-8"))
        return True if tests and all(f"{path}::{test}" in self.slow for test in tests) else None

    @pytest.hookimpl(wrapper=True)
    def pytest_pycollect_makeitem(self) -> Iterator[None]:
        made: Any = yield
        if not isinstance(made, list):
            return made
        cases = (item for item in made if not any(item.get_closest_marker(mark) for mark in LATER))
        return [item for item in [next(cases, None)] if item is not None and name_of(item.nodeid) not in self.slow]


class QuickTimes(QuickSelection):
    """A plugin that measures the first cases too, and adds the slow ones to the list."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.slow = self.slow, frozenset()
        self.seconds = Counter[str]()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        item.stash[STARTED] = cpu_seconds()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Iterator[None]:
        report: Any = yield
        report.user_properties.append((PROPERTY, cpu_seconds() - item.stash[STARTED]))
        return report

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            self.seconds[name_of(report.nodeid)] = max(seconds for name, seconds in report.user_properties if name == PROPERTY)

    @pytest.hookimpl
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workerinput"):
            return  # the process that started the workers has all reports
        slow = self.before | {name for name, seconds in self.seconds.items() if seconds > SECONDS}
        LIST.write_text("".join(f"{name}\n" for name in sorted(slow)), encoding="utf-8")


def cpu_seconds() -> float:
    """Return the time on a core of this process and of the processes that it waited for."""
    return sum(os.times()[:4])


def name_of(case: str) -> str:
    """Return a test's name without its case, from its id: `tests/unit/test_weights.py::test_shapes[2-True]`."""
    return case.partition("[")[0]
