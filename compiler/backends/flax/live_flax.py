"""Makes a live module of Flax from the source of a program, and runs it on arrays.

In: a program, and arrays by the names of parameters. Out: the module that the source defines, with these values, in evaluation mode if it
has a mode. Always: the text that is executed is the text that `source("flax")` returns.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors.target_errors import PackageNotInstalled, UnsupportedByTarget
from ...ir.graph import Program
from ...types.numpy_types import Array
from ..backend import BackendInput
from ..python.array_session import ArraySession, execute_source
from .flax_source import choose_writer


def make_module(given: BackendInput, arrays: Mapping[str, Array] | None, seed: int = 0) -> Any:
    """Make the module. Without `arrays`, the seed draws its parameters."""
    name, writer = given.name, choose_writer(given.source_options)
    text, main = writer.write_source_and_name(given.program, name)
    try:
        from flax import nnx
    except ImportError as error:
        raise UnsupportedByTarget(PackageNotInstalled(str(error.name).partition(".")[0], "Flax")) from None
    space = execute_source(text, f"{name}.flax")
    model_class: Any = getattr(space, main)
    takes_rngs = "rngs" in inspect.signature(model_class.__init__).parameters
    module = model_class(rngs=nnx.Rngs(seed)) if takes_rngs else model_class()
    if arrays is not None and hasattr(space, "load"):
        fill_module(module, space.stack_layers(module, arrays) if hasattr(space, "stack_layers") else arrays)
    return module


def fill_module(module: Any, arrays: Mapping[str, Array]) -> None:
    """Set the variables of a module to copies of the arrays under their names."""
    import jax.numpy as jnp
    from flax import nnx

    for names, part in nnx.iter_graph(module):
        for name, variable in vars(part).items() if isinstance(part, nnx.Module) else ():
            key = ".".join(map(str, (*names, name)))
            if isinstance(variable, nnx.Variable) and key in arrays:
                # `variable[...] = array` compiles a scatter for each shape, and needs memory for the old value meanwhile.
                variable.set_value(jnp.array(arrays[key], variable.dtype))


class FlaxSession(ArraySession):
    """A module of a program in evaluation mode, compiled by XLA. Called with arrays by position or by name."""

    def __init__(self, program: Program, module: Any, outputs: Sequence[str]) -> None:
        import jax
        import numpy as np
        from flax import nnx

        module.eval()
        compiled = nnx.jit(lambda module, *arrays: module(*arrays))
        super().__init__(program, outputs, lambda *arrays: jax.tree.map(np.asarray, compiled(module, *arrays)))
