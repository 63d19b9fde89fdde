"""The rules by which a gradient passes through operators, backwards: products of a vector and an operator's Jacobian.

In: a node, and the gradient by its result. Out: the gradients by its inputs, as further stages. Always: the stages of a rule have rules
themselves, so that gradients of gradients can be computed. Where PyTorch has a choice, as at the corner of `relu`, a rule decides as
PyTorch does (https://docs.pytorch.org/docs/stable/notes/autograd.html#gradients-for-non-differentiable-functions).

    >>> import netc
    >>> program = netc.compile("input 3 -> tanh").program
    >>> (node,), stages = program.main.nodes, GraphStages(program.facts, program.main.span)
    >>> RULES["tanh"](stages, node, node.outputs[0])
    {0: <value: [N, 3]>}
    >>> [stage.op.name for stage in stages.nodes]
    ['square', 'sub', 'mul']
"""

from __future__ import annotations

from .arithmetic_rules import ARITHMETIC_RULES
from .graph_stages import GraphStages as GraphStages
from .index_rules import INDEX_RULES
from .matrix_rules import MATRIX_RULES
from .pointwise_rules import POINTWISE_RULES
from .reduction_rules import REDUCTION_RULES
from .rule_parts import JointRule, Rule
from .shape_rules import SHAPE_JOINT_RULES, SHAPE_RULES
from .window_rules import WINDOW_RULES

RULES: dict[str, Rule] = {
    **POINTWISE_RULES,
    **ARITHMETIC_RULES,
    **REDUCTION_RULES,
    **MATRIX_RULES,
    **SHAPE_RULES,
    **INDEX_RULES,
    **WINDOW_RULES,
}
"""The rules by operator."""
JOINT_RULES: dict[str, JointRule] = SHAPE_JOINT_RULES
"""The rules of operators with several results."""

CONSTANT = frozenset(("detach", "sign", "floor", "ceil", "round", "trunc"))
"""Operators whose results have no gradient, or are constant wherever they have one."""
