"""Recurrent layers and cells, and their states."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.differential.inputs import Draw, Types
from tests.differential.special.drawing import Arguments, Inputs, size


def _states(draw: Draw, types: Types) -> dict[str, Any]:
    """As the states have it, if there are any: the last one has the hidden units, the first what is made of them."""
    if len(types) == 1:
        hidden, rows = size(draw, 2, 4), draw(st.sampled_from((1, 1, 2, 4)))
        projected = draw(st.sampled_from((None, hidden - 1)))
    else:
        hidden, rows, width = (int(d) for d in (types[-1].shape[-1], types[1].shape[0], types[1].shape[-1]))
        projected = width if width < hidden else None
    both = rows % 2 == 0 and draw(st.booleans())
    layers = rows // 2 if both else rows
    return {"hidden": hidden, "layers": layers if layers > 1 else None, "bidirectional": both or None, "proj_size": projected}


def _plain(draw: Draw, types: Types) -> dict[str, Any]:
    """Of those without projections."""
    return {name: value for name, value in _states(draw, types).items() if name != "proj_size"}


def _cell(draw: Draw, types: Types) -> dict[str, Any]:
    return {"hidden": types[-1].shape[-1] if len(types) > 1 else size(draw, 1, 4)}


INPUTS: dict[str, Inputs] = {}
ARGUMENTS: dict[str, Arguments] = {
    "lstm": _states,
    **dict.fromkeys(("gru", "rnn"), _plain),
    **dict.fromkeys(("gru_cell", "lstm_cell", "rnn_cell"), _cell),
}
