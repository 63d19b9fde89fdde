"""Maps the names of an ONNX graph to items.

An inner graph sees the names around it, and hides those that it binds anew.

    >>> outer = NameScope()
    >>> outer["x"] = outer["y"] = None
    >>> inner = NameScope(outer)
    >>> inner["x"] is None, list(inner.items)
    (True, [''])
"""

from __future__ import annotations

from ..graph_builder import ImportRefused
from .onnx_values import Item


class NameScope:
    """The items of a graph's names, including names of the graphs around it. A function does not see the names of its caller."""

    def __init__(self, outer: NameScope | None = None) -> None:
        self.items: dict[str, Item] = {"": None}
        self.outer = outer

    def __getitem__(self, name: str) -> Item:
        scope: NameScope | None = self
        while scope is not None:
            if name in scope.items:
                return scope.items[name]
            scope = scope.outer
        raise ImportRefused(f"its input `{name}` is made nowhere")

    def __setitem__(self, name: str, item: Item) -> None:
        if name:
            self.items[name] = item
