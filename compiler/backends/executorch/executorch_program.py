"""Convert an exported module by `executorch.exir`, with XNNPACK as the delegate.

In: an exported module. Out: the bytes of a `.pte` file, or the graph that it computes as text. The inputs and outputs of a program have an
order, and no names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..backend import BytesArtifact
from ..exported.conversion import Converter

if TYPE_CHECKING:
    from ..exported.export_module import ExportedModule


class MissingKernel(Exception):
    """The runtime has no kernel for an operator of the program: the file would not load."""


def write_program(exported: ExportedModule) -> BytesArtifact:
    """Return the program as one file."""
    program = _lower_module(exported).to_executorch()
    _require_kernels(program.executorch_program)
    return BytesArtifact(program.buffer)


def describe_program(exported: ExportedModule) -> str:
    """Return the graph after delegation, as PyTorch prints it."""
    return f"{_lower_module(exported).exported_program()}\n"


def _lower_module(exported: ExportedModule) -> Any:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    program = exported.run_export().run_decompositions({torch.ops.aten.pad.default: _crop_and_pad})
    return to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])


def _crop_and_pad(x: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    """Crop by slices where constant padding is negative, which the runtime's kernel refuses."""
    if mode != "constant" or min(pad, default=0) >= 0:
        return NotImplemented  # keeps the operator as it is
    for axis, (before, after) in enumerate(zip(pad[::2], pad[1::2], strict=True), start=1):
        x = x.narrow(-axis, max(-before, 0), x.shape[-axis] - max(-before, 0) - max(-after, 0))
    return torch.nn.functional.pad(x, [max(size, 0) for size in pad], value=value or 0.0)


def _require_kernels(program: Any) -> None:
    """Raise `MissingKernel` for an operator without a kernel in the runtime."""
    from executorch.runtime import Runtime

    known = set(Runtime.get().operator_registry.operator_names)
    for plan in program.execution_plan:
        for operator in plan.operators:
            name = f"{operator.name}.{operator.overload}" if operator.overload else operator.name
            if name not in known:
                raise MissingKernel(f"its runtime has no kernel for `{name}`")


CONVERTER = Converter(write_program, describe_program)
