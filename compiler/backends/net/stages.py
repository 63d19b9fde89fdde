"""Nodes of a graph as stages: what is applied, without the tensors that it is applied to.

In: a node, and what the graphs that it calls are. Out: a `Stage`, `Group`, or a tensor without inputs. Always: a stage has a label if, and
only if, something in it has a key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...ir.graph import CallNode, Graph, Node, OpNode
from ...ops import Operator
from ...ops.constants import ParamOperator, TableOperator
from ...ops.operand import NAMED
from ...ops.parameter_of import ParameterOf
from .arguments import arguments_of
from .formulas import formula_tree
from .tree import ListOf, Literal, Param, ParameterOfStage, Stage, Table

Callee = Callable[[CallNode], Any]
"""What a call is: a `Stage` or a `Group`, with its label."""


def label_of(node: Node) -> str | None:
    """The label, None for a stage without keys; `_` for one whose keys have no level of their own."""
    keys = has_keys(node.graph) if isinstance(node, CallNode) else bool(node.specs) or node.tie is not None
    return (node.label or "_") if keys else None


def has_keys(graph: Graph) -> bool:
    """Whether there are parameters inside."""
    return any(
        (has_keys(node.graph) if isinstance(node, CallNode) else bool(node.specs) or node.tie is not None) for node in graph.nodes
    )


def constant_of(node: OpNode) -> Any:
    """A tensor that is made of nothing, None for an operator on tensors."""
    match node.op:
        case ParamOperator() as op:
            shape, *dtype = arguments_of(op)[0]
            named = arguments_of(op)[1]
            return Param((shape, *dtype), named, node.label)
        case TableOperator() as op:
            dtype = "" if op.dtype is None else str(op.dtype)
            shape = ListOf(tuple(Literal(d, "shape") for d in op.shape))
            return Table(op.indices, shape, dtype, formula_tree(op.formula), node.label if op.labelled else "")
        case ParameterOf() as op:
            path = op.path if node.shared is None else node.shared.label
            return ParameterOfStage(f"{path}.{op.parameter}")
    return None


def stage_of(node: OpNode) -> Stage:
    """An operator as a stage. Tensors that it is given by name are left to the caller."""
    positional, named = arguments_of(node.op)
    if node.tie is not None:
        named = (*named, ("tie", Literal(node.tie.path, "tie")))
    if node.frozen and node.specs:
        named = (*named, ("trainable", Literal(False, "trainable")))
    return Stage(node.op.name, positional, named, label=label_of(node))


def named_operands(op: Operator) -> tuple[str, ...]:
    """The operands that the last inputs are given as, by name."""
    names: tuple[str, ...] = op.args.get(NAMED, ())
    return names


def as_activation(stage: Stage, before: Stage) -> bool:
    """Whether the stage can be the activation of the one before it."""
    if isinstance(stage.callee, str) and isinstance(before.callee, str) and stage.label is None and before.activation is None:
        return Operator.registry[before.callee].takes_activation and Operator.registry[stage.callee].is_activation
    return False
