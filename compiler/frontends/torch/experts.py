"""Mixtures of experts of transformers, computed in a way that torch.export can follow.

In: a model that is about to be exported. Out: while it is, its experts are computed by `batched_mm`: each token is multiplied by the
matrices of its own experts. Always: afterwards the model computes them as before. The default, `grouped_mm`, sorts the tokens by their
experts and counts them, so that sizes depend on data. The sums are the same but for rounding, which the proof compares with the model as it
was.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

STATIC = "batched_mm"


@contextmanager
def static_experts(model: nn.Module) -> Iterator[None]:
    """See the module's docstring. A model that cannot switch stays as it is: torch.export says what it cannot follow."""
    before: list[tuple[Any, Any]] = []
    try:
        modules: list[Any] = list(model.modules())
        for module in modules:
            if hasattr(module, "set_experts_implementation") and hasattr(module, "get_experts_implementation"):
                current = module.get_experts_implementation()
                try:
                    module.set_experts_implementation(STATIC)
                except (ValueError, RuntimeError):  # a version or a checkpoint that has only others
                    continue
                before.append((module, current))
        yield
    finally:
        for module, current in reversed(before):
            module.set_experts_implementation(current)
