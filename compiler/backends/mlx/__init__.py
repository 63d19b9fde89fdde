"""Turns a graph into MLX source, without importing mlx, and into a live module.

>>> import netc
>>> print(netc.compile("input 3 -> relu").source("mlx").splitlines()[-1].strip())
return nn.relu(input)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..backend import Backend, BackendInput

if TYPE_CHECKING:
    from ...ops.operator import Operator


class MlxBackend(Backend):
    """Writes a Python module that depends on mlx alone."""

    name = "mlx"
    title = "MLX"
    suffix = ".py"

    def text(self, given: BackendInput) -> str:
        from .mlx_source import WRITER

        return WRITER.write_source(given.program, given.name)

    def operator_target(self, operator: type[Operator]) -> str:
        from . import ops
        from .mlx_emitters import EMITTERS

        assert ops, "importing the package fills the tables"
        return EMITTERS.describe_target(operator)

    def module(self, given: BackendInput) -> Any:
        """Execute the source and instantiate its class, an `mlx.nn.Module`. Without weights, seed 0 draws the parameters."""
        from .live_mlx import make_module

        return make_module(given.program, given.name, None if given.weights is None else given.open_arrays())


BACKEND = MlxBackend()
