"""Gives PyTorch modules other weights.

In: a module, and arrays by the keys of its state dict. A complex tensor has an array of pairs on a last axis of 2, its parts.
Always: a module has its own weights again after `exchange_weights`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from netc.compiler.backends.torch.live.module import to_tensor as torch_tensor
from netc.compiler.frontends.torch.node_targets import to_real_parts

from .float64_reference import Float64Converter

if TYPE_CHECKING:
    import torch

    from netc.compiler.types.numpy_types import Array


def list_state_tensors(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the tensors of a module's state dict, complex ones as pairs in the same memory.

    `get_extra_state` and hooks of state dicts add values of other types, such as the arguments of `__init__`.
    """
    import torch

    return {key: to_real_parts(value) for key, value in module.state_dict().items() if isinstance(value, torch.Tensor)}


@contextmanager
def exchange_weights(module: torch.nn.Module, weights: Mapping[str, Array]) -> Iterator[None]:
    """Give a module other weights within the context.

    Parameters change places with the arrays, so that large models are in memory twice and not four times. Buffers are copied, because the
    module may change them while it runs.
    """
    names = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    places: list[tuple[torch.Tensor, torch.Tensor]] = []
    kept: list[tuple[torch.Tensor, torch.Tensor]] = []
    seen: set[int] = set()

    def exchange(one: torch.Tensor, other: torch.Tensor) -> None:
        before = one.clone()
        one.copy_(other)
        other.copy_(before)

    try:
        for key, target in list_state_tensors(module).items():
            if key not in weights:
                continue
            array = weights[key]
            replacement = torch_tensor(array)
            # Only an array that torch can share without a copy can change places with a parameter.
            is_own = array.flags.writeable and array.flags.c_contiguous and replacement.dtype == target.dtype
            alone = target.numel() and target.data_ptr() not in seen and replacement.data_ptr() not in seen
            if key in names and is_own and alone and replacement.data_ptr() != target.data_ptr():
                exchange(target, replacement)
                places.append((target, replacement))
                seen.update((target.data_ptr(), replacement.data_ptr()))
            elif target.data_ptr() not in seen:
                kept.append((target, target.clone()))
                target.copy_(replacement)
        yield
    finally:
        for target, before in reversed(kept):
            target.copy_(before)
        for target, replacement in reversed(places):
            exchange(target, replacement)


def fill_weights(module: torch.nn.Module, values: Mapping[str, Array]) -> None:
    """Set the tensors of a module one after the other, so that only one is in memory twice. `load_state_dict` would also convert old
    checkpoints, which these are not."""
    for key, target in list_state_tensors(module).items():
        if key in values:
            target.copy_(torch_tensor(values[key]))


class PerturbedWeights(Mapping[str, "Array"]):
    """Weights whose numbers are half a digit of float32 off. Each is computed when it is read, because float64 takes twice the memory."""

    def __init__(self, weights: Mapping[str, Array], seed: int) -> None:
        self.weights, self.converter = weights, Float64Converter(seed)

    def __getitem__(self, key: str) -> Array:
        return self.converter.convert_array(self.weights[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self.weights)

    def __len__(self) -> int:
        return len(self.weights)
