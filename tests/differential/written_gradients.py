"""The gradients of a model by its inputs, as netc writes them out for ONNX and as autograd computes them through the references.

In: a model. Out: its results, and the gradient of a smooth function of them by each of its inputs, from ONNX Runtime or from PyTorch.
Always: the peer calls PyTorch's functions as a person would (references/), and netc's emitters take no part in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

import netc
from netc.compiler.backends.onnx.onnx_model import build_model_proto
from netc.compiler.backends.onnx.runtime import OnnxSession
from netc.compiler.derivatives.graph_stages import GraphStages
from netc.compiler.ir.copy_graph import copy_graphs
from netc.compiler.ir.graph import Program
from netc.compiler.ir.graph_values import Value
from netc.compiler.types.tensor_types import FLOAT32
from tests.differential.references.run import attached_outputs
from tests.parity import SEED, tensor


def differentiate(program: Program, order: int = 1) -> Program:
    """The program that returns the gradients by all of its float inputs after its float results.

    Each result goes through `asinh`, so that no gradient is constant, as the gradient of the sum of a softmax would be. Its derivatives
    are as exact for large numbers as for small ones.
    """
    main = copy_graphs(program.main)[-1]
    main.nodes = list(main.nodes)
    stages = GraphStages(program.facts, main.span, "tested")
    wanted = [value for value in main.inputs if value.type.dtype.is_float]
    results = values = [value for value in main.outputs if value.type.dtype.is_float]
    for _ in range(order):
        total = _add_up(stages, values)
        values = [stages.apply("gradient", total, x) for x in wanted]
    main.nodes += stages.nodes
    main.outputs = [*results, *values]
    main.output_names = [f"result_{index}" for index in range(len(main.outputs))]
    main.size = len(main.nodes)
    return Program(main, program.facts, program.symbols, program.conditions, program.dims)


def _add_up(stages: GraphStages, values: Sequence[Value]) -> Value:
    total: Value | None = None
    for value in values:
        curve = stages.apply("asinh", value)
        part = stages.apply("sum", curve if value.type.dtype == FLOAT32 else stages.apply("cast", curve, dtype=FLOAT32))
        total = part if total is None else stages.apply("add", total, part)
    assert total is not None
    return total


def make_session(model: netc.Model, order: int = 1) -> OnnxSession:
    """The gradients in ONNX Runtime. Raises `UnsupportedInOnnx` if netc cannot write them out."""
    program = differentiate(model.program, order)
    state = {name: array.detach().numpy() for name, array in model.module(seed=SEED).state_dict().items()}
    return OnnxSession(build_model_proto(program, state, "gradients"), threads=1)


def run_session(session: OnnxSession, fed: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    found = session(*(array.numpy() for array in fed))
    return [torch.as_tensor(array) for array in (found.values() if isinstance(found, dict) else [found])]


def run_autograd(
    model: netc.Model, state: Mapping[str, torch.Tensor], fed: Sequence[torch.Tensor], sizes: Mapping[str, int], order: int = 1
) -> list[torch.Tensor]:
    """The same results and gradients by `torch.autograd.grad`, through PyTorch's functions."""
    tensors = [array.detach().clone().requires_grad_(array.is_floating_point()) for array in fed]
    wanted = [array for array in tensors if array.requires_grad]
    with torch.enable_grad():
        results = values = [value for value in attached_outputs(model.program, state, tensors, sizes) if value.is_floating_point()]
        for step in range(order):
            total = sum((value.asinh().sum().float() for value in values), torch.zeros(()))
            if not total.requires_grad:
                values = [torch.zeros_like(array) for array in wanted]
                break
            found = torch.autograd.grad(total, wanted, create_graph=step + 1 < order, allow_unused=True)
            values = [torch.zeros_like(array) if gradient is None else gradient for array, gradient in zip(wanted, found, strict=True)]
    return [value.detach() for value in (*results, *values)]


def feed(model: netc.Model, arrays: Mapping[str, object]) -> list[torch.Tensor]:
    return [tensor(arrays[name], type_) for name, type_ in model.inputs.items()]
