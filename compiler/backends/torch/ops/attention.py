"""Writes attention in PyTorch: `F.scaled_dot_product_attention(q, k, v, is_causal=True)`."""

from __future__ import annotations

from ....ops.attention import Attention
from ....types.tensor_types import BOOL
from ....types.traced_ints import has_origin
from ...python.code.python_expressions import Code, Default, Infix, call_function, call_method, to_code
from ...python.lowering.lowered_operators import WindowMask
from ..torch_emitters import TorchSite, function
from ..torch_framework import DEVICE, TRAINING, get_torch_dtype
from .parameters import to_float


@function(Attention, target="torch.nn.functional.scaled_dot_product_attention")
def emit_attention(op: Attention, site: TorchSite) -> Code:
    masks: dict[str, object] = {}
    if "mask" in site.given:
        masks = {"attn_mask": _emit_mask(site)}
    # The function has no notion of the mode: multiplying by `self.training` turns dropout off in evaluation.
    if op.dropout or has_origin(op.dropout):
        masks["dropout_p"] = Infix("*", to_code(to_float(op.dropout), "dropout"), TRAINING)
    return call_function(
        "F.scaled_dot_product_attention",
        site.q,
        site.k,
        site.v,
        **masks,
        is_causal=Default(op.causal, False),
        scale=Default(op.scale, None),
        enable_gqa=Default(op.is_grouped(site.given), False),
    )


def _emit_mask(site: TorchSite) -> Code:
    """Add a batch axis to a mask for each head: without it, PyTorch's fused kernels refuse the mask."""
    rank, mask_rank = site.given.q.rank, site.given.mask.rank
    return call_method(site.mask, "unsqueeze", 0) if (rank, mask_rank) == (4, 3) else site.mask


@function(WindowMask)
def emit_window_mask(op: WindowMask, site: TorchSite) -> Code:
    """Write a mask that is true where `j <= i + span - length` and, with a window, `j > i + span - length - window`."""
    ones = call_function("torch.ones", to_code(op.length, "length"), to_code(op.span, "span"), dtype=get_torch_dtype(BOOL), device=DEVICE)
    offset = op.span - op.length
    seen = call_method(ones, "tril", *(() if offset == 0 else (to_code(offset, "diagonal"),)))
    return seen if op.window is None else call_method(seen, "triu", to_code(offset + 1 - op.window, "diagonal"))
