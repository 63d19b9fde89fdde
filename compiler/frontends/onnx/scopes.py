"""What the names of an ONNX graph are."""

from __future__ import annotations

from ..graph_builder import ImportRefused
from .onnx_values import Item


class Names:
    """What the names of a graph are; those of the graphs around it too, but not of the caller of a function."""

    def __init__(self, outer: Names | None = None) -> None:
        self.own: dict[str, Item] = {"": None}
        self.outer = outer

    def __getitem__(self, name: str) -> Item:
        at: Names | None = self
        while at is not None:
            if name in at.own:
                return at.own[name]
            at = at.outer
        raise ImportRefused(f"its input `{name}` is made nowhere")

    def __setitem__(self, name: str, item: Item) -> None:
        if name:
            self.own[name] = item
