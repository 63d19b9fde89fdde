"""Emit recurrent layers as one operator of that name for each layer, on `[T, N, features]`. A single sequence is a batch of one.

The initializers stay in PyTorch's layout. The graph puts their blocks of rows into ONNX's order, which ONNX Runtime does once, when it
loads the model. A layer with projections, or in float64, is a Scan: see recurrence.py.

    >>> import netc
    >>> [node.op_type for node in netc.compile("x = input [T, 3]; (y, h) = x -> gru 4; out y").onnx().graph.node]
    ['Transpose', 'GRU', 'Transpose', 'Squeeze']
"""

from __future__ import annotations

from ....dims import Dim
from ....ops.recurrent import Gru, Lstm, Recurrent, Rnn
from ....types.tensor_types import FLOAT32
from ..onnx_emitters import Site, emits
from ..recurrence import scan_cell
from ..tensor_expressions import FLOAT64


@emits(Rnn, onnx="RNN")
def emit_rnn(op: Rnn, site: Site) -> tuple[str, ...]:
    function = None if op.nonlinearity == "tanh" else [op.nonlinearity.capitalize()] * op.directions
    return _LayerEmitter(op, site, "RNN", (0,), activations=function).emit_layers()


@emits(Gru, onnx="GRU")
def emit_gru(op: Gru, site: Site) -> tuple[str, ...]:
    return _LayerEmitter(op, site, "GRU", (1, 0, 2), linear_before_reset=1).emit_layers()


@emits(Lstm, onnx="LSTM; Scan with `proj_size`")
def emit_lstm(op: Lstm, site: Site) -> tuple[str, ...]:
    return _LayerEmitter(op, site, "LSTM", (0, 3, 1, 2)).emit_layers()


