"""Turns nodes of a graph into stages, without the tensors that they are applied to.

In: a node, and the stages for graphs that it calls. Out: a `Stage`, a `Group`, or a tensor without inputs. Always: a stage has a label if
and only if something in it has a key.

    >>> import netc
    >>> (dense, relu) = netc.compile("input 3 -> dense 8 as fc -> relu").program.main.nodes
    >>> get_label(dense), get_label(relu), make_operator_stage(dense).callee
    ('fc', None, 'dense')
"""

from __future__ import annotations

from typing import Any, Protocol

from ...ir.graph import CallNode, Graph, Node, OpNode
from ...ops import Operator
from ...ops.constants import ParamOperator, TableOperator
from ...ops.formula import find_stored_array
from ...ops.initializers import INIT
from ...ops.operand import NAMED
from ...ops.parameter_of import ParameterOf
from ...ops.parametric import Parametric
from ...types.tensor_types import FLOAT32
from .operator_arguments import list_arguments, make_activation
from .spec_tree import CallMapping, ListOf, Literal, OptionalInput, Param, ParameterOfStage, Stage, StoredPath, StoredTable, Table
from .table_formulas import formula_to_tree


class Callees(Protocol):
    """Turns calls into stages."""

    def make_callee(self, node: CallNode) -> Any:
        """Return a `Stage` or a `Group`, with its label."""

    def find_optional(self, node: CallNode) -> tuple[OptionalInput, CallMapping] | None:
        """Return the optional input that the call passes, and which inputs and results of the block belong to the call. None without
        one."""


def get_label(node: Node) -> str | None:
    """Return the label, None for a stage without keys, and `_` for a stage whose keys have no level of their own."""
    # A buffer that is not persistent has no key, so it needs no label.
    keys = has_keys(node.graph) if isinstance(node, CallNode) else any(spec.persistent for spec in node.specs) or node.tie is not None
    return (node.label or "_") if keys else None


def has_keys(graph: Graph) -> bool:
    """Whether there are parameters inside."""
    return any(
        (has_keys(node.graph) if isinstance(node, CallNode) else any(spec.persistent for spec in node.specs) or node.tie is not None)
        for node in graph.nodes
    )


def make_constant(node: OpNode) -> Any:
    """Make a tensor that has no inputs. None for an operator on tensors."""
    match node.op:
        case ParamOperator() as op:
            return Param(list_arguments(op), node.label)
        case TableOperator() as op:
            dtype = "" if op.dtype is None else str(op.dtype)
            shape = ListOf(tuple(Literal(d, "shape") for d in op.shape))
            array = find_stored_array(op.formula)
            if array is not None:
                stored = Literal(StoredPath(array.path), "file"), Literal(array, node.outputs[0].name or "name")
                return StoredTable(shape, "" if array.dtype == FLOAT32 else str(array.dtype), *stored, node.label if op.labeled else "")
            return Table(op.indices, shape, dtype, formula_to_tree(op.formula, op.indices), node.label if op.labeled else "")
        case ParameterOf() as op:
            path = op.path if node.shared is None else node.shared.label
            return ParameterOfStage(f"{path}.{op.parameter}")
    return None


def make_operator_stage(node: OpNode) -> Stage:
    """Make the stage of an operator. The caller adds tensors that it takes by name."""
    op, label = node.op, get_label(node)
    # An activation has no keys, so it is written by its name alone, which a stage before it may take.
    if op.is_activation and label is None:
        return Stage(make_activation(op))
    arguments = list_arguments(op)
    # An initializer has no effect on a weight that is tied or is an input.
    if node.tie is not None or (isinstance(op, Parametric) and op.has_weight_input(tuple(v.type for v in node.inputs))):
        arguments = tuple((name, value) for name, value in arguments if op.signature[name].kind is not INIT)
    if node.tie is not None:
        arguments = (*arguments, ("tie", Literal(node.tie.path, "tie")))
    # Only an operator with parameters can be frozen.
    if node.specs:
        arguments = (*arguments, ("trainable", Literal(not node.frozen, "trainable", True)))
    return Stage(op.name, arguments, label=label)


def get_named_operands(op: Operator) -> tuple[str, ...]:
    """Return the names of the operands that the last inputs are passed as."""
    names: tuple[str, ...] = op.args.get(NAMED, ())
    return names


def can_be_activation(stage: Stage, before: Stage) -> bool:
    """Whether the stage can be the activation of the stage before it."""
    callee = before.callee
    return (
        isinstance(stage.callee, Literal)
        and before.activation is None
        and isinstance(callee, str)
        and Operator.registry[callee].takes_activation
    )
