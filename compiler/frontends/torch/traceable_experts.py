"""Switches the mixtures of experts of transformers to a computation that torch.export can trace.

The default, `grouped_mm`, sorts the tokens by their experts and counts them, so that sizes depend on data. `batched_mm` multiplies each
token by the matrices of its own experts. The results differ by rounding alone, and the proof compares with the model as the user passed it.

In: a model that is about to be exported. Out: a context in which its experts are computed by `batched_mm`. Always: afterwards, the model
computes them as before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

STATIC = "batched_mm"


@contextmanager
def use_static_experts(model: nn.Module) -> Iterator[None]:
    """Switch the experts within the context. A model that cannot switch stays as it is, and torch.export reports what it cannot trace."""
    before: list[tuple[Any, Any]] = []
    try:
        modules: list[Any] = list(model.modules())
        for module in modules:
            if hasattr(module, "set_experts_implementation") and hasattr(module, "get_experts_implementation"):
                current = module.get_experts_implementation()
                try:
                    module.set_experts_implementation(STATIC)
                except (ValueError, RuntimeError):  # this version or checkpoint does not have it
                    continue
                before.append((module, current))
        yield
    finally:
        for module, current in reversed(before):
            module.set_experts_implementation(current)
