"""Deep layer aggregation, written down from the paper (arXiv:1707.06484), with the names and the initialization of timm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn


def conv_norm(before: int, width: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(before, width, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(width)]


class Layer(nn.Module):
    """Convolutions of these widths and kernels, the one at `strided` with the stride and the groups, and a residual connection."""

    def __init__(self, before: int, widths: Sequence[int], kernels: Sequence[int], strided: int, stride: int, groups: int = 1) -> None:
        super().__init__()
        self.depth = len(widths)
        for i, (width, kernel) in enumerate(zip(widths, kernels, strict=True)):
            own = (stride, groups) if i == strided else (1, 1)
            conv, norm = conv_norm(before, width, kernel, *own)
            self.add_module(f"conv{i + 1}", conv)
            self.add_module(f"bn{i + 1}", norm)
            before = width

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        for i in range(1, self.depth + 1):
            x = self.get_submodule(f"bn{i}")(self.get_submodule(f"conv{i}")(x))
            x = (x + skip if i == self.depth else x).relu()
        return x


Make = Callable[[int, int, int], Layer]
"""A layer by the channels of its input, of its output, and its stride."""


def basic(before: int, width: int, stride: int) -> Layer:
    return Layer(before, (width, width), (3, 3), 0, stride)


def bottleneck(groups: int = 1, base: int = 64) -> Make:
    def make(before: int, width: int, stride: int) -> Layer:
        inner = width * base // 64 * groups // 2
        return Layer(before, (inner, inner, width), (1, 3, 1), 1, stride, groups)

    return make


class Root(nn.Module):
    def __init__(self, before: int, width: int, residual: bool) -> None:
        super().__init__()
        self.conv, self.bn = conv_norm(before, width, 1)
        self.residual = residual

    def forward(self, *found: Tensor) -> Tensor:
        x = self.bn(self.conv(torch.cat(found, 1)))
        return (x + found[0] if self.residual else x).relu()


class Tree(nn.Module):
    """`extra` is the number of channels that the root aggregates in addition to the channels of its own two layers."""

    def __init__(
        self, make: Make, depth: int, before: int, width: int, stride: int = 1, enters: bool = False, extra: int = 0, residual: bool = False
    ) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(stride)
        self.enters, self.is_leaf = enters, depth == 1
        extra += before if enters else 0
        if depth > 1:
            self.tree1 = Tree(make, depth - 1, before, width, stride, residual=residual)
            self.tree2 = Tree(make, depth - 1, width, width, extra=extra + width, residual=residual)
            return
        self.tree1 = make(before, width, stride)
        self.tree2 = make(width, width, 1)
        self.project = nn.Sequential(*conv_norm(before, width, 1)) if before != width else nn.Identity()
        self.root = Root(2 * width + extra, width, residual)

    def forward(self, x: Tensor, *found: Tensor) -> Tensor:
        below = self.pool(x)
        found = (*found, below) if self.enters else found
        if self.is_leaf:
            first = self.tree1(x, self.project(below))
            return self.root(self.tree2(first, first), first, *found)
        first = self.tree1(x)
        return self.tree2(first, *found, first)


class Sizes(NamedTuple):
    make: Make
    depths: tuple[int, int, int, int]
    widths: tuple[int, ...]
    residual: bool = False


NARROW, WIDE = (16, 32, 64, 64, 128, 256), (16, 32, 128, 256, 512, 1024)
SIZES = {
    "dla34": Sizes(basic, (1, 2, 2, 1), (16, 32, 64, 128, 256, 512)),
    "dla46_c": Sizes(bottleneck(), (1, 2, 2, 1), NARROW),
    "dla46x_c": Sizes(bottleneck(32, 4), (1, 2, 2, 1), NARROW),
    "dla60x_c": Sizes(bottleneck(32, 4), (1, 2, 3, 1), NARROW),
    "dla60": Sizes(bottleneck(), (1, 2, 3, 1), WIDE),
    "dla60x": Sizes(bottleneck(32, 4), (1, 2, 3, 1), WIDE),
    "dla102": Sizes(bottleneck(), (1, 3, 4, 1), WIDE, True),
    "dla102x": Sizes(bottleneck(32, 4), (1, 3, 4, 1), WIDE, True),
    "dla102x2": Sizes(bottleneck(64, 4), (1, 3, 4, 1), WIDE, True),
    "dla169": Sizes(bottleneck(), (2, 3, 5, 1), WIDE, True),
}


class DLA(nn.Module):
    def __init__(self, sizes: Sizes, classes: int = 1000) -> None:
        super().__init__()
        make, depths, widths, residual = sizes
        self.base_layer = nn.Sequential(*conv_norm(3, widths[0], 7), nn.ReLU())
        self.level0 = nn.Sequential(*conv_norm(widths[0], widths[0], 3), nn.ReLU())
        self.level1 = nn.Sequential(*conv_norm(widths[0], widths[1], 3, 2), nn.ReLU())
        for i, depth in enumerate(depths, start=2):
            self.add_module(f"level{i}", Tree(make, depth, widths[i - 1], widths[i], 2, i > 2, residual=residual))
        self.fc = nn.Conv2d(widths[-1], classes, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fan_out = module.out_channels * module.kernel_size[0] ** 2
                nn.init.normal_(module.weight, std=(2 / fan_out) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        for name in ("base_layer", *(f"level{i}" for i in range(6))):
            x = self.get_submodule(name)(x)
        return self.fc(x.mean((2, 3), keepdim=True)).flatten(1)
