"""Layers with parameters: modules of PyTorch's, made from the sizes of their inputs, with the weights of the call.

In: the arguments and the tensors. Out: what the module makes. Always: parameters have PyTorch's own names and shapes, since the module
must load them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from tests.differential.references.call import Call, ranked

RECURRENT: dict[str, type[nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
CELLS: dict[str, type[nn.RNNCellBase]] = {"rnn_cell": nn.RNNCell, "gru_cell": nn.GRUCell, "lstm_cell": nn.LSTMCell}
EXTRA = ("nonlinearity", "proj_size")
"""Arguments that some recurrent layers have, by PyTorch's names."""


def biased(a: Call, given: Sequence[torch.Tensor]) -> bool:
    """Whether the module has a bias: with a weight that is given, where the bias is given as well, which needs one."""
    if len(given) > 1 and not a.bias:
        raise TypeError("no bias is wanted")
    return len(given) > 1 if given else a.bias


def looked_up(a: Call, given: Sequence[torch.Tensor]) -> torch.dtype:
    """The element type of the rows: the weight's, unless another one is wanted."""
    return given[0].dtype if given and a.dtype == torch.float32 else a.dtype


def convolution(a: Call, x: torch.Tensor, *given: torch.Tensor) -> Any:
    module = ranked(nn, "Conv", x)(
        x.shape[1], a.channels, a.kernel, a.stride, a.padding, a.dilation, a.groups, biased(a, given), a.padding_mode, dtype=x.dtype
    )
    return a.layer(module, *given)(x)


def transposed(a: Call, x: torch.Tensor, *given: torch.Tensor) -> Any:
    module = ranked(nn, "ConvTranspose", x)(
        x.shape[1], a.channels, a.kernel, a.stride, a.padding, a.output_padding, a.groups, biased(a, given), a.dilation, dtype=x.dtype
    )
    return a.layer(module, *given)(x)


def states(tensors: tuple[torch.Tensor, ...]) -> tuple[Any, ...]:
    """One state is given by itself, two as a tuple."""
    return tensors if len(tensors) < 2 else (tensors,)


def recurrent(name: str, a: Call, x: torch.Tensor, *first: torch.Tensor) -> Any:
    own = {key: a.arguments[key] for key in EXTRA if key in a.arguments}
    module = RECURRENT[name](
        x.shape[-1],
        a.hidden,
        num_layers=a.layers,
        bias=a.bias,
        batch_first=True,
        dropout=a.dropout,
        bidirectional=a.bidirectional,
        dtype=x.dtype,
        **own,
    )
    return a.layer(module)(x, *states(first))


def cell(name: str, a: Call, x: torch.Tensor, *first: torch.Tensor) -> Any:
    if any(state.ndim != x.ndim for state in first):
        raise RuntimeError("PyTorch reads beyond the end of such a state, and may crash")
    own = {key: a.arguments[key] for key in EXTRA if key in a.arguments}
    return a.layer(CELLS[name](x.shape[-1], a.hidden, bias=a.bias, dtype=x.dtype, **own))(x, *states(first))


FUNCTIONS = {
    "dense": lambda a, x, *ws: a.layer(nn.Linear(x.shape[-1], a.units, biased(a, ws), dtype=x.dtype), *ws)(x),
    "bilinear": lambda a, x, y, *ws: a.layer(nn.Bilinear(x.shape[-1], y.shape[-1], a.units, biased(a, ws), dtype=x.dtype), *ws)(x, y),
    "embedding": lambda a, indices, *ws: a.layer(
        nn.Embedding(a.num, a.dim, a.padding_idx, a.max_norm, float(a.norm_type), dtype=looked_up(a, ws)), *ws
    )(indices),
    "conv": convolution,
    "conv_transpose": transposed,
    "rnn": lambda a, *xs: recurrent("rnn", a, *xs),
    "gru": lambda a, *xs: recurrent("gru", a, *xs),
    "lstm": lambda a, *xs: recurrent("lstm", a, *xs),
    "rnn_cell": lambda a, *xs: cell("rnn_cell", a, *xs),
    "gru_cell": lambda a, *xs: cell("gru_cell", a, *xs),
    "lstm_cell": lambda a, *xs: cell("lstm_cell", a, *xs),
}
