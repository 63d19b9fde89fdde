"""Which tests `make quick` and `make test` leave out, by the times in slow_tests.txt.

`make quick` runs the first case of each test that takes less than QUICK seconds of a core, and nothing of the zoo. `make test` leaves tests
that take LONG seconds or more to `make long`. `make times` runs the first case of every test, and updates the list.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

QUICK = 0.02
LONG = 0.3
LIST = Path(__file__).parent / "slow_tests.txt"
LATER = ("zoo", "long", "rest")
"""The marks of cases that `make test` leaves out."""
TEST = re.compile(r"^def (test_\w+)", re.MULTILINE)
STARTED = pytest.StashKey[float]()
PROPERTY = "cpu_seconds"


def read_times() -> dict[str, float]:
    """Return the seconds of each slow test, by names such as `tests/unit/test_weights.py::test_shapes`."""
    lines = (line.split(maxsplit=1) for line in LIST.read_text(encoding="utf-8").splitlines())
    return {name: float(seconds) for seconds, name in lines}


def plugin(config: pytest.Config) -> Long | Quick | Times:
    """Return what chooses the tests of this run."""
    if config.getoption("--times"):
        return Times()
    return Quick(read_times()) if config.getoption("--quick") else Long(read_times())


class Long:
    """Marks slow tests as `long`."""

    def __init__(self, times: dict[str, float]) -> None:
        self.slow = frozenset(name for name, seconds in times.items() if seconds >= LONG)

    @pytest.hookimpl
    def pytest_itemcollected(self, item: pytest.Item) -> None:
        if name_of(item.nodeid) in self.slow:
            item.add_marker("long")


class FirstCases:
    """Leaves out all but the first case of each test."""

    def __init__(self, slow: frozenset[str] = frozenset()) -> None:
        self.slow = slow

    @pytest.hookimpl
    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        return True if collection_path.name == "zoo" else None

    @pytest.hookimpl(wrapper=True)
    def pytest_pycollect_makeitem(self) -> Iterator[None]:
        made: Any = yield
        if not isinstance(made, list):
            return made
        cases = (item for item in made if not any(item.get_closest_marker(mark) for mark in LATER))
        return [item for item in [next(cases, None)] if item is not None and name_of(item.nodeid) not in self.slow]


class Quick(FirstCases):
    """Leaves out slow tests too."""

    def __init__(self, times: dict[str, float]) -> None:
        super().__init__(frozenset(times))

    @pytest.hookimpl
    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leave out the zoo, and without importing them files all of whose tests are slow."""
        if collection_path.suffix != ".py":
            return super().pytest_ignore_collect(collection_path)
        path = collection_path.relative_to(LIST.parents[1]).as_posix()
        tests = TEST.findall(collection_path.read_text(encoding="utf-8"))
        return True if tests and all(f"{path}::{test}" in self.slow for test in tests) else None


class Times(FirstCases):
    """Writes the list. A core's seconds depend less than a clock's on what else the machine does."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: dict[str, float] = {}

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
        """Write the times of the tests that ran, and keep the times of the others."""
        if hasattr(session.config, "workerinput"):
            return  # the process that started the workers has all reports
        slow = {name: seconds for name, seconds in (read_times() | self.seconds).items() if seconds >= QUICK}
        LIST.write_text("".join(f"{seconds:6.2f} {name}\n" for name, seconds in sorted(slow.items())), encoding="utf-8")


def cpu_seconds() -> float:
    """Return the time on a core of this process and of the processes that it waited for."""
    return sum(os.times()[:4])


def name_of(case: str) -> str:
    """Return a test's name without its case, from its id: `tests/unit/test_weights.py::test_shapes[2-True]`."""
    return case.partition("[")[0]
