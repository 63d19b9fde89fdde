"""Recurrent layers: a cell is applied to each step in turn, with the state of the step before.

In: `[N, T, features]`, and perhaps the states to start from. Out: the output of each step, `[N, T, units]`, and the states after the last
one, `[layers, N, units]`; a single sequence, without a batch axis, has no `N` in any of them. Always: two directions are concatenated on
the last axis of the output, and follow each other on the first of the states, layer by layer, as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from ..dims import Dim, format_dim, suggest_equality
from ..errors.argument_errors import WrongTensors
from ..errors.operator_errors import BadArgument, Unprovable, WrongRank, WrongSize
from ..errors.problem import STAGE, Location, Problem, argument_location, input_location
from ..errors.recurrent import DropoutWithoutEffect
from ..types.tensor_types import Shape, TensorType, show_shape
from .element_types import ANY, FLOATS
from .kinds import FLAG, FRACTION, SIZE, IntKind, WordKind
from .learned_tensors import Role, fan_in_uniform
from .operand import Input, axes
from .operator import Arg, OperatorError, OpInputs, ParameterSpec, numel
from .parametric import WithRecurrence
from .requirements import require_elements

LAYERS = IntKind(1, 10_000)
"""Each layer has its own parameters: without a bound, a text could ask for more names than fit in memory."""
State = tuple[str, Shape]
"""The name and the shape of a state."""


SEQUENCES = axes("... T features", "[N, T, features]", most=3)
STATES = axes("rows ... units")


def require_sequence(operator: str, inputs: OpInputs, name: str, needed: str) -> None:
    """Refuse an input that is neither a batch of sequences nor a single sequence. A batch of vectors is no sequence."""
    x = inputs[name]
    if x.rank == 2 and x.is_batch:
        hint = "put `-> unsqueeze 1` before it for sequences of one step"
        raise OperatorError(WrongRank(operator, needed, x, hint), inputs.at(name))


def require_states(operator: str, inputs: OpInputs, states: Sequence[State]) -> None:
    """Refuse inputs after the first unless they are exactly these states, or there are none."""
    count = len(inputs) - 1
    # PyTorch takes all states of a layer or none: it reads the two states of an LSTM from one tuple.
    if count not in (0, len(states)):
        hint = f"pass it `(x, h, c) -> {operator} ...`"
        raise OperatorError(WrongTensors(operator, f"one tensor, or it and {len(states)} states", len(inputs), hint), STAGE)
    for name, (kind, shape) in zip(inputs.names[1:], states[:count], strict=True):
        _require_state(operator, inputs, name, f"a {kind} state of shape {show_shape(shape)}", shape)


def _require_state(operator: str, inputs: OpInputs, name: str, needed: str, wanted: Shape) -> None:
    state, index = inputs[name], inputs.position(name)
    if state.rank != len(wanted):
        raise OperatorError(WrongRank(operator, needed, state), input_location(index))
    answers = [inputs.facts.are_equal(d, w) for d, w in zip(state.shape, wanted, strict=True)]
    if False in answers:
        raise OperatorError(WrongSize(operator, needed, state), input_location(index))
    if None in answers:
        axis = answers.index(None)
        left, right = wanted[axis], state.shape[axis]
        raise OperatorError(Unprovable(operator, left, right, f"it takes {needed}", suggest_equality(left, right) or "", (0, index)), STAGE)


def role_of(name: str) -> Role:
    """Return the role of a parameter, by its name in PyTorch."""
    return "bias" if name.startswith("bias") else "recurrent" if name == "weight_hh" else "weight"


class Recurrent(WithRecurrence):
    """The base of recurrent layers. `gates` is the number of blocks of rows in their matrices. `cell_flops` is the number of operations for
    a unit in one step, without the matrix products."""

    extras = True
    gates: ClassVar[int] = 1
    cell_flops: ClassVar[int] = 1
    drawn = "uniform within +-1 / sqrt(hidden), weights and biases; `recurrent_init` draws the weights from state to state"
    x = Input(FLOATS, SEQUENCES)
    h = Input(ANY, STATES, like="x", optional=True)
    hidden = Arg(SIZE, positional=True, alias="hidden_size")
    layers = Arg(LAYERS, default=1, alias="num_layers")
    bias = Arg(FLAG, default=True)
    dropout = Arg(FRACTION, default=0.0)
    bidirectional = Arg(FLAG, default=False)

    @property
    def projection(self) -> int:
        """The size to which each step's output is projected. 0: it is not projected."""
        return 0

    @property
    def units(self) -> Dim:
        """The size of one direction's output at each step."""
        return self.projection or self.hidden

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    def state_widths(self) -> tuple[tuple[str, Dim], ...]:
        """Return the names of the states, and the size of each."""
        return (("hidden", self.units),)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        require_sequence(self.name, inputs, "x", SEQUENCES.needed)
        # A sequence without steps has no last state: docs/decisions/060-empty-sizes.md.
        require_elements(self.name, inputs, "x", (x.rank - 2,))
        require_states(self.name, inputs, self.state_shapes(x))
        output = x.with_shape((*x.shape[:-1], self.directions * self.units))
        return output, *(x.with_shape(shape) for _, shape in self.state_shapes(x))

    def state_shapes(self, x: TensorType) -> list[State]:
        """Return the names of the states, and their shapes."""
        return [(name, (self.directions * self.layers, *x.shape[:-2], width)) for name, width in self.state_widths()]

    def find_warnings(self, inputs: OpInputs) -> tuple[tuple[Problem, Location], ...]:
        if self.dropout and self.layers == 1:
            return ((DropoutWithoutEffect(self.name), argument_location("dropout")),)
        return ()

    def iterate_cells(self, features: Dim) -> Iterator[tuple[str, Dim]]:
        """Iterate over the cells in PyTorch's order: the suffix of its parameters' names, and the size of its input."""
        for layer in range(self.layers):
            for direction in ("", "_reverse")[: self.directions]:
                yield f"_l{layer}{direction}", self.directions * self.units if layer else features

    def default_parameters(self, inputs: OpInputs) -> tuple[ParameterSpec, ...]:
        # PyTorch draws all parameters of a recurrent layer by the size of the state, also the weights of the input.
        rows, init, dtype = self.gates * self.hidden, fan_in_uniform(self.hidden), inputs.x.dtype
        specs: list[ParameterSpec] = []
        for end, width in self.iterate_cells(inputs.x.shape[-1]):
            shapes: dict[str, Shape] = {"weight_ih": (rows, width), "weight_hh": (rows, self.units)}
            if self.bias:
                # One bias would do. PyTorch has two because cuDNN has two, and published weights have both.
                shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
            if self.projection:
                shapes["weight_hr"] = (self.projection, self.hidden)
            specs += (ParameterSpec(name + end, shape, init, dtype, role=role_of(name)) for name, shape in shapes.items())
        return tuple(specs)

    def write_definition(self, inputs: OpInputs) -> str:
        """Write a `scan` for each layer and direction. The names of a cell's parameters have the suffix from `iterate_cells`."""
        names = [name[0] for name, _ in self.state_widths()]
        steps: list[str] = []
        before = "x"
        for layer in range(self.layers):
            outputs = [f"y{layer}{way}" for way in ("", "_reverse")[: self.directions]]
            for index, output in enumerate(outputs):
                steps += self._write_scan(output, before, layer * self.directions + index, names, inputs)
            before = outputs[0]
            if self.directions > 1:
                before = f"z{layer}"
                steps.append(f"{before} = ({', '.join(outputs)}) -> concat axis=-1")
            # As in PyTorch, dropout is between layers, so not after the last one.
            if self.dropout and layer < self.layers - 1:
                steps.append(f"dropped{layer} = {before} -> dropout dropout")
                before = f"dropped{layer}"
        # PyTorch's order of states: both directions of the first layer, then both of the second.
        cells = range(self.layers * self.directions)
        stacked = [f"({', '.join(f'{name}_{cell}' for cell in cells)},) -> stack axis=0" for name in names]
        return "\n".join([*steps, f"out {before}, {', '.join(stacked)}"])

    def _write_scan(self, output: str, before: str, cell: int, names: Sequence[str], inputs: OpInputs) -> list[str]:
        """Write one layer in one direction. It starts with the given states, or with zeros."""
        layer, backwards = divmod(cell, self.directions)
        end = f"_l{layer}{'_reverse' if backwards else ''}"
        has_states, rank = "h" in inputs, inputs.x.rank
        starts: list[str] = []
        steps: list[str] = []
        for name, (_, width) in zip(names, self.state_widths(), strict=True):
            indices, sizes = ("n, i", f"x.shape[0], {width}") if rank > 2 else ("i", f"{width}")
            start = f"{name} -> select 0 {cell}" if has_states else f"(table ({indices}) [{sizes}] = 0.0) -> cast x.dtype"
            steps.append(f"{name}_start_{cell} = {start}")
            starts.append(f"{name} = {name}_start_{cell}")
        last = ", ".join(f"{name}_{cell}" for name in names)
        head = f"({output}, {last}) = {before} -> scan ({', '.join(starts)}) axis=-2 reverse={'true' if backwards else 'false'} {{"
        return [*steps, head, *(f"  {line}" for line in self.write_step(end)), "  out h", "}"]

    def write_step(self, end: str) -> list[str]:
        """Write one step: the new states from the input `in` and the states before it. The parameters' names have the suffix `end`."""
        raise NotImplementedError

    def write_sums(self, end: str) -> list[str]:
        """Write the products with the input and the hidden state, as `a` and `b`."""
        biases = [f" + bias_{kind}{end}" if self.bias else "" for kind in ("ih", "hh")]
        return [f"a = in @ (weight_ih{end} -> transpose 0 1){biases[0]}", f"b = h @ (weight_hh{end} -> transpose 0 1){biases[1]}"]

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """The products with input and state, the biases, and the cell's operations on each unit: a function, sum or product counts 1."""
        *steps, features = inputs.x.shape
        units = self.hidden * sum(1 for _ in self.iterate_cells(features))
        others = units * (self.gates * (2 if self.bias else 0) + self.cell_flops)
        return 2 * self.count_multiply_adds(inputs, results) + numel(tuple(steps)) * others

    def count_multiply_adds(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        *steps, features = inputs.x.shape
        total: Dim = 0
        for _, width in self.iterate_cells(features):
            total = total + self.hidden * (self.gates * (width + self.units) + self.projection)
        return numel(tuple(steps)) * total


class Rnn(Recurrent):
    """Elman recurrence: `h = tanh(W x + b + U h + c)` at each step."""

    name = "rnn"
    nonlinearity = Arg(WordKind("tanh", "relu"), default="tanh")

    def write_step(self, end: str) -> list[str]:
        return [*self.write_sums(end), f"h = {self.nonlinearity}(a + b)"]

    examples = ("input [T, 8] -> rnn 16", "(y, h) = input [T, 8] -> rnn 16 layers=2 nonlinearity=relu; out y, h")


class Gru(Recurrent):
    """Gated recurrent units: an update and a reset gate decide how much of the state stays.

    The reset gate is applied after the state's matrix and bias, as in PyTorch and cuDNN.
    """

    name = "gru"
    gates = 3
    cell_flops = 8

    def write_step(self, end: str) -> list[str]:
        return [
            *self.write_sums(end),
            # The order of the blocks of rows in PyTorch's matrices: reset, update, new. ONNX has another order.
            "(reset_in, update_in, new_in) = a -> chunk 3 axis=-1",
            "(reset_h, update_h, new_h) = b -> chunk 3 axis=-1",
            "update = sigmoid(update_in + update_h)",
            "h = (1 - update) * tanh(new_in + sigmoid(reset_in + reset_h) * new_h) + update * h",
        ]

    examples = ("input [T, 8] -> gru 16", "x = input [T, 8]; h = input [1, N, 16] batch=false; (y, last) = (x, h) -> gru 16; out y, last")


class Lstm(Recurrent):
    """Long short-term memory: gates for input, forgetting and output around a cell state."""

    name = "lstm"
    gates = 4
    cell_flops = 9
    c = Input(ANY, STATES, like="x", optional=True)
    proj_size = Arg(IntKind(0), default=0)
    examples = ("input [T, 8] -> lstm 16 layers=2 bidirectional=true", "(y, h, c) = input [T, 8] -> lstm 16; out y, h, c")

    def write_step(self, end: str) -> list[str]:
        projected = f" @ (weight_hr{end} -> transpose 0 1)" if self.proj_size else ""
        return [
            *self.write_sums(end),
            # The order of the blocks of rows in PyTorch's matrices, there named i, f, g and o. ONNX has another order.
            "(enter, forget, new, leave) = a + b -> chunk 4 axis=-1",
            "c = sigmoid(forget) * c + sigmoid(enter) * tanh(new)",
            f"h = (sigmoid(leave) * tanh(c)){projected}",
        ]

    @property
    def projection(self) -> int:
        return self.proj_size

    def state_widths(self) -> tuple[tuple[str, Dim], ...]:
        return (*super().state_widths(), ("cell", self.hidden))

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        results = super().infer_types(inputs)
        # PyTorch refuses a projection that does not make the state smaller.
        if self.proj_size and inputs.facts.is_at_least(self.proj_size, self.hidden):
            needed = f"must be smaller than the {format_dim(self.hidden)} hidden units"
            raise OperatorError(BadArgument(self.name, "proj_size", str(self.proj_size), needed), argument_location("proj_size"))
        return results
