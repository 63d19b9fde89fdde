"""The U-Net of denoising diffusion, written from the paper (Ho et al., 2020, appendix B) with the names of diffusers."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class Resnet(nn.Module):
    def __init__(self, before: int, after: int, time: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, before, eps=1e-6)
        self.conv1 = nn.Conv2d(before, after, 3, padding=1)
        self.time_emb_proj = nn.Linear(time, after)
        self.norm2 = nn.GroupNorm(groups, after, eps=1e-6)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(before, after, 1) if before != after else None

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        h = h + self.time_emb_proj(F.silu(time))[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (x if self.conv_shortcut is None else self.conv_shortcut(x))


class Attention(nn.Module):
    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.group_norm = nn.GroupNorm(groups, width, eps=1e-6)
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x: Tensor) -> Tensor:
        pixels = self.group_norm(x).flatten(2).mT
        q, k, v = self.to_q(pixels), self.to_k(pixels), self.to_v(pixels)
        weights = (torch.bmm(q, k.mT) / math.sqrt(q.shape[-1])).softmax(dim=-1)
        return x + self.to_out[0](torch.bmm(weights, v)).mT.reshape(x.shape)


class Resampling(nn.Module):
    def __init__(self, width: int, up: bool) -> None:
        super().__init__()
        self.up = up
        self.conv = nn.Conv2d(width, width, 3, padding=1) if up else nn.Conv2d(width, width, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest") if self.up else F.pad(x, (0, 1, 0, 1)))


class Level(nn.Module):
    """`channels`: the input channels of the residual blocks. `samplers`: the name of the list with the layer that resamples at the end."""

    def __init__(self, channels: Sequence[int], width: int, time: int, groups: int, attends: bool, samplers: str = "") -> None:
        super().__init__()
        self.resnets = nn.ModuleList(Resnet(before, width, time, groups) for before in channels)
        self.attentions = nn.ModuleList(Attention(width, groups) for _ in channels) if attends else None
        self.samplers = samplers
        if samplers:
            setattr(self, samplers, nn.ModuleList([Resampling(width, samplers == "upsamplers")]))

    def step(self, i: int, x: Tensor, time: Tensor) -> Tensor:
        x = self.resnets[i](x, time)
        return x if self.attentions is None else self.attentions[i](x)

    def resample(self, x: Tensor) -> Tensor:
        return getattr(self, self.samplers)[0](x)


class UNet(nn.Module):
    def __init__(self, widths: Sequence[int], attention_levels: Container[int], depth: int = 2, groups: int = 32) -> None:
        super().__init__()
        time, last, deepest = 4 * widths[0], len(widths) - 1, widths[-1]
        self.width = widths[0]
        self.time_embedding = nn.Module()
        self.time_embedding.linear_1, self.time_embedding.linear_2 = nn.Linear(widths[0], time), nn.Linear(time, time)
        self.conv_in = nn.Conv2d(3, widths[0], 3, padding=1)
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        skips, now = [widths[0]], widths[0]
        for level, width in enumerate(widths):
            channels = [now, *[width] * (depth - 1)]
            self.down_blocks.append(Level(channels, width, time, groups, level in attention_levels, "downsamplers" if level < last else ""))
            skips += [width] * (depth + (level < last))
            now = width
        self.mid_block = Level([deepest, deepest], deepest, time, groups, False)
        self.mid_block.attentions = nn.ModuleList([Attention(deepest, groups)])
        for level in range(last, -1, -1):
            channels = [(now if i == 0 else widths[level]) + skips.pop() for i in range(depth + 1)]
            self.up_blocks.append(Level(channels, widths[level], time, groups, level in attention_levels, "upsamplers" if level else ""))
            now = widths[level]
        self.conv_norm_out = nn.GroupNorm(groups, now, eps=1e-6)
        self.conv_out = nn.Conv2d(now, 3, 3, padding=1)

    def forward(self, noisy: Tensor, step: Tensor) -> Tensor:
        time = self.time_embedding.linear_2(F.silu(self.time_embedding.linear_1(self.timestep_embedding(step))))
        h = self.conv_in(noisy)
        skips = [h]
        for level in self.down_blocks:
            for i in range(len(level.resnets)):
                h = level.step(i, h, time)
                skips.append(h)
            if level.samplers:
                h = level.resample(h)
                skips.append(h)
        middle = self.mid_block
        h = middle.resnets[1](middle.attentions[0](middle.resnets[0](h, time)), time)
        for level in self.up_blocks:
            for i in range(len(level.resnets)):
                h = level.step(i, torch.cat((h, skips.pop()), dim=1), time)
            if level.samplers:
                h = level.resample(h)
        return self.conv_out(F.silu(self.conv_norm_out(h)))

    def timestep_embedding(self, step: Tensor) -> Tensor:
        """The positional encoding of Vaswani et al. (2017), with the sines before the cosines, as in the paper's own implementation."""
        half = self.width // 2
        frequencies = torch.exp(-math.log(10000) / (half - 1) * torch.arange(half))
        angles = step[:, None].float() * frequencies
        return torch.cat((angles.sin(), angles.cos()), dim=1)
