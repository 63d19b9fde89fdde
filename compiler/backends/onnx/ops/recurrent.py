"""Recurrent layers in ONNX: one operator of that name a layer, on `[T, N, features]`. A single sequence is a batch of one.

The initialisers stay in PyTorch's layout; their blocks of rows are put into ONNX's order in the graph, which ONNX Runtime does once, as it
loads the model. A layer with projections, or in float64, is a Scan: see recurrence.py.
"""

from __future__ import annotations

from ....dims import Dim
from ....ops.recurrent import Gru, Lstm, Recurrent, Rnn
from ....types.tensor_types import FLOAT32
from ..onnx_emitters import Site, emits
from ..recurrence import scan_cell
from ..tensor_expressions import FLOAT64


@emits(Rnn, onnx="RNN")
def rnn(op: Rnn, site: Site) -> tuple[str, ...]:
    function = None if op.nonlinearity == "tanh" else [op.nonlinearity.capitalize()] * op.directions
    return _Layers(op, site, "RNN", (0,), activations=function).run()


@emits(Gru, onnx="GRU")
def gru(op: Gru, site: Site) -> tuple[str, ...]:
    return _Layers(op, site, "GRU", (1, 0, 2), linear_before_reset=1).run()


@emits(Lstm, onnx="LSTM; Scan with `proj_size`")
def lstm(op: Lstm, site: Site) -> tuple[str, ...]:
    return _Layers(op, site, "LSTM", (0, 3, 1, 2)).run()


class _Layers:
    """All layers of one use. `order` has the number of PyTorch's gate for each of ONNX's."""

    def __init__(self, op: Recurrent, site: Site, op_type: str, order: tuple[int, ...], **attributes: object) -> None:
        self.op, self.site, self.op_type, self.order = op, site, op_type, order
        self.attributes = {**attributes, "hidden_size": op.hidden, "direction": "bidirectional" if op.bidirectional else None}
        self.given = site.given.x.dtype
        self.stepwise = bool(op.projection) or self.given == FLOAT64
        """Whether it is a Scan."""
        narrow = self.given.name == "bfloat16" or (self.stepwise and self.given.size == 2)
        self.dtype = FLOAT32 if narrow else self.given
        """What it is computed in: ONNX Runtime has no kernels for bfloat16, and does not take float16 within a Scan."""
        self.wanted = len(site.results) - 1
        """The number of states that are results."""
        self.single = site.given.x.rank == 2

    def run(self) -> tuple[str, ...]:
        taken = [self._of_batch(self._taken(name)) for name in self.site.inputs]
        flow = taken[0] if self.single else self.site.add("Transpose", [taken[0]], perm=[1, 0, 2])
        starts = [self._split(start, self.op.layers) for start in taken[1:]]
        cells = [end for end, _ in self.op.cells(0)]
        made: list[list[str]] = []
        for layer in range(self.op.layers):
            ends = cells[layer * self.op.directions :][: self.op.directions]
            y, *states = self._layer(flow, ends, [each[layer] for each in starts])
            made.append(states)
            if layer + 1 < self.op.layers:
                flow = self._side_by_side(y, [0, 2, 1, 3])
        results = [self._side_by_side(y, [2, 0, 1, 3]), *(self._joined(list(each)) for each in zip(*made, strict=True))]
        results = [self._as_given(results[0], 0), *(self._as_given(state, 1) for state in results[1:])]
        return tuple(name if self.dtype == self.given else self.site.cast(name, self.given) for name in results)

    def _of_batch(self, name: str) -> str:
        """Sequences and states have the batch on axis 1."""
        return self.site.add("Unsqueeze", [name, self.site.ints([1])]) if self.single else name

    def _as_given(self, name: str, batch: int) -> str:
        return self.site.add("Squeeze", [name, self.site.ints([batch])]) if self.single else name

    def _layer(self, flow: str, ends: list[str], starts: list[str]) -> list[str]:
        """The output `[T, directions, N, units]`, and the states `[directions, N, units]` that are results."""
        if self.stepwise:
            return self._scan(flow, ends, starts)
        inputs = [flow, self._weights(ends, "weight_ih"), self._weights(ends, "weight_hh")]
        if self.op.bias or starts:
            inputs.append(self._weights(ends, "bias_ih", "bias_hh") if self.op.bias else "")
        if starts:
            inputs += ["", *starts]
        return list(self.site.add_many(self.op_type, inputs, 1 + self.wanted, **self.attributes))

    def _weights(self, ends: list[str], *names: str) -> str:
        """The parameters of these names, `[directions, rows, ...]`."""
        return self._stacked([self._joined([p for name in names for p in self._gates(name + end)]) for end in ends], axis=0)

    def _gates(self, name: str) -> list[str]:
        """The blocks of rows of a parameter in ONNX's order."""
        gates = self._split(self._parameter(name), len(self.order))
        return [gates[gate] for gate in self.order]

    def _scan(self, flow: str, ends: list[str], starts: list[str]) -> list[str]:
        site, op = self.site, self.op
        axis = site.ints([0])
        found = [[site.add("Squeeze", [s, axis]) for s in self._split(start, op.directions)] for start in starts]
        found = found or [[self._zeros(width)] * op.directions for _, width in op.widths()]
        each = zip(ends, *found, strict=True)
        cells = [scan_cell(op, site, self._parameter, self.dtype, flow, end, first) for end, *first in each]
        states = [self._stacked([after[i] for _, after in cells], axis=0) for i in range(self.wanted)]
        return [self._stacked([y for y, _ in cells], axis=1), *states]

    def _zeros(self, width: Dim) -> str:
        batch = 1 if self.single else self.site.given.x.shape[0]
        return self.site.add("Expand", [self.site.scalar(0.0, self.dtype), self.site.ints([batch, width])])

    # --- putting together and taking apart -----------------------------------------------------------------------------------

    def _side_by_side(self, y: str, order: list[int]) -> str:
        """The directions, on axis 1, on the last axis; the others in the order given."""
        moved = self.site.add("Transpose", [y], perm=order)
        if self.op.directions == 1:
            return self.site.add("Squeeze", [moved, self.site.ints([2])])
        units = self.op.directions * self.op.units  # rather than -1, which is no number where there are no elements
        return self.site.add("Reshape", [moved, self.site.ints([0, 0, units])])

    def _joined(self, parts: list[str]) -> str:
        return parts[0] if len(parts) == 1 else self.site.add("Concat", parts, axis=0)

    def _stacked(self, parts: list[str], axis: int) -> str:
        place = self.site.ints([axis])
        parts = [self.site.add("Unsqueeze", [part, place]) for part in parts]
        return parts[0] if len(parts) == 1 else self.site.add("Concat", parts, axis=axis)

    def _split(self, x: str, count: int) -> list[str]:
        return [x] if count == 1 else list(self.site.add_many("Split", [x], count, axis=0, num_outputs=count))

    def _parameter(self, name: str) -> str:
        return self._taken(self.site.parameter(name))

    def _taken(self, name: str) -> str:
        return name if self.dtype == self.given else self.site.cast(name, self.dtype)
