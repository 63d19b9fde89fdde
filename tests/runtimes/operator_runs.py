"""Runs the examples of operators in another runtime and in ONNX Runtime.

In: the name of a runtime, and texts. Out: a line for each example with other results. Always: what the profile refuses, what the runtime
itself refuses when it loads the model, and operators with a known difference are left out.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import numpy as np

import netc
from netc.compiler.backends.onnx.runtime_profiles import PROFILES
from netc.compiler.ir.flat_graph import FlatGraph
from netc.compiler.ops import Operator
from netc.errors import CompileError
from tests.parity import SEED, inputs_for, sizes_of

TOLERANCES = {"float16": 4e-3, "float32": 1e-4}
REFUSALS = ("cannot load the model", "cannot run", " fails: ", "cannot be exported")
"""What netc says where a runtime refuses a model."""


def list_examples() -> list[tuple[str, str]]:
    """List the examples of all operators that have a kernel in ONNX Runtime, with the names of the operators."""
    return [(name, text) for name, operator in sorted(Operator.registry.items()) for text in operator.examples]


def find_differences(runtime: str, texts: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Run the examples in a process, which another one replaces if the runtime ends it."""
    waiting = list(texts)
    while waiting:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            while waiting:
                name, text = waiting.pop(0)
                try:
                    problem = pool.submit(compare_results, runtime, text).result()
                except BrokenProcessPool:
                    yield f"{name}: {text}: the runtime ends the process"
                    break
                if problem:
                    yield f"{name}: {text}: {problem}"


def compare_results(runtime: str, text: str) -> str:
    """Return what differs. Empty if nothing does, or if the model does not run there."""
    try:
        model = netc.compile(text)
        reference = model.session(seed=SEED)
    except (CompileError, ValueError):  # ONNX lacks the operator
        return ""
    operators = {item.node.op.name for item in FlatGraph(model.program.main).iterate_operators()}
    if any(operators & difference.operators for difference in PROFILES[runtime].differences):
        return ""
    arrays = inputs_for(model, sizes_of(model)[1])
    try:
        wanted = reference(**arrays)
    except Exception:  # numbers that the operator excludes
        return ""
    try:
        found = model.session(seed=SEED, runtime=runtime)(**arrays)
    except (CompileError, ValueError) as error:
        return "" if any(word in str(error) for word in REFUSALS) else f"{type(error).__name__}: {error}"
    pairs = [(wanted[name], found[name]) for name in wanted] if isinstance(wanted, dict) else [(wanted, found)]
    return "; ".join(filter(None, (describe_difference(np.asarray(a), np.asarray(b)) for a, b in pairs)))


def describe_difference(wanted: np.ndarray, found: np.ndarray) -> str:
    """Describe how two results differ. Empty for equal ones. Results that are not finite are left out."""
    if wanted.shape != found.shape or wanted.dtype != found.dtype:
        return f"{found.dtype} {found.shape} in place of {wanted.dtype} {wanted.shape}"
    if wanted.dtype.kind != "f":
        return "" if np.array_equal(wanted, found) else "other integers"
    finite = np.isfinite(wanted)
    scale = max(np.abs(wanted[finite]).max(initial=0.0), 1.0)
    difference = np.abs(wanted[finite] - found[finite]).max(initial=0.0) / scale
    return "" if difference <= TOLERANCES.get(wanted.dtype.name, 1e-6) else f"a difference of {difference:.1e}"
