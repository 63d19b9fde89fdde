"""Indices that ONNX counts from either end, and PyTorch from the beginning alone.

In: indices that are tensors of the graph, and the size of their axis. Out: the same that count from the beginning. Always: what cannot be
negative stays as it is.
"""

from __future__ import annotations

from ...dims import Dim
from ...ir.graph import OpNode
from ...ir.values import Value
from ...ops.constants import TableOperator
from ...ops.formula import BinaryFormula, Const, Formula, IndexFormula
from .emitter import Emitter
from .site import Site

_POSITIONS = frozenset(["argmax", "argmin", "argsort", "topk", "one_hot", "remainder", "embedding"])
"""Operators whose integers are not negative: those of `remainder` are made here and by sizes, which are positive."""
_MOVING = frozenset(
    ["cast", "reshape", "unsqueeze", "squeeze", "flatten", "unflatten", "transpose", "permute", "slice", "select", "expand"]
)


def from_beginning(site: Site, index: Value, size: Dim, *, torch_counts: bool = False) -> Value:
    """The indices as positions. `torch_counts`: PyTorch's operator that exporters write so refuses negative ones too."""
    if site.emit.producer == "netc" or (torch_counts and site.emit.producer == "pytorch"):
        return index
    return index if _is_positive(site.emit, index) else site.one("remainder", index, other=size)


def _is_positive(emit: Emitter, value: Value) -> bool:
    node = emit.makers.get(id(value))
    while isinstance(node, OpNode) and node.op.name in _MOVING:
        if node.inputs[0].type.dtype.kind == "bool":
            return True
        node = emit.makers.get(id(node.inputs[0]))
    if not isinstance(node, OpNode):
        return False
    return _is_counting(node.op.args["formula"]) if isinstance(node.op, TableOperator) else node.op.name in _POSITIONS


def _is_counting(formula: Formula) -> bool:
    """Whether a formula is made of indices and numbers that are not negative, by sums and products."""
    match formula:
        case IndexFormula():
            return True
        case Const(value=value):
            return isinstance(value, int) and value >= 0
        case BinaryFormula(op="+" | "*", left=left, right=right):
            return _is_counting(left) and _is_counting(right)
    return False
