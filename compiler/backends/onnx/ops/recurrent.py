"""Recurrent layers in ONNX: one operator of that name a layer, on `[T, N, features]`.

The initialisers stay in PyTorch's layout; their blocks of rows are put into ONNX's order in the graph, which ONNX Runtime does once, when it
loads the model. A layer with projections, or in float64, is a Scan: see recurrence.py.
"""

from __future__ import annotations

from ....ops.recurrent import Gru, Lstm, Recurrent, Rnn
from ....types import FLOAT32, DType
from ..recurrence import scan_cell
from ..table import Site, emits
from ..terms import FLOAT64


@emits(Rnn)
def rnn(op: Rnn, site: Site) -> tuple[str, ...]:
    function = None if op.nonlinearity == "tanh" else [op.nonlinearity.capitalize()] * op.directions
    return _Layers(op, site, (0,), activations=function).run()


@emits(Gru)
def gru(op: Gru, site: Site) -> tuple[str, ...]:
    return _Layers(op, site, (1, 0, 2), linear_before_reset=1).run()


@emits(Lstm)
def lstm(op: Lstm, site: Site) -> tuple[str, ...]:
    return _Layers(op, site, (0, 3, 1, 2)).run()


class _Layers:
    """All layers of one use. `order` tells which of PyTorch's gates is ONNX's first, and so on."""

    def __init__(self, op: Recurrent, site: Site, order: tuple[int, ...], **attributes: object) -> None:
        self.op, self.site, self.order = op, site, order
        self.attributes = {**attributes, "hidden_size": op.hidden, "direction": "bidirectional" if op.bidirectional else None}
        self.dtype: DType = site.given[0].dtype
        self.half = self.dtype.name == "bfloat16"
        """ONNX Runtime has no kernels for it."""
        self.ends = [end for end, _ in op.cells(0)]

    def run(self) -> tuple[str, ...]:
        site = self.site
        flow = site.add("Transpose", [self._taken(site.inputs[0])], perm=[1, 0, 2])
        starts = [self._starts(index) for index in range(len(self.op.widths()))]
        ends: list[list[str]] = []
        for layer in range(self.op.layers):
            y, states = self._layer(layer, flow, [names[layer] for names in starts if names])
            ends.append(states)
            if layer + 1 < self.op.layers:
                flow = self._side_by_side(y)
        output = self._batch_first(y)
        states = [self._joined(list(each)) for each in zip(*ends, strict=True)]
        return tuple(self._given(name) for name in (output, *states[: len(site.results) - 1]))

    # --- one layer ---------------------------------------------------------------------------------------------------------

    def _layer(self, layer: int, flow: str, starts: list[str]) -> tuple[str, list[str]]:
        """The output `[T, directions, N, units]`, and the states `[directions, N, units]` that are asked for."""
        directions = self.op.directions
        ends = self.ends[layer * directions : (layer + 1) * directions]
        if self.op.projection or self.dtype == FLOAT64:
            return self._scan(flow, ends, starts)
        inputs = [flow, self._rows(ends, "weight_ih"), self._rows(ends, "weight_hh")]
        inputs += [self._rows(ends, "bias_ih", "bias_hh") if self.op.bias else "", "", *starts]
        made = self.site.add_many(self.op.onnx_name, _trimmed(inputs), len(self.site.results), **self.attributes)
        return made[0], list(made[1:])

    def _rows(self, ends: list[str], *names: str) -> str:
        """The parameters of these names of all directions, `[directions, rows, ...]`."""
        site, blocks = self.site, len(self.order)
        parts: list[str] = []
        for parameter in (self._taken(site.parameter(name + end)) for end in ends for name in names):
            gates = site.add_many("Split", [parameter], blocks, axis=0, num_outputs=blocks) if blocks > 1 else (parameter,)
            parts += (gates[gate] for gate in self.order)
        whole = parts[0] if len(parts) == 1 else site.add("Concat", parts, axis=0)
        if len(ends) == 1:
            return site.add("Unsqueeze", [whole, site.ints([0])])
        columns = [] if names[0].startswith("bias") else [0]
        return site.add("Reshape", [whole, site.ints([len(ends), -1, *columns])])

    def _scan(self, flow: str, ends: list[str], starts: list[str]) -> tuple[str, list[str]]:
        site, op = self.site, self.op
        found = [self._scan_starts(start) for start in starts] or [self._zeros() for _ in op.widths()]
        cells = [scan_cell(op, site, flow, end, [each[i] for each in found]) for i, end in enumerate(ends)]
        y = self._stacked([y for y, _ in cells], axis=1)
        return y, [self._stacked(list(each), axis=0) for each in zip(*(states for _, states in cells), strict=True)]
