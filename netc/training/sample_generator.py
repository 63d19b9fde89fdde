"""Random numbers of one sample, in any thread.

In: a seed. Out: a context in which PyTorch's functions draw from a generator with this seed. Always: PyTorch's default generator, which all
threads share, is neither read nor changed, so samples are augmented while a step draws its own numbers; the numbers are those after
`torch.manual_seed(seed)`.

>>> with SampleGenerator(3):
...     number = torch.rand(1)
>>> torch.equal(number, torch.rand(1, generator=torch.Generator().manual_seed(3)))
True
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_FUNCTIONS = (
    "rand",
    "randint",
    "randn",
    "randperm",
    "normal",
    "multinomial",
    "bernoulli",
    "poisson",
    "_sample_dirichlet",
    "_standard_gamma",
)
_METHODS = (
    "uniform_",
    "normal_",
    "random_",
    "bernoulli_",
    "exponential_",
    "geometric_",
    "log_normal_",
    "cauchy_",
    "multinomial",
    "bernoulli",
)
_DRAWING = frozenset([*(getattr(torch, name) for name in _FUNCTIONS), *(getattr(Tensor, name) for name in _METHODS)])
"""The functions that take a generator."""
_LIKE: dict[Callable[..., Any], Callable[..., Any]] = {torch.rand_like: torch.rand, torch.randn_like: torch.randn}
"""The functions that take no generator, in some versions of PyTorch, and the ones that draw the same numbers with one."""


class SampleGenerator(TorchFunctionMode):
    """The context. A mode is on in the thread that enters it alone."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(seed)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call a function of PyTorch, with the generator if it draws numbers."""
        kwargs = kwargs or {}
        if func in _LIKE:
            like = args[0]
            return _LIKE[func](like.shape, **{"dtype": like.dtype, "device": like.device, "generator": self.generator, **kwargs})
        if func in _DRAWING and kwargs.get("generator") is None:
            kwargs = {**kwargs, "generator": self.generator}
        return func(*args, **kwargs)
