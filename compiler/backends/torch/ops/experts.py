"""Writes mixtures of experts in PyTorch: a product for each group that rows have chosen."""

from __future__ import annotations

from ....ops.experts import GroupedLinear
from ...python.code.python_expressions import Code, call_function
from ..torch_emitters import TorchSite, function


@function(GroupedLinear, target="torch.nn.functional.linear, for each group")
def emit_grouped_linear(op: GroupedLinear, site: TorchSite) -> Code:
    return call_function("grouped_linear", site.x, site.index, site.weight)
