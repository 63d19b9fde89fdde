"""Assign coordinates to boxes and wires, in layers from top to bottom.

The method follows Sugiyama, Tagawa and Toda, "Methods for Visual Understanding of Hierarchical System Structures" (1981), and Brandes and
Köpf, "Fast and Simple Horizontal Coordinate Assignment" (2002).

    layer_assignment.py     which layer each box is in; a wire over several layers gets a place in each
    ordering.py   the order within layers, with few crossings
    horizontal_layout.py    what is in a vertical line; horizontal coordinates
    routes.py     vertical coordinates, and the curves of the wires

    >>> node = LayoutNode(40.0, 20.0, (20.0,), (20.0,))
    >>> placement = arrange_level([node, node], [LayoutWire(0, 0, 1)])
    >>> placement.corners
    ((0.0, 0.0), (0.0, 44.0))
"""

from __future__ import annotations

from .horizontal_layout import assign_x
from .layer_assignment import assign_layers
from .layered_graph import LayoutNode, LayoutWire, Placement
from .ordering import order_items
from .routes import route_wires

__all__ = ["LayoutNode", "Placement", "LayoutWire", "arrange_level"]


def arrange_level(nodes: list[LayoutNode], wires: list[LayoutWire]) -> Placement:
    """Place the nodes, whose order must be such that every wire goes forwards.

    Always: nodes do not overlap, and no wire passes through one. The wires of one port share a path as far as possible.
    """
    layers = order_items(assign_layers(nodes, wires))
    return route_wires(layers, assign_x(layers))
