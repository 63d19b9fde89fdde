"""Turns a graph into PyTorch source and a live module. The source is written without importing torch, and executed to make the module.

>>> import netc
>>> type(netc.compile("input 3 -> dense 2 as fc").module().fc)
<class 'torch.nn.modules.linear.Linear'>
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...analysis.state_dict import collect_parameters
from ...weights.free_space import check_memory
from ..backend import Backend, BackendInput

if TYPE_CHECKING:
    from torch import nn

    from ...ops.operator import Operator


class TorchBackend(Backend):
    """Writes a Python module that depends on torch alone."""

    name = "torch"
    title = "PyTorch"
    suffix = ".py"

    def text(self, given: BackendInput) -> str:
        from .torch_source import write_source

        return write_source(given.program, given.name)

    def operator_target(self, operator: type[Operator]) -> str:
        from . import ops, torch_emitters

        assert ops, "importing the package fills the tables"
        return torch_emitters.EMITTERS.names.get(operator, "")

    def module(self, given: BackendInput) -> nn.Module:
        """Execute the source and instantiate its class. Without weights, PyTorch's own generator draws the parameters."""
        from .live.module import make_filled_module, make_fresh_module

        parameters = [info for info in collect_parameters(given.program).values() if info.tied_to is None]
        # Checked before PyTorch allocates: the process would be killed without a message.
        check_memory(sum(info.numel * info.dtype.size for info in parameters), "its parameters take")
        if given.weights is None:
            return make_fresh_module(given.program, given.name)
        return make_filled_module(given.program, given.name, given.open_arrays())


BACKEND = TorchBackend()
