"""Replaces modules that are one operator of netc, but whose own code hides that, while torch.export runs.

`nn.LSTM` calls `netc_import::lstm`, which the readers import as `lstm`. Exported as it is, it would be a loop over its layers and gates.

In: a module that is about to be exported. Out: a context in which each such module calls one operator of torch.library. Always: afterwards
the modules are as before. The operators are only exported and never run, so they have no kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import transformer

_LIBRARY = torch.library.Library("netc_import", "DEF")
_CELL = (
    "(Tensor input, Tensor[] hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, "
    "bool batch_first) -> "
)
_LIBRARY.define("drop_path(Tensor x, float p) -> Tensor")
_LIBRARY.define(f"lstm{_CELL}(Tensor, Tensor, Tensor)")
for _name in ("gru", "rnn_tanh", "rnn_relu"):
    _LIBRARY.define(f"{_name}{_CELL}(Tensor, Tensor)")
_LIBRARY.define(
    "multihead_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask, Tensor? key_padding_mask, Tensor?[] params, "
    "int num_heads, float dropout, bool add_zero_attn, bool average_attn_weights) -> (Tensor, Tensor)"
)
ATTENTION_PARAMETERS = (
    "in_proj_weight",
    "q_proj_weight",
    "k_proj_weight",
    "v_proj_weight",
    "in_proj_bias",
    "bias_k",
    "bias_v",
    "out_proj.weight",
    "out_proj.bias",
)
"""The parameters of nn.MultiheadAttention, in the order of the operator's list."""


@contextmanager
def replace_opaque_modules(model: nn.Module) -> Iterator[None]:
    """Replace the `forward` of each such module by a call of one operator."""
    replaced: list[nn.Module] = []
    fast, detect = torch.backends.mha.get_fastpath_enabled(), transformer._detect_is_causal_mask
    # On its fast path, nn.TransformerEncoderLayer calls one operator instead of its attention module: the replaced `forward` would not run.
    torch.backends.mha.set_fastpath_enabled(False)
    transformer._detect_is_causal_mask = _trust_causal_flag
    try:
        for module in model.modules():
            forward = _make_opaque_forward(module)
            # An instance that has a `forward` of its own may compute something else than its class.
            if forward is not None and "forward" not in vars(module):
                module.forward = forward
                replaced.append(module)
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        transformer._detect_is_causal_mask = detect
        for module in replaced:
            del module.forward


def _make_opaque_forward(module: nn.Module) -> Callable[..., Any] | None:
    p = _drop_path_probability(module)
    if p is not None:
        return lambda x, *_: torch.ops.netc_import.drop_path(x, p)
    # A subclass, such as those for quantization, may compute something else.
    if isinstance(module, nn.LSTM | nn.GRU | nn.RNN) and type(module).__module__ == "torch.nn.modules.rnn":
        return _make_recurrent_forward(module)
    if type(module).forward is nn.MultiheadAttention.forward:
        return _make_attention_forward(module)  # type: ignore[arg-type]
    return None


# --- stochastic depth --------------------------------------------------------------------------------------------------------


def _drop_path_probability(module: nn.Module) -> float | None:
    """Return the probability with which a module leaves out samples, or None for other modules."""
    # Each library has its own class for stochastic depth: torchvision's StochasticDepth, DropPath in timm and in transformers. The mode
    # `batch` of torchvision's leaves out all samples at once.
    if not type(module).__name__.endswith(("DropPath", "StochasticDepth")) or getattr(module, "mode", "row") != "row":
        return None
    p = next((getattr(module, name) for name in ("drop_prob", "p") if hasattr(module, name)), None)
    return float(p) if p else None


@torch.library.register_fake("netc_import::drop_path")
def _(x: Tensor, p: float) -> Tensor:
    return torch.empty_like(x)


# --- recurrence --------------------------------------------------------------------------------------------------------------


