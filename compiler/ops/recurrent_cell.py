"""Recurrent cells: one step of a recurrence, for what `rnn`, `gru` and `lstm` do not do between steps.

In: `[N, features]`, and perhaps the states before the step; without them they are zero. Out: the states after it, `[N, units]`. A single
sample has no `N`. Always: parameters are PyTorch's, its gates one after the other in their rows.
"""

from __future__ import annotations

from typing import ClassVar

from ..dims import Dim
from ..errors.base import input_
from ..errors.operators import WrongRank
from ..ir.types import Shape, TensorType
from .base import Arg, Operator, OperatorError, OpInputs, ParameterSpec, numel
from .kinds import BOOL, SIZE, WordKind
from .learned import fan_in_uniform, float_input
from .recurrent import Gru, Lstm, Rnn, State, refuse_unless_states


class RecurrentCell(Operator):
    """What all cells have. `gates` and `cell_flops` are those of the layer made of the cell."""

    inputs: ClassVar[tuple[str, ...]] = ("x", "h?")
    gates: ClassVar[int] = 1
    cell_flops: ClassVar[int] = 1
    kept: ClassVar[tuple[str, ...]] = ("hidden",)
    """What its states are called."""
    hidden = Arg(SIZE, positional=True, alias="hidden_size")
    bias = Arg(BOOL, default=True)

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        x = float_input(self.name, given)
        if x.rank not in (1, 2):
            hint = f"`{self.name.removesuffix('_cell')}` takes whole sequences" if x.rank == 3 else ""
            raise OperatorError(WrongRank(self.name, "[N, features], one step of a sequence", x, hint), input_(0))
        shape: Shape = (*x.shape[:-1], self.hidden)
        states: list[State] = [(name, shape) for name in self.kept]
        refuse_unless_states(self.name, given, states)
        return (x.with_shape(shape),) * len(states)

    def parameters(self, given: OpInputs) -> tuple[ParameterSpec, ...]:
        x, rows, init = given[0], self.gates * self.hidden, fan_in_uniform(self.hidden)
        shapes: dict[str, Shape] = {"weight_ih": (rows, x.shape[-1]), "weight_hh": (rows, self.hidden)}
        if self.bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        return tuple(ParameterSpec(name, shape, init, x.dtype) for name, shape in shapes.items())

    def flops(self, given: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """The products with input and state, the biases, and what the cell does with each unit: a function, sum or product is 1."""
        beside = self.gates * (2 if self.bias else 0) + self.cell_flops
        return 2 * self.multiply_adds(given, results) + numel(results[0].shape) * beside

    def multiply_adds(self, given: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return numel(results[0].shape) * self.gates * (given[0].shape[-1] + self.hidden)


class RnnCell(RecurrentCell):
    """One step of an Elman recurrence: `tanh(W x + b + U h + c)`."""

    name = "rnn_cell"
    torch = "torch.nn.RNNCell"
    onnx = "Gemm and Tanh or Relu"
    gates = Rnn.gates
    cell_flops = Rnn.cell_flops
    nonlinearity = Arg(WordKind("tanh", "relu"), default="tanh")
    examples = ("input 8 -> rnn_cell 16", "x = input 8; h = input 16; (x, h) -> rnn_cell 16 nonlinearity=relu")


class GruCell(RecurrentCell):
    """One step of gated recurrent units: an update and a reset gate decide how much of the state stays."""

    name = "gru_cell"
    torch = "torch.nn.GRUCell"
    onnx = "Gemm, Split, Sigmoid and Tanh"
    gates = Gru.gates
    cell_flops = Gru.cell_flops
    examples = ("x = input 8; h = input 16; (x, h) -> gru_cell 16",)


class LstmCell(RecurrentCell):
    """One step of long short-term memory: gates for input, forgetting and output around a cell state."""

    name = "lstm_cell"
    torch = "torch.nn.LSTMCell"
    onnx = "Gemm, Split, Sigmoid and Tanh"
    inputs = ("x", "h?", "c?")
    extras = True
    gates = Lstm.gates
    cell_flops = Lstm.cell_flops
    kept = ("hidden", "cell")
    examples = (
        "input 8 -> lstm_cell 16",
        "x = input 8; h = input 16; c = input 16; (h2, c2) = (x, h, c) -> lstm_cell 16; out h2, c2",
    )
