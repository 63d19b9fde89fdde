"""Formats an ONNX model as text: the graph, without the values of its initializers.

In: a model whose initializers are not read. Out: text.

    >>> import netc
    >>> source = netc.compile("input 8 -> dense 2 as fc").source("onnx")
    >>> [line.strip() for line in source.splitlines() if "fc" in line]
    ['[fc] output = Gemm <transB: int = 1> (input, "fc.weight", "fc.bias")', '# fc.weight: [2, 8]', '# fc.bias: [2]']
"""

from __future__ import annotations

from onnx.printer import to_text

from .graph_and_tensors import GraphAndTensors


def format_graph(model: GraphAndTensors) -> str:
    """Return ONNX's own textual form, followed by the names and shapes of the initializers."""
    return to_text(model.proto) + "\n" + "".join(f"# {name}: {list(stored.shape)}\n" for name, stored in model.tensors.items())
