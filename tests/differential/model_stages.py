"""Stages that keep the width of a tensor, for random models: stages for any shape, and stages for one shape.

Out: texts, by form. Always: what they compute is defined and tame for any numbers that come in: operators with poles follow a `sigmoid`,
and what jumps is not here, since rounding may then decide what comes out.
"""

from __future__ import annotations

import re
from functools import cache

import netc
from netc.compiler.ops import Operator

GUARD = "sigmoid -> "
JUMPS = frozenset(("ceil", "floor", "hardshrink", "round", "sign", "trunc"))
POLES = frozenset(
    ("acosh", "cosh", "exp", "exp2", "expm1", "log", "log10", "log1p", "log2", "reciprocal", "rsqrt", "sinh", "sqrt", "square", "tan")
)
POLES |= frozenset(("asin", "acos", "atanh", "erf", "cumprod"))
UNDEFINED = frozenset(("acosh",))
"""Of numbers between 0 and 1."""

IMAGES = (
    "batch_norm",
    "instance_norm",
    "local_response_norm 3",
    "max_pool 3 stride=1 padding=1",
    "avg_pool 3 stride=1 padding=1",
    "conv {w} 3 padding=1 groups={w}",
    "conv_transpose {w} 3 padding=1",
    "conv {w} 2x3 padding=same dilation=2 padding_mode=replicate",
    "conv {w4} 1x1 -> pixel_shuffle 2 -> avg_pool 2",
    "permute [0, 2, 3, 1] -> dense {w} -> permute [0, 3, 1, 2]",
    'rearrange "n c h w -> n h w c" -> layer_norm -> rearrange "n h w c -> n c h w"',
    "prelu channels",
    "upsample scale=2 mode=bilinear -> max_pool 2",
    "lp_pool 1 stride=1",
    "pad [1, 0, 0, 1] mode=replicate -> slice 2 1 -> slice 3 1",
    "channel_dropout 0.2",
)
SEQUENCES = (
    "layer_norm",
    "rms_norm eps=1e-5",
    "gru {w}",
    "lstm {w} bidirectional=true -> dense {w}",
    "rnn {w} layers=2",
    "transpose 1 2 -> conv {w} 3 padding=1 -> transpose 1 2",
    "tril",
    "dense {w2} -> glu",
    "unsqueeze 1 -> expand [-1, 2, -1, -1] -> mean axis=1",
    "repeat_interleave 2 axis=-1 -> dense {w}",
    "scan (h = table (n, i) [N, {w}] float32 = 0) axis=1 { h = in - 0.5 * h -> tanh }",
    "scan (h = table (n, i) [N, {w}] float32 = 0) axis=1 reverse=true { h = (in, h) -> gru_cell {w} -> dense {w} }",
    "scan (h = param [1, {w}] init=0.5 -> expand [N, {w}], k = table (n) [N] float32 = 0) axis=1 "
    "{ old = h; h = in * h -> sigmoid; k = k + 1; old + h / unsqueeze(k, 1) }",
)
VECTORS = (
    "batch_norm",
    "layer_norm",
    "unsqueeze 2 -> squeeze 2",
    "dense {w2} -> glu",
    "pad [0, 1] -> dense {w}",
    "tile [1, 2] -> dense {w}",
    "sort 1",
    "roll 1 axis=1",
    "normalize axis=1",
    "cumsum 1",
    "stack 1 -> sum axis=1",
    "drop_path 0.2",
)
ALIKE = ("leaky_relu 0.2", "dropout 0.1", "clamp (-2) 2", "cast float64 -> cast float32", "softmax axis=1", "flip [1]", "triu")
FORMS = {"vector": VECTORS, "sequence": SEQUENCES, "image": IMAGES}
EVEN = {
    "vector": (
        "unflatten 1 [2, {half}] -> transpose 1 2 -> flatten",
        "reshape [N, {half}, 2] -> flatten 1",
        "topk {half} 1 -> dense {w}",
        "slice 1 0 {half} -> dense {w}",
    ),
    "sequence": (
        "multihead_attention 2",
        "rotary",
        'rearrange "n t (h d) -> n h t d" h=2 -> softmax -> rearrange "n h t d -> n t (h d)"',
        "split {half} axis=-1 -> concat axis=-1",
    ),
    "image": ("channel_shuffle 2", "group_norm 2"),
}
"""Where the width is even."""


@cache
def functions() -> tuple[str, ...]:
    """All operators without arguments that keep any float32 tensor's type."""
    names = [name for name, cls in sorted(Operator.registry.items()) if cls.arity() == (1, 1) and name not in JUMPS | UNDEFINED]
    return tuple(
        GUARD * (name in POLES) + name for name in names if all(_keeps(name, text) for text in ("input 4", "input [T, 4]", "input 4xHxW"))
    )


def _keeps(name: str, text: str) -> bool:
    try:
        model = netc.compile(f"{text} -> {name}")
    except netc.CompileError:
        return False
    (given,), (found,) = model.inputs.values(), model.outputs.values()
    return given == found


@cache
def keeping(kind: str, even: bool) -> tuple[str, ...]:
    """With `{w}` for the width, `{half}`, `{w2}` and `{w4}` for parts and multiples of it."""
    return (*FORMS[kind], *(EVEN[kind] if even else ()), *ALIKE, *functions())


def written(stage: str, width: int) -> str:
    names = {"w": width, "half": width // 2, "w2": 2 * width, "w4": 4 * width}
    return re.sub(r"\{(\w+)\}", lambda found: str(names[found[1]]), stage)
