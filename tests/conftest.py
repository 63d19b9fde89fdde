"""Options of all tests.

`--update` rewrites golden files, whose diff must then be read. `--quick` runs a few cases of each parametrized test, and none that is
marked `slow`.

Every graph that a test makes is verified, in this process and in those that it starts: NETC_DEBUG is set for all of them.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

# Two processes share two cores, and no tensor here is worth a second thread. Before PyTorch and ONNX Runtime are imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["NETC_DEBUG"] = "1"

import profiles
import pytest

CASES = 2
"""The number of cases of each test that `--quick` keeps: two find most of what all of them would find."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="write golden files anew instead of comparing")
    parser.addoption("--quick", action="store_true", help="a few cases of each test, none that is marked `slow`, nothing of the zoo")


def pytest_configure(config: pytest.Config) -> None:
    profiles.load(quick=config.getoption("--quick"))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if config.getoption("--quick") and collection_path.name == "zoo" else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Modules and tests live as long as the process: to look for garbage among them again and again is a tenth of the time of all tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_itemcollected(item: pytest.Item) -> None:
    """`-k NAME` finds a case by all of its text, of which a long one's id has the beginning only."""
    if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
        item.extra_keyword_matches |= {value for value in item.callspec.params.values() if isinstance(value, str)}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--quick"):
        return
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("slow") is None:
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    kept = {item for group in cases.values() for item in _spread(group)}
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


def _spread(group: list[pytest.Item]) -> list[pytest.Item]:
    """As many as are kept, as far apart as they can be."""
    count = min(len(group), CASES)
    return [group[i * len(group) // count] for i in range(count)]


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update"))
