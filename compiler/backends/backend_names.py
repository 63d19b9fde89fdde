"""The targets that netc compiles to.

Always: this imports nothing, since `netc --help` and `netc compile --help` use it. The order is the order in help and documentation.
"""

from __future__ import annotations

ARTIFACTS = {
    "torch": "PyTorch source",
    "onnx": "an ONNX model",
    "net": "a spec",
}
"""The noun for each backend's artifact in messages. A backend is a folder here that has the name of the target."""
