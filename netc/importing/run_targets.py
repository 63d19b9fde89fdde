"""Runs an imported model with given weights in PyTorch and in ONNX Runtime, for the comparison with its origin.

In: a model and weights. Out: a function from arrays to arrays. Always: nothing is trained, and modules are in evaluation mode.

    >>> import netc
    >>> import numpy as np
    >>> model = netc.compile("input 2 -> dense 1 bias=false as fc")
    >>> run = make_torch_run(model, {"fc.weight": np.array([[2.0, 3.0]], dtype=np.float32)})
    >>> run_target("PyTorch", run, [np.ones((1, 2), dtype=np.float32)])
    [array([[5.]], dtype=float32)]
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from netc.compiler.types.numpy_types import to_array, to_tensor

from .output_judge import NotProved

if TYPE_CHECKING:
    from netc.compiler.types.numpy_types import Array

    from ..model import Model


class NoKernel(Exception):
    """The model is not run in ONNX Runtime: the text says what ONNX, or ONNX Runtime, lacks."""


def run_target(target: str, run: Callable[[list[Array]], list[Array]], inputs: list[Array]) -> list[Array]:
    """Run a target. Raises `NotProved` if it fails, as for an index beyond an axis."""
    try:
        return run(inputs)
    except Exception as error:  # PyTorch and ONNX Runtime raise exceptions of many kinds
        raise NotProved(f"what was made fails in {target}: {type(error).__name__}: {' '.join(str(error).split())[:300]}") from error


def make_torch_run(model: Model, weights: Mapping[str, Array]) -> Any:
    module = model.module(weights).eval()

    return lambda inputs: [to_array(tensor) for tensor in flatten_tensors(call_module(module, inputs))]


def call_module(module: Any, inputs: list[Array]) -> Any:
    import torch

    with torch.no_grad():
        return module(*map(to_tensor, inputs))


def flatten_tensors(results: Any) -> Iterator[Any]:
    """Yield the tensors of a module's result, in order."""
    if isinstance(results, tuple | list):
        for item in results:
            yield from flatten_tensors(item)
    else:
        yield results


def make_onnx_run(model: Model, weights: Mapping[str, Array]) -> Any:
    """Return a function that runs the model in ONNX Runtime. Raises `NoKernel`."""
    from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as Lacking

    from ..errors import CompileError

    try:
        session = model.session(weights)
    except CompileError as error:
        if error.diagnostics[0].code != "onnx-unsupported":
            raise
        raise NoKernel(error.diagnostics[0].message) from None
    except Lacking as error:
        match = _LACKING.search(str(error))
        raise NoKernel(f"it has no {match[1]} of these element types" if match else str(error)) from None

    def run(inputs: list[Array]) -> list[Array]:
        results = session(*inputs)
        return list(results.values()) if isinstance(results, dict) else [results]

    return run


_LACKING = re.compile(r"implementation for (\w+)\(")
"""Matches the operator in ONNX Runtime's message about a missing kernel."""
