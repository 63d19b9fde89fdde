"""The records of the layout: nodes and wires come in, a placement goes out, and layers of items are in between.

>>> upper, lower = (LayerItem(n, n, n, LayoutNode(40.0, 10.0, bottoms=(10.0, 30.0))) for n in range(2))
>>> segment = WireSegment(upper, 1, lower, 0)
>>> segment.start, segment.end
(30.0, 20.0)
"""

from __future__ import annotations

from netc.dsl.record import Record

Point = tuple[float, float]
Port = tuple[int, int]
"""The number of a node, and the number of one of its `bottoms`."""


class LayoutNode(Record):
    """A rectangle. `tops` and `bottoms` are the distances of its ports from its left edge; without `tops`, wires from above end anywhere
    near its middle. `first` and `last` nodes are in the first and last layer."""

    width: float
    height: float
    bottoms: tuple[float, ...] = ()
    tops: tuple[float, ...] = ()
    first: bool = False
    last: bool = False


class LayoutWire(Record):
    """A wire from a bottom port of one node to another node. `port` is a number among the `tops` of the target."""

    source: int
    bottom: int
    target: int
    port: int = 0


class Placement(Record):
    """The upper left corners of the nodes, the curves of each wire, and the size of everything. From the first point of a wire, a cubic
    curve goes to every third one."""

    corners: tuple[Point, ...]
    routes: tuple[tuple[Point, ...], ...]
    width: float
    height: float


class LayerItem:
    """Something in a layer: a node, or a wire that passes through. `source` is the port whose wire it is."""

    __slots__ = ("bottoms", "height", "layer", "lower", "node", "number", "order", "source", "tops", "upper", "width")

    def __init__(self, number: int, node: int | None, layer: int, layout_node: LayoutNode | None, source: Port | None = None) -> None:
        self.number = number
        self.node = node
        self.layer = layer
        self.source = source
        # a wire that passes through is a point with one port at the top and one at the bottom
        self.width = 0.0 if layout_node is None else layout_node.width
        self.height = 0.0 if layout_node is None else layout_node.height
        self.bottoms = (0.0,) if layout_node is None else layout_node.bottoms
        self.tops = (0.0,) if layout_node is None else layout_node.tops
        self.order = 0
        self.upper: list[WireSegment] = []
        self.lower: list[WireSegment] = []


class WireSegment:
    """A piece of a wire, from an item to one in the next layer. `bottom` and `top` are the numbers of the ports."""

    __slots__ = ("bottom", "lower", "top", "upper")

    def __init__(self, upper: LayerItem, bottom: int, lower: LayerItem, top: int) -> None:
        self.upper = upper
        self.bottom = bottom
        self.lower = lower
        self.top = top

    @property
    def start(self) -> float:
        """The distance of its start from the left edge of the upper item."""
        return self.upper.bottoms[self.bottom]

    @property
    def end(self) -> float:
        """The distance of its end from the left edge of the lower item: its middle if wires may end anywhere."""
        return self.lower.tops[self.top] if self.lower.tops else self.lower.width / 2


class Layers:
    """Items by layer, and the segments of each wire."""

    def __init__(self, layers: list[list[LayerItem]], items: list[LayerItem], paths: list[list[WireSegment]]) -> None:
        self.layers = layers
        self.items = items
        """All items, first the items of nodes, in the order of the nodes."""
        self.paths = paths

    def number_items(self) -> None:
        """Set the position of each item in its layer."""
        for layer in self.layers:
            for position, item in enumerate(layer):
                item.order = position
