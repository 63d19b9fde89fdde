"""Decides which nodes ONNX Runtime's QNN provider leaves to the CPU although it has the operator.

Always: the rules are the reasons that the package onnxruntime-qnn gave for nodes of the zoo. netc refuses symbolic sizes before, so a size
that is not known is one that is computed.
"""

from __future__ import annotations

from collections.abc import Mapping

from .node_limits import Limit, join_limits, require_few_axes
from .typed_nodes import TypedNode

_MASK = 3


def _require_known_sizes(node: TypedNode) -> str | None:
    values = [value for value in node.inputs if value is not None]
    is_open = any(value.shape is None or None in value.shape for value in values)
    return "with sizes that are known beforehand" if is_open else None


def _limit_attention(node: TypedNode) -> str | None:
    mask = node.find_input(_MASK)
    return "with a mask of numbers" if mask is not None and mask.dtype == "bool" else None


QNN_LIMITS: Mapping[str, Limit] = {"": join_limits(_require_known_sizes, require_few_axes(5)), "Attention": _limit_attention}
"""The rules by operator. The one of the empty name is for all operators."""
