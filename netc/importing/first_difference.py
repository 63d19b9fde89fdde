"""Where a spec that is not the model begins to differ.

In: the calls of modules within the original and within the module that was made of the spec. Out: a sentence on the first one, in the order
of the original, whose results differ. Always: calls are matched by the paths of modules, which are those of the keys.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from netc.compiler.types.numpy_types import to_array
from netc.dsl.record import Record

from .array_difference import LIMIT, difference

if TYPE_CHECKING:
    import torch

    from netc.compiler.types.numpy_types import Array


class Call(Record):
    """One call of a module: its path, and the arrays that it was given and that it made. `number`: of the calls of this module."""

    path: str
    number: int
    given: Sequence[Array]
    made: Sequence[Array]


def calls_of(module: torch.nn.Module, run: Callable[[], Any]) -> list[Call]:
    """The calls of the modules inside while `run` runs, in the order in which they end."""
    found: list[Call] = []
    counts: dict[str, int] = {}

    def noting(path: str) -> Any:
        def note(_: Any, args: Any, kwargs: Any, made: Any) -> None:
            counts[path] = counts.get(path, -1) + 1
            found.append(Call(path, counts[path], _arrays((args, kwargs)), _arrays(made)))

        return note

    hooks = [inner.register_forward_hook(noting(path), with_kwargs=True) for path, inner in module.named_modules() if path]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _arrays(values: Any) -> list[Array]:
    """Copies, since what follows may change them in place."""
    return [to_array(tensor.detach().clone()) for tensor in tensors_in(values)]


def tensors_in(made: Any) -> list[Any]:
    from torch import Tensor
    from torch.utils._pytree import tree_leaves

    return [leaf for leaf in tree_leaves(made) if isinstance(leaf, Tensor)]


def first_difference(original: Sequence[Call], own: Sequence[Call]) -> str:
    """Where the results differ first; empty if no call can be compared."""
    known = {(call.path, call.number): call for call in own}
    before = ""
    for call in original:
        other = known.get((call.path, call.number))
        if other is None or not _comparable(call.made, other.made):
            continue
        if _same(call.made, other.made):
            before = call.path
        elif _comparable(call.given, other.given) and _same(call.given, other.given):
            return f"the first stage that differs is `{call.path}`"
        else:
            return f"what `{call.path}` is given differs first" + (f", after `{before}`" if before else "")
    return f"it differs after `{before}`" if before else ""


def _comparable(some: Sequence[Array], others: Sequence[Array]) -> bool:
    return len(some) == len(others) and all(a.shape == b.shape for a, b in zip(some, others, strict=True))


def _same(some: Sequence[Array], others: Sequence[Array]) -> bool:
    return all(difference(a, b) <= LIMIT for a, b in zip(some, others, strict=True))
