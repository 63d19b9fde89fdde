"""The comparison of every definition with PyTorch's operator: a third judge next to the kernels of PyTorch and of ONNX Runtime.

`tests/differential/test_operators.py` makes it where it has the module of a text anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import torch

import netc
from netc.compiler.analysis.model_cost import summarize_costs
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


def list_texts() -> Iterator[str]:
    """The examples of these operators, and the cases of their families that use them."""
    for operator in DEFINED:
        yield from operator.examples
    for family in sorted({operator.__module__.rpartition(".")[2] for operator in DEFINED}):
        yield from (text for text in FAMILIES[family].CASES if NAMES.search(text) and text != ONE_MODULE)


def _make_module(expanded: Program) -> torch.nn.Module:
    source, name = write_source_and_name(expanded, "defined")
    space: dict[str, Any] = {"__name__": "defined"}
    exec(compile(source, "defined.py", "exec"), space)
    module: torch.nn.Module = space[name]()
    return module.eval()


TEXTS = frozenset(list_texts())


def compare_definition(model: netc.Model, kernel: torch.nn.Module, text: str) -> None:
    """Raises an AssertionError unless the definitions compute what the module `kernel` of the text does, at the same cost."""
    expanded = expand_program(model.program, lambda operator: operator not in DEFINED)
    definition = _make_module(expanded)
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
        assert summarize_costs(model.program).totals.multiply_adds == summarize_costs(expanded).totals.multiply_adds
    for dimension in {name for value in model.program.main.inputs for size in value.type.shape for name in free_symbols(size)} - {BATCH}:
        if _streams(expanded, dimension):
            assert _streams(model.program, dimension), "the operator's own rule refuses what its definition allows"


def _streams(program: Program, dimension: str) -> bool:
    try:
        derive_stream(program, dimension)
    except StreamRefused:
        return False
    return True
