"""Joining and dividing tensors in PyTorch."""

from __future__ import annotations

from ....ops.axes import normalize_axis
from ....ops.joining import Chunk, Concat, Split, Stack
from ..code import Code, Ref, TupleCode, call, lit, method
from ..table import TorchSite, function


def _inputs(site: TorchSite) -> Code:
    return TupleCode(tuple(Ref(i) for i in range(len(site.given))))


@function(Concat)
def concat(op: Concat, site: TorchSite) -> Code:
    return call("torch.cat", _inputs(site), dim=op.axis)


@function(Stack)
def stack(op: Stack, site: TorchSite) -> Code:
    return call("torch.stack", _inputs(site), dim=op.axis)


def _is_whole(op: Split | Chunk, site: TorchSite) -> bool:
    """Whether there is but one piece, which is the tensor."""
    return len(op.pieces(normalize_axis(op.name, op.axis, site.given[0]), site.given)) == 1


@function(Split)
def split(op: Split, site: TorchSite) -> Code:
    if _is_whole(op, site):
        return Ref(0)
    sizes = op.sizes
    code = TupleCode(tuple(lit(size, "size") for size in sizes)) if isinstance(sizes, tuple) else lit(sizes, "size")
    return method(Ref(0), "split", code, dim=op.axis)


@function(Chunk)
def chunk(op: Chunk, site: TorchSite) -> Code:
    if _is_whole(op, site):
        return Ref(0)
    return method(Ref(0), "chunk", lit(op.n, "chunks"), dim=op.axis)
