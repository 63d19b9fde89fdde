"""Makes a live module of MLX from the source of a program, and runs it on arrays.

In: a program, and arrays by the names of parameters. Out: the module that the source defines, with these values, in training mode. Always:
the text that is executed is the text that `source("mlx")` returns. The module computes on MLX's default device.
"""

from __future__ import annotations

import linecache
import sys
from collections.abc import Mapping, Sequence
from itertools import islice
from types import ModuleType
from typing import Any

from ...analysis.input_shapes import check_sizes
from ...errors.target_errors import PackageNotInstalled, UnsupportedByTarget
from ...ir.graph import Program
from ...ir.graph_values import Value
from ...ir.ports import make_input_ports
from ...types.numpy_types import Array
from .mlx_source import WRITER


def make_module(program: Program, name: str, arrays: Mapping[str, Array] | None, seed: int = 0) -> Any:
    """Make the module. Without `arrays`, the seed draws its parameters."""
    text, main = WRITER.write_source_and_name(program, name)
    try:
        import mlx.core as mx
    except ImportError:  # `mlx` without its kernels raises it too
        raise UnsupportedByTarget(PackageNotInstalled("mlx", "MLX", () if sys.platform == "darwin" else ("mlx_cpu",))) from None
    space = ModuleType(f"<netc {name}.mlx>")
    linecache.cache[space.__name__] = (len(text), None, text.splitlines(keepends=True), space.__name__)
    exec(compile(text, space.__name__, "exec"), vars(space))
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


class MlxSession:
    """A module of a program in evaluation mode. Called with arrays by position or by name."""

    def __init__(self, program: Program, module: Any, outputs: Sequence[str]) -> None:
        self.inputs = {port.name: port for port in make_input_ports(program)}
        self.outputs = tuple(outputs)
        self.program, self.module = program, module
        module.eval()

    def __call__(self, /, *arrays: Any, **named: Any) -> Array | dict[str, Array]:
        import numpy as np

        given = dict(zip(self.inputs, arrays, strict=False)) | named
        check_sizes(self.program, {name: np.shape(given[name]) for name in self.inputs})
        left = iter([to_mlx(given[name]) for name in self.inputs])
        groups = self.program.main.grouped_inputs
        grouped = [next(left) if isinstance(one, Value) else tuple(islice(left, len(one.values))) for one in groups]
        results = self.module(*grouped)
        found = [to_numpy(array) for array in (results if isinstance(results, (tuple, list)) else (results,))]
        return found[0] if len(found) == 1 else dict(zip(self.outputs, found, strict=True))
