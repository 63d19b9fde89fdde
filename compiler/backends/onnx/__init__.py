"""Writes a graph as ONNX, directly, without tracing and without torch.

>>> import netc
>>> model = netc.compile("input 8 -> dense 2 -> gelu").onnx()
>>> [node.op_type for node in model.graph.node], [tensor.name for tensor in model.graph.initializer]
(['Gemm', 'Gelu'], ['dense1.weight', 'dense1.bias'])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...ir.graph import OpNode
from ...ir.walk import collect_graphs
from ..backend import Backend, BackendInput

if TYPE_CHECKING:
    from onnx import ModelProto

    from ...ir.graph import Program
    from ...ops.operator import Operator
    from ..backend import CheckShapes
    from .graph_and_tensors import GraphAndTensors
    from .runtime import OnnxSession
    from .save import OnnxArtifact


class OnnxBackend(Backend):
    """Makes a `ModelProto` with all weights, and runs it in ONNX Runtime."""

    name = "onnx"
    title = "ONNX"
    suffix = ".onnx"
    parts = r"(\.[0-9a-f]{16})?\.data"  # without the hash, it is the name that PyTorch's exporter gives
    is_binary = True
    holds_weights = True
    takes_options = True

    def proto(self, given: BackendInput) -> ModelProto:
        """Build the model with all weights in memory. Raises `UnsupportedInOnnx`."""
        return self._build_graph(given).to_proto()

    def _build_graph(self, given: BackendInput) -> GraphAndTensors:
        from .onnx_model import build_graph

        return build_graph(given.program, given.open_arrays(), given.name, given.spec_hash, given.options)

    def text(self, given: BackendInput) -> str:
        from .onnx_text import format_graph

        return format_graph(self._build_graph(given))

    def build(self, given: BackendInput) -> OnnxArtifact:
        from .save import OnnxArtifact

        return OnnxArtifact(self._build_graph(given), given.progress)

    def operator_target(self, operator: type[Operator]) -> str:
        from .onnx_emitters import describe_target

        return describe_target(operator)

    def differences(self, operator: type[Operator]) -> tuple[str, ...]:
        from . import kernel_differences

        return kernel_differences.describe_differences(operator)

    def notes(self, given: BackendInput, *, verbose: bool = False) -> tuple[str, ...]:
        if given.options.runtime:
            return _list_runtime_differences(given, verbose)
        from .kernel_differences import RARE, list_affected_operators
        from .runtime_failures import FEW_KERNELS

        is_for_cpu = not given.options.device
        dtype_notes = (
            (f"the graph holds bfloat16: {FEW_KERNELS['bfloat16']}",) if is_for_cpu and "bfloat16" in list_dtypes(given.program) else ()
        )
        return (
            *dtype_notes,
            *(
                _describe_difference(about, names)
                for about, names in list_affected_operators(given.program).items()
                if verbose or about not in RARE
            ),
        )

    def session(self, given: BackendInput, device: str = "cpu", check: CheckShapes | None = None) -> OnnxSession:
        """Load the model in ONNX Runtime, on `cpu` or `cuda`."""
        from .runtime import OnnxSession

        return OnnxSession(self.build(given), device, check)


def _list_runtime_differences(given: BackendInput, verbose: bool) -> tuple[str, ...]:
    """List the results that may be others in the runtime that the model is for."""
    from .runtime_profiles import PROFILES

    operators = {node.op.name for graph in collect_graphs(given.program.main) for node in graph.nodes if isinstance(node, OpNode)}
    known = PROFILES[given.options.runtime].differences
    dtypes = list_dtypes(given.program)
    return tuple(found.sentence for found in known if found.is_about(operators, dtypes) and (verbose or not found.is_rare))


def _describe_difference(about: str, names: tuple[str, ...]) -> str:
    where = " and ".join(filter(None, (", ".join(f"`{name}`" for name in names[:-1]), f"`{names[-1]}`")))
    return f"{about}, {where} in ONNX Runtime may give other results than PyTorch; `netc ops {names[0]}` says more"


def list_dtypes(program: Program) -> frozenset[str]:
    """List the element types of the tensors in a program."""
    values = (v for g in collect_graphs(program.main) for v in (*g.inputs, *(v for node in g.nodes for v in node.outputs)))
    return frozenset(v.type.dtype.name for v in values)


BACKEND = OnnxBackend()
