"""Definitions that emitted source contains where PyTorch has no equivalent.

The text of a definition is copied to each emitted file that uses it; netc does not import this module. Always: a definition needs only
imports of an emitted file, its lines fit there, and two empty lines separate it from the next one.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class DropPath(nn.Module):
    """Stochastic depth: in training, each sample is zero with probability `p`, and the others are scaled up to keep
    the mean.

    x: [N, ...] -> [N, ...].
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        ones = x.new_ones(x.shape[0], *[1] * (x.dim() - 1))
        return x * F.dropout(ones, self.p)


def require_gradient(x: Tensor) -> Tensor:
    """The tensor as one by which can be differentiated."""
    return x if x.requires_grad else x.detach().requires_grad_()


def differentiate(y: Tensor, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The gradients of the sum of a tensor that is itself a gradient. They are zero where it is constant, as the slope
    of a linear function is."""
    if not y.requires_grad:
        return tuple(torch.zeros_like(x) for x in tensors)
    return torch.autograd.grad(y.sum(), tensors, create_graph=True, materialize_grads=True)


def with_gradients(method: Callable[..., Tensor]) -> Callable[..., Tensor | tuple[Tensor, ...]]:
    """Let a method compute gradients within `torch.no_grad()`, too. Its results then have none."""

    @wraps(method)
    def compute(*arguments: Tensor) -> Tensor | tuple[Tensor, ...]:
        if torch.is_grad_enabled():
            return method(*arguments)
        with torch.enable_grad():
            results = method(*arguments)
        return results.detach() if isinstance(results, Tensor) else tuple(result.detach() for result in results)

    return compute


def unpacked(values: str, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A constant whose bytes are the text, compressed."""
    content = zlib.decompress(base64.b64decode(values))
    return torch.frombuffer(bytearray(content), dtype=dtype).reshape(shape)


class RotaryEmbedding(nn.Module):
    """The cosines and sines of rotary position embedding: the angle of the i-th pair of features grows by
    `base ** (-2 i / dims)` from one position to the next. They are computed in float32 and given as `dtype`.

    positions: [..., T] -> two tensors [..., T, dims/2].
    """

    inv_freq: Tensor

    def __init__(self, dims: int, base: float) -> None:
        super().__init__()
        self.dims = dims
        self.base = base
        self.register_buffer("inv_freq", torch.empty(dims // 2), persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        # In float64 and on the CPU: the last bit of a power in float32 depends on the processor,
        # and at large positions it shows.
        steps = torch.arange(0, self.dims, 2, dtype=torch.float64, device="cpu")
        inv_freq = 1 / self.base ** (steps / self.dims)
        self.inv_freq = inv_freq.to(self.inv_freq.device, torch.float32)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        # What converts the model must not round the frequencies.
        super()._apply(fn, recurse)
        self.reset_parameters()
        return self

    def forward(self, positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        angles = positions[..., None] * self.inv_freq
        return angles.cos().to(dtype), angles.sin().to(dtype)


def apply_rotary(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotates the pairs of features i and i + D/2 by the angles with these cosines and sines.

    x: [..., T, D], cos: [..., T, D/2], sin: [..., T, D/2] -> [..., T, D].
    """
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def apply_rotary_interleaved(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotates the pairs of features 2 i and 2 i + 1 by the angles with these cosines and sines.

    x: [..., T, D], cos: [..., T, D/2], sin: [..., T, D/2] -> [..., T, D].
    """
    first, second = x[..., ::2], x[..., 1::2]
    pairs = torch.stack((first * cos - second * sin, second * cos + first * sin), dim=-1)
    return pairs.flatten(-2)


class Constant(nn.Module):
    """A tensor that keeps its type: what converts the model moves it to another device, but does not round it. The
    state dict does not have it.
    """

    value: Tensor

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.register_buffer("value", value, persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        value = self.value
        super()._apply(fn, recurse)
        if self.value.dtype != value.dtype:
            self.value = value.to(self.value.device)
        return self


def sample_linear(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The values of images between their pixels, by linear interpolation; outside they are 0.

    x: [N, C, H, W], rows: [N, P], columns: [N, P] -> [N, C, P].
    """
    height, width = x.shape[-2:]
    total = x.new_zeros(*x.shape[:2], rows.shape[1])
    for i in (0, 1):
        for j in (0, 1):
            row, column = rows.floor() + i, columns.floor() + j
            weight = (1 - (rows - row).abs()) * (1 - (columns - column).abs())
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


class Standardize(nn.Module):
    """Subtracts the mean of each feature and divides by its deviation. Both are measured on the training data.

    x: [N, ...], with the features along `axis`, or without `features` [N] -> the same shape.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, features: int | None = None, axis: int = 1, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        self.axis = axis
        shape = [] if features is None else [features]
        self.register_buffer("mean", torch.zeros(shape, dtype=dtype))
        self.register_buffer("std", torch.ones(shape, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        sizes = [-1] + [1] * (x.dim() - 1 - self.axis)
        return (x - self.mean.reshape(sizes)) / self.std.reshape(sizes)


class SpectralNormalize(nn.Module):
    """Divides a weight by its greatest singular value, as two vectors estimate it. Each call in training improves the
    vectors.

    weight: [..., rows, ...], with the rows along `axis` -> the same shape.
    """

    _u: Tensor
    _v: Tensor

    def __init__(
        self,
        rows: int,
        columns: int,
        axis: int = 0,
        n_power_iterations: int = 1,
        eps: float = 1e-12,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.axis, self.n_power_iterations, self.eps = axis, n_power_iterations, eps
        self.register_buffer("_u", torch.empty(rows, dtype=dtype))
        self.register_buffer("_v", torch.empty(columns, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        for vector in (self._u, self._v):
            nn.init.normal_(vector, std=len(vector) ** -0.5)

    def start(self, weight: Tensor) -> None:
        """Gives the vectors reasonable values for a new weight."""
        self.improve(self.matrix(weight), 15)

    def matrix(self, weight: Tensor) -> Tensor:
        return weight.movedim(self.axis, 0).flatten(1)

    @torch.no_grad()
    def improve(self, matrix: Tensor, steps: int) -> None:
        """Power iteration."""
        for _ in range(steps):
            self._u.copy_(F.normalize(matrix @ self._v, dim=0, eps=self.eps))
            self._v.copy_(F.normalize(matrix.T @ self._u, dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        matrix = self.matrix(weight)
        if self.training:
            self.improve(matrix, self.n_power_iterations)
        # Later calls change the vectors before gradients are computed.
        u, v = self._u.clone(), self._v.clone()
        return weight / torch.dot(u, matrix @ v)


def grouped_linear(x: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """Multiplies each row by the matrix of its group.

    x: [..., features], index: [...], weight: [groups, units, features] -> [..., units].
    """
    y = x.new_zeros(*x.shape[:-1], weight.shape[1])
    for group, matrix in enumerate(weight):
        rows = index == group
        y[rows] = F.linear(x[rows], matrix).to(y.dtype)
    return y


def assign_columns(cost: Tensor) -> Tensor:
    """The column of each row in the assignment of the least total cost, or -1. An infinite cost forbids a pair.

    cost: [..., R, C] -> [..., R].
    """
    if cost.isnan().any() or cost.isneginf().any():
        raise ValueError("costs of an assignment must be numbers or inf, and there is NaN or -inf")
    tables = cost.detach().to("cpu", torch.float64).reshape(cost.shape[:-2].numel(), *cost.shape[-2:])
    columns = torch.full((len(tables), cost.shape[-2]), -1)
    for table, result in zip(tables, columns, strict=True):
        # Rows and columns without a pair, such as padding, do not take part.
        possible = table.isfinite()
        row, column = possible.any(1).nonzero()[:, 0], possible.any(0).nonzero()[:, 0]
        part, allowed = table[row][:, column], possible[row][:, column]
        if not allowed.all():
            # Costs from 0 to 1, and more for one forbidden pair than for all others together.
            low, high = part[allowed].aminmax()
            scaled = (part - low) / (high - low if high > low else 1)
            part = scaled.masked_fill(~allowed, len(row) + 1)
        i, j = (torch.from_numpy(index) for index in linear_sum_assignment(part.numpy()))
        kept = allowed[i, j]
        result[row[i[kept]]] = column[j[kept]]
    return columns.to(cost.device).reshape(cost.shape[:-1])


def score_labels(rows: Tensor, labels: Tensor, linear: Any, bias: Any, weight: Any, options: dict[str, Any]) -> Tensor:
    """The cross entropy of each row: [M, D], [M] -> [M]."""
    return F.cross_entropy(F.linear(rows, linear, bias), labels, weight, reduction="none", **options)


class ScoreSum(torch.autograd.Function):
    """The sum of `score_labels`, of `size` rows at a time. Its gradients are computed with it, so that no scores are
    kept.
    """

    @staticmethod
    def forward(ctx: Any, size: int, options: Any, labels: Tensor, weight: Any, rows: Tensor, *linear: Any) -> Tensor:
        held = [None if t is None else t.detach().requires_grad_(t.requires_grad) for t in linear]
        trained = [t for t in held if t is not None and t.requires_grad]
        grads, row_grads = [torch.zeros_like(t) for t in trained], []
        total = rows.new_zeros((), dtype=torch.promote_types(rows.dtype, torch.float32))
        for part, part_labels in zip(rows.split(size), labels.split(size), strict=True):
            part = part.detach().requires_grad_()
            with torch.enable_grad():
                loss = score_labels(part, part_labels, held[0], held[1], weight, options).sum(dtype=total.dtype)
            row_grad, *part_grads = torch.autograd.grad(loss, (part, *trained))
            row_grads.append(row_grad)
            for grad, part_grad in zip(grads, part_grads, strict=True):
                grad += part_grad
            total += loss.detach()
        if rows.requires_grad:
            grads.insert(0, torch.cat(row_grads))
        ctx.options = options
        ctx.save_for_backward(labels, weight, rows, *linear, *grads)
        return total

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        labels, weight, rows, linear, bias, *grads = ctx.saved_tensors
        needed = [t is not None and t.requires_grad for t in (rows, linear, bias)]
        if torch.is_grad_enabled():  # for the derivative of a gradient, which needs all scores
            total = score_labels(rows, labels, linear, bias, weight, ctx.options).sum(dtype=upstream.dtype)
            trained = [t for t, used in zip((rows, linear, bias), needed, strict=True) if used]
            grads = list(torch.autograd.grad(total, trained, upstream, create_graph=True))
        else:
            grads = [grad * upstream.to(grad.dtype) for grad in grads]
        return None, None, None, None, *(grads.pop(0) if used else None for used in needed)


def linear_cross_entropy(
    x: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """The cross entropy of the scores `F.linear(x, linear_weight, linear_bias)`. The scores of 256 rows are in memory
    at a time, or as many numbers as `x` has.

    x: [..., D], linear_weight: [C, D], target: [...] -> [] or, with `reduction="none"`, [...].
    """
    rows, labels = x.reshape(-1, x.shape[-1]), target.reshape(-1)
    size = max(256, x.numel() // len(linear_weight))
    options = {"ignore_index": ignore_index, "label_smoothing": label_smoothing}
    if reduction == "none" or not torch.is_grad_enabled():
        rest = linear_weight, linear_bias, weight, options
        parts = zip(rows.split(size), labels.split(size), strict=True)
        losses = torch.cat([checkpoint(score_labels, *part, *rest, use_reentrant=False) for part in parts])
        if reduction == "none":
            return losses.reshape(target.shape)
        total = losses.sum(dtype=torch.promote_types(losses.dtype, torch.float32))
    else:
        total = ScoreSum.apply(size, options, labels, weight, rows, linear_weight, linear_bias)
    if reduction == "mean":
        kept = labels != ignore_index
        total = total / (kept.sum() if weight is None else weight[labels[kept]].sum())
    is_cast = torch.is_autocast_enabled(x.device.type)
    return total.to(torch.float32 if is_cast else x.dtype)
