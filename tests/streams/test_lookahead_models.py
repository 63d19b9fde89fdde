"""Models of sound that look a little ahead: the smallest look-ahead, which gradients confirm, and pieces against the whole."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import netc
from netc.compiler.dims import evaluate_dim
from netc.compiler.streaming import measure_lookahead
from tests.streams.pieces import axis_of, same_in_pieces

WAVENET = """
# Rethage, Pons and Serra (2018), arXiv:1706.07162: WaveNet for denoising, which sees as much of the future as of the past.
x = input [1, T]
x -> conv 4 3 padding=1 -> repeat i in 0..4 as layers {
  f = in -> conv 4 3 padding=(2 ** i) dilation=(2 ** i) tanh
  g = in -> conv 4 3 padding=(2 ** i) dilation=(2 ** i) sigmoid
  in + (f * g -> conv 4 1)
} -> relu -> conv 1 3 padding=1
"""
CONV_TASNET = """
# Luo and Mesgarani (2019), arXiv:1809.07454, with batch normalization in place of the global one, which needs the whole sound.
sound = input [1, T] where T % 4 == 0
mix = sound -> pad [2, 2] -> conv 6 8 stride=4 bias=false relu
masks = mix -> batch_norm -> conv 4 1 -> repeat i in 0..3 as blocks {
  h = in -> conv 8 1 -> prelu -> batch_norm -> conv 8 3 padding=(2 ** i) dilation=(2 ** i) groups=8 -> prelu -> batch_norm
  in + (h -> conv 4 1)
} -> prelu -> conv 6 1 sigmoid
mix * masks -> conv_transpose 1 8 stride=4 bias=false -> pad [-2, -2]
"""
DEMUCS = """
# Defossez, Synnaeve and Adi (2020), arXiv:2006.12847: a causal LSTM between convolutions with strides, with connections across.
sound = input [1, T] where T % 16 == 0
a = sound -> pad [2, 2] -> conv 4 8 stride=4 relu -> conv 8 1 -> glu axis=1
b = a -> pad [2, 2] -> conv 6 8 stride=4 relu -> conv 12 1 -> glu axis=1
c = b -> transpose 1 2 -> lstm 6 layers=2 -> transpose 1 2
d = b + c -> conv 12 1 -> glu axis=1 -> conv_transpose 4 8 stride=4 padding=2 relu
a + d -> conv 8 1 -> glu axis=1 -> conv_transpose 1 8 stride=4 padding=2
"""
CONFORMER = """
# Gulati et al. (2020), arXiv:2005.08100, with attention within chunks, as NeMo's `chunked_limited`: chunks of 2 frames, one to the left.
block half(width) { in + 0.5 * (in -> layer_norm -> dense (2 * width) silu -> dense width) }
block attend(width, heads) {
  q = in -> layer_norm -> dense width -> rearrange "n t (h d) -> n h t d" h=(heads) -> rotary
  v = in -> layer_norm -> dense width -> rearrange "n t (h d) -> n h t d" h=(heads)
  seen = table (t, s) [in.shape[1], in.shape[1]] bool = s // 2 <= t // 2 and s // 2 >= t // 2 - 1
  in + ((q, q, v, seen) -> attention -> rearrange "n h t d -> n t (h d)" -> dense width)
}
block convolve(width) {
  h = in -> layer_norm -> transpose 1 2 -> conv (2 * width) 1 -> glu axis=1 -> conv width 3 padding=1 groups=width -> batch_norm -> silu
  in + (h -> conv width 1 -> transpose 1 2)
}
mel = input [T, 6] where T % 8 == 0
h = mel -> transpose 1 2 -> conv 8 3 stride=2 padding=1 relu -> conv 8 3 stride=2 padding=1 relu -> transpose 1 2
h -> repeat i in 0..2 as layers { in -> half 8 -> attend 8 2 -> convolve 8 -> half 8 -> layer_norm } -> dense 5
"""
ZIPFORMER = """
# In the manner of Yao et al. (2023), arXiv:2310.11230: a stack at half of the rate, and a bypass around it.
block attend(chunk) {
  seen = table (t, s) [in.shape[1], in.shape[1]] bool = s // chunk <= t // chunk and s // chunk >= t // chunk - 2
  in + ((in, in, in, seen) -> attention) -> rms_norm
}
mel = input [T, 6] where T % 8 == 0
x = mel -> dense 8 -> attend 4
low = x -> transpose 1 2 -> avg_pool 2 -> transpose 1 2 -> attend 2 -> dense 8 silu -> repeat_interleave 2 axis=1
x + low -> attend 4 -> dense 3
"""
HIFIGAN = {"width": 8, "rates": [4, 2], "kernels": [8, 4], "residual_kernels": [3, 5], "dilations": [[1, 3], [1, 2]], "bins": 5}


def build_hifigan() -> netc.Model:
    return netc.compile_file("specs/audio/hifigan.net", model="generator", params=HIFIGAN)


MODELS: dict[str, tuple[Any, int, int]] = {
    "wavenet": (WAVENET, 1, 17),
    "conv_tasnet": (CONV_TASNET, 4, 36),
    "demucs": (DEMUCS, 16, 32),
    "conformer": (CONFORMER, 8, 16),
    "zipformer": (ZIPFORMER, 8, 0),
    "hifigan": (build_hifigan, 1, 8),
}
"""By name: a model, the multiple of its pieces, and the smallest look-ahead."""


def measure_reach(model: netc.Model, total: int, every: int) -> int:
    """Return by how many positions an output depends on later inputs, in groups of `every`, by the gradients of a random module."""
    torch.manual_seed(0)
    module = model.module().eval().double()
    ((input_type, output_type),) = zip(model.inputs.values(), model.outputs.values(), strict=True)
    shape = [2 if str(d) == "N" else evaluate_dim(d, {"T": total}) for d in input_type.shape]
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    axis, output_axis = axis_of(input_type, "T"), axis_of(output_type, "T")
    assert axis is not None
    assert output_axis is not None
    reach = 0
    for group, part in enumerate(module(x).chunk(total // every, output_axis)):
        (slope,) = torch.autograd.grad(part.square().sum(), x, retain_graph=True)
        last = int(slope.abs().transpose(0, axis).flatten(1).sum(1).nonzero().max()) // every
        reach = max(reach, (last - group) * every)
    return reach


@pytest.mark.parametrize("name", [n if n in ("wavenet", "zipformer") else pytest.param(n, marks=pytest.mark.long) for n in MODELS])
def test_the_smallest_lookahead_is_reported_and_met(name: str) -> None:
    given, every, smallest = MODELS[name]
    model = netc.compile(given) if isinstance(given, str) else given()
    total = 24 if every == 1 else 12 * every
    assert measure_lookahead(model.program, "T").positions == smallest == measure_reach(model, total, every)
    same_in_pieces(model, lookahead=smallest, every=every, total=total)