def _make_recurrent_forward(module: nn.RNNBase) -> Callable[..., Any]:
    operator = getattr(torch.ops.netc_import, module.mode.lower())

    def forward(input: Any, hx: Any = None) -> Any:
        # A PackedSequence. torch.export fails on it (pytorch/pytorch#112044), and export_errors.py explains why.
        if not isinstance(input, Tensor):
            return type(module).forward(module, input, hx)
        states = [] if hx is None else list(hx) if isinstance(hx, tuple) else [hx]
        params = [weight for weights in module.all_weights for weight in weights]
        y, *last = operator(
            input,
            states,
            params,
            module.bias,
            module.num_layers,
            float(module.dropout),
            False,
            module.bidirectional,
            module.batch_first,
        )
        return y, tuple(last) if len(last) > 1 else last[0]

    return forward


def _make_fake_cell_results(
    input: Tensor, params: list[Tensor], has_biases: bool, num_layers: int, bidirectional: bool, batch_first: bool, gates: int
) -> Any:
    directions = 2 if bidirectional else 1
    hidden = params[0].shape[0] // gates
    # A projection adds one weight to each cell.
    projected = len(params) != num_layers * directions * (4 if has_biases else 2)
    width = params[1].shape[1] if projected else hidden
    # PyTorch also accepts a single sequence without a batch axis.
    batch = [input.shape[0 if batch_first else 1]] if input.dim() == 3 else []
    y = input.new_empty([*input.shape[:-1], directions * width])
    rows = [num_layers * directions, *batch]
    return y, input.new_empty([*rows, width]), input.new_empty([*rows, hidden])


@torch.library.register_fake("netc_import::lstm")
def _(
    input: Any, hx: Any, params: Any, has_biases: Any, num_layers: Any, dropout: Any, train: Any, bidirectional: Any, batch_first: Any
) -> Any:
    return _make_fake_cell_results(input, params, has_biases, num_layers, bidirectional, batch_first, 4)


for _name, _gates in (("gru", 3), ("rnn_tanh", 1), ("rnn_relu", 1)):

    @torch.library.register_fake(f"netc_import::{_name}")
    def _(
        input: Any,
        hx: Any,
        params: Any,
        has_biases: Any,
        num_layers: Any,
        dropout: Any,
        train: Any,
        bidirectional: Any,
        batch_first: Any,
        _gates: int = _gates,
    ) -> Any:
        return _make_fake_cell_results(input, params, has_biases, num_layers, bidirectional, batch_first, _gates)[:2]


# --- attention ---------------------------------------------------------------------------------------------------------------


def _make_attention_forward(module: nn.MultiheadAttention) -> Callable[..., Any]:
    def forward(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        swaps = query.dim() == 3 and not module.batch_first
        # Query, key and value are often one tensor. After one transpose for all of them, the reader still sees that.
        distinct = {id(tensor): tensor.transpose(0, 1) if swaps else tensor for tensor in (query, key, value)}
        tensors = [distinct[id(tensor)] for tensor in (query, key, value)]
        params = [_get_parameter(module, name) for name in ATTENTION_PARAMETERS]
        y, weights = torch.ops.netc_import.multihead_attention(
            *tensors,
            attn_mask,
            key_padding_mask,
            params,
            module.num_heads,
            float(module.dropout),
            module.add_zero_attn,
            average_attn_weights,
        )
        return (y.transpose(0, 1) if swaps else y), (weights if need_weights else None)

    return forward


def _trust_causal_flag(mask: Tensor | None, is_causal: bool | None = None, size: int | None = None) -> bool:
    """Replace a function of PyTorch that reads the numbers of a mask, which torch.export cannot. They only choose the kernel."""
    return bool(is_causal)


def _get_parameter(module: nn.Module, name: str) -> Any:
    """Return a parameter by its name, also of a module inside, or None."""
    result: Any = module
    for part in name.split("."):
        result = getattr(result, part, None)
    return result


@torch.library.register_fake("netc_import::multihead_attention")
def _(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any,
    key_padding_mask: Any,
    params: Any,
    num_heads: int,
    dropout: float,
    add_zero_attn: bool,
    average_attn_weights: bool,
) -> Any:
    added = sum((params[ATTENTION_PARAMETERS.index("bias_k")] is not None, add_zero_attn))  # an int: SymPy adds no booleans
    span = key.shape[-2] + added
    heads = [] if average_attn_weights else [num_heads]
    return torch.empty_like(query), query.new_empty([*query.shape[:-2], *heads, query.shape[-2], span])
