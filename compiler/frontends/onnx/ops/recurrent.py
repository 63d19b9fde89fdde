"""Imports recurrent layers: `LSTM` with `hidden_size=16` becomes `lstm 16`, or `dense` stages in a `scan`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....ir.graph_values import Value
from ....types.numpy_types import Array
from ...graph_builder import ImportRefused
from ..importer_site import OnnxSite
from ..importer_table import imports
from ..onnx_values import Filled, Item, Known
from ..unrolled_recurrence import USUAL, UnrolledDirection, make_zero_state

_ORDERS = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
"""For each of PyTorch's gates, the number of ONNX's."""


@imports("LSTM", "GRU", "RNN", to=("lstm, or dense in a scan", "gru, or dense in a scan", "rnn, or dense in a scan"))
def import_recurrent(site: OnnxSite) -> list[Item]:
    x = site.input()
    direction = site.get_attr("direction", "forward")
    directions = 2 if direction == "bidirectional" else 1
    arguments = _read_arguments(site, directions)
    if arguments is None or not _has_full_sequences(site, x):
        return _unroll_layer(site, x, ("forward", "reverse") if directions == 2 else (direction,))
    known = _read_weights(site, directions)
    hidden = int(site.require_array(2, "its recurrent weight").shape[-1])
    # netc's layer has the batch first, and ONNX has the steps first unless `layout` is 1.
    steps_first = not site.get_attr("layout", 0)
    x = site.apply_op("transpose", x, a=0, b=1) if steps_first else x
    # PyTorch has no layer that only runs backward, so a forward one reads the steps in reverse order.
    if direction == "reverse":
        x = site.apply_op("flip", x, axis=1)
    states = _read_states(site, steps_first)
    bidirectional = {"bidirectional": True} if directions == 2 else {}
    y, *last = site.emit.apply_with_weights(
        site.op_type.lower(), [x, *states], known, hidden=hidden, bias="bias_ih_l0" in known, **bidirectional, **arguments
    )
    if direction == "reverse":
        y = site.apply_op("flip", y, axis=1)
    return [_arrange_output(site, y, directions, hidden, steps_first), *(_arrange_state(site, s, steps_first) for s in last)]


def _unroll_layer(site: OnnxSite, x: Value, directions: Sequence[str]) -> list[Item]:
    """Import the layer as a scan over its steps, where netc's layer computes something else."""
    batch_first = bool(site.get_attr("layout", 0))
    x = site.apply_op("transpose", x, a=0, b=1) if batch_first else x
    results, last = list[Value](), list[list[Value]]()
    for number, direction in enumerate(directions):
        steps = UnrolledDirection(site, number)
        y, states = steps.run_steps(x, _read_starts(site, x, steps, number, batch_first=batch_first), reverse=direction == "reverse")
        results.append(y)
        last.append(states)
    y = site.apply_op("stack", *results, axis=1) if len(results) > 1 else site.apply_op("unsqueeze", results[0], axis=1)
    y = site.apply_op("permute", y, axes=(2, 0, 1, 3)) if batch_first else y
    axis = 1 if batch_first else 0
    last_states = [
        site.apply_op("stack", *s, axis=axis) if len(s) > 1 else site.apply_op("unsqueeze", s[0], axis=axis)
        for s in zip(*last, strict=True)
    ]
    return [y, *last_states]


def _read_starts(site: OnnxSite, x: Value, steps: UnrolledDirection, direction: int, *, batch_first: bool) -> list[Value]:
    """Return the states that a direction starts with."""
    items = [site.get_item(5), site.get_item(6)] if site.op_type == "LSTM" else [site.get_item(5)]
    axis = 1 if batch_first else 0
    starts = [
        make_zero_state(site, x, steps.hidden)
        if item is None
        else site.apply_op("select", site.to_tensor(item), axis=axis, index=direction)
        for item in items
    ]
    for value in starts:
        if not site.are_equal(value.type.shape, (x.type.shape[1], steps.hidden)):
            raise ImportRefused(f"starts with a state {value.type}")
    return starts


