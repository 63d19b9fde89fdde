"""Inputs of a random spec, what PyTorch makes of them, and the comparison with that.

In: a model. Out: a `Case` for each of two sizes. Always: a person's calls of PyTorch's functions are the judge, as in tests/differential.
Numbers are compared where all on the way are finite and ordinary: elsewhere rounding decides, and only the types are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import torch

import netc
from netc.compiler.ir.flat_graph import FlatGraph, FlatNode
from netc.compiler.ir.graph import OpNode
from netc.inputs.random_inputs import choose_varied_shapes
from tests.differential.references.run import evaluated
from tests.parity import NOISE, SEED, STEADY, arguments, check_types, close, flattened, inputs_for, tensor
from tests.rounding import distances

LARGEST = 1e4
"""Of ordinary numbers."""
SMALL = 1e-3
"""How far rounding may take a result for that to be steady, relative to the largest number."""
NARROW = frozenset(("float16", "bfloat16"))
COARSE = 0.1
"""The most that two results may differ where such a type is involved, relative to the largest one."""
OF_NUMBERS = re.compile(
    r"index out of range|out of bounds|not in the valid range|between 0 and 1|negative entry|cannot convert float|ZeroDivision|"
    r"not (?:implemented|supported) for|not positive-definite|singular|same number of class|Class values must be|Half|must be non-negative|"
    r"less than the corresponding input dimension|view size is not compatible"
)
"""Why PyTorch refuses what no type says: numbers that are not allowed, sizes that are known only then, kernels that it lacks, and the one
operator, `local_response_norm` of five axes, that depends on how a tensor lies in memory."""


ORDERED = frozenset(("argsort", "sort", "topk"))
"""Operators of which nothing says which of equal elements comes first."""
DRAWN = frozenset(("fractional_max_pool",))
"""Operators whose results are drawn at random, in evaluation too."""


class Refused(Exception):
    """PyTorch refuses the model."""


class Case:
    """`fed` are the inputs, `wanted` the results; `decided`: only these are right."""

    def __init__(self, model: netc.Model, module: torch.nn.Module, sizes: Mapping[str, int]) -> None:
        arrays = inputs_for(model, sizes)
        self.model, self.module, self.sizes = model, module, sizes
        self.fed = [tensor(arrays[name], type_) for name, type_ in model.inputs.items()]
        try:
            self.wanted, values = evaluated(model.program, module.state_dict(), self.fed, sizes)
        except Exception as error:  # it refuses by exceptions of many kinds
            raise Refused(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}") from error
        self.decided = not _is_open(model)
        self.ordinary = self.decided and all(bool((v.abs() < LARGEST).all()) for v in values if v.is_floating_point())

    @cached_property
    def rounding(self) -> list[float]:
        """How far rounding may take each result."""
        types = {value.type.dtype.name for node in nodes(self.model) for value in node.outputs}
        if types & NARROW:
            return [COARSE * max(1.0, float(one.double().abs().max())) if one.numel() else 0.0 for one in self.wanted]
        return [max(STEADY, NOISE * distance) for distance in distances(self.module, self.fed)]

    @property
    def steady(self) -> bool:
        """Whether rounding does not decide any result: the proof of an import needs that."""
        return self.ordinary and all(
            not one.numel() or far <= SMALL * float(one.double().abs().max()) for one, far in zip(self.wanted, self.rounding, strict=True)
        )

    def check(self, what: str, found: Sequence[torch.Tensor]) -> None:
        """Raises AssertionError for results of other types, or other numbers."""
        check_types(self.model, self.sizes, found)
        for at, (name, wanted, one) in enumerate(zip(self.model.outputs, self.wanted, found, strict=True)):
            if self.ordinary:
                near = torch.allclose(wanted.double(), one.double(), rtol=STEADY, atol=STEADY)
                close(f"{what}, {name}", wanted, one, str(wanted.dtype), STEADY if near else self.rounding[at])

    def run(self, module: torch.nn.Module) -> list[torch.Tensor]:
        with torch.no_grad():
            return flattened(module(*arguments(self.model, self.fed)))


def nodes(model: netc.Model) -> list[OpNode]:
    """The operators. An operator of a block counts at each use of the block."""
    return [item.node for item in FlatGraph(model.program.main) if isinstance(item, FlatNode)]


def _is_open(model: netc.Model) -> bool:
    """Whether more than one result is right."""
    return any(n.op.name in DRAWN or (n.op.name in ORDERED and not n.outputs[-1].type.dtype.is_float) for n in nodes(model))


def cases(model: netc.Model, module: torch.nn.Module | None = None) -> Iterator[Case]:
    """Raises `NoSizes`, and `Refused`."""
    module = module or model.module(seed=SEED).eval()
    for sizes, _ in choose_varied_shapes(model.program, 2):
        yield Case(model, module, sizes)
