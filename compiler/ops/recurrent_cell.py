"""Recurrent cells: one step of a recurrence, for computations between steps that `rnn`, `gru` and `lstm` do not have.

In: `[N, features]`, and perhaps the states before the step; without them they are zero. Out: the states after it, `[N, units]`. A single
sample has no `N`. Always: parameters are PyTorch's, its gates one after the other in their rows.
"""

from __future__ import annotations

from typing import ClassVar

from ..dims import Dim
from ..types.tensor_types import Shape, TensorType
from .element_types import ANY, FLOATS
from .kinds import FLAG, SIZE, WordKind
from .learned_tensors import fan_in_uniform
from .operand import Axes, Input, axes
from .operator import Arg, OpInputs, ParameterSpec, numel
from .parametric import WithRecurrence
from .recurrent import Gru, Lstm, Recurrent, Rnn, State, require_states, role_of


def step_of(layer: str) -> Axes:
    """Return the axes of the input of a cell, with a hint at the layer for sequences."""
    needed = "[N, features], one step of a sequence"
    return axes("... features", needed, most=2, hints={3: f"`{layer}` takes whole sequences"})


class RecurrentCell(WithRecurrence):
    """The base of cells. `gates` and `cell_flops` are as in the layer of the same cell."""

    gates: ClassVar[int] = 1
    cell_flops: ClassVar[int] = 1
    drawn = Recurrent.drawn
    x = Input(FLOATS, axes("... features"))
    h = Input(ANY, axes("... units"), like="x", optional=True)
    kept: ClassVar[tuple[str, ...]] = ("hidden",)
    """The names of its states."""
    hidden = Arg(SIZE, positional=True, alias="hidden_size")
    bias = Arg(FLAG, default=True)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        shape: Shape = (*x.shape[:-1], self.hidden)
        states: list[State] = [(name, shape) for name in self.kept]
        require_states(self.name, inputs, states)
        return (x.with_shape(shape),) * len(states)

    def default_parameters(self, inputs: OpInputs) -> tuple[ParameterSpec, ...]:
        x, rows, init = inputs.x, self.gates * self.hidden, fan_in_uniform(self.hidden)
        shapes: dict[str, Shape] = {"weight_ih": (rows, x.shape[-1]), "weight_hh": (rows, self.hidden)}
        if self.bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        return tuple(ParameterSpec(name, shape, init, x.dtype, role=role_of(name)) for name, shape in shapes.items())

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """The products with input and state, the biases, and the cell's operations on each unit: a function, sum or product counts 1."""
        others = self.gates * (2 if self.bias else 0) + self.cell_flops
        return 2 * self.count_multiply_adds(inputs, results) + numel(results[0].shape) * others

    def count_multiply_adds(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return numel(results[0].shape) * self.gates * (inputs.x.shape[-1] + self.hidden)


class RnnCell(RecurrentCell):
    """One step of an Elman recurrence: `tanh(W x + b + U h + c)`."""

    name = "rnn_cell"
    # Taken from the layer, so that the counts of operations of a cell and of its layer cannot drift apart.
    gates = Rnn.gates
    cell_flops = Rnn.cell_flops
    x = Input(FLOATS, step_of("rnn"))
    nonlinearity = Arg(WordKind("tanh", "relu"), default="tanh")
    examples = ("input 8 -> rnn_cell 16", "x = input 8; h = input 16; (x, h) -> rnn_cell 16 nonlinearity=relu")


class GruCell(RecurrentCell):
    """One step of gated recurrent units: an update and a reset gate decide how much of the state stays."""

    name = "gru_cell"
    gates = Gru.gates
    cell_flops = Gru.cell_flops
    x = Input(FLOATS, step_of("gru"))
    examples = ("x = input 8; h = input 16; (x, h) -> gru_cell 16",)


class LstmCell(RecurrentCell):
    """One step of long short-term memory: gates for input, forgetting and output around a cell state."""

    name = "lstm_cell"
    extras = True
    gates = Lstm.gates
    cell_flops = Lstm.cell_flops
    x = Input(FLOATS, step_of("lstm"))
    c = Input(ANY, axes("... units"), like="x", optional=True)
    kept = ("hidden", "cell")
    examples = (
        "input 8 -> lstm_cell 16",
        "x = input 8; h = input 16; c = input 16; (h2, c2) = (x, h, c) -> lstm_cell 16; out h2, c2",
    )
