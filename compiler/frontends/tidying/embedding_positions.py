"""States the greatest size of an input whose positions are looked up in an embedding: `arange(T)` in 64 rows needs `T <= 64`.

Without the condition, a longer sequence fails in ONNX Runtime while it runs, instead of when the input is checked.

In: a program whose tables are folded (tables.py). Out: the same program, with a condition for each such size, unless the size is known to
be small enough. Always: the model would have failed for sizes that the condition excludes.
"""

from __future__ import annotations

from ...dims import Condition, Dim, make_symbol
from ...ir.graph import OpNode, Program, has_operator
from ...ir.walk import collect_graphs
from ...ops.constants import TableOperator
from ...ops.dense import Embedding
from ...ops.formula import BinaryFormula, Const, Formula, IndexFormula
from .tensor_origins import TensorOrigins


def add_position_bounds(program: Program) -> None:
    """Add a condition for each symbolic size that an embedding bounds."""
    origins = TensorOrigins(program.main)
    limits: dict[str, int] = {}
    for graph in collect_graphs(program.main):
        for node in graph.nodes:
            bound = _find_bound(node, origins) if has_operator(node, Embedding) else None
            if bound is None or program.facts.is_at_least(bound[1], bound[0]):
                continue
            name = next((name for name, form in program.dims.items() if form == bound[0]), None)
            # A size that is computed, such as `T + P`, has no name to state a condition about.
            if name is not None and bound[1] > 0:
                limits[name] = min(bound[1], limits.get(name, bound[1]))
    conditions = [Condition("<=", make_symbol(name), number) for name, number in limits.items()]
    program.conditions = (*program.conditions, *((condition, str(condition)) for condition in conditions))


def _find_bound(node: OpNode, origins: TensorOrigins) -> tuple[Dim, int] | None:
    """Return the size of the table of positions, and its bound, for an embedding of positions."""
    origin = origins.find_origin(node.inputs[0])
    if origin is None or not isinstance(origin.op, TableOperator):
        return None
    counted = _find_counted_axis(origin.op.formula)
    return None if counted is None else (origin.op.shape[counted[0]], node.op.args["num"] - counted[1])


def _find_counted_axis(formula: Formula) -> tuple[int, int] | None:
    """Return the axis along which a formula counts, and its first number. The positions of BART begin at 2."""
    match formula:
        case IndexFormula(axis):
            return axis, 0
        case BinaryFormula("+", IndexFormula(axis), Const(int() as first)) | BinaryFormula("+", Const(int() as first), IndexFormula(axis)):
            return axis, first
    return None
