"""The tests of imports: `make test` runs half of their cases, and `make long` the others."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_itemcollected(item: pytest.Item) -> None:
    if item.path.parent == Path(__file__).parent:
        item.add_marker(pytest.mark.share(2))
