"""Options of all tests.

`--update` rewrites golden files, whose diff must then be read. `--quick` runs a few cases of each parametrized test, and nothing large.

Every graph that a test makes is verified, in this process and in those that it starts: NETC_DEBUG is set for all of them.
"""

from __future__ import annotations

import os
from pathlib import Path

# Two processes share two cores, and no tensor here is worth a second thread. Before PyTorch and ONNX Runtime are imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["NETC_DEBUG"] = "1"

import pytest
from hypothesis import settings

CASES = 3
"""The number of cases of each test that `--quick` keeps: one case finds most of what all of them would find."""

settings.register_profile("deterministic", derandomize=True, deadline=None, print_blob=False, database=None)
settings.register_profile("long", deadline=None, max_examples=int(os.environ.get("N", "1000")))
settings.register_profile("quick", settings.get_profile("deterministic"), max_examples=10)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "deterministic"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="write golden files anew instead of comparing")
    parser.addoption("--quick", action="store_true", help="a few cases of each test, none that is marked `large`, nothing of the zoo")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--quick"):
        settings.load_profile("quick")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if config.getoption("--quick") and collection_path.name == "zoo" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--quick"):
        return
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("large") is None:
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
