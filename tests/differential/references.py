"""What PyTorch is asked directly, where netc's emitted form would say nothing about what is wrong: it follows from what netc has inferred,
or PyTorch has no such function and this is another way to write it.

In: an operator with its arguments. Out: a function of its tensors; None where the emitted form will do. Always: nothing here checks
anything; what is refused, PyTorch refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from functorch.einops import rearrange
from torch import nn


def _alone(values: Any) -> Any:
    """A list of one stands for all axes."""
    return values[0] if isinstance(values, tuple) and len(values) == 1 else values


def _scattered(op: Any, x: torch.Tensor, index: torch.Tensor, src: torch.Tensor | None) -> torch.Tensor:
    if src is None or op.value is not None:
        values = (op.value,) if src is None else (src, op.value)
        return x.scatter(op.axis, index, *values, **({"reduce": op.reduce} if op.reduce else {}))
    if op.reduce is None:
        return x.scatter(op.axis, index, src)
    return x.scatter_reduce(op.axis, index, src, "prod") if op.reduce == "multiply" else x.scatter_add(op.axis, index, src)


def _rotated(op: Any, x: torch.Tensor, positions: torch.Tensor | None = None) -> torch.Tensor:
    """Pairs of features as complex numbers, which are turned by multiplying them."""
    dims = x.shape[-1] if op.dims is None else op.dims
    turned = x.narrow(-1, 0, dims)
    turned = turned.float() if x.dtype in (torch.float16, torch.bfloat16) else turned
    pairs = turned.unflatten(-1, (-1, 2)) if op.interleaved else turned.unflatten(-1, (2, -1)).transpose(-1, -2)
    if positions is None:
        positions = torch.arange(x.shape[-2])
    torch.iinfo(positions.dtype)  # of whole numbers only
    each = (x.shape[-2],) if positions.ndim == 1 else (x.shape[0], x.shape[-2])
    places = torch.stack((positions, positions.new_zeros(each)))[0]  # of this very shape
    places = places.view(*places.shape[:-1], *(1,) * (x.ndim - 3 if places.ndim == 2 else 0), places.shape[-1])
    angles = places[..., None] * op.base ** -(torch.arange(0, dims, 2) / dims)
    found = torch.view_as_real(torch.view_as_complex(pairs.contiguous()) * torch.polar(torch.ones_like(angles), angles))
    again = found.flatten(-2) if op.interleaved else found.transpose(-1, -2).flatten(-2)
    return torch.cat((again.to(x.dtype), x[..., dims:]), -1)


def _attended(op: Any, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """PyTorch groups heads where it is told to, netc where it has to. A window is a mask."""
    causal = op.causal
    if op.window is not None and mask is None:
        mask, causal = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril().triu(1 - op.window), False
    options = {"attn_mask": mask, "dropout_p": op.dropout, "is_causal": causal, "scale": op.scale}
    try:
        return F.scaled_dot_product_attention(q, k, v, **options)
    except RuntimeError:
        if len({t.shape[-3:-2] for t in (q, k, v)}) == 1:
            raise
        return F.scaled_dot_product_attention(q, k, v, **options, enable_gqa=True)


def _rearranged(op: Any, x: torch.Tensor) -> torch.Tensor:
    """What PyTorch before 2.13 cannot do on Python 3.13, where `locals()` does not see what `exec` has defined, is no refusal."""
    try:
        rearranged: torch.Tensor = rearrange(x, op.pattern, **dict(op.args["sizes"]))
    except KeyError as error:
        if error.args == ("do_rearrange",):
            raise NotImplementedError("PyTorch cannot find its own function") from error
        raise
    return rearranged


DIRECT: dict[str, Callable[[Any], Callable[..., Any] | None]] = {
    "reshape": lambda op: lambda x: x.reshape(op.shape),
    "unflatten": lambda op: lambda x: x.unflatten(op.axis, op.sizes),
    "expand": lambda op: lambda x: x.expand(op.shape),
    "split": lambda op: lambda x: x.split(list(op.sizes) if isinstance(op.sizes, tuple) else op.sizes, op.axis),
    "chunk": lambda op: lambda x: x.chunk(op.n, op.axis),
    "flatten": lambda op: lambda x: x.flatten(op.start, op.end),
    "pad": lambda op: lambda x: F.pad(x, op.padding, op.mode, op.value if op.mode == "constant" else None),
    "select": lambda op: lambda x: x.select(op.axis, op.index),
    "roll": lambda op: lambda x: torch.roll(x, op.shifts, op.axis or ()),
    "layer_norm": lambda op: None if op.shape is None else lambda x: nn.LayerNorm(op.shape, op.eps, op.affine, op.bias, dtype=x.dtype)(x),
    "rms_norm": lambda op: None if op.shape is None else lambda x: nn.RMSNorm(op.shape, op.eps, op.affine, dtype=x.dtype)(x),
    "prelu": lambda op: None if op.num_parameters == "channels" else lambda x: nn.PReLU(op.num_parameters, dtype=x.dtype)(x),
    "hardtanh": lambda op: lambda x: nn.Hardtanh(op.min_val, op.max_val)(x),
    "gather": lambda op: lambda x, index: x.gather(op.axis, index),
    "scatter_reduce": lambda op: lambda x, index, src: x.scatter_reduce(op.axis, index, src, op.reduce, include_self=op.include_self),
    "scatter": lambda op: lambda x, index, src=None: _scattered(op, x, index, src),
    "rearrange": lambda op: lambda x: _rearranged(op, x),
    "attention": lambda op: lambda *tensors: _attended(op, *tensors),
    "rotary": lambda op: lambda *tensors: _rotated(op, *tensors),
    "upsample": lambda op: (
        lambda x: F.interpolate(
            x, _alone(op.size), _alone(op.scale), op.mode, op.align_corners, op.recompute_scale_factor or None, op.antialias
        )
    ),
    "slice": lambda op: lambda x: x.movedim(op.axis, 0)[op.start : op.stop : op.step].movedim(0, op.axis),
}
