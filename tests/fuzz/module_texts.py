"""What random modules are written with: expressions of a tensor `{x}`, of an axis `{d}`, and of two tensors; layers for a shape.

Always: an expression need not fit a tensor, PyTorch says whether it does. They are written as people write them who do not know netc.
"""

from __future__ import annotations

from collections.abc import Sequence

ELEMENTWISE = """
torch.relu({x})
F.gelu({x}, approximate='tanh')
{x} * torch.sigmoid({x})
F.leaky_relu({x}, 0.2)
F.relu({x} * 1, inplace=True)
-{x} ** 2
1 / ({x}.abs() + 1)
{x}.clamp(min=0.1)
{x} % 1.5
{x} // 0.5
{x}.masked_fill({x} < 0, float('-inf')).clamp(min=-5)
torch.nan_to_num({x} / 0.0).clamp(-3, 3)
torch.where({x} > 0, {x}, 0.0)
torch.where({x} > 0, float('nan'), {x}).nan_to_num()
torch.minimum({x}, torch.tensor(float('inf')))
({x} > 0).to({x}.dtype) * {x}
({x} > 0) == True
({x} > 0) & ({x} < 1)
(~({x} > 0)).float()
({x} * 10).int() // 3
({x} * 10).int() & 3
{x}.add(1).mul_(2)
torch.add({x}, {x}, alpha=0.5)
torch.pow(2.0, {x})
{x}.double().float()
{x} / {x}.shape[0]
{x} / (2 * {x}.shape[0])
{x} * {x}.size(-1) ** -0.5
{x} + torch.arange({x}.shape[-1])
F.dropout({x}, training=self.training)
torch.addcmul({x}, {x}, {x}, value=0.5)
torch.lerp({x}, -{x}, 0.3)
torch.atan2({x}, {x}.abs() + 2)
torch.clamp({x}, {x}.abs() - 1, torch.tensor(0.5))
torch.remainder(2.0, {x}.abs() + 1)
{x}.sub({x}.sin(), alpha=2)
{x}.ge(0).mul(2)
({x} * 5).long() % -3
({x} * 5).long() // -2
torch.bitwise_xor(({x} * 5).int(), 3)
2 ** ({x} > 0).int()
({x} > 0) * {x} - ({x} < 0).float()
torch.full_like({x}, 2) * {x}
{x}.new_zeros({x}.shape) + {x}
{x}.half().float()
torch.isnan({x} / 0.0) | ({x} > 0)
F.hardtanh({x}, -0.5, 0.5) + F.softshrink({x}, 0.1)
torch.where({x} > 0, 1, 2) * {x}
{x}.masked_fill_({x} > 1, 0.0) + 1
""".strip().splitlines()

