"""The same elements in other shapes, parts of tensors, several joined, padding, indices."""

from __future__ import annotations

import torch
from einops import rearrange
from torch.nn import functional as F  # noqa: N812

from tests.differential.references.call import Call


def scattered(a: Call, x: torch.Tensor, index: torch.Tensor, *src: torch.Tensor) -> torch.Tensor:
    """`reduce` of a tensor is deprecated in `scatter`, and PyTorch has methods in its place."""
    values = (*src, *(() if a.value is None else (a.value,)))
    if a.reduce is None or a.value is not None:
        return x.scatter(a.axis, index, *values, **({"reduce": a.reduce} if a.reduce else {}))
    if a.reduce == "add":
        return x.scatter_add(a.axis, index, *values)
    return x.scatter_reduce(a.axis, index, *values, reduce="prod")


FUNCTIONS = {
    "cast": lambda a, x: x.to(a.dtype),
    "expand": lambda a, x: x.expand(a.shape),
    "flatten": lambda a, x: torch.flatten(x, a.start, a.end),
    "permute": lambda a, x: torch.permute(x, a.axes),
    "reshape": lambda a, x: torch.reshape(x, a.shape),
    "squeeze": lambda a, x: torch.squeeze(x) if a.axis is None else torch.squeeze(x, a.axis),
    "transpose": lambda a, x: torch.transpose(x, a.a, a.b),
    "unflatten": lambda a, x: torch.unflatten(x, a.axis, a.sizes),
    "unsqueeze": lambda a, x: torch.unsqueeze(x, a.axis),
    # PyTorch's own reading of such patterns.
    "rearrange": lambda a, x: rearrange(x, a.pattern, **dict(a.sizes)),
    # parts and more
    "flip": lambda a, x: torch.flip(x, a.axis),
    "pad": lambda a, x: F.pad(x, a.padding, a.mode, a.value if a.mode == "constant" else None),
    "repeat_interleave": lambda a, x: torch.repeat_interleave(x, a.repeats, a.axis),
    "roll": lambda a, x: torch.roll(x, a.shifts, a.axis or ()),
    "select": lambda a, x: torch.select(x, a.axis, a.index),
    # `x[:, start:stop:step]` for an axis that is not fixed in the text.
    "slice": lambda a, x: x.movedim(a.axis, 0)[a.start : a.stop : a.step].movedim(0, a.axis),
    "tile": lambda a, x: torch.tile(x, a.repeats),
    "chunk": lambda a, x: torch.chunk(x, a.n, a.axis),
    "concat": lambda a, *xs: torch.cat(xs, a.axis),
    "split": lambda a, x: torch.split(x, list(a.sizes) if isinstance(a.sizes, tuple) else a.sizes, a.axis),
    "stack": lambda a, *xs: torch.stack(xs, a.axis),
    # indices
    "gather": lambda a, x, index: torch.gather(x, a.axis, index),
    "index_select": lambda a, x, index: torch.index_select(x, a.axis, index),
    "masked_fill": lambda a, x, mask: x.masked_fill(mask, a.value),
    "one_hot": lambda a, indices: F.one_hot(indices, a.classes).to(a.dtype),
    "scatter": scattered,
    "scatter_reduce": lambda a, x, index, src: x.scatter_reduce(a.axis, index, src, a.reduce, include_self=a.include_self),
    "tril": lambda a, x: torch.tril(x, a.diagonal),
    "triu": lambda a, x: torch.triu(x, a.diagonal),
}
