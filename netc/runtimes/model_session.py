"""Load a model into ONNX Runtime, or into another runtime.

In: the input of the ONNX backend. Out: a session. Always: it refuses sizes that a `where` of the spec excludes, and a model that a runtime
cannot load is a `ValueError` with the reason.

    >>> import netc, numpy
    >>> inputs = netc.compile("x = input [T, 2] where T >= 3; y = x -> sum 1").backend_input()
    >>> open_model_session(inputs, "cpu", None)(numpy.ones((1, 3, 2), numpy.float32)).shape
    (1, 2)
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from netc.compiler.analysis.input_shapes import check_sizes
from netc.compiler.backends.onnx import BACKEND, list_dtypes
from netc.compiler.backends.onnx.runtime_failures import is_runtime_error, load_failure

if TYPE_CHECKING:
    from netc.compiler.backends.backend import BackendInput
    from netc.compiler.backends.onnx.runtime import OnnxSession

    from .runtime_session import RuntimeSession


def open_model_session(inputs: BackendInput, device: str, runtime: str | None) -> OnnxSession | RuntimeSession:
    """Load the ONNX model of a program into ONNX Runtime, on `cpu` or `cuda`, or into another runtime, on the CPU.

    Raises `ValueError` if the runtime is not installed, or cannot load the model.
    """
    check = partial(check_sizes, inputs.program)
    if runtime is not None:
        from .open_session import open_session

        return open_session(runtime, BACKEND.build(inputs), check)
    try:
        return BACKEND.session(inputs, device, check)
    # ONNX Runtime's exceptions can be named only after importing it, so they are recognized by their module
    except Exception as error:
        if not is_runtime_error(error):
            raise
        raise load_failure(error, list_dtypes(inputs.program) if device == "cpu" else ()) from error
