"""Options of all tests.

`--update` rewrites golden files, whose diff must then be read. `--quick` runs one case of each test that takes little time, and `make test`
leaves the slowest tests out, by tests/slow_tests.py. Of a test that is marked `sample(n)`, `make test` runs the first `n` cases, and
`make long` the others; of one that is marked `share(n)`, one case in `n`, drawn by a hash of its name, so that a new case does not change
which others run. Of a test that is marked `thorough(n)`, both run one case in `n` and the first cases of a sample, and `make thorough`
the others.

Every graph that a test makes is verified, in this process and in those that it starts: NETC_DEBUG is set for all of them.

One process runs ten thousand tests, so objects of early tests must not slow later ones down: see `forget_live_modules`,
`forget_jax_programs`, `collect_rarely` and `use_one_thread`.
"""

from __future__ import annotations

import copyreg
import gc
import linecache
import os
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any
from zlib import crc32

# Two processes share two cores, and no tensor here is worth a second thread. Before PyTorch and ONNX Runtime are imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["NETC_DEBUG"] = "1"
# Compiled code that is optimized less is as right, and compiles faster. `make thorough` leaves the optimizations on.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import profiles
import pytest
import slow_tests


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="write golden files anew instead of comparing")
    parser.addoption("--quick", action="store_true", help="one case of each test that takes no time")
    parser.addoption("--times", action="store_true", help="run one case of each test, and list those that take time")


def pytest_configure(config: pytest.Config) -> None:
    profiles.load(quick=has_first_cases(config))
    config.pluginmanager.register(slow_tests.plugin(config))


def has_first_cases(config: pytest.Config) -> bool:
    return bool(config.getoption("--quick") or config.getoption("--times"))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Modules and tests live as long as the process: to look for garbage among them again and again is a tenth of the time of all tests."""
    gc.disable()
    use_one_thread()
    keep_order_of_einsum()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
        collect_rarely()


COLLECTED = pytest.StashKey[Counter[str]]()
"""How many cases of each test have been collected."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """`-k NAME` finds a case by all of its text, of which a long one's id has the beginning only."""
    if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
        item.extra_keyword_matches |= {value for value in item.callspec.params.values() if isinstance(value, str)}
    sample = item.get_closest_marker("sample")
    if sample is not None:
        collected = item.config.stash.setdefault(COLLECTED, Counter())
        test = item.nodeid.partition("[")[0]
        collected[test] += 1
        if collected[test] <= sample.args[0]:
            return
        item.add_marker("long")
    if has_first_cases(item.config):
        return
    for name, rest in (("share", "long"), ("thorough", "rest")):
        marker = item.get_closest_marker(name)
        if marker is not None and crc32(f"{name} {item.nodeid}".encode()) % marker.args[0]:
            item.add_marker(rest)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    collect_rarely()  # a command of netc may have changed it
    if nextitem is None or nextitem.path != item.path:
        forget_live_modules()
        forget_jax_programs()


def collect_rarely() -> None:
    """Look for garbage often enough that no memory is wasted, but not for every 700 new objects."""
    gc.set_threshold(100_000, 20, 10)


MANY = 500
"""The number of live modules from which they are collected."""


def forget_live_modules() -> None:
    """Let the modules of compiled models be collected, which netc keeps for tracebacks and pickle.

    PyTorch visits all subclasses of `nn.Module` when it traces one: after ten thousand models, `torch.compile` takes 15 seconds more.
    """
    titles = [title for title in sys.modules if title.startswith("netc_live_")]
    if len(titles) < MANY:
        return
    for title in titles:
        linecache.cache.pop(sys.modules.pop(title).__file__ or "", None)
    for cls in [cls for cls in copyreg.dispatch_table if cls.__module__.startswith("netc_live_")]:
        del copyreg.dispatch_table[cls]
    gc.collect()


def forget_jax_programs() -> None:
    """Free the programs that XLA compiled for the tests of a file. The programs of all files take gigabytes."""
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()


def keep_order_of_einsum() -> None:
    """flax installs opt_einsum, by which PyTorch multiplies three tensors in another order: with infinities, another one gives NaN."""
    import torch

    torch.backends.opt_einsum.enabled = False


def use_one_thread() -> None:
    """Let sessions of ONNX Runtime compute in the thread that asks. By default another thread waits for work without sleeping, and ONNX
    Runtime does not read OMP_NUM_THREADS."""
    import onnxruntime

    class OneThread(onnxruntime.SessionOptions):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.intra_op_num_threads = self.inter_op_num_threads = 1

    make_session = onnxruntime.InferenceSession.__init__

    def make_session_of_one_thread(self: Any, model: Any, sess_options: Any = None, *rest: Any, **options: Any) -> None:
        make_session(self, model, OneThread() if sess_options is None else sess_options, *rest, **options)

    onnxruntime.SessionOptions = OneThread
    onnxruntime.InferenceSession.__init__ = make_session_of_one_thread


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update"))


GENERATORS = pytest.StashKey[Any]()
"""The state of a module's random numbers as it was imported."""


@pytest.fixture(autouse=True)
def draw_the_same_in_any_order(request: pytest.FixtureRequest) -> None:
    """Start the GENERATOR of a module anew, so that what a test draws does not depend on the tests before it in its process."""
    generator = getattr(getattr(request.node, "module", None), "GENERATOR", None)
    if generator is None:
        return
    module = request.node.getparent(pytest.Module)
    if hasattr(generator, "bit_generator"):
        bits = generator.bit_generator
        bits.state = module.stash.setdefault(GENERATORS, bits.state)
    else:
        generator.set_state(module.stash.setdefault(GENERATORS, generator.get_state()))
