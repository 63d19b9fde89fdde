"""Exceptions of ONNX Runtime, known without importing it, and what helps against them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

FEW_KERNELS = {
    "bfloat16": "ONNX Runtime has few kernels for it on a CPU, where float16 runs; on CUDA both do",
    "float64": "on a CPU, ONNX Runtime has no kernels of float64 for convolutions and some other operators",
}
"""What models of an element type meet."""


def of_runtime(error: Exception) -> bool:
    """Whether ONNX Runtime raised it."""
    return type(error).__module__.startswith("onnxruntime")


def runtime_message(error: Exception) -> str:
    """ONNX Runtime's message, on one line, without its codes."""
    return re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", " ".join(str(error).split()))


def kernel_hints(message: str, dtypes: Collection[str]) -> Iterator[str]:
    """What to say of a message of ONNX Runtime about a model that holds these element types."""
    if "Could not find an implementation" in message:
        yield from (hint for dtype, hint in FEW_KERNELS.items() if dtype in dtypes)
