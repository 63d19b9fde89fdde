"""ONNX files as origins, run by ONNX Runtime."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .origin import Origin

if TYPE_CHECKING:
    from netc.compiler.ir.elements import Array


def onnx_origin(path: str, fixed: Mapping[str, object], *, dequantize: bool = False) -> Origin:
    """The file as an origin. `fixed` are values of inputs and sizes of axes. With `dequantize` the float model that it stands for is the
    origin, and the file what that is compared with. Raises `ImportFailed`."""
    from netc.compiler.frontends.onnx import float_model, from_file

    begun = time.monotonic()
    imported = from_file(path, fixed=fixed, dequantize=dequantize)
    seconds = time.monotonic() - begun
    own = _Run(lambda: path, fixed)
    if not dequantize:
        return Origin(path, imported, own, False, None, seconds)
    floats = _Run(lambda: float_model(path).SerializeToString(), fixed)
    return Origin(path, imported, floats, False, None, seconds, own)


class _Run:
    """Runs a file, or the bytes of one, as it is."""

    def __init__(self, source: Callable[[], str | bytes], fixed: Mapping[str, object]) -> None:
        self.source, self.fixed = source, fixed

    @cached_property
    def session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(self.source(), options, providers=["CPUExecutionProvider"])

    def __call__(self, inputs: Sequence[Array], weights: Mapping[str, Array]) -> list[Array]:
        import numpy as np

        session = self.session
        given = iter(inputs)
        feeds = {i.name: np.asarray(self.fixed[i.name]) if i.name in self.fixed else next(given) for i in session.get_inputs()}
        return list(session.run(None, feeds))
