"""Finds the first module whose results differ, if a spec is not the model that it was imported from.

In: the module calls of the original and of the module that the spec became. Out: a sentence about the first call, in the order of the
original, whose results differ: "the first stage that differs is `layers.0.norm`". Always: calls are matched by the paths of modules, which
the keys of the weights contain.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.ReLU())
    >>> calls = record_calls(model, lambda: model(torch.ones(1, 3)))
    >>> [call.path for call in calls]
    ['0', '1']
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from netc.compiler.types.numpy_types import to_array
from netc.dsl.record import Record

from .array_difference import LIMIT, measure_difference

if TYPE_CHECKING:
    import torch

    from netc.compiler.types.numpy_types import Array


class RecordedCall(Record):
    """One call of a module, with the arrays of its inputs and outputs. `number` counts the calls of one module from 0."""

    path: str
    number: int
    inputs: Sequence[Array]
    outputs: Sequence[Array]


def record_calls(module: torch.nn.Module, run: Callable[[], Any]) -> list[RecordedCall]:
    """Record the calls of the modules inside while `run` runs, in the order in which they end."""
    calls: list[RecordedCall] = []
    counts: dict[str, int] = {}

    def make_hook(path: str) -> Any:
        def record(_: Any, args: Any, kwargs: Any, results: Any) -> None:
            counts[path] = counts.get(path, -1) + 1
            calls.append(RecordedCall(path, counts[path], _copy_arrays((args, kwargs)), _copy_arrays(results)))

        return record

    hooks = [inner.register_forward_hook(make_hook(path), with_kwargs=True) for path, inner in module.named_modules() if path]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def _copy_arrays(values: Any) -> list[Array]:
    """Copy the tensors, because later operators may change them in place."""
    return [to_array(tensor.detach().clone()) for tensor in list_tensors(values)]


def list_tensors(tree: Any) -> list[Any]:
    from torch import Tensor
    from torch.utils._pytree import tree_leaves

    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def find_first_difference(original: Sequence[RecordedCall], imported: Sequence[RecordedCall]) -> str:
    """Describe the first call whose results differ. Empty if no call can be compared."""
    known = {(call.path, call.number): call for call in imported}
    before = ""
    for call in original:
        # A module that netc inlined has no call of its own.
        other = known.get((call.path, call.number))
        if other is None or not _are_comparable(call.outputs, other.outputs):
            continue
        if _are_equal(call.outputs, other.outputs):
            before = call.path
        elif _are_comparable(call.inputs, other.inputs) and _are_equal(call.inputs, other.inputs):
            return f"the first stage that differs is `{call.path}`"
        else:
            return f"what `{call.path}` is given differs first" + (f", after `{before}`" if before else "")
    return f"it differs after `{before}`" if before else ""


def _are_comparable(some: Sequence[Array], others: Sequence[Array]) -> bool:
    return len(some) == len(others) and all(a.shape == b.shape for a, b in zip(some, others, strict=True))


def _are_equal(some: Sequence[Array], others: Sequence[Array]) -> bool:
    return all(measure_difference(a, b) <= LIMIT for a, b in zip(some, others, strict=True))
