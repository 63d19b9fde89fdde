"""The words on the box of a unit.

For a stage `dense 64` that netc labels `dense1`, the title is `dense1`, because parameters are named after it, with `dense 64` below. For
`relu`, which netc labels `relu1`, the title is `relu`. For `block layer` used as `first`, the title is `first`, with `layer` below.

    >>> import netc
    >>> dense, relu = netc.compile("input 3 -> dense 64 -> relu").program.main.nodes
    >>> describe_node(dense), is_derived_label("dense1", dense), is_derived_label("head", dense)
    ('dense 64', True, False)
"""

from __future__ import annotations

from netc.compiler.ir.graph import CallNode, Node, OpNode
from netc.compiler.ops.mode import ByMode

from ..reference.operator_reference import get_family
from .box_text import format_operator
from .drawn_units import DrawnUnit


def name_unit(unit: DrawnUnit, inner: DrawnUnit, place: str) -> tuple[str, str]:
    """The title of a unit and the words below it. `inner` is the unit inside calls that contain nothing else; `place` is the stage's path.

    A number as a label says little, and so does a label that netc derived from the operator's name: both are left out unless a parameter is
    named after them.
    """
    node, deepest = unit.nodes[0], inner.nodes[0]
    label, words = node.label, describe_node(deepest)
    if not label and isinstance(node, CallNode):
        return node.graph.kind, words
    if label.isdigit():
        if not words:
            # a number alone says nothing, so the label of the stage around it is shown too
            title = ".".join(place.split(".")[-2:])
            return f"{title} … {unit.nodes[-1].label}" if unit.parallel else title, ""
        last = unit.nodes[-1].label
        label_range = label if last == label else f"{label} … {last}"
        return words, label_range if isinstance(node, CallNode) or node.specs else ""
    if not is_derived_label(label, node):
        title = f"{label} … {unit.nodes[-1].label}" if unit.parallel else label
        return title, words if words != label else ""
    return (label, "") if isinstance(node, CallNode) else (label, words) if node.specs else (words, "")


def describe_node(node: Node) -> str:
    """The words for a node: an operator with its arguments, or the name of a block."""
    if isinstance(node, OpNode):
        return "if training" if isinstance(node.op, ByMode) else format_operator(node.op)
    if node.scan is not None:
        return "a step for each position"
    return node.graph.name if node.graph.kind == "block" else {"branches": "each"}.get(node.graph.kind, "")


def is_derived_label(label: str, node: Node) -> bool:
    """Whether a label is only the name of the operator or block and a number."""
    if isinstance(node, CallNode) and node.graph.kind != "block":
        return False
    name = node.op.name if isinstance(node, OpNode) else node.graph.name
    return label.startswith(name) and (label == name or label[len(name) :].isdigit())


def find_family(unit: DrawnUnit) -> str:
    """The family of a unit's operators, which decides on the color of its box."""
    node = unit.nodes[0]
    if unit.units or isinstance(node, CallNode):
        return "block"
    return "flow" if isinstance(node.op, ByMode) else get_family(type(node.op))
