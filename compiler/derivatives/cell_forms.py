"""The cells of recurrent networks as other operators, for their derivatives.

>>> sorted(CELL_FORMS)
['gru_cell', 'lstm_cell', 'rnn_cell']
"""

from __future__ import annotations

from collections.abc import Callable

from ..ir.graph import OpNode

_INPUT_PART = "(x, weight_ih, bias_ih) -> dense (weight_ih.shape[0])"
_STATE_PART = "(state, weight_hh, bias_hh) -> dense (weight_hh.shape[0])"


def _make_cell_form(text: str) -> Callable[[OpNode], str]:
    """The sums of a recurrent cell are `inner` and `outer`. A state that is not given is 0."""

    def write(node: OpNode) -> str:
        shape = "[hidden]" if node.inputs[0].type.rank == 1 else "[x.shape[0], hidden]"
        bias = node.op.args["bias"]
        parts = [part if bias else part.replace(", bias_ih", "").replace(", bias_hh", "") for part in (_INPUT_PART, _STATE_PART)]
        zeros = f"zeros = table (i) [1] = 0.0 -> cast x.dtype -> expand {shape}"
        states = "state = if given(h) { h } else { zeros }"
        cells = "cell = if given(c) { c } else { zeros }" if node.op.name == "lstm_cell" else ""
        return "\n".join([zeros, states, cells, f"outer = {parts[0]}", f"inner = {parts[1]}", text])

    return write


CELL_FORMS: dict[str, Callable[[OpNode], str]] = {
    "rnn_cell": _make_cell_form('outer + inner -> if nonlinearity == "relu" { relu } else { tanh }'),
    "gru_cell": _make_cell_form("""
        (r, z, n) = outer -> chunk 3 axis=-1
        (r2, z2, n2) = inner -> chunk 3 axis=-1
        update = sigmoid(z + z2)
        fresh = tanh(n + sigmoid(r + r2) * n2)
        fresh + update * (state - fresh)
    """),
    "lstm_cell": _make_cell_form("""
        (i, f, g, o) = outer + inner -> chunk 4 axis=-1
        kept = sigmoid(f) * cell + sigmoid(i) * tanh(g)
        out sigmoid(o) * tanh(kept), kept
    """),
}
"""By operator, what gives the text for a node."""
