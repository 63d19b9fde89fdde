"""Recurrent layers: their parameters, shapes and refusals equal PyTorch's."""

from __future__ import annotations

from itertools import product
from math import sqrt

import pytest
import torch
from torch import nn

import netc
from netc.compiler.dims import Facts, make_symbol
from netc.compiler.ops.operator import Init, OperatorError, OpInputs
from netc.compiler.ops.recurrent import Gru, Lstm, Recurrent, Rnn
from netc.compiler.types.tensor_types import FLOAT32, Shape, TensorType

NOTHING = Facts.empty()
MODULES: dict[type[Recurrent], type[nn.RNNBase]] = {Rnn: nn.RNN, Gru: nn.GRU, Lstm: nn.LSTM}
OPTIONS = [
    {"layers": layers, "bidirectional": both, "bias": bias} for layers, both, bias in product((1, 2, 3), (False, True), (False, True))
]


def pair(cls: type[Recurrent], **options: object) -> tuple[Recurrent, nn.RNNBase]:
    op = cls(**options)
    own = {("num_layers" if k == "layers" else k): v for k, v in options.items() if k != "hidden"}
    return op, MODULES[cls](5, options["hidden"], batch_first=True, device="meta", **own)  # type: ignore[arg-type]


def uses() -> list[tuple[Recurrent, nn.RNNBase]]:
    found = [pair(cls, hidden=4, **options) for cls in MODULES for options in OPTIONS]
    return found + [pair(Lstm, hidden=4, proj_size=size, **options) for size in (1, 3) for options in OPTIONS]


USES = uses()


@pytest.mark.share(3)
@pytest.mark.parametrize(("op", "module"), USES, ids=[repr(op) for op, _ in USES])
def test_parameters_and_results_are_those_of_the_module(op: Recurrent, module: nn.RNNBase) -> None:
    given = OpInputs((TensorType(FLOAT32, (2, 3, 5)),), NOTHING, ("x",))
    results = op.check_and_infer(given)
    specs = op.parameters(given)
    assert [(s.name, s.shape) for s in specs] == [(name, tuple(p.shape)) for name, p in module.state_dict().items()]
    assert {s.init for s in specs} == {Init("uniform", (-1 / sqrt(4), 1 / sqrt(4)))}
    output, states = module(torch.empty(2, 3, 5, device="meta"))
    flat = [output, *(states if isinstance(states, tuple) else [states])]
    assert [t.shape for t in results] == [tuple(t.shape) for t in flat]


@pytest.mark.parametrize("cls", MODULES)
def test_states_are_refused_where_the_module_does(cls: type[Recurrent]) -> None:
    x = (2, 3, 5)
    for layers, shape in product((1, 2), product((1, 2), (1, 2), (3, 4))):
        op, module = pair(cls, hidden=4, layers=layers)
        count = len(op.state_widths())
        given = op.bind_inputs(tuple(TensorType(FLOAT32, s) for s in (x, *[shape] * count)), NOTHING)
        assert accepted(op, given) == runs(module, x, *[shape] * count), (layers, shape)


def accepted(op: Recurrent, given: OpInputs) -> bool:
    try:
        op.check_and_infer(given)
    except OperatorError:
        return False
    return True


def runs(module: nn.RNNBase, x: Shape, *states: Shape) -> bool:
    x_, *h = (torch.empty([int(d) for d in s], device="meta") for s in (x, *states))  # type: ignore[arg-type]
    try:
        module(x_, tuple(h) if len(h) > 1 else h[0])
    except RuntimeError:
        return False
    return True


@pytest.mark.parametrize("size", range(6))
def test_projections_are_smaller_than_what_they_project(size: int) -> None:
    given = OpInputs((TensorType(FLOAT32, (2, 3, 5)),), NOTHING, ("x",))
    try:
        nn.LSTM(5, 4, proj_size=size)
    except ValueError:
        assert not accepted(Lstm(hidden=4, proj_size=size), given)
    else:
        assert accepted(Lstm(hidden=4, proj_size=size), given)


def test_flops() -> None:
    n, t = make_symbol("N"), make_symbol("T")
    x = TensorType(FLOAT32, (n, t, 5))
    given = OpInputs((x,), NOTHING, ("x",))

    def flops(op: Recurrent) -> object:
        return op.count_flops(given, op.check_and_infer(given))

    assert flops(Rnn(hidden=4, bias=False)) == n * t * 4 * (2 * 5 + 2 * 4 + 1)
    assert flops(Gru(hidden=4)) == n * t * 4 * (3 * (2 * 5 + 2 * 4 + 2) + 8)
    assert flops(Lstm(hidden=4, layers=2, bidirectional=True)) == n * t * 2 * 4 * (4 * (2 * (5 + 4 + 8 + 4) + 4) + 18)
    assert flops(Lstm(hidden=4, proj_size=3)) == n * t * 4 * (4 * (2 * 5 + 2 * 3 + 2) + 9 + 2 * 3)


def test_dropout_with_one_layer_is_warned_of() -> None:
    diagnostics = netc.compile("input [T, 5] -> gru 4 dropout=0.5").diagnostics
    assert [(d.code, d.severity) for d in diagnostics] == [("dropout-without-effect", "warning")]
    assert not netc.compile("input [T, 5] -> gru 4 layers=2 dropout=0.5").diagnostics
