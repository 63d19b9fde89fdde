"""The samples that PyTorch's own tests have of its operators, `op_db`, and of its modules, `module_db` in `torch.testing._internal`.

In: nothing. Out: `Case`s, one for each operator and element type, and for each module in evaluation and in training. Always: the same
version of PyTorch gives the same samples; of each case there are at most `MOST`, from the first to the last.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from netc.dsl.record import Record

DTYPES = (torch.float32, torch.int64, torch.bool)
MOST = 4
MOST_OF_MODULES = 16


class Sample(Record):
    """Arguments of a function or of a module, flat. `tensors` are the positions of those that are tensors; the first argument is one."""

    function: Callable[..., Any]
    leaves: tuple[Any, ...]
    spec: Any
    tensors: tuple[int, ...]

    def __str__(self) -> str:
        shown = [f"{str(x.dtype).removeprefix('torch.')} {list(x.shape)}" if isinstance(x, Tensor) else repr(x) for x in self.leaves]
        return ", ".join(shown)


class Case(Protocol):
    """What PyTorch tests, with inputs of one element type."""

    name: str
    operator: str
    train: bool

    def samples(self) -> list[Sample]:
        """Draw the samples."""


class OperatorCase:
    """An operator of PyTorch."""

    train = False

    def __init__(self, operator: Any, dtype: torch.dtype) -> None:
        self.operator = f"{operator.name} {operator.variant_test_name}".strip()
        self.name = f"{self.operator} {str(dtype).removeprefix('torch.')}"
        self._operator, self._dtype = operator, dtype

    def samples(self) -> list[Sample]:
        """Of every third sample, and of every third after it, the function is the method, and the method that works in place."""
        _seed_all()
        drawn = list(self._operator.sample_inputs("cpu", self._dtype))
        functions = [self._operator.op, self._operator.method_variant, self._operator.inplace_variant]
        made = [_flatten_sample(functions[at % 3] or functions[0], one) for at, one in enumerate(_choose_evenly(drawn, MOST))]
        return [sample for sample in made if sample is not None]


class ModuleCase:
    """A module of PyTorch in float32, in training or not."""

    def __init__(self, module: Any, *, train: bool) -> None:
        self.operator, self.train = module.name, train
        self.name = f"{module.name} {'in training' if train else 'in evaluation'}"
        self._module = module

    def samples(self) -> list[Sample]:
        _seed_all()
        drawn = self._module.module_inputs_func(self._module, "cpu", torch.float32, requires_grad=False, training=self.train)
        called = [one for one in drawn if one.forward_input is not None]
        made = [self._make_sample(one) for one in _choose_evenly(called, MOST_OF_MODULES)]
        return [sample for sample in made if sample is not None]

    def _make_sample(self, drawn: Any) -> Sample | None:
        made = self._module.module_cls(*drawn.constructor_input.args, **drawn.constructor_input.kwargs).train(self.train)
        given, named = drawn.forward_input.args, drawn.forward_input.kwargs
        with torch.no_grad():
            made(*given, **named)  # lazy modules find their sizes
        return _flatten_arguments(made, given, named)


def _seed_all() -> None:
    for seed in (torch.manual_seed, random.seed, np.random.seed):
        seed(0)


def _choose_evenly(drawn: Sequence[Any], most: int) -> list[Any]:
    """Return at most `most` samples, from the first to the last."""
    return [drawn[at] for at in sorted({len(drawn) * part // most for part in range(most)}) if at < len(drawn)]


def list_cases() -> Sequence[Case]:
    from torch.testing._internal.common_methods_invocations import op_db
    from torch.testing._internal.common_modules import module_db

    operators = [OperatorCase(operator, dtype) for operator in op_db for dtype in DTYPES if operator.supports_dtype(dtype, "cpu")]
    return [*operators, *(ModuleCase(module, train=train) for module in module_db for train in (False, True))]


def _flatten_sample(function: Callable[..., Any], sample: Any) -> Sample | None:
    return _flatten_arguments(function, [sample.input, *sample.args], sample.kwargs)


def _flatten_arguments(function: Callable[..., Any], given: Sequence[Any], named: Mapping[str, Any]) -> Sample | None:
    """Return None for a sample whose first argument is no tensor."""
    leaves, spec = tree_flatten((list(given), dict(named)))
    if not leaves or not isinstance(leaves[0], Tensor):
        return None
    kept = tuple(leaf.detach() if isinstance(leaf, Tensor) else leaf for leaf in leaves)
    return Sample(function, kept, spec, tuple(at for at, leaf in enumerate(kept) if isinstance(leaf, Tensor)))


class Called(nn.Module):
    """Calls the function or the module of a sample. Of its tensors, `inputs` are given, and the others are buffers."""

    def __init__(self, sample: Sample, inputs: Sequence[int]) -> None:
        super().__init__()
        self.function, self.sample, self.inputs = sample.function, sample, tuple(inputs)
        for at in sample.tensors:
            if at not in self.inputs:
                self.register_buffer(f"constant{at}", sample.leaves[at])

    def forward(self, *inputs: Tensor) -> Any:
        leaves = list(self.sample.leaves)
        for name, tensor in self.named_buffers(recurse=False):
            leaves[int(name.removeprefix("constant"))] = tensor
        for at, tensor in zip(self.inputs, inputs, strict=True):
            leaves[at] = tensor
        positional, named = tree_unflatten(leaves, self.sample.spec)
        return self.function(*positional, **named)
