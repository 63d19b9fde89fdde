"""The samples that PyTorch's own tests have of its operators: `torch.testing._internal.common_methods_invocations.op_db`.

In: nothing. Out: `Case`s, one for each operator and element type. Always: the same version of PyTorch gives the same samples; of each case
there are at most `MOST`, from the first to the last.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from netc.dsl.record import Record

DTYPES = (torch.float32, torch.int64, torch.bool)
MOST = 4


class Sample(Record):
    """Arguments of a function, flat. `tensors` are the positions of those that are tensors; the first argument is one."""

    function: Callable[..., Any]
    leaves: tuple[Any, ...]
    spec: Any
    tensors: tuple[int, ...]

    def __str__(self) -> str:
        shown = [f"{str(x.dtype).removeprefix('torch.')} {list(x.shape)}" if isinstance(x, Tensor) else repr(x) for x in self.leaves]
        return ", ".join(shown)


class Case:
    """An operator of PyTorch with inputs of one element type."""

    def __init__(self, operator: Any, dtype: torch.dtype) -> None:
        self.operator = f"{operator.name} {operator.variant_test_name}".strip()
        self.name = f"{self.operator} {str(dtype).removeprefix('torch.')}"
        self._operator, self._dtype = operator, dtype

    def samples(self) -> list[Sample]:
        """Draw the samples: the function, and of every third and third after it the method and the method that works in place."""
        for seed in (torch.manual_seed, random.seed, np.random.seed):
            seed(0)
        drawn = list(self._operator.sample_inputs("cpu", self._dtype))
        chosen = [drawn[at] for at in sorted({len(drawn) * part // MOST for part in range(MOST)}) if at < len(drawn)]
        functions = [self._operator.op, self._operator.method_variant, self._operator.inplace_variant]
        made = [_flatten_sample(functions[at % 3] or functions[0], sample) for at, sample in enumerate(chosen)]
        return [sample for sample in made if sample is not None]


def list_cases() -> Sequence[Case]:
    from torch.testing._internal.common_methods_invocations import op_db

    return [Case(operator, dtype) for operator in op_db for dtype in DTYPES if operator.supports_dtype(dtype, "cpu")]


def _flatten_sample(function: Callable[..., Any], sample: Any) -> Sample | None:
    """Return None for a sample whose first argument is no tensor."""
    leaves, spec = tree_flatten(([sample.input, *sample.args], dict(sample.kwargs)))
    if not leaves or not isinstance(leaves[0], Tensor):
        return None
    kept = tuple(leaf.detach() if isinstance(leaf, Tensor) else leaf for leaf in leaves)
    return Sample(function, kept, spec, tuple(at for at, leaf in enumerate(kept) if isinstance(leaf, Tensor)))


class Called(nn.Module):
    """Calls the function of a sample. Of its tensors, `inputs` are given, and the others are buffers."""

    def __init__(self, sample: Sample, inputs: Sequence[int]) -> None:
        super().__init__()
        self.sample, self.inputs = sample, tuple(inputs)
        for at in sample.tensors:
            if at not in self.inputs:
                self.register_buffer(f"constant{at}", sample.leaves[at])

    def forward(self, *inputs: Tensor) -> Any:
        leaves = list(self.sample.leaves)
        for name, tensor in self.named_buffers():
            leaves[int(name.removeprefix("constant"))] = tensor
        for at, tensor in zip(self.inputs, inputs, strict=True):
            leaves[at] = tensor
        positional, named = tree_unflatten(leaves, self.sample.spec)
        return self.sample.function(*positional, **named)
