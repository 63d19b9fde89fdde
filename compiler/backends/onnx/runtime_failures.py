"""Recognizes exceptions of ONNX Runtime without importing it, and gives advice.

>>> runtime_message("Non-zero status code returned while running Gather node. Name:'embed/Gather' Status Message: out of bounds")
'`embed` fails in ONNX Runtime: out of bounds'
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

FEW_KERNELS = {
    "bfloat16": "ONNX Runtime has few kernels for it on a CPU, where float16 runs; on CUDA both do",
    "float64": "on a CPU, ONNX Runtime has no kernels of float64 for convolutions and some other operators",
}
"""Advice for models of an element type."""


_AT_NODE = re.compile(r"running (\w+) node\. Name:'([^']*)' Status Message: (.*)", re.DOTALL)
_IN_CODE = re.compile(r"^\S+\.(?:cc|h|cpp|hpp):\d+ (?:(?:[\w:&<>*]+ )*[\w:]+\(.*?\)(?: const)?(?: \[with [^\]]*\])? |Compute )?")
"""The position in ONNX Runtime's C++ code and the function, with which its messages begin."""


class RunFailed(ValueError):
    """ONNX Runtime failed because of the values of the inputs: an index is out of range, or an integer is divided by 0."""


def is_runtime_error(error: Exception) -> bool:
    """Whether ONNX Runtime raised the error."""
    # By the name of the module, so that ONNX Runtime need not be imported to ask.
    return isinstance(error, RunFailed) or type(error).__module__.startswith("onnxruntime")


def run_failure(error: Exception, shapes: Mapping[str, tuple[int, ...]]) -> RunFailed:
    """Make the error for an exception of ONNX Runtime with inputs of these shapes. It names an input without elements, since many kernels
    fail on one with a message about something else."""
    empty = next((name for name, shape in shapes.items() if 0 in shape), None)
    because = f"the input `{empty}` is {list(shapes[empty])}: without elements, " if empty is not None else ""
    return RunFailed(f"{because}{runtime_message(error)}")


def runtime_message(error: Exception | str) -> str:
    """Return ONNX Runtime's message on one line, without its codes. For an error at run time, the stage and the reason."""
    message = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", " ".join(str(error).split()))
    at_node = _AT_NODE.search(message)
    if at_node is None:
        return message
    kind, name, reason = at_node.groups()
    return f"`{name.removesuffix(f'/{kind}') or kind}` fails in ONNX Runtime: {_IN_CODE.sub('', reason).strip()}"


def load_failure(error: Exception, dtypes: Collection[str]) -> Exception:
    """Make an exception for a model that ONNX Runtime cannot load, with advice in its text. It has the class of ONNX Runtime's
    exception."""
    message = runtime_message(error)
    return type(error)("; ".join((f"ONNX Runtime cannot load the model: {message}", *kernel_hints(message, dtypes))))


def kernel_hints(message: str, dtypes: Collection[str]) -> Iterator[str]:
    """Yield advice for a message of ONNX Runtime about a model with these element types."""
    if "Could not find an implementation" in message:
        yield from (hint for dtype, hint in FEW_KERNELS.items() if dtype in dtypes)
