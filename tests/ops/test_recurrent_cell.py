"""Recurrent cells: their parameters, shapes and refusals equal PyTorch's."""

from __future__ import annotations

from itertools import product
from math import sqrt

import pytest
import torch
from torch import nn

import netc
from netc.compiler.analysis.model_cost import summarize_costs
from netc.compiler.dims import Facts
from netc.compiler.ops.operator import Init, OperatorError, OpInputs
from netc.compiler.ops.recurrent_cell import GruCell, LstmCell, RecurrentCell, RnnCell
from netc.compiler.types.tensor_types import FLOAT32, Shape, TensorType

MODULES: dict[type[RecurrentCell], type[nn.RNNCellBase]] = {RnnCell: nn.RNNCell, GruCell: nn.GRUCell, LstmCell: nn.LSTMCell}


@pytest.mark.parametrize("cls", MODULES)
@pytest.mark.parametrize("bias", [True, False])
def test_parameters_are_those_of_the_module(cls: type[RecurrentCell], bias: bool) -> None:
    specs = cls(hidden=4, bias=bias).parameters(OpInputs((TensorType(FLOAT32, (2, 5)),), Facts.empty(), ("x",)))
    module = MODULES[cls](5, 4, bias=bias)  # type: ignore[call-arg]
    assert [(s.name, s.shape) for s in specs] == [(name, tuple(p.shape)) for name, p in module.state_dict().items()]
    assert {s.init for s in specs} == {Init("uniform", (-1 / sqrt(4), 1 / sqrt(4)))}


SHAPES = ((), (5,), (2, 5), (1, 5), (3, 2, 5))
STATES = ((4,), (1,), (5,), (2, 4), (1, 4), (2, 3), (3, 2, 4), ())


@pytest.mark.parametrize("cls", MODULES)
def test_states_are_refused_where_the_module_does(cls: type[RecurrentCell]) -> None:
    for x, state in product(SHAPES, STATES):
        shapes = (x, *[state] * len(cls.kept))
        assert inferred(cls, shapes) == computed(cls, shapes), shapes


def inferred(cls: type[RecurrentCell], shapes: tuple[Shape, ...]) -> list[Shape] | None:
    try:
        op = cls(hidden=4)
        return [t.shape for t in op.check_and_infer(op.bind_inputs(tuple(TensorType(FLOAT32, s) for s in shapes), Facts.empty()))]
    except OperatorError:
        return None


def computed(cls: type[RecurrentCell], shapes: tuple[Shape, ...]) -> list[Shape] | None:
    x, *states = (torch.ones([int(d) for d in s]) for s in shapes)  # type: ignore[arg-type]
    try:
        found = MODULES[cls](5, 4)(x, states[0] if len(states) == 1 else tuple(states))  # type: ignore[call-arg]
    except (RuntimeError, ValueError, IndexError):
        return None
    return [tuple(t.shape) for t in (found if isinstance(found, tuple) else (found,))]


@pytest.mark.parametrize(("cell", "layer"), [("rnn_cell", "rnn"), ("gru_cell", "gru"), ("lstm_cell", "lstm")])
def test_a_step_costs_as_much_as_a_sequence_of_one(cell: str, layer: str) -> None:
    step = summarize_costs(netc.compile(f"input 5 -> {cell} 4").program).totals
    whole = summarize_costs(netc.compile(f"input [1, 5] -> {layer} 4").program).totals
    assert (step.parameters, step.flops, step.activation_bytes) == (whole.parameters, whole.flops, whole.activation_bytes)


def test_a_sequence_is_steps() -> None:
    """The cell has the layer's parameters, under shorter names."""
    whole = netc.compile("input [3, 5] -> lstm 4 as cell").module(seed=1).eval()
    steps = "; ".join(f"(h{i + 1}, c{i + 1}) = (x -> select 1 {i}, h{i}, c{i}) -> step" for i in range(3))
    text = f"x = input [3, 5]; h0 = input 4; c0 = input 4; shared step = lstm_cell 4; {steps}; (h1, h2, h3) -> stack axis=1"
    apart = netc.compile(text).module(seed=2).eval()
    apart.load_state_dict({name.replace("cell.", "step.").removesuffix("_l0"): p for name, p in whole.state_dict().items()})
    x, zeros = torch.rand(2, 3, 5), torch.zeros(2, 4)
    torch.testing.assert_close(apart(x, zeros, zeros), whole(x))
