"""Formats an ONNX model as text: the graph, without the values of its initializers.

In: a model whose initializers are not read. Out: text.
"""

from __future__ import annotations

from onnx.printer import to_text

from .onnx_model import GraphAndTensors


def format_graph(model: GraphAndTensors) -> str:
    """Return ONNX's own textual form, followed by the names and shapes of the initializers."""
    return to_text(model.proto) + "\n" + "".join(f"# {name}: {list(stored.shape)}\n" for name, stored in model.tensors.items())
