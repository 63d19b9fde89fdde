"""Runs ONNX models in OpenVINO, on the CPU.

In: the path of a model. Out: a session. Always: it computes in the element types of the model. OpenVINO's own default is bfloat16 on CPUs
that have it, which changes the third digit.

For example, `OpenVinoSession("resnet18.onnx")(images)` returns the scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from netc.compiler.backends.onnx.runtime_profiles.openvino import OPENVINO
from netc.compiler.types.numpy_types import Array

from .runtime_session import RuntimeSession

INT32 = np.iinfo(np.int32)
WIDE = (np.dtype(np.int64), np.dtype(np.uint64), np.dtype(np.uint32))
"""The element types that OpenVINO's CPU plug-in computes in int32."""


class OpenVinoSession(RuntimeSession):
    """A model in OpenVINO."""

    profile = OPENVINO
    modules = ("openvino",)

    def _load(self, path: str, threads: int | None) -> None:
        import openvino

        settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY"}
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        core = openvino.Core()
        self._compiled = core.compile_model(core.read_model(path), "CPU", settings)

    def _check_values(self, feeds: Mapping[str, Array]) -> None:
        for name, array in feeds.items():
            if array.dtype in WIDE and array.size and (array.max() > INT32.max or array.min() < INT32.min):
                raise ValueError(f"the input `{name}` has a number beyond 2**31: OpenVINO computes {array.dtype} in int32")

    def _run(self, feeds: Mapping[str, Array]) -> list[Any]:
        results = self._compiled(list(feeds.values()))
        return [results[index] for index in range(len(self.outputs))]
