"""Models of integers, with the ends of their types, numbers beyond 2**53, -1 and 0: PyTorch and ONNX Runtime agree to the last digit.

In: the text of a model. Out: what differs, or nothing. Always: differences that the operators' pages list are none, and each of those is
shown by some text; what PyTorch refuses, such as a division by 0, ONNX Runtime refuses too, and no number ends the process.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

import netc
from netc.compiler.backends.onnx.kernel_differences import DIFFERENCES, LARGE_INTEGERS, Difference
from netc.compiler.dims import evaluate_dim
from netc.compiler.ir.flat_graph import FlatGraph
from netc.compiler.types.tensor_types import TensorType
from tests.differential.values import torch_alone
from tests.parity import SEED, Arrays, run_module, sizes_of

ENDS = {
    "int64": [-(2**63), -(2**63) + 1, -(2**53) - 1, -(2**31), -7, -3, -2, -1, 0, 1, 2, 3, 7, 63, 2**53 + 1, 2**62 + 3, 2**63 - 1],
    "int32": [-(2**31), -(2**31) + 1, -7, -3, -2, -1, 0, 1, 2, 3, 7, 31, 2**24 + 1, 2**31 - 1],
    "int16": [-(2**15), -7, -2, -1, 0, 1, 3, 7, 2**15 - 1],
    "int8": [-128, -7, -2, -1, 0, 1, 3, 7, 127],
    "uint8": [0, 1, 3, 7, 127, 128, 255],
    "bool": [0, 1],
}
SHIFTS = (0, 5, 11)
"""Which number comes first; two inputs have other pairs for each."""
KNOWN: tuple[Difference, ...] = tuple(d for d in DIFFERENCES if LARGE_INTEGERS in d.numbers)


def has_integers_alone(model: netc.Model) -> bool:
    types = [t.dtype for t in model.inputs.values()]
    return all(not t.is_float for t in types) and any(t.is_integer and t.name != "bool" for t in types) and not torch_alone(model)


def known_of(model: netc.Model) -> list[Difference]:
    """The listed differences that its operators have."""
    nodes = [use.node for use in FlatGraph(model.program.main).iterate_operators()]
    return [difference for difference in KNOWN if any(map(difference.applies_to, nodes))]


def difference_of(model: netc.Model) -> str:
    """The first difference between PyTorch and ONNX Runtime; empty if there is none."""
    module, session = model.module(seed=SEED).eval(), model.session(seed=SEED)
    for arrays in _arrays(model):
        try:
            wanted = run_module(module, model, arrays)
        except (RuntimeError, IndexError, ValueError):
            continue  # such as a division by 0, or an index that is out of range
        results = session(*arrays.values())
        found = list(results.values()) if isinstance(results, dict) else [results]
        for (name, type_), left, right in zip(model.outputs.items(), wanted, found, strict=True):
            if _differs(left, torch.from_numpy(np.array(right)), type_):
                return f"{name}: PyTorch {left.flatten()[:8]}, ONNX Runtime {np.array(right).flatten()[:8]}"
    return ""


def _arrays(model: netc.Model) -> Iterator[Arrays]:
    sizes = sizes_of(model)[1]
    for shift in SHIFTS:
        arrays: Arrays = {}
        for index, (name, type_) in enumerate(model.inputs.items()):
            shape = tuple(evaluate_dim(d, sizes) for d in type_.shape)
            ends = np.array(ENDS[type_.dtype.name], dtype=type_.dtype.name)
            order = np.arange(int(np.prod(shape))) * (1 + 4 * index) + shift * (index + 1)
            arrays[name] = ends[order % len(ends)].reshape(shape)
        yield arrays


def _differs(wanted: torch.Tensor, found: torch.Tensor, type_: TensorType) -> bool:
    """Integers must be equal; floats as near as float32 holds the largest."""
    if not type_.dtype.is_float:
        return not torch.equal(wanted, found)
    exact, close = wanted.double(), found.double()
    largest = exact.nan_to_num(0, 0, 0).abs().max() if exact.numel() else torch.tensor(0.0)
    allowed = max(1e-5, 2e-6 * float(largest)) if type_.dtype.size >= 4 else max(2e-2, 1e-2 * float(largest))
    return exact.shape != close.shape or not torch.allclose(exact, close, rtol=2e-5, atol=allowed, equal_nan=True)
