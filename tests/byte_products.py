"""Whether ONNX Runtime's products of bytes are exact here. On processors without VNNI, its sums of two products saturate at 16 bits.

The option `session.x64quantprecision` would prevent it, but with it ONNX Runtime 1.30 cannot load models whose products share a weight.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest


def are_exact() -> bool:
    """Multiply the largest bytes, unsigned with signed, whose sum passes 16 bits."""
    graph = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> g (uint8[1, 64] a, int8[64, 8] b) => (int32[1, 8] y) { y = MatMulInteger(a, b) }'
    )
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    (y,) = session.run(None, {"a": np.full((1, 64), 255, np.uint8), "b": np.full((64, 8), 127, np.int8)})
    return bool((y == 64 * 255 * 127).all())


needs_exact_products = pytest.mark.skipif(
    not are_exact(), reason="ONNX Runtime's products of bytes saturate on this processor, without VNNI"
)
