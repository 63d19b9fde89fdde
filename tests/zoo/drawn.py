"""First values of parameters against the first values of a fresh reference: one distribution, as far as two samples show.

In: the values of each parameter. Out: their statistics, and an AssertionError where they differ. Always: a bound follows from the number of
elements: samples of one distribution exceed it less often than once in ten million times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isclose, log, sqrt
from typing import Any, NamedTuple

import numpy as np
import torch

SIGMAS = 6
EXTREME = 20
"""The maximum of n normal numbers varies by about 1 / sqrt(2 log n) deviations with an exponential tail, in which e ** -20 is far out."""
LEAST = 1000
"""The number of elements from which the fourth moment says something."""


class Drawn(NamedTuple):
    """`kurtosis` is 3 for normal, 1.8 for uniform numbers."""

    count: int
    mean: float
    std: float
    low: float
    high: float
    kurtosis: float

    @property
    def constant(self) -> bool:
        return self.low == self.high


def drawn(values: Any) -> Drawn:
    flat = np.asarray(values, np.float64).reshape(-1)
    mean, std = float(flat.mean()), float(flat.std())
    kurtosis = float((((flat - mean) / std) ** 4).mean()) if std else 0.0
    return Drawn(flat.size, mean, std, float(flat.min()), float(flat.max()), kurtosis)


def of_module(module: torch.nn.Module) -> dict[str, Drawn]:
    """Those of the parameters of a module; none if it is on the meta device."""
    with torch.no_grad():
        return {name: drawn(p.numpy()) for name, p in module.named_parameters(remove_duplicate=False) if p.device.type == "cpu"}


def same_distribution(found: Mapping[str, Drawn], wanted: Mapping[str, Drawn]) -> None:
    """Raises AssertionError unless the parameters that both have may be drawn from the same distributions."""
    wrong = {name: list(_differences(found[name], wanted[name])) for name in found.keys() & wanted.keys()}
    lines = [f"{name}: {', '.join(texts)}" for name, texts in sorted(wrong.items()) if texts]
    assert not lines, f"{len(lines)} of {len(wrong)} parameters are drawn otherwise:\n" + "\n".join(lines)


def _differences(a: Drawn, b: Drawn) -> Iterator[str]:
    if a.constant or b.constant:
        if not (isclose(a.low, b.low, rel_tol=1e-6) and isclose(a.high, b.high, rel_tol=1e-6)):
            yield f"{a.low:.4g} to {a.high:.4g}, not {b.low:.4g} to {b.high:.4g}"
        return
    n, std = a.count, sqrt((a.std**2 + b.std**2) / 2)
    if abs(a.mean - b.mean) > SIGMAS * std * sqrt(2 / n):
        yield f"mean {a.mean:.4g}, not {b.mean:.4g}"
    if abs(a.std - b.std) > SIGMAS * std / sqrt(n):
        yield f"deviation {a.std:.4g}, not {b.std:.4g}"
    slack = EXTREME * std / sqrt(2 * log(n + 1))
    if abs(a.low - b.low) > slack or abs(a.high - b.high) > slack:
        yield f"{a.low:.4g} to {a.high:.4g}, not {b.low:.4g} to {b.high:.4g}"
    tails = max(a.kurtosis, b.kurtosis, 3) / 3  # heavier ones make the fourth moment vary more
    if n >= LEAST and abs(a.kurtosis - b.kurtosis) > SIGMAS * sqrt(48 / n) * tails**2:
        yield f"kurtosis {a.kurtosis:.3g}, not {b.kurtosis:.3g}"
