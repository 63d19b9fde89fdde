"""The targets that netc compiles to, and the opsets of ONNX.

Always: this imports nothing, since the help and the options of every command use it. The order is the order in help and documentation.

    >>> list(ARTIFACTS), OPSET in OPSETS
    (['torch', 'onnx', 'net', 'flax', 'mlx', 'executorch', 'litert', 'coreml'], True)
"""

from __future__ import annotations

ARTIFACTS = {
    "torch": "PyTorch source",
    "onnx": "an ONNX model",
    "net": "a spec",
    "flax": "Flax source",
    "mlx": "MLX source",
    "executorch": "an ExecuTorch program",
    "litert": "a LiteRT model",
    "coreml": "a Core ML package",
}
"""The noun for each backend's artifact in messages. A backend is a folder here that has the name of the target."""

OPSETS = range(17, 26)
"""The opsets of ONNX that a graph can be written in."""
OPSET = 23
"""The default opset."""
