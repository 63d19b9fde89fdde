"""Runs ONNX models in IREE, which compiles them by LLVM for the CPU of this machine.

In: the path of a model. Out: a session. Always: symbolic sizes stay symbolic, so one session takes inputs of several sizes.

For example, `IreeSession("resnet18.onnx")(images)` returns the scores.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from tempfile import TemporaryDirectory
from typing import Any

from netc.compiler.backends.onnx.runtime_profiles.iree import IREE
from netc.compiler.types.numpy_types import Array

from .runtime_session import RuntimeSession

_COMMAND = re.compile(r"Error invoking IREE compiler tool.*?\berror: ", re.DOTALL)
"""The tool, its exit status and the place in a temporary file, before the first reason."""


class IreeSession(RuntimeSession):
    """A model that IREE has compiled."""

    profile = IREE
    modules = ("iree.compiler", "iree.runtime")

    def _load(self, path: str, threads: int | None) -> None:
        import iree.compiler
        import iree.runtime
        from iree.compiler.tools.import_onnx import __main__ as importer

        with TemporaryDirectory(prefix="netc-iree-") as folder:
            imported = os.path.join(folder, "model.mlir")
            importer.main(importer.parse_arguments([path, "-o", imported]))
            compiled = iree.compiler.compile_file(
                imported, target_backends=["llvm-cpu"], input_type="onnx", extra_args=["--iree-llvmcpu-target-cpu=host"]
            )
        context = iree.runtime.SystemContext(config=iree.runtime.Config("local-sync" if threads == 1 else "local-task"))
        module = iree.runtime.VmModule.copy_buffer(context.instance, compiled)
        context.add_vm_module(module)
        # next to the function of the graph, there is its asynchronous form and an initializer
        (name,) = (name for name in module.function_names if "$" not in name and not name.startswith("__"))
        self._function = context.modules[module.name][name]

    def _run(self, feeds: Mapping[str, Array]) -> list[Any]:
        results = self._function(*feeds.values())
        return [result.to_host() for result in (results if isinstance(results, tuple | list) else (results,))]

    @classmethod
    def shorten_message(cls, message: str) -> str:
        return super().shorten_message(_COMMAND.sub("", message))