def _read_arguments(site: OnnxSite, directions: int) -> dict[str, Any] | None:
    """Return the arguments of netc's layer, or None if PyTorch's layer cannot compute the node."""
    kind = site.op_type
    activations = tuple(a.lower() for a in site.get_attr("activations", []))
    if (
        site.get_attr("clip")
        or site.has_input(7)
        or site.get_attr("input_forget", 0)
        # PyTorch's GRU applies the reset gate after the matrix product, and ONNX's does so before it by default.
        or (kind == "GRU" and not site.get_attr("linear_before_reset", 0))
    ):
        return None
    if kind == "RNN" and activations and set(activations) == {"relu"}:
        return {"nonlinearity": "relu"}
    return {} if not activations or activations == USUAL[kind] * directions else None


def _read_weights(site: OnnxSite, directions: int) -> dict[str, Known]:
    """Return the parameters by PyTorch's names, with the gates in PyTorch's order."""
    w, r = site.require_known(1, "its weight"), site.require_known(2, "its recurrent weight")
    b = site.require_known(3, "its bias") if site.has_input(3) else None
    order = _ORDERS[site.op_type]
    result: dict[str, Known] = {}
    for n, end in enumerate(("_l0", "_l0_reverse")[:directions]):
        for name, known in (("weight_ih", w), ("weight_hh", r)):
            result[name + end] = _reorder_gates(known, known.array[n], order, f"|{n}")
        if b is not None:
            for half, (name, array) in enumerate(zip(("bias_ih", "bias_hh"), np.split(b.array[n], 2), strict=True)):
                result[name + end] = _reorder_gates(b, array, order, f"|{n}.{half}")
    return result


def _reorder_gates(known: Known, array: Array, order: Sequence[int], layout: str) -> Known:
    gates = np.split(array, len(order))
    return Known(np.concatenate([gates[g] for g in order]), known.name, known.layout + layout)


def _has_full_sequences(site: OnnxSite, x: Value) -> bool:
    """Return whether all sequences have all steps."""
    lengths = site.get_item(4)
    steps = x.type.shape[1 if site.get_attr("layout", 0) else 0]
    return lengths is None or (isinstance(lengths, Known) and isinstance(steps, int) and bool((lengths.array == steps).all()))


def _read_states(site: OnnxSite, steps_first: bool) -> list[Value]:
    """Return the states to start from, or none if they are zeros, with which netc's layers start anyway."""
    items = [site.get_item(5), site.get_item(6)] if site.op_type == "LSTM" else [site.get_item(5)]
    if all(_is_zero(item) for item in items):
        return []
    if any(item is None for item in items):
        raise ImportRefused("has one of its two initial states only")
    return [site.to_tensor(i) if steps_first else site.apply_op("transpose", site.to_tensor(i), a=0, b=1) for i in items]


def _is_zero(item: Item) -> bool:
    match item:
        case None:
            return True
        case Known():
            return not item.array.any()
        case Filled():
            return not item.number
    return False


def _arrange_output(site: OnnxSite, y: Value, directions: int, hidden: int, steps_first: bool) -> Item:
    """Arrange the results as `[T, directions, N, hidden]`, or with `layout=1` as `[N, T, directions, hidden]`."""
    if not site.used[0]:
        return None
    if not steps_first:
        return site.apply_op("unflatten", y, axis=2, sizes=(directions, hidden))
    if directions == 1:
        return site.apply_op("unsqueeze", site.apply_op("transpose", y, a=0, b=1), axis=1)
    return site.apply_op("permute", site.apply_op("unflatten", y, axis=2, sizes=(directions, hidden)), axes=(1, 2, 0, 3))


def _arrange_state(site: OnnxSite, state: Value, steps_first: bool) -> Value:
    return state if steps_first else site.apply_op("transpose", state, a=0, b=1)
