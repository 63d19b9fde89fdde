"""Recurrent layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....ir.graph_values import Value
from ....types.numpy_types import Array
from ...graph_builder import ImportRefused
from ..importer_site import Site
from ..importer_table import imports
from ..onnx_values import Filled, Item, Known
from ..unrolled_recurrence import USUAL, Steps, zeros

_ORDERS = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
"""The number of ONNX's gate for each of PyTorch's."""


@imports("LSTM", "GRU", "RNN", to=("lstm, or dense in a scan", "gru, or dense in a scan", "rnn, or dense in a scan"))
def recurrent(site: Site) -> list[Item]:
    x = site.x()
    direction = site.attr("direction", "forward")
    directions = 2 if direction == "bidirectional" else 1
    arguments = _arguments(site, directions)
    if arguments is None or not _is_whole(site, x):
        return _written_out(site, x, ("forward", "reverse") if directions == 2 else (direction,))
    known = _weights(site, directions)
    hidden = int(site.array(2, "its recurrent weight").shape[-1])
    rows_first = not site.attr("layout", 0)
    x = site.one("transpose", x, a=0, b=1) if rows_first else x
    if direction == "reverse":
        x = site.one("flip", x, axis=1)
    states = _states(site, rows_first)
    bidirectional = {"bidirectional": True} if directions == 2 else {}
    y, *last = site.emit.learned(
        site.op_type.lower(), [x, *states], known, hidden=hidden, bias="bias_ih_l0" in known, **bidirectional, **arguments
    )
    if direction == "reverse":
        y = site.one("flip", y, axis=1)
    return [_output(site, y, directions, hidden, rows_first), *(_state(site, s, rows_first) for s in last)]


def _written_out(site: Site, x: Value, directions: Sequence[str]) -> list[Item]:
    """Step by step, where the layer of netc is another."""
    rows_first = bool(site.attr("layout", 0))
    x = site.one("transpose", x, a=0, b=1) if rows_first else x
    made, last = list[Value](), list[list[Value]]()
    for at, direction in enumerate(directions):
        steps = Steps(site, at)
        y, states = steps.run(x, _starts(site, x, steps, at, rows_first=rows_first), reverse=direction == "reverse")
        made.append(y)
        last.append(states)
    y = site.one("stack", *made, axis=1) if len(made) > 1 else site.one("unsqueeze", made[0], axis=1)
    y = site.one("permute", y, axes=(2, 0, 1, 3)) if rows_first else y
    axis = 1 if rows_first else 0
    whole = [site.one("stack", *s, axis=axis) if len(s) > 1 else site.one("unsqueeze", s[0], axis=axis) for s in zip(*last, strict=True)]
    return [y, *whole]


def _starts(site: Site, x: Value, steps: Steps, at: int, *, rows_first: bool) -> list[Value]:
    """The states that a direction starts with."""
    items = [site.item(5), site.item(6)] if site.op_type == "LSTM" else [site.item(5)]
    axis = 1 if rows_first else 0
    given = [zeros(site, x, steps.hidden) if item is None else site.one("select", site.tensor(item), axis=axis, index=at) for item in items]
    for value in given:
        if not site.equal(value.type.shape, (x.type.shape[1], steps.hidden)):
            raise ImportRefused(f"starts with a state {value.type}")
    return given


def _arguments(site: Site, directions: int) -> dict[str, Any] | None:
    """What netc has an argument for; None if something is not as PyTorch has it."""
    kind = site.op_type
    found = tuple(a.lower() for a in site.attr("activations", []))
    if site.attr("clip") or site.has(7) or site.attr("input_forget", 0) or (kind == "GRU" and not site.attr("linear_before_reset", 0)):
        return None
    if kind == "RNN" and found and set(found) == {"relu"}:
        return {"nonlinearity": "relu"}
    return {} if not found or found == USUAL[kind] * directions else None


def _weights(site: Site, directions: int) -> dict[str, Known]:
    """The parameters by PyTorch's names, their gates in its order."""
    w, r = site.known(1, "its weight"), site.known(2, "its recurrent weight")
    b = site.known(3, "its bias") if site.has(3) else None
    order = _ORDERS[site.op_type]
    found: dict[str, Known] = {}
    for n, end in enumerate(("_l0", "_l0_reverse")[:directions]):
        for name, known in (("weight_ih", w), ("weight_hh", r)):
            found[name + end] = _reordered(known, known.array[n], order, f"|{n}")
        if b is not None:
            for half, (name, array) in enumerate(zip(("bias_ih", "bias_hh"), np.split(b.array[n], 2), strict=True)):
                found[name + end] = _reordered(b, array, order, f"|{n}.{half}")
    return found


def _reordered(known: Known, array: Array, order: Sequence[int], layout: str) -> Known:
    gates = np.split(array, len(order))
    return Known(np.concatenate([gates[g] for g in order]), known.name, known.layout + layout)


def _is_whole(site: Site, x: Value) -> bool:
    """Whether all sequences have all steps."""
    lengths = site.item(4)
    steps = x.type.shape[1 if site.attr("layout", 0) else 0]
    return lengths is None or (isinstance(lengths, Known) and isinstance(steps, int) and bool((lengths.array == steps).all()))


def _states(site: Site, rows_first: bool) -> list[Value]:
    """The states to start from; none if they are zeros."""
    items = [site.item(5), site.item(6)] if site.op_type == "LSTM" else [site.item(5)]
    if all(_is_zero(item) for item in items):
        return []
    if any(item is None for item in items):
        raise ImportRefused("has one of its two initial states only")
    return [site.tensor(i) if rows_first else site.one("transpose", site.tensor(i), a=0, b=1) for i in items]


def _is_zero(item: Item) -> bool:
    match item:
        case None:
            return True
        case Known():
            return not item.array.any()
        case Filled():
            return not item.number
    return False


def _output(site: Site, y: Value, directions: int, hidden: int, rows_first: bool) -> Item:
    """`[T, directions, N, hidden]`, or `[N, T, directions, hidden]`."""
    if not site.used[0]:
        return None
    if not rows_first:
        return site.one("unflatten", y, axis=2, sizes=(directions, hidden))
    if directions == 1:
        return site.one("unsqueeze", site.one("transpose", y, a=0, b=1), axis=1)
    return site.one("permute", site.one("unflatten", y, axis=2, sizes=(directions, hidden)), axes=(1, 2, 0, 3))


def _state(site: Site, state: Value, rows_first: bool) -> Value:
    return state if rows_first else site.one("transpose", state, a=0, b=1)