ALONG = """
{x}.mean({d}, keepdim=True)
{x}.max({d})[0]
{x}.argmin({d}, keepdim=True)
torch.var({x}, dim={d}, correction=0, keepdim=True)
torch.linalg.vector_norm({x}, ord=float('inf'), dim={d})
{x}.softmax({d})
{x}.cumsum({d})
{x}.flip([{d}])
{x}.roll(-2, dims={d})
F.normalize({x}, p=1, dim={d})
{x}.sort({d}, descending=True).values
{x}.topk(2, dim={d})[0]
{x}.unsqueeze({d})
torch.cat([{x}, {x}.flip({d})], dim={d})
torch.stack([{x}, -{x}], {d})
{x}.chunk(3, dim={d})[-1]
{x}.tensor_split(2, {d})[1]
sum({x}.unbind({d}))
{x}.select({d}, -1)
{x}.narrow({d}, -2, 1)
{x}.repeat_interleave(2, {d})
{x}.gather({d}, ({x} > 0).long())
{x}.scatter_add({d}, ({x} > 0).long(), {x})
{x}.unflatten({d}, (-1, 2))
{x}.unfold({d}, 2, 1)
({x} > 0).any({d})
{x} * torch.rsqrt({x}.pow(2).mean({d}, keepdim=True) + 1e-6)
{x}.transpose({d}, -1)
{x}.movedim(-1, {d})
{x}.sum({d}).unsqueeze({d}) + {x}
torch.stack([t * i for i, t in enumerate({x}.unbind({d}))], dim={d})
{x}.std({d})
{x}.logsumexp({d}, keepdim=True)
torch.diff({x}, dim={d})
{x}.index_select({d}, torch.tensor([1, 0]))
{x}.split([1, {x}.shape[{d}] - 1], {d})[1]
{x}.min({d}, keepdim=True)[1]
{x}.cummax({d})[0]
{x}.amax(({d}, -1), keepdim=True)
{x}.swapaxes(0, {d})
{x}.squeeze({d})
F.glu({x}, {d})
torch.take_along_dim({x}, {x}.argsort({d}), {d})
{x}.index_add({d}, torch.tensor([0]), {x}.narrow({d}, 0, 1))
{x}.index_fill({d}, torch.tensor([0]), 2.0)
{x}.scatter({d}, torch.zeros_like({x}, dtype=torch.long), 1.0)
{x}.roll((1, 2), ({d}, 0))
torch.cat(list({x}.split(2, {d}))[::-1], {d})
{x}.flip({d}).cumsum({d}).flip({d})
torch.logcumsumexp({x}, {d})
torch.cat([{x}, {x}.narrow({d}, 0, 0)], {d})
torch.cat({x}.split([0, {x}.shape[{d}]], {d}), {d})
({x} > 0).sum({d})
{x}.transpose(0, {d}).contiguous().transpose(0, {d})
""".strip().splitlines()

SHAPED = """
{x}[:, -1]
{x}[:, 1::2]
{x}[..., -2:]
{x}[:, [1, 0, 1]]
{x}[:, [-1]]
{x}[:, [0, -1]]
{x}[..., [-2, -1]]
torch.cat([{x}[:, :0] * 2, {x}, {x}[:, {x}.shape[1]:]], 1)
{x}.new_empty({x}.shape).copy_({x}) * 2
{x}.clone().index_put_((torch.arange(1),), torch.tensor(1.0))
{x}[:, None, ..., None]
{x}[:, [0, 1], [1, 0]]
{x}[:1] + {x}
{x}[:, {x}.shape[1] // 2:]
{x}[torch.arange({x}.shape[0]), 0]
{x}.view({x}.size(0), -1)
{x}.reshape(-1, {x}.shape[-1])
{x}.permute(1, 0, *range(2, {x}.dim()))
{x}.unsqueeze(1).expand(-1, 3, *{x}.shape[1:])
{x}.repeat(2, *[1] * ({x}.dim() - 1))
{x}.reshape(*{x}.shape[:-1], -1, 2).flip(-1).flatten(-2)
{x}.squeeze()
F.pad({x}, (1, -1), value=1.0)
F.pad({x}, (1, 1), mode='reflect')
torch.tril({x}, -1)
torch.einsum('...i,...j->...ij', {x}, {x})
torch.einsum('bij,bkj->bik', {x}, {x})
{x} @ {x}.transpose(-1, -2)
{x}.masked_fill(torch.ones({x}.shape[-2], {x}.shape[-1]).triu(1).bool(), -1e9).softmax(-1)
F.scaled_dot_product_attention({x}, {x}, {x} * 2, scale=0.5)
F.layer_norm({x}, {x}.shape[1:])
F.avg_pool1d({x}, 3, 2, 1, ceil_mode=True, count_include_pad=False)
F.max_pool2d({x}, 3, 2, 1, ceil_mode=True)
F.adaptive_avg_pool2d({x}, (2, None))
F.interpolate({x}, size=(7, 5), mode='bilinear')
F.interpolate({x}, scale_factor=2)
torch.stack([-{x}[..., 1::2], {x}[..., 0::2]], -1).flatten(-2)
torch.cat(({x}, torch.zeros({x}.shape[0], 1, *{x}.shape[2:])), 1)
F.one_hot({x}.argmax(-1), {x}.shape[-1]).float()
torch.zeros({x}.shape).copy_({x})
{x}.flatten(1).unsqueeze(-1)
torch.broadcast_to({x}, (2, *{x}.shape))
{x}.diagonal(dim1=-2, dim2=-1)
torch.diag_embed({x})
torch.rot90({x}, 1, (1, 2))
{x}[{x}.shape[0] - 1]
{x}[torch.tensor([[0, 1], [1, 0]])]
{x}[:, {x}.shape[1] - 1:]
{x}[..., None, :] * 2
{x}.unflatten(-1, (2, -1)).transpose(1, 2)
torch.linspace(0, 1, {x}.shape[-1]) + {x}
torch.eye({x}.shape[-1]) @ {x}.transpose(-1, -2)
F.embedding(({x} > 0).long(), torch.arange(6.0).view(2, 3))
torch.bucketize({x}, torch.tensor([0.0, 0.5]))
F.local_response_norm({x}, 3)
F.group_norm({x}, 1)
F.conv1d({x}, torch.ones(2, {x}.shape[1], 1))
F.conv2d({x}, torch.ones(1, {x}.shape[1], 2, 2), stride=2)
F.unfold({x}, 2)
F.pixel_unshuffle({x}, 2)
F.adaptive_max_pool2d({x}, 2)
F.pad({x}, (2, 1), mode='circular')
torch.fft.rfft({x}).abs()
torch.view_as_real(torch.view_as_complex({x}))
torch.cdist({x}, {x} + 1)
F.affine_grid({x}[..., :2, :3], (2, 1, 2, 3))
{x}.sum() * {x}
{x}.max() - {x}
torch.tensor([1.0, 2.0])[1] * {x}
torch.triu(torch.ones({x}.shape[-1], {x}.shape[-1]))[0] * {x}
""".strip().splitlines()