class _LayerEmitter:
    """Emits all layers of one use. `order` has the number of PyTorch's gate for each of ONNX's gates."""

    def __init__(self, op: Recurrent, site: Site, op_type: str, order: tuple[int, ...], **attributes: object) -> None:
        self.op, self.site, self.op_type, self.order = op, site, op_type, order
        self.attributes = {**attributes, "hidden_size": op.hidden, "direction": "bidirectional" if op.bidirectional else None}
        self.given = site.given.x.dtype
        self.stepwise = bool(op.projection) or self.given == FLOAT64
        """Whether the layer is a Scan."""
        narrow = self.given.name == "bfloat16" or (self.stepwise and self.given.size == 2)
        self.dtype = FLOAT32 if narrow else self.given
        """The type of the computation: ONNX Runtime has no kernels for bfloat16, and accepts no float16 within a Scan."""
        self.wanted = len(site.results) - 1
        """The number of states that are results."""
        self.single = site.given.x.rank == 2

    def emit_layers(self) -> tuple[str, ...]:
        inputs = [self._add_batch_axis(self._cast_to_compute(name)) for name in self.site.inputs]
        flow = inputs[0] if self.single else self.site.add("Transpose", [inputs[0]], perm=[1, 0, 2])
        starts = [self._split_rows(start, self.op.layers) for start in inputs[1:]]
        cells = [end for end, _ in self.op.iterate_cells(0)]
        final_states: list[list[str]] = []
        for layer in range(self.op.layers):
            ends = cells[layer * self.op.directions :][: self.op.directions]
            y, *states = self._emit_layer(flow, ends, [each[layer] for each in starts])
            final_states.append(states)
            if layer + 1 < self.op.layers:
                flow = self._concat_directions(y, [0, 2, 1, 3])
        results = [self._concat_directions(y, [2, 0, 1, 3]), *(self._concat_rows(list(each)) for each in zip(*final_states, strict=True))]
        results = [self._drop_batch_axis(results[0], 0), *(self._drop_batch_axis(state, 1) for state in results[1:])]
        return tuple(name if self.dtype == self.given else self.site.cast(name, self.given) for name in results)

    def _add_batch_axis(self, name: str) -> str:
        """Add the batch axis to sequences and states: it is axis 1."""
        return self.site.add("Unsqueeze", [name, self.site.ints([1])]) if self.single else name

    def _drop_batch_axis(self, name: str, batch: int) -> str:
        return self.site.add("Squeeze", [name, self.site.ints([batch])]) if self.single else name

    def _emit_layer(self, flow: str, ends: list[str], starts: list[str]) -> list[str]:
        """Emit one layer. Return the output `[T, directions, N, units]` and the states `[directions, N, units]` that are results."""
        if self.stepwise:
            return self._emit_scans(flow, ends, starts)
        inputs = [flow, self._stack_weights(ends, "weight_ih"), self._stack_weights(ends, "weight_hh")]
        if self.op.bias or starts:
            inputs.append(self._stack_weights(ends, "bias_ih", "bias_hh") if self.op.bias else "")
        # The fifth input, the lengths of sequences, is absent.
        if starts:
            inputs += ["", *starts]
        return list(self.site.add_many(self.op_type, inputs, 1 + self.wanted, **self.attributes))

    def _stack_weights(self, ends: list[str], *names: str) -> str:
        """Stack the parameters of these names to `[directions, rows, ...]`."""
        return self._stack_tensors(
            [self._concat_rows([p for name in names for p in self._reorder_gates(name + end)]) for end in ends], axis=0
        )

    def _reorder_gates(self, name: str) -> list[str]:
        """Split a parameter into its blocks of rows, in ONNX's order."""
        gates = self._split_rows(self._read_parameter(name), len(self.order))
        return [gates[gate] for gate in self.order]

    def _emit_scans(self, flow: str, ends: list[str], starts: list[str]) -> list[str]:
        site, op = self.site, self.op
        axis = site.ints([0])
        initial_states = [[site.add("Squeeze", [s, axis]) for s in self._split_rows(start, op.directions)] for start in starts]
        initial_states = initial_states or [[self._make_zeros(width)] * op.directions for _, width in op.state_widths()]
        each = zip(ends, *initial_states, strict=True)
        cells = [scan_cell(op, site, self._read_parameter, self.dtype, flow, end, first) for end, *first in each]
        states = [self._stack_tensors([after[i] for _, after in cells], axis=0) for i in range(self.wanted)]
        return [self._stack_tensors([y for y, _ in cells], axis=1), *states]

    def _make_zeros(self, width: Dim) -> str:
        batch = 1 if self.single else self.site.given.x.shape[0]
        return self.site.add("Expand", [self.site.scalar(0.0, self.dtype), self.site.ints([batch, width])])

    # --- putting together and taking apart -----------------------------------------------------------------------------------

    def _concat_directions(self, y: str, order: list[int]) -> str:
        """Move the directions from axis 1 into the last axis. The other axes get the given order."""
        moved = self.site.add("Transpose", [y], perm=order)
        if self.op.directions == 1:
            return self.site.add("Squeeze", [moved, self.site.ints([2])])
        units = self.op.directions * self.op.units  # not -1, which Reshape cannot infer if there are no elements
        return self.site.add("Reshape", [moved, self.site.ints([0, 0, units])])

    def _concat_rows(self, parts: list[str]) -> str:
        return parts[0] if len(parts) == 1 else self.site.add("Concat", parts, axis=0)

    def _stack_tensors(self, parts: list[str], axis: int) -> str:
        place = self.site.ints([axis])
        parts = [self.site.add("Unsqueeze", [part, place]) for part in parts]
        return parts[0] if len(parts) == 1 else self.site.add("Concat", parts, axis=axis)

    def _split_rows(self, x: str, count: int) -> list[str]:
        return [x] if count == 1 else list(self.site.add_many("Split", [x], count, axis=0, num_outputs=count))

    def _read_parameter(self, name: str) -> str:
        return self._cast_to_compute(self.site.parameter(name))

    def _cast_to_compute(self, name: str) -> str:
        return name if self.dtype == self.given else self.site.cast(name, self.dtype)
