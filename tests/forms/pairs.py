"""Two models of equal texts, with the same weights; what became of each artifact, and whether the two are the same.

In: two models, or what was made of them. Out: nothing, or an AssertionError. Always: an exception is a result too: both texts are refused,
for one reason, or none is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch

import netc
from netc.compiler.analysis.input_shapes import check_sizes
from netc.compiler.dims import evaluate_dim, free_symbols
from netc.inputs.random_inputs import choose_varied_shapes
from tests.forms.text import Form, Same
from tests.parity import SEED, inputs_for, tensor

NEAR = 1e-5
"""The relative distance that another order of operators may make in float32."""


class Pair:
    """Two models, of a text and of an equal one."""

    def __init__(self, one: netc.Model, other: netc.Model, form: Form) -> None:
        self.one = one
        self.other = other
        self.form = form

    @property
    def is_file(self) -> bool:
        return self.form.same is Same.FILE

    @property
    def both(self) -> tuple[netc.Model, netc.Model]:
        return self.one, self.other

    @cached_property
    def weights(self) -> dict[str, torch.Tensor]:
        return dict(self.one.module(seed=SEED).state_dict())

    def renamed(self, state: Mapping[str, torch.Tensor], keys: Sequence[str]) -> dict[str, torch.Tensor]:
        """The tensors of the first model's keys under the second model's `keys`.

        The order is the models', not a `state_dict`'s, where PyTorch's parametrizations come after the other parameters.
        """
        if self.form.same is not Same.ORDER:
            return {key: state[key] for key in keys}
        return dict(zip(keys, [state[key] for key in self.one.parameters], strict=True))

    @cached_property
    def modules(self) -> tuple[torch.nn.Module, torch.nn.Module]:
        other = self.other.module(self.renamed(self.weights, list(self.other.parameters)))
        return self.one.module(self.weights).eval(), other.eval()

    @cached_property
    def fed(self) -> list[list[torch.Tensor]]:
        """Inputs of two sizes."""
        return [self._inputs(found) for found, _ in choose_varied_shapes(self.one.program, 2)]

    @cached_property
    def smallest(self) -> list[list[torch.Tensor]]:
        """Inputs where each symbolic axis has size 1, if the conditions allow it."""
        sizes = {name: 1 for type_ in self.one.inputs.values() for size in type_.shape for name in free_symbols(size)}
        try:
            check_sizes(self.one.program, {n: tuple(evaluate_dim(d, sizes) for d in t.shape) for n, t in self.one.inputs.items()})
        except ValueError:
            return []
        return [self._inputs(sizes)]

    def _inputs(self, sizes: Mapping[str, int]) -> list[torch.Tensor]:
        made = inputs_for(self.one, sizes)
        return [tensor(made[name], type_) for name, type_ in self.one.inputs.items()]


_ALIKE = {"unknown-operator": "unknown-name"}
"""Codes that mean the same mistake: `-> y` asks for an operator, and `-> (y)` for a name."""


class Raised:
    """An exception in place of a result: its type, the codes of a `CompileError`, and its message."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        diagnostics = error.diagnostics if isinstance(error, netc.CompileError) else ()
        codes = sorted({_ALIKE.get(d.code, d.code) for d in diagnostics if d.severity == "error"})
        self.kind = ", ".join(codes) or type(error).__name__

    def __repr__(self) -> str:
        return f"{self.kind}: {str(self.error)[:400]}"


def outcome(make: Callable[..., Any], *arguments: Any) -> Any:
    """What the function returns, or what it raised."""
    try:
        return make(*arguments)
    except (MemoryError, TimeoutError):
        raise
    except Exception as error:  # PyTorch and ONNX Runtime refuse by exceptions of many kinds
        return Raised(error)


def _short(made: Any) -> str:
    """An exception as a line, or the type of a result."""
    return repr(made) if isinstance(made, Raised) else f"a {type(made).__name__}"


def refused(pair: Pair, what: str, one: Any, other: Any) -> bool:
    """Whether both were refused; AssertionError if one was, or if the reasons differ."""
    kinds = [made.kind if isinstance(made, Raised) else "" for made in (one, other)]
    assert kinds[0] == kinds[1], f"{what}: {_short(one)} and {_short(other)}"
    return bool(kinds[0])


def compare_results(pair: Pair, what: str, one: Any, other: Any, near: float = NEAR) -> None:
    if refused(pair, what, one, other):
        return
    assert len(one) == len(other), f"{what}: {len(one)} and {len(other)} results"
    for at, (a, b) in enumerate(zip(one, other, strict=True)):
        kinds = [f"{x.dtype}{list(x.shape)}" for x in (a, b)]
        assert kinds[0] == kinds[1], f"{what}: result {at} is {kinds[0]} and {kinds[1]}"
        if pair.is_file:
            assert torch.equal(_bits(a), _bits(b)), f"{what}: result {at} differs: {_shown(a, b)}"
        else:
            largest = float(a.double().nan_to_num().abs().max()) if a.numel() else 0.0
            close = torch.allclose(a.double(), b.double(), rtol=near, atol=near * max(1.0, largest), equal_nan=True)
            assert close, f"{what}: result {at} differs: {_shown(a, b)}"


def _bits(x: torch.Tensor) -> torch.Tensor:
    """Numbers that are equal if they are NaN too."""
    return torch.nan_to_num(x.double(), nan=1.2345e200) if x.is_floating_point() else x


def _shown(a: torch.Tensor, b: torch.Tensor) -> str:
    return f"{a.flatten()[:4].tolist()} and {b.flatten()[:4].tolist()}"
