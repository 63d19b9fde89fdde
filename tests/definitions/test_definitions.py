"""Definitions: which operators have one, and backends that write it. `compared.py` compares all of them with PyTorch's operators."""

from __future__ import annotations

import pytest

import netc
from netc.compiler.backends.python.emitters import Emitters
from netc.compiler.backends.python.python_source import SourceWriter
from netc.compiler.backends.torch.torch_emitters import EMITTERS
from netc.compiler.backends.torch.torch_framework import TORCH
from netc.compiler.backends.torch.torch_source import write_source_and_name
from netc.compiler.definitions import expand_program
from tests.definitions.compared import DEFINED, TEXTS, compare_definition
from tests.differential.test_operators import CASES, EXAMPLES


def test_all_definitions_are_compared() -> None:
    """`test_operators` compares the definitions of its own texts."""
    assert {text for _, text in (*EXAMPLES, *CASES)} >= TEXTS


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


@pytest.mark.parametrize(
    "text",
    [
        "x = input [T, E]; (x, x, x) -> attention",
        "x = input [T, E] float64; (x, x, x) -> attention causal=true",
        "q = input [H, T, 6]; k = input [1, S, 6]; (q, k, k) -> attention",
        "q = input [H, T, 6] where H % 4 == 0; k = input [4, S, 6]; (q, k, k) -> attention",
        "q = input [1, T, 6]; k = input [H, S, 6]; (q, k, k) -> attention",
    ],
)
def test_attention_is_defined_for_symbolic_sizes(text: str) -> None:
    """Of features and of heads, where the definition computes with them."""
    model = netc.compile(text)
    compare_definition(model, model.module(seed=0).eval(), text)


def test_a_claim_about_symbolic_features_is_proved() -> None:
    """Claims are derived by the definition of `attention`."""
    text = "x = input [T, E]\nmask = input [T] bool\ny = (x, x, x, mask -> unsqueeze 1) -> attention\nexpect y ignores mask"
    netc.compile(text)
