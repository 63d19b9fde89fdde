"""From the tests of the zoo to its page: what they note is carried to the end of the run, over processes, and written with `--update`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from zoo import page, parity, record

ORDINARY = ("test_bert", "test_llama", "test_page", "test_resnet", "test_vit")
"""The modules whose tests `make test` runs; the others are in `make long`."""
_FOUND = "zoo"
_found: list[dict[str, Any]] = []


def pytest_itemcollected(item: pytest.Item) -> None:
    if item.path.parent == Path(__file__).parent and item.path.stem not in ORDINARY:
        item.add_marker(pytest.mark.long)


@pytest.fixture(autouse=True)
def _carried(request: pytest.FixtureRequest) -> Iterator[None]:
    record.NOTED.clear()
    yield
    request.node.user_properties.append((_FOUND, list(record.NOTED)))


@pytest.fixture(autouse=True)
def _in_frameworks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make zoo` compares all models in JAX and MLX too. In the gate, the models of tests/flax and tests/mlx are."""
    is_compared = request.config.getoption("update") or request.node.get_closest_marker("zoo") is not None
    monkeypatch.setattr(parity, "COMPARES_FRAMEWORKS", is_compared)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "teardown":
        _found.extend(one for name, noted in report.user_properties if name == _FOUND for one in noted)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    alone = not hasattr(session.config, "workerinput")
    if alone and exitstatus == pytest.ExitCode.OK and session.config.getoption("update"):
        record.keep(_found)
        page.write()
