"""Writes diagonals in PyTorch: `x.diagonal(dim1=1, dim2=2)`."""

from __future__ import annotations

from ....ops.diagonals import DiagEmbed, Diagonal
from ...python.code.python_expressions import Code, Default, call_function, call_method
from ..torch_emitters import TorchSite, function


@function(Diagonal, target="torch.diagonal")
def emit_diagonal(op: Diagonal, site: TorchSite) -> Code:
    return call_method(site.x, "diagonal", offset=Default(op.offset, 0), dim1=Default(op.axis1, 0), dim2=Default(op.axis2, 1))


@function(DiagEmbed, target="torch.diag_embed")
def emit_diag_embed(op: DiagEmbed, site: TorchSite) -> Code:
    return call_function("torch.diag_embed", site.x, offset=Default(op.offset, 0), dim1=Default(op.axis1, -2), dim2=Default(op.axis2, -1))
