"""The targets that netc compiles to.

Always: this imports nothing, since `netc --help` and `netc compile --help` have sentences made of it; the order is that of help and
documentation.
"""

from __future__ import annotations

ARTIFACTS = {
    "torch": "PyTorch source",
    "onnx": "an ONNX model",
    "net": "a spec",
}
"""What each registered backend makes, as messages call it. A backend is a folder here that has the name of the target."""
