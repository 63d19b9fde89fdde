"""An ONNX graph, before it is written, made into one that computes the same in less time.

In: a builder and the values that are asked for. Out: the builder, its nodes and stored tensors changed. Always: names of inputs and outputs
stay; no tensor is read, numbers of parameters are computed when they are written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..builder import GraphBuilder
from .constants import fold_constants
from .graph import OpenGraph

PASSES: tuple[Callable[[OpenGraph], None], ...] = (fold_constants,)
"""In order: each sees what those before it have made."""


def optimize(builder: GraphBuilder, outputs: Sequence[str]) -> None:
    """All passes, each on a graph without unused nodes. `outputs` are provisional names."""
    for run in PASSES:
        run(OpenGraph(builder, outputs))
