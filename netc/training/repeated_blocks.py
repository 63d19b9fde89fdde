"""Find the repeated blocks of a module, such as the layers of a transformer: FSDP gathers their parameters one by one, and activation
checkpointing recomputes each of them.

In: a module. Out: modules inside it in order, none within another. Always: a block has parameters, and is a member of a list or sequence
with another member of the same class.

    >>> layers = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])
    >>> find_repeated_blocks(nn.ModuleDict({"layers": layers, "head": nn.Linear(3, 1)}))
    [Linear(in_features=3, out_features=3, bias=True), Linear(in_features=3, out_features=3, bias=True)]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from torch import nn


def find_repeated_blocks(module: nn.Module) -> list[nn.Module]:
    """Find the outermost repeated blocks."""
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
    """Return a key that alike blocks share: the class of a block of the spec; for PyTorch's own modules, such as two linear layers, also
    the shapes of the parameters."""
    if not type(module).__module__.startswith("torch."):
        return type(module)
    return type(module), tuple((name, tuple(p.shape)) for name, p in module.named_parameters())