OF_TWO = """
{x} + {y}
{x} / ({y}.abs() + 1)
torch.cat([{x}, {y}], -1)
torch.where({x} > {y}, {x}, {y})
{x} @ {y}.transpose(-1, -2)
{x}.add({y}, alpha=0.3)
F.mse_loss({x}, {y})
F.cosine_similarity({x}, {y})
{x}.masked_fill({y} > 0, 0.0)
F.scaled_dot_product_attention({x}, {y}, {y})
F.scaled_dot_product_attention({x}, {y}, {y}, is_causal=True)
F.scaled_dot_product_attention({x}, {x}, {x}, attn_mask={y} > 0)
torch.baddbmm({x}, {x}, {y}, beta=0.5)
torch.stack([{x}, {y}], 1)
torch.cat([{x}, {y}])
torch.einsum('b...i,b...i->b...', {x}, {y})
torch.tensordot({x}, {y}, dims=([-1], [-1]))
torch.hypot({x}, {y})
{x}.expand_as({y}) + {y}
{x}.view_as({y}) - {y}
F.binary_cross_entropy_with_logits({x}, {y}.sigmoid())
F.kl_div({x}.log_softmax(-1), {y}.softmax(-1), reduction='batchmean')
torch.lerp({x}, {y}, 0.2)
torch.addcdiv({x}, {y}, {y}.abs() + 1, value=2)
{x}.gather(-1, ({y} > 0).long())
{x}[..., :1] * {y}
torch.where({x} > 0, {y}, 0.5)
""".strip().splitlines()

OWN = """
{x} * self.{m}
{x} + self.{m}
self.{m} - {x}
F.linear({x}, self.{m}[None])
F.layer_norm({x}, self.{m}.shape, self.{m})
torch.where({x} > self.{m}, {x}, self.{m})
self.{m} * ({x} * torch.rsqrt({x}.pow(2).mean(-1, keepdim=True) + 1e-6)) + {x}
torch.tanh(self.{m} * ({x} * torch.rsqrt({x}.pow(2).mean(-1, keepdim=True) + 1e-6)))
torch.cat([{x}, self.{m}.expand_as({x})], -1)
{x} * F.softplus(self.{m})
torch.stack([{x}, {x} * self.{m}]).sum(0)
""".strip().splitlines()
"""Of a tensor and a parameter."""

