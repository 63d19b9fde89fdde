"""Samples at positions between elements: definitions for the files of PyTorch."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


def sample_linear(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The values of images between their pixels, by linear interpolation; outside they are 0.

    x: [N, C, H, W], rows: [N, P], columns: [N, P] -> [N, C, P].
    """
    height, width = x.shape[-2:]
    total = x.new_zeros(*x.shape[:2], rows.shape[1])
    # At a pixel, the gradient of a position is the difference to the next one, as in torchvision.
    down, right = rows - rows.floor(), columns - columns.floor()
    for i in (0, 1):
        for j in (0, 1):
            row, column = rows.floor() + i, columns.floor() + j
            weight = (down if i else 1 - down) * (right if j else 1 - right)
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            index = torch.where(inside, row.long() * width + column.long(), 0)
            values = x.flatten(2).gather(2, index[:, None].expand(*total.shape))
            total = total + torch.where(inside[:, None], weight[:, None] * values, 0)
    return total


class DeformConv(nn.Module):
    """A convolution whose taps are moved by offsets, and weighted by a mask if there is one.

    x: [N, C, H, W], offset: [N, 2 * G * taps, h, w], mask: [N, G * taps, h, w] -> [N, D, h, w].
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, int],
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int] = (0, 0),
        dilation: tuple[int, int] = (1, 1),
        groups: int = 1,
        bias: bool = True,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, stride
        self.padding, self.dilation, self.groups = padding, dilation, groups
        shape = (out_channels, in_channels // groups, *kernel_size)
        self.weight = nn.Parameter(torch.empty(shape, dtype=dtype))
        self.bias = nn.Parameter(torch.empty(out_channels, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        bound = self.weight[0].numel() ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            nn.init.uniform_(self.bias, -bound, bound)

    def positions(self, offset: Tensor, axis: int) -> Tensor:
        """Where the taps are along one axis of the image: [N, G, taps, h, w]."""
        taps = torch.arange(self.kernel_size[axis], device=offset.device) * self.dilation[axis]
        steps = torch.arange(offset.shape[2 + axis], device=offset.device) * self.stride[axis]
        rows, columns = self.kernel_size
        taps = taps.repeat(rows) if axis else taps.repeat_interleave(columns)
        start = taps[:, None, None] + (steps if axis else steps[:, None]) - self.padding[axis]
        moved: Tensor = offset.unflatten(1, (-1, rows * columns, 2))[:, :, :, axis] + start
        return moved

    def forward(self, x: Tensor, offset: Tensor, mask: Tensor | None = None) -> Tensor:
        rows, columns = self.positions(offset, 0), self.positions(offset, 1)
        n, g, taps, height, width = rows.shape
        images = x.unflatten(1, (g, -1)).flatten(0, 1)
        values = sample_linear(images, rows.reshape(n * g, -1), columns.reshape(n * g, -1))
        values = values.view(n, g, -1, taps, height * width)
        if mask is not None:
            values = values * mask.reshape(n, g, 1, taps, height * width)
        values = values.reshape(n, self.groups, -1, height * width)
        weight = self.weight.reshape(self.groups, len(self.weight) // self.groups, -1)
        y: Tensor = torch.matmul(weight, values).reshape(n, -1, height, width)
        if self.bias is not None:
            y = y + self.bias[:, None, None]
        return y


def roi_align(
    x: Tensor,
    boxes: Tensor,
    size: tuple[int, int],
    scale: float,
    points: int,
    aligned: bool,
) -> Tensor:
    """Boxes of images as small images of one size, each element the mean of some points: `points` along each axis,
    or without any, one for each pixel begun.

    x: [N, C, H, W], boxes: [K, 5], with the number of an image first -> [K, C, *size].
    """
    height, width = x.shape[-2:]
    left, upper, right, lower = (boxes[:, 1:] * scale - (0.5 if aligned else 0.0)).unbind(1)
    ends = ((upper, lower, size[0], height), (left, right, size[1], width))
    places, inside, used, counts = [], [], [], []
    for start, end, bins, limit in ends:
        length = end - start if aligned else (end - start).clamp(min=1)
        count = torch.full_like(length, points) if points > 0 else (length / bins).ceil()
        most = points if points > 0 else int(F.pad(count, (0, 1), value=1).max())
        point = torch.arange(most, device=x.device).to(x.dtype)
        step = torch.arange(bins, device=x.device).to(x.dtype)[:, None]
        step = step + ((point + 0.5) / count.clamp(min=1)[:, None])[:, None, :]
        place = (start[:, None, None] + step * (length / bins)[:, None, None]).flatten(1)
        inside.append((place >= -1) & (place <= limit))
        used.append((point < count[:, None])[:, None, :].expand(-1, bins, -1).flatten(1))
        places.append(place.clamp(0, limit - 1))
        counts.append(count)
    rows = places[0][:, :, None].expand(-1, -1, places[1].shape[1])
    columns = places[1][:, None, :].expand(-1, places[0].shape[1], -1)
    within = inside[0][:, :, None] & inside[1][:, None, :]
    pixels = x.permute(0, 2, 3, 1).flatten(0, 2)
    first = boxes[:, 0].long()[:, None, None] * (height * width)
    total = x.new_zeros(*rows.shape, x.shape[1])
    for i in (0, 1):
        for j in (0, 1):
            row, column = rows.floor() + i, columns.floor() + j
            weight = (1 - (rows - row).abs()) * (1 - (columns - column).abs())
            place = row.long().clamp(max=height - 1) * width + column.long().clamp(max=width - 1)
            index = first + torch.where(within, place, 0)
            total = total + torch.where(within, weight, 0)[..., None] * pixels[index]
    total = torch.where((used[0][:, :, None] & used[1][:, None, :])[..., None], total, 0)
    bins = total.unflatten(2, (size[1], -1)).unflatten(1, (size[0], -1))
    means: Tensor = bins.sum((2, 4)) / (counts[0] * counts[1]).clamp(min=1)[:, None, None, None]
    return means.permute(0, 3, 1, 2)
