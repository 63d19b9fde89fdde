"""Writes recurrent layers out as a `scan`, for variants that netc's layers do not have.

These are peepholes, clipping, lengths of sequences, other activations, coupled gates, and a reset gate before the matrix product.

In: the node of an LSTM, GRU or RNN, and its input with steps first. Out: the results of all steps, and the last states. Always: the
matrices stay as they are in the file, with the gates in ONNX's order, as the weights of `dense` stages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...dims import Dim
from ...ir.graph_values import Value
from ...types.tensor_types import INT64
from ..graph_builder import ImportRefused
from .attribute_numbers import shorten_float
from .emitter import range_formula
from .importer_site import OnnxSite
from .onnx_values import Filled, Known
from .runtime_loops import make_loop

USUAL = {"LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh"), "RNN": ("tanh",)}
_WITH_NUMBERS = {"leakyrelu": (0.01, None), "thresholdedrelu": (1.0, None), "elu": (1.0, None), "hardsigmoid": (0.2, 0.5)}
"""The activations that take numbers, with their default numbers."""
_PLAIN = ("relu", "tanh", "sigmoid", "softsign", "softplus")
ApplyFunction = Callable[[Value], Value]


class UnrolledDirection:
    """One direction of the layer."""

    def __init__(self, site: OnnxSite, direction: int) -> None:
        self.site, self.direction, self.kind = site, direction, site.op_type
        self.hidden = int(site.require_array(2, "its recurrent weight").shape[-1])
        self.functions = self._read_activations()
        self.clip = shorten_float(site.get_attr("clip", 0.0))
        self.first_reset = not site.get_attr("linear_before_reset", 0)
        self.coupled = bool(site.get_attr("input_forget", 0))
        self.peepholes = self._read_peepholes()

    def run_steps(self, x: Value, starts: Sequence[Value], *, reverse: bool) -> tuple[Value, list[Value]]:
        """Return the results of the steps, `[T, N, hidden]`, and the last states, `[N, hidden]`."""
        site = self.site
        # The product with the input does not depend on the state, so it is computed for all steps at once.
        parts = [(self._apply_dense(x, 1, slice(None)), 0)]
        lengths = site.get_item(4)
        within: Value | None = None
        if lengths is not None:
            parts.append((site.emit.make_table((x.type.shape[0],), range_formula(0, 0, 1), INT64), 0))
            within = site.apply_op("unsqueeze", site.cast(site.to_tensor(lengths), INT64), axis=1)

        def step(before: list[Value], positions: list[Value]) -> tuple[list[Value], list[Value]]:
            after = {"LSTM": self._step_lstm, "GRU": self._step_gru, "RNN": self._step_rnn}[self.kind](positions[0], before)
            if within is None:
                return after, [after[0]]
            # After the end of its sequence, a sample keeps its state, and its result is 0.
            runs = site.apply_op("gt", within, positions[1])
            kept = [site.apply_op("where", runs, new, old) for new, old in zip(after, before, strict=True)]
            return kept, [site.apply_op("where", runs, after[0], other=0.0)]

        last, (results,) = make_loop(site.emit, starts, parts, step, reverse=reverse)
        return results, last

    # --- the cells -----------------------------------------------------------------------------------------------------------

    def _step_lstm(self, x: Value, before: Sequence[Value]) -> list[Value]:
        site, (h, c) = self.site, before
        gates = site.apply_op("add", x, self._apply_dense(h, 2, slice(None)))
        # ONNX orders the gates of an LSTM as input, output, forget, cell.
        i, o, f, g = site.emit.apply_multi_op("chunk", gates, n=4, axis=1)
        f_, g_, h_ = self.functions
        i, f = self._add_peephole(i, c, 0), self._add_peephole(f, c, 2)
        enters = f_(self._clip_gate(i))
        # With coupled gates, the cell forgets what the input gate lets in.
        stays = site.apply_op("sub", enters, other=1.0, reverse=True) if self.coupled else f_(self._clip_gate(f))
        cell = site.apply_op("add", site.apply_op("mul", stays, c), site.apply_op("mul", enters, g_(self._clip_gate(g))))
        leaves = f_(self._clip_gate(self._add_peephole(o, cell, 1)))
        return [site.apply_op("mul", leaves, h_(cell)), cell]

    def _add_peephole(self, gate: Value, cell: Value, which: int) -> Value:
        """Add the peephole's view of the cell to a gate."""
        if self.peepholes is None:
            return gate
        return self.site.apply_op("add", gate, self.site.apply_op("mul", cell, self.site.to_tensor(self.peepholes[which])))

    def _step_gru(self, x: Value, before: Sequence[Value]) -> list[Value]:
        site, (h,) = self.site, before
        size = self.hidden
        f_, g_ = self.functions
        # ONNX orders the gates of a GRU as update, reset, hidden.
        xz, xr, xh = site.emit.apply_multi_op("chunk", x, n=3, axis=1)
        if self.first_reset:
            hz, hr = site.emit.apply_multi_op("chunk", self._apply_dense(h, 2, slice(0, 2 * size)), n=2, axis=1)
        else:
            hz, hr, hh = site.emit.apply_multi_op("chunk", self._apply_dense(h, 2, slice(None)), n=3, axis=1)
        update, reset = (f_(self._clip_gate(site.apply_op("add", a, b))) for a, b in ((xz, hz), (xr, hr)))
        seen = (
            self._apply_dense(site.apply_op("mul", reset, h), 2, slice(2 * size, None))
            if self.first_reset
            else site.apply_op("mul", reset, hh)
        )
        new = g_(self._clip_gate(site.apply_op("add", xh, seen)))
        kept = site.apply_op("mul", update, h)
        return [site.apply_op("add", site.apply_op("mul", site.apply_op("sub", update, other=1.0, reverse=True), new), kept)]

    def _step_rnn(self, x: Value, before: Sequence[Value]) -> list[Value]:
        return [self.functions[0](self._clip_gate(self.site.apply_op("add", x, self._apply_dense(before[0], 2, slice(None)))))]

    # --- their parts ---------------------------------------------------------------------------------------------------------

    def _apply_dense(self, x: Value, which: int, rows: slice) -> Value:
        """Multiply by rows of the weight (`which` 1) or the recurrent weight (2), and add their biases."""
        weight = self.site.require_known(which, "its weight")
        # The layout tells the slices of one weight apart, so that each `dense` has its own parameter.
        mark = f"|{self.direction}.{rows.start}"
        weights = {"weight": Known(weight.array[self.direction][rows], weight.name, weight.layout + mark)}
        if self.site.has_input(3):
            bias = self.site.require_known(3, "its bias")
            half = np.split(bias.array[self.direction], 2)[which - 1]
            weights["bias"] = Known(half[rows], bias.name, f"{bias.layout}{mark}.{which}")
        return self.site.emit.apply_with_weights("dense", [x], weights, units=len(weights["weight"].array), bias="bias" in weights)[0]

    def _clip_gate(self, x: Value) -> Value:
        return self.site.apply_op("clamp", x, min=-self.clip, max=self.clip) if self.clip else x

    def _read_peepholes(self) -> list[Known] | None:
        if not self.site.has_input(7):
            return None
        peepholes = self.site.require_known(7, "its list of peepholes")
        return [
            Known(part, peepholes.name, f"{peepholes.layout}|{self.direction}.{n}")
            for n, part in enumerate(np.split(peepholes.array[self.direction], 3))
        ]

    def _read_activations(self) -> list[ApplyFunction]:
        """Return the activations of this direction."""
        usual = USUAL[self.kind]
        # ONNX spells activations in any case, and lists the activations of both directions.
        names = [str(a).lower() for a in self.site.get_attr("activations", [])] or [*usual, *usual]
        firsts, seconds = list(self.site.get_attr("activation_alpha", [])), list(self.site.get_attr("activation_beta", []))
        activations: list[ApplyFunction] = []
        for name in names:
            numbers = self._read_numbers(name, firsts, seconds)
            activations.append(self._make_activation(name, *numbers))
        count = len(usual)
        if len(activations) < (self.direction + 1) * count:
            raise ImportRefused(f"has {len(activations)} activations for its directions")
        return activations[self.direction * count : (self.direction + 1) * count]

    def _read_numbers(self, name: str, firsts: list[float], seconds: list[float]) -> tuple[float, float]:
        """Return the numbers of an activation that takes any: the next ones of the lists."""
        if name not in _WITH_NUMBERS:
            return 0.0, 0.0
        first, second = _WITH_NUMBERS[name]
        return shorten_float(firsts.pop(0) if firsts else first), 0.0 if second is None else shorten_float(
            seconds.pop(0) if seconds else second
        )

    def _make_activation(self, name: str, first: float, second: float) -> ApplyFunction:
        apply = self.site.apply_op
        match name:
            case "leakyrelu":
                return lambda x: apply("leaky_relu", x, negative_slope=first)
            case "thresholdedrelu":
                return lambda x: apply("threshold", x, threshold=first, value=0.0)
            case "elu":
                return lambda x: apply("elu", x, alpha=first)
            case "hardsigmoid":
                return lambda x: apply("clamp", apply("add", apply("mul", x, other=first), other=second), min=0.0, max=1.0)
            case _ if name in _PLAIN:
                return lambda x: apply(name, x)
        raise ImportRefused(f"has the activation {name}, which is not known here")


def make_zero_state(site: OnnxSite, x: Value, hidden: int) -> Value:
    """Return a state of zeros, `[N, hidden]`."""
    shape: tuple[Dim, ...] = (x.type.shape[1], hidden)
    return site.emit.make_filled(Filled(shape, np.zeros(1, x.type.dtype.name)[0]))
