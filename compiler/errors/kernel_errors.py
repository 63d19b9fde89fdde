"""Warnings of `netc check --device`: stages that a device has no kernel for.

>>> problem = NoKernel("max_pool", "cuda", "ONNX Runtime 1.31.1", (("MaxPool", "up to opset 21"),), ("max_pool1",))
>>> problem.format_message(), problem.format_label()
('`max_pool` has no kernel on CUDA', 'ONNX Runtime 1.31.1 has `MaxPool` only up to opset 21')
"""

from __future__ import annotations

from typing import ClassVar

from netc.dsl.diagnostics import Severity

from .problem import Problem

DEVICE_TITLES = {"cuda": "CUDA", "tensorrt": "TensorRT", "web": "WebGPU", "coreml": "Core ML", "qnn": "QNN"}
"""The names of the devices in messages."""
SIZED_DEVICES = frozenset({"qnn"})
"""The devices that take a model only if all of its sizes are numbers."""
_ON_CPU = "ONNX Runtime runs it on the CPU, and copies its inputs and results"
_FALLBACKS = {
    "cuda": _ON_CPU,
    "web": "ONNX Runtime Web runs it in WebAssembly, and copies its inputs and results",
    "coreml": _ON_CPU,
    "qnn": _ON_CPU,
}
"""What runs a node instead."""
_WRONG = {
    "web": 'its kernel fails, and ONNX Runtime Web uses it all the same, unless you pass `executionProviders: ["wasm"]`',
    "coreml": "ONNX Runtime leaves it to Core ML all the same, so its results differ",
}
"""What happens to a node whose kernel is wrong."""
_SHOWN = 3
"""The most stages that a note lists."""


class NoKernel(Problem):
    """A stage of which the device cannot run a node. `operator`: the stage's, or empty for nodes that belong to no stage. `version` names
    the table of kernels. `lacks`: the ONNX operators, each with the forms that the device has, or with an empty text if it has none.
    `paths`: the stages that this text made. `opset`: the opset that has kernels for all of its nodes. `is_wrong`: the device uses a kernel
    that fails or computes something else."""

    code: ClassVar[str] = "no-kernel"
    severity: ClassVar[Severity] = "warning"
    operator: str
    device: str
    version: str
    lacks: tuple[tuple[str, str], ...]
    paths: tuple[str, ...]
    opset: int | None = None
    is_wrong: bool = False

    def format_message(self) -> str:
        lack = "no working kernel" if self.is_wrong else "no kernel"
        return f"{self._format_subject()} has {lack} on {DEVICE_TITLES[self.device]}"

    def _format_subject(self) -> str:
        if self.operator:
            return f"`{self.operator}`"
        # Outside of stages, netc copies a value only to output it.
        is_output = all(op_type == "Identity" for op_type, _ in self.lacks)
        return "an output of the model" if is_output else "the computation of a size"

    def format_label(self) -> str:
        return f"{self.version} has " + ", and ".join(
            f"`{op_type}` only {form}" if form else f"no `{op_type}`" for op_type, form in self.lacks
        )

    def format_notes(self) -> tuple[str, ...]:
        shown = ", ".join(f"`{path}`" for path in self.paths[:_SHOWN])
        more = len(self.paths) - _SHOWN
        where = (f"at {shown}" + (f" and {more} more" if more > 0 else ""),) if shown else ()
        wrong = (_WRONG[self.device],) if self.is_wrong else ()
        return (*where, *wrong) if wrong or self.device not in _FALLBACKS else (*where, _FALLBACKS[self.device])

    def format_help(self) -> tuple[str, ...]:
        return (f"write the model for an opset that has the kernel: `--opset {self.opset}`",) if self.opset is not None else ()
