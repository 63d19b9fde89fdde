"""Writes joining and dividing of tensors in PyTorch: `torch.cat((x, y), dim=1)`."""

from __future__ import annotations

from ....ops.axes import normalize_axis
from ....ops.joining import Chunk, Concat, Split, Stack
from ...python.code.python_expressions import Code, TupleCode, call_function, call_method, to_code
from ..torch_emitters import TorchSite, function


@function(Concat, target="torch.cat")
def emit_concat(op: Concat, site: TorchSite) -> Code:
    return call_function("torch.cat", TupleCode(site.inputs), dim=op.axis)


@function(Stack, target="torch.stack")
def emit_stack(op: Stack, site: TorchSite) -> Code:
    return call_function("torch.stack", TupleCode(site.inputs), dim=op.axis)


def _is_whole(op: Split | Chunk, site: TorchSite) -> bool:
    """Whether there is only one piece, which is the tensor itself."""
    return len(op.piece_sizes(normalize_axis(op.name, op.axis, site.given.x), site.given)) == 1


@function(Split, target="torch.split")
def emit_split(op: Split, site: TorchSite) -> Code:
    # The step expects a tensor, and `split` gives a tuple even of one.
    if _is_whole(op, site):
        return site.x
    sizes = op.sizes
    code = TupleCode(tuple(to_code(size, "size") for size in sizes)) if isinstance(sizes, tuple) else to_code(sizes, "size")
    return call_method(site.x, "split", code, dim=op.axis)


@function(Chunk, target="torch.chunk")
def emit_chunk(op: Chunk, site: TorchSite) -> Code:
    if _is_whole(op, site):
        return site.x
    return call_method(site.x, "chunk", to_code(op.n, "chunks"), dim=op.axis)
