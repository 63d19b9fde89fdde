"""Every definition computes what PyTorch's operator does: a third judge next to the kernels of PyTorch and of ONNX Runtime."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from case_ids import case_id

import netc
from netc.compiler.analysis.model_cost import summarize_costs
from netc.compiler.backends.python.emitters import Emitters
from netc.compiler.backends.python.python_source import SourceWriter
from netc.compiler.backends.torch.torch_emitters import EMITTERS
from netc.compiler.backends.torch.torch_framework import TORCH
from netc.compiler.backends.torch.torch_source import write_source_and_name
from netc.compiler.definitions import expand_program
from netc.compiler.dims import free_symbols
from netc.compiler.ir.graph import Program
from netc.compiler.ops import Operator
from netc.compiler.streaming.derive import derive_stream
from netc.compiler.streaming.items import StreamRefused
from netc.compiler.types.tensor_types import BATCH
from tests.case_families import FAMILIES
from tests.parity import TOLERANCES, arguments, flattened, inputs_for, sizes_of, tensor

DEFINED = [operator for operator in Operator.registry.values() if operator.has_definition()]


NAMES = re.compile("|".join(rf"\b{operator.name}\b" for operator in DEFINED))


ONE_MODULE = "shared cell = lstm 5; (y, h, c) = input [T, 5] -> cell; (z, h2, c2) = (y, h, c) -> cell; out z, c2"
"""Uses one module with states and without: two definitions, which have no module of PyTorch together."""


VALUES_OF_MORE_HEADS = "q = input [1, T, 6] float32; k = input [1, S, 6] float32; v = input [4, S, 6] float32; (q, k, v) -> attention"
"""The operator counts the scores for each head of the values. The definition computes them once."""


def _texts() -> Iterator[str]:
    """The examples of these operators, and the cases of their families that use them."""
    for operator in DEFINED:
        yield from operator.examples
    for family in sorted({operator.__module__.rpartition(".")[2] for operator in DEFINED}):
        yield from (text for text in FAMILIES[family].CASES if NAMES.search(text) and text != ONE_MODULE)


def _expanded(model: netc.Model) -> Program:
    return expand_program(model.program, lambda operator: operator not in DEFINED)


def _by_definition(model: netc.Model) -> torch.nn.Module:
    """The module in which every operator that has a definition is written by it."""
    source, name = write_source_and_name(_expanded(model), "defined")
    space: dict[str, Any] = {"__name__": "defined"}
    exec(compile(source, "defined.py", "exec"), space)
    module: torch.nn.Module = space[name]()
    return module.eval()


@pytest.mark.parametrize("text", [pytest.param(text, id=case_id(text)) for text in dict.fromkeys(_texts())])
def test_definition_computes_what_the_kernel_does(text: str) -> None:
    model = netc.compile(text)
    kernel, definition = model.module(seed=7).eval(), _by_definition(model)
    definition.load_state_dict(kernel.state_dict())
    names = {t.dtype.name for t in (*model.inputs.values(), *model.outputs.values()) if t.dtype.is_float}
    allowed = max((TOLERANCES[name] for name in names), default=0.0)
    for sizes in sizes_of(model):
        arrays = inputs_for(model, sizes)
        given = arguments(model, [tensor(arrays[name], type_) for name, type_ in model.inputs.items()])
        with torch.no_grad():
            wanted, found = flattened(kernel(*given)), flattened(definition(*given))
        for one, other in zip(wanted, found, strict=True):
            torch.testing.assert_close(other, one, rtol=allowed, atol=allowed, equal_nan=True)
    if text != VALUES_OF_MORE_HEADS:
        assert summarize_costs(model.program).totals.multiply_adds == summarize_costs(_expanded(model)).totals.multiply_adds
    for dimension in {name for value in model.program.main.inputs for size in value.type.shape for name in free_symbols(size)} - {BATCH}:
        if _streams(_expanded(model), dimension):
            assert _streams(model.program, dimension), "the operator's own rule refuses what its definition allows"


def _streams(program: Program, dimension: str) -> bool:
    try:
        derive_stream(program, dimension)
    except StreamRefused:
        return False
    return True


def test_composite_operators_have_definitions() -> None:
    names = {operator.name for operator in DEFINED}
    assert names >= {"attention", "cosine_similarity", "cross_entropy", "gelu", "glu", "group_norm", "lstm", "rms_norm", "rotary"}


def _without_kernels() -> SourceWriter:
    """A backend that has no emitter for an operator with a definition."""
    emitters = Emitters(EMITTERS.initialization)
    for table in ("modules", "invocations", "functions", "given", "names"):
        getattr(emitters, table).update((op, value) for op, value in getattr(EMITTERS, table).items() if op not in DEFINED)
    return SourceWriter(TORCH, emitters)


@pytest.mark.parametrize(
    "text",
    [
        "input [T, 5] -> lstm 4",  # a `scan`, whose step is a graph of its own
        "input [T, 5] -> gru 4 bidirectional=true layers=2",
        "x = input [2, T, 8]; p = input [T] int64; x -> rotary positions=p",
        "input [T, 8] -> multihead_attention 2 causal=true -> layer_norm -> silu",
    ],
)
def test_a_backend_without_the_operator_writes_its_definition(text: str) -> None:
    """The same as the program whose operators were replaced before."""
    program = netc.compile(text).program
    expanded = expand_program(program, lambda operator: operator not in DEFINED)
    assert _without_kernels().write_source(program, "net") == write_source_and_name(expanded, "net")[0]
