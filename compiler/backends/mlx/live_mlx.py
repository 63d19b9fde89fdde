"""Makes a live module of MLX from the source of a program, and runs it on arrays.

In: a program, and arrays by the names of parameters. Out: the module that the source defines, with these values, in training mode. Always:
the text that is executed is the text that `source("mlx")` returns. The module computes on MLX's default device.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors.target_errors import PackageNotInstalled, UnsupportedByTarget
from ...ir.graph import Program
from ...types.numpy_types import Array
from ..python.array_session import ArraySession, execute_source
from .mlx_source import WRITER


def make_module(program: Program, name: str, arrays: Mapping[str, Array] | None, seed: int = 0) -> Any:
    """Make the module. Without `arrays`, the seed draws its parameters."""
    text, main = WRITER.write_source_and_name(program, name)
    try:
        import mlx.core as mx
    except ImportError:  # `mlx` without its kernels raises it too
        raise UnsupportedByTarget(PackageNotInstalled("mlx", "MLX", () if sys.platform == "darwin" else ("mlx_cpu",))) from None
    space = execute_source(text, f"{name}.mlx")
    mx.random.seed(seed)
    module: Any = getattr(space, main)()
    if arrays is not None and hasattr(space, "load"):
        for key, (part, name) in space.list_tensors(module).items():
            if key in arrays:
                part[name] = to_mlx(arrays[key])
    return module


def to_mlx(array: Any) -> Any:
    """Convert an array of NumPy, whose bfloat16 MLX does not read."""
    import mlx.core as mx
    import numpy as np

    array = np.asarray(array)
    if array.dtype.name == "bfloat16":
        return mx.array(array.view(np.uint16)).view(mx.bfloat16)
    return mx.array(array, mx.float64) if array.dtype == np.float64 else mx.array(array)


def to_numpy(array: Any) -> Array:
    """Convert an array of MLX."""
    import mlx.core as mx
    import numpy as np
    from ml_dtypes import bfloat16

    return np.asarray(array.view(mx.uint16)).view(bfloat16) if array.dtype == mx.bfloat16 else np.asarray(array)


class MlxSession(ArraySession):
    """A module of a program in evaluation mode. Called with arrays by position or by name."""

    def __init__(self, program: Program, module: Any, outputs: Sequence[str]) -> None:
        from mlx.utils import tree_map

        module.eval()
        super().__init__(program, outputs, lambda *arrays: tree_map(to_numpy, module(*tree_map(to_mlx, list(arrays)))))
