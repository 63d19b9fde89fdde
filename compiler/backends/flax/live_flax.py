"""Makes a live module of Flax from the source of a program, and runs it on arrays.

In: a program, and arrays by the names of parameters. Out: the module that the source defines, with these values, in evaluation mode if it
has a mode. Always: the text that is executed is the text that `source("flax")` returns.
"""

from __future__ import annotations

import inspect
import linecache
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
from ..backend import BackendInput
from .flax_source import choose_writer


def make_module(given: BackendInput, arrays: Mapping[str, Array] | None, seed: int = 0) -> Any:
    """Make the module. Without `arrays`, the seed draws its parameters."""
    name, writer = given.name, choose_writer(given.source_options)
    text, main = writer.write_source_and_name(given.program, name)
    try:
        from flax import nnx
    except ImportError as error:
        raise UnsupportedByTarget(PackageNotInstalled(str(error.name).partition(".")[0], "Flax")) from None
    space = ModuleType(f"<netc {name}.flax>")
    linecache.cache[space.__name__] = (len(text), None, text.splitlines(keepends=True), space.__name__)
    exec(compile(text, space.__name__, "exec", dont_inherit=True), vars(space))
    model_class: Any = getattr(space, main)
    takes_rngs = "rngs" in inspect.signature(model_class.__init__).parameters
    module = model_class(rngs=nnx.Rngs(seed)) if takes_rngs else model_class()
    if arrays is not None and hasattr(space, "load"):
        fill_module(module, space.stack_layers(module, arrays) if hasattr(space, "stack_layers") else arrays)
    return module


def fill_module(module: Any, arrays: Mapping[str, Array]) -> None:
    """Set the variables of a module to the arrays under their names."""
    from flax import nnx

    for names, part in nnx.iter_graph(module):
        for name, variable in vars(part).items() if isinstance(part, nnx.Module) else ():
            key = ".".join(map(str, (*names, name)))
            if isinstance(variable, nnx.Variable) and key in arrays:
                variable[...] = arrays[key]


class FlaxSession:
    """A module of a program in evaluation mode, compiled by XLA. Called with arrays by position or by name."""

    def __init__(self, program: Program, module: Any, outputs: Sequence[str]) -> None:
        from flax import nnx

        self.inputs = {port.name: port for port in make_input_ports(program)}
        self.outputs = tuple(outputs)
        self.program, self.module = program, module
        module.eval()
        self._call = nnx.jit(lambda module, *arrays: module(*arrays))

    def __call__(self, /, *arrays: Any, **named: Any) -> Array | dict[str, Array]:
        import numpy as np

        given = dict(zip(self.inputs, arrays, strict=False)) | named
        check_sizes(self.program, {name: np.shape(given[name]) for name in self.inputs})
        left = iter([given[name] for name in self.inputs])
        groups = self.program.main.grouped_inputs
        grouped = [next(left) if isinstance(one, Value) else tuple(islice(left, len(one.values))) for one in groups]
        results = self._call(self.module, *grouped)
        found = [np.asarray(array) for array in (results if isinstance(results, (tuple, list)) else (results,))]
        return found[0] if len(found) == 1 else dict(zip(self.outputs, found, strict=True))
