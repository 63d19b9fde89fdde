"""An ONNX model as text: the graph, without the numbers of its initialisers.

In: a `ModelProto`, whose initialisers are removed. Out: text.
"""

from __future__ import annotations

from onnx import ModelProto
from onnx.printer import to_text


def show(proto: ModelProto) -> str:
    """ONNX's own textual form, followed by the names and shapes of the initialisers."""
    kept = [(t.name, list(t.dims)) for t in proto.graph.initializer]
    del proto.graph.initializer[:]
    return to_text(proto) + "\n" + "".join(f"# {name}: {dims}\n" for name, dims in kept)
