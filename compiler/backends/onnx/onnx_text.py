"""An ONNX model as text: the graph, without the numbers of its initialisers.

In: a model whose initialisers are not read. Out: text.
"""

from __future__ import annotations

from onnx.printer import to_text

from .onnx_model import GraphAndTensors


def format_graph(made: GraphAndTensors) -> str:
    """ONNX's own textual form, followed by the names and shapes of the initialisers."""
    return to_text(made.proto) + "\n" + "".join(f"# {name}: {list(stored.shape)}\n" for name, stored in made.tensors.items())