OF_A_LAYER = """
self.{m}({x})
self.{m}({x} + 1)
{x} * self.{m}.weight.sum()
{x} + self.{m}.weight.mean(0)
F.linear({x}, self.{m}.weight)
self.{m}({x}) @ self.{m}.weight
F.linear({x}, self.{m}.weight.detach(), self.{m}.bias)
F.layer_norm({x}, {x}.shape[-1:], self.{m}.weight)
self.{m}[0]({x})
self.{m}.m0({x})
""".strip().splitlines()
"""Of a tensor and a layer that has been called before."""


def parameters(shape: Sequence[int]) -> list[str]:
    """Parameters and buffers for tensors of this shape, the batch included."""
    last = shape[-1]
    return [
        f"nn.Parameter(torch.randn({last}))",
        f"nn.Parameter(torch.randn({last}), requires_grad=False)",
        f"nn.Parameter(torch.ones(1, {last}))",
        f"nn.Parameter(torch.randn({', '.join(map(str, [1, *shape[1:]]))}))",
        "nn.Parameter(torch.tensor(0.5))",
        f"nn.Buffer(torch.arange({last}) / 4)",
        f"nn.Buffer(torch.randn({last}), persistent=False)",
    ]


def layers(shape: Sequence[int], width: int) -> list[str]:
    """Modules for tensors of this shape, the batch included."""
    last = shape[-1]
    found = [
        f"nn.Linear({last}, {width})",
        f"nn.Linear({last}, {last}, bias=False)",
        f"nn.LayerNorm({last}, bias=False, eps=1e-3)",
        f"nn.RMSNorm({last})",
        f"nn.Sequential(nn.Linear({last}, {width}), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear({width}, {last}))",
        f"nn.utils.parametrizations.weight_norm(nn.Linear({last}, {width}))",
        f"(lambda a: nn.Sequential(nn.Linear({last}, {width}), a, nn.Linear({width}, {last}), a))(nn.ReLU())",
        f"(lambda a: nn.Sequential(a, nn.Linear({last}, {last}), a))(nn.Sequential(nn.Tanh(), nn.Dropout()))",
        "nn.Threshold(0.1, 20)",
        "nn.PReLU()",
    ]
    channels = shape[1]
    if len(shape) == 2:
        found += [f"nn.BatchNorm1d({last})", f"nn.GroupNorm(1, {last})"]
    if len(shape) == 3:
        found += [
            f"nn.Conv1d({channels}, {width}, 3, padding='same')",
            f"nn.ConvTranspose1d({channels}, {width}, 3, 2, 1, output_padding=1)",
            f"nn.BatchNorm1d({channels})",
            f"nn.TransformerEncoderLayer({last}, 1, 8, batch_first=True)",
            f"nn.GRU({last}, {width}, batch_first=True)",
            f"nn.LSTM({last}, {width}, 2, bidirectional=True, batch_first=True)",
            f"nn.MultiheadAttention({last}, 1, batch_first=True)",
        ]
    if len(shape) == 4:
        found += [
            f"nn.Conv2d({channels}, {width}, 3, padding=(1, 2), padding_mode='replicate')",
            f"nn.Conv2d({channels}, {channels}, 3, padding=1, groups={channels}, bias=False)",
            f"nn.Sequential(nn.Conv2d({channels}, {width}, 1), nn.BatchNorm2d({width}), nn.ReLU6(True))",
            f"nn.InstanceNorm2d({channels})",
            f"nn.PReLU({channels})",
            "nn.AdaptiveAvgPool2d((1, None))",
        ]
    return found
