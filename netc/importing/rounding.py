"""Adds the rounding errors of float32 to float64 computations, to measure their effect on the outputs of a model.

Moving the inputs and the weights alone is not enough: `layer_norm` of almost equal numbers amplifies the last digit of each, and `gelu`
loses digits of `1 + tanh(x)` inside. The method is Monte Carlo arithmetic (Stott Parker, 1997).

In: the float64 results of an operator. Out: the same numbers, each rounded to one of the two nearest float32 numbers, up or down at random.
Always: a number that float32 can hold stays as it is, so copies, maxima and integers are exact, as they are in float32.

    >>> rounded = round_at_random(np.full(100, 1 + 2**-40), np.random.default_rng(0))
    >>> {*rounded.tolist()} == {1.0, 1 + 2**-23}
    True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from torch._decomp import decomposition_table
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

if TYPE_CHECKING:
    from netc.compiler.types.numpy_types import Array


def round_at_random(array: Array, generator: np.random.Generator) -> Array:
    """Round each number of a float64 array up or down to float32, at random. Infinite numbers and those beyond float32 stay as they are."""
    with np.errstate(over="ignore"):
        nearest = array.astype(np.float32)
    beyond = np.nextafter(nearest, np.where(array > nearest, np.float32(np.inf), np.float32(-np.inf)))
    chosen = np.where(generator.integers(2, size=array.shape) == 0, nearest, beyond).astype(np.float64)
    return np.where((nearest == array) | ~np.isfinite(chosen), array, chosen)


class RandomRounding(TorchDispatchMode):  # type: ignore[no-untyped-call] # PyTorch annotates no part of a mode
    """A mode in which PyTorch rounds the results of all float64 operators at random. Composite operators such as `gelu` are computed step
    by step, and each step is rounded."""

    def __init__(self, seed: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._generator = np.random.default_rng(seed)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in decomposition_table:
            with self:
                result = decomposition_table[func](*args, **(kwargs or {}))
            if result is not NotImplemented:
                return result
        result = func(*args, **(kwargs or {}))
        if not func.is_view:  # a view shares the numbers of its input, which must not change
            for tensor in tree_iter(result):
                self._round_tensor(tensor)
        return result

    def _round_tensor(self, tensor: object) -> None:
        """Round in place, which keeps the memory layout that other code may depend on."""
        import torch

        if isinstance(tensor, torch.Tensor) and tensor.dtype == torch.float64:
            tensor.copy_(torch.from_numpy(round_at_random(tensor.numpy(), self._generator)))
