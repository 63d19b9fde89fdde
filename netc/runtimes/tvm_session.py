"""Runs ONNX models in TVM, which compiles them by LLVM for the CPU of this machine.

In: the path of a model whose sizes are all known. Out: a session.

For example, `TvmSession("resnet18.onnx")(images)` returns the scores.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from netc.compiler.backends.onnx.runtime_profiles.tvm import TVM
from netc.compiler.types.numpy_types import Array

from .runtime_session import RuntimeSession


class TvmSession(RuntimeSession):
    """A model that TVM has compiled."""

    profile = TVM
    modules = ("tvm",)

    def _load(self, path: str, threads: int | None) -> None:
        import onnx
        import tvm

        # netc imports this module without its package (`messages.py`), and TVM looks it up as an attribute of the package
        onnx.onnx_ml_pb2 = sys.modules["onnx.onnx_ml_pb2"]
        from tvm import relax
        from tvm.relax.frontend.onnx import from_onnx

        if threads is not None:
            tvm.get_global_func("runtime.config_threadpool")(1, threads)
        module = from_onnx(onnx.load(path), keep_params_in_input=False)
        self._tvm = tvm
        self._machine = relax.VirtualMachine(tvm.compile(module, target="llvm"), tvm.cpu())

    def _run(self, feeds: Mapping[str, Array]) -> list[Any]:
        results = self._machine["main"](*(self._tvm.runtime.tensor(array) for array in feeds.values()))
        return [result.numpy() for result in ((results,) if isinstance(results, self._tvm.runtime.Tensor) else results)]
