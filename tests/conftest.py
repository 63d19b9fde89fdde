"""Options of all tests: `--update` rewrites golden files, whose diff must then be read.

Every graph that a test makes is verified, in this process and in those that it starts: NETC_DEBUG is set for all of them.
"""

from __future__ import annotations

import os

# Two processes share two cores, and no tensor here is worth a second thread. Before PyTorch and ONNX Runtime are imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["NETC_DEBUG"] = "1"

import pytest
from hypothesis import settings

settings.register_profile("deterministic", derandomize=True, deadline=None, print_blob=False, database=None)
settings.register_profile("long", deadline=None, max_examples=int(os.environ.get("N", "1000")))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "deterministic"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="write golden files anew instead of comparing")


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update"))
