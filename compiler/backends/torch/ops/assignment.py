"""Writes assignments in PyTorch, by a function in library/torch_linear.py that calls SciPy."""

from __future__ import annotations

from ....ops.assignment import Match
from ...python.code.python_expressions import Code, call_function
from ..torch_emitters import TorchSite, function


@function(Match, target="scipy.optimize.linear_sum_assignment")
def emit_match(op: Match, site: TorchSite) -> Code:
    return call_function("assign_columns", site.cost)
