"""Makes a live module of Flax from the source of a program, and runs it on arrays.

In: a program, and arrays by the names of parameters. Out: the module that the source defines, with these values, in evaluation mode if it
has a mode. Always: the text that is executed is the text that `source("flax")` returns.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors.target_errors import PackageNotInstalled, UnsupportedByTarget
from ...ir.graph import Program
from ...types.numpy_types import Array
from ..backend import BackendInput
from ..python.array_session import ArraySession, execute_source
from .flax_source import choose_writer

if TYPE_CHECKING:
    from flax import nnx


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

    def construct() -> nnx.Module:
        module: nnx.Module = model_class(rngs=nnx.Rngs(seed)) if takes_rngs else model_class()
        return module

    if arrays is None or not hasattr(space, "load"):
        return construct()
    return fill_module(construct, lambda module: space.stack_layers(module, arrays) if hasattr(space, "stack_layers") else arrays)


def fill_module(construct: Callable[[], nnx.Module], name_arrays: Callable[[nnx.Module], Mapping[str, Array]]) -> nnx.Module:
    """Construct a module whose variables are copies of the arrays under their names. Only variables without an array are drawn: drawing
    takes longer than loading, and four times the memory."""
    import jax
    from flax import nnx

    module: nnx.Module = nnx.eval_shape(construct)
    arrays = name_arrays(module)

    def is_drawn(path: tuple[Any, ...], _: Any) -> bool:
        return ".".join(map(str, path)) not in arrays

    # XLA leaves out what is not returned
    nnx.update(module, jax.jit(lambda: nnx.state(construct(), is_drawn))())
    for path, part in nnx.iter_graph(module):
        name = ".".join(map(str, path))
        if isinstance(part, nnx.Variable) and name in arrays:
            array = np.asarray(arrays[name]).astype(part.dtype, copy=False)
            # a copy, because the caller may change its arrays; `jnp.array` makes two
            part.set_value(jax.device_put(array, may_alias=False))
    return module


class FlaxSession(ArraySession):
    """A module of a program in evaluation mode, compiled by XLA. Called with arrays by position or by name."""

    def __init__(self, program: Program, module: Any, outputs: Sequence[str]) -> None:
        import jax
        from flax import nnx

        module.eval()
        compiled = nnx.jit(lambda module, *arrays: module(*arrays))
        super().__init__(program, outputs, lambda *arrays: jax.tree.map(np.asarray, compiled(module, *arrays)))
