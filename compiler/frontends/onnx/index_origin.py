"""Converts indices that may count from the end into indices that count from the beginning.

ONNX accepts negative indices in its operators, and PyTorch's index operators do not.

In: indices that are tensors of the graph, and the size of their axis. Out: indices that count from the beginning. Always: indices that
cannot be negative stay as they are, so that imported texts have no needless `remainder`.
"""

from __future__ import annotations

from ...dims import Dim, SymDim
from ...ir.graph import OpNode
from ...ir.graph_values import Value
from ...ops.constants import TableOperator
from ...ops.formula import BinaryFormula, Const, Formula, IndexFormula
from .emitter import Emitter
from .importer_site import OnnxSite

_NONNEGATIVE = frozenset(["argmax", "argmin", "argsort", "one_hot"])
"""Operators whose results are not negative."""
_MOVING = frozenset(
    ["cast", "reshape", "unsqueeze", "squeeze", "flatten", "unflatten", "transpose", "permute", "slice", "select", "expand"]
)


def count_from_beginning(site: OnnxSite, index: Value, size: Dim, *, torch_counts: bool = False) -> Value:
    """Return the indices, counted from the beginning.

    `torch_counts`: the operator of PyTorch that is exported as this one refuses negative indices, so a file from PyTorch has none. netc's
    own operators refuse them in all cases.
    """
    if site.emit.producer == "netc" or (torch_counts and site.emit.producer == "pytorch"):
        return index
    return index if _has_no_negatives(site.emit, index) else site.apply_op("remainder", index, other=size)


def _has_no_negatives(emit: Emitter, value: Value) -> bool:
    """Return whether the operator that made a tensor gives no negative integers, for all inputs."""
    node = emit.makers.get(id(value))
    while isinstance(node, OpNode) and node.op.name in _MOVING:
        value = node.inputs[0]
        # Booleans that were cast to integers are 0 or 1.
        if value.type.dtype.kind == "bool":
            return True
        node = emit.makers.get(id(value))
    if not isinstance(node, OpNode):
        return False
    if isinstance(node.op, TableOperator):
        return _is_nonnegative(node.op.args["formula"])
    if node.op.name == "topk":
        return value is node.outputs[1]  # the other output has the values
    if node.op.name == "remainder" and len(node.inputs) == 1:
        divisor = node.op.args["other"]  # whose sign the result has; a size is positive
        return isinstance(divisor, SymDim) or (isinstance(divisor, int) and divisor > 0)
    return node.op.name in _NONNEGATIVE


def _is_nonnegative(formula: Formula) -> bool:
    """Return whether a formula consists of sums and products of indices and of numbers that are not negative."""
    match formula:
        case IndexFormula():
            return True
        case Const(value=value):
            return isinstance(value, int) and value >= 0
        case BinaryFormula(op="+" | "*", left=left, right=right):
            return _is_nonnegative(left) and _is_nonnegative(right)
    return False
