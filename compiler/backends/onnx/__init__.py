"""Graph to ONNX, directly: no tracing, no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...ir.walk import collect_graphs
from ..backend import Backend, BackendInput

if TYPE_CHECKING:
    from onnx import ModelProto

    from ...ir.graph import Program
    from ...ops.operator import Operator
    from ..backend import CheckShapes
    from .onnx_model import GraphAndTensors
    from .runtime import OnnxSession
    from .save import OnnxArtefact


class OnnxBackend(Backend):
    """Makes a `ModelProto` with all weights, and runs it in ONNX Runtime."""

    name = "onnx"
    title = "ONNX"
    suffix = ".onnx"
    parts = r"(\.[0-9a-f]{16})?\.data"  # without the hash as PyTorch's exporter calls it
    is_binary = True
    holds_weights = True
    takes_options = True

    def proto(self, given: BackendInput) -> ModelProto:
        """The model. Raises `UnsupportedInOnnx`."""
        return self._made(given).whole()

    def _made(self, given: BackendInput) -> GraphAndTensors:
        from .onnx_model import graph_and_tensors

        return graph_and_tensors(given.program, given.arrays(), given.name, given.spec_hash, given.options)

    def text(self, given: BackendInput) -> str:
        from .onnx_text import show

        return show(self._made(given))

    def build(self, given: BackendInput) -> OnnxArtefact:
        from .save import OnnxArtefact

        return OnnxArtefact(self._made(given), given.progress)

    def operator_target(self, operator: type[Operator]) -> str:
        from .onnx_emitters import name_of

        return name_of(operator)

    def differences(self, operator: type[Operator]) -> tuple[str, ...]:
        from . import kernel_differences

        return kernel_differences.texts(operator)

    def notes(self, program: Program, *, verbose: bool = False) -> tuple[str, ...]:
        from .kernel_differences import RARE, affected
        from .runtime_failures import FEW_KERNELS

        found = (f"the graph holds bfloat16: {FEW_KERNELS['bfloat16']}",) if "bfloat16" in held_types(program) else ()
        return (*found, *(_difference(about, names) for about, names in affected(program).items() if verbose or about not in RARE))

    def session(self, given: BackendInput, device: str = "cpu", check: CheckShapes | None = None) -> OnnxSession:
        """The model in ONNX Runtime, on `cpu` or `cuda`."""
        from .runtime import OnnxSession

        return OnnxSession(self.build(given), device, check)


def _difference(about: str, names: tuple[str, ...]) -> str:
    where = " and ".join(filter(None, (", ".join(f"`{name}`" for name in names[:-1]), f"`{names[-1]}`")))
    return f"{about}, {where} in ONNX Runtime may give other results than PyTorch; `netc ops {names[0]}` says more"


def held_types(program: Program) -> frozenset[str]:
    """The element types of the tensors in a program."""
    values = (v for g in collect_graphs(program.main) for v in (*g.inputs, *(v for node in g.nodes for v in node.outputs)))
    return frozenset(v.type.dtype.name for v in values)


BACKEND = OnnxBackend()
