"""Turns a graph into Flax NNX source, without importing jax, and into a live module.

>>> import netc
>>> print(netc.compile("input 3 -> relu").source("flax").splitlines()[-1].strip())
return nnx.relu(input)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..backend import Backend, BackendInput

if TYPE_CHECKING:
    from flax import nnx

    from ...ops.operator import Operator


class FlaxBackend(Backend):
    """Writes a Python module that depends on jax and flax alone."""

    name = "flax"
    title = "Flax"
    suffix = ".py"

    takes_source_options = True

    def text(self, given: BackendInput) -> str:
        from .flax_source import choose_writer

        return choose_writer(given.source_options).write_source(given.program, given.name)

    def notes(self, given: BackendInput, *, verbose: bool = False) -> tuple[str, ...]:
        from .flax_source import choose_writer
        from .wide_numbers import list_wide_numbers

        loops = choose_writer(given.source_options).list_loops(given.program, given.name)
        return (*list_wide_numbers(given.program), *loops)

    def operator_target(self, operator: type[Operator]) -> str:
        from . import ops
        from .flax_emitters import EMITTERS

        assert ops, "importing the package fills the tables"
        return EMITTERS.describe_target(operator)

    def module(self, given: BackendInput) -> nnx.Module:
        """Execute the source and instantiate its class. Without weights, seed 0 draws the parameters."""
        from .live_flax import make_module

        module: nnx.Module = make_module(given, None if given.weights is None else given.open_arrays())
        return module


BACKEND = FlaxBackend()
