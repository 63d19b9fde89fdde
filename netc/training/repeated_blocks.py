"""The blocks of a module that repeat: where FSDP gathers parameters, and where activations are recomputed.

In: a module. Out: modules inside it, none within another, in order. Always: they are members of a list or sequence with at least one other
of the same class, and have parameters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from torch import nn


def find_repeated_blocks(module: nn.Module) -> list[nn.Module]:
    """The outermost blocks that repeat."""
    return list(_iterate_blocks(module))


def _iterate_blocks(module: nn.Module) -> Iterator[nn.Module]:
    members = list(module.children())
    counts = Counter(_block_kind(m) for m in members) if isinstance(module, (nn.ModuleList, nn.Sequential)) else Counter()
    for member in members:
        if counts[_block_kind(member)] > 1 and any(True for _ in member.parameters()):
            yield member
        else:
            yield from _iterate_blocks(member)


def _block_kind(module: nn.Module) -> object:
    """Blocks of the spec are alike if they have one class; PyTorch's own modules if they have the same parameters too."""
    if not type(module).__module__.startswith("torch."):
        return type(module)
    return type(module), tuple((name, tuple(p.shape)) for name, p in module.named_parameters())
