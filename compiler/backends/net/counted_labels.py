"""Splits and compares labels that are counted: `layers.0`, `layers.1`.

>>> import netc
>>> one, two = netc.compile("input 3 -> dense 3 as layers.0 -> dense 3 as layers.1").program.main.nodes
>>> split_counted_label(one), is_next_label(one, two)
(('layers.', 0), True)
"""

from __future__ import annotations

import re
from typing import Any

from ...ir.graph import CallNode, Node
from .node_stages import get_label
from .spec_tree import Body, Group, Stage

_COUNTED = re.compile(r"(.*?)(0|[1-9]\d*)")


def split_counted_label(node: Node) -> tuple[str, int]:
    """Split a label into the text before its number and the number, which is -1 if there is none."""
    if isinstance(node, CallNode) and node.graph.iteration is not None:
        return node.graph.iteration.prefixes[0], node.graph.iteration.number
    match = _COUNTED.fullmatch(get_label(node) or "")
    return (match[1], int(match[2])) if match else ("", -1)


def is_next_label(node: Node, other: Node) -> bool:
    """Whether the second label follows the first."""
    prefix, number = split_counted_label(node)
    return number >= 0 and split_counted_label(other) == (prefix, number + 1)


def strip_label(stage: Any) -> Any:
    """Return the stage without its label."""
    if isinstance(stage, Group):
        return Group(stage.stages, "")
    if isinstance(stage, Body):
        return stage
    assert isinstance(stage, Stage)
    return Stage(stage.callee, stage.arguments, stage.tensors, stage.activation)
