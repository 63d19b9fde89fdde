"""Writes cumulative operators in PyTorch: `x.cummax(dim=1)`."""

from __future__ import annotations

from ....ops.cumulative import Cummax, Cummin, CumulativeExtreme, Diff, Logcumsumexp
from ...python.code.python_expressions import AttributeCode, Code, Default, call_method
from ..torch_emitters import TorchSite, function


@function(Logcumsumexp, target="torch.logcumsumexp")
def emit_logcumsumexp(op: Logcumsumexp, site: TorchSite) -> Code:
    return call_method(site.x, "logcumsumexp", dim=op.axis)


@function(Cummax, Cummin, target="torch.{}")
def emit_cumulative_extreme(op: CumulativeExtreme, site: TorchSite) -> Code:
    both = call_method(site.x, op.name, dim=op.axis)
    return both if len(site.results) == 2 else AttributeCode(both, "values")


@function(Diff, target="torch.diff")
def emit_diff(op: Diff, site: TorchSite) -> Code:
    return call_method(site.x, "diff", n=Default(op.n, 1), dim=Default(op.axis, -1))
