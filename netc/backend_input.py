"""What backends take, made of a checked program and the caller's weights.

In: a program, weights or a seed. Out: a `BackendInput`. Always: the arguments are checked at once; weights are read or drawn when a backend
needs them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any
from warnings import warn

from .arguments import checked_seed, checked_weights

if TYPE_CHECKING:
    from netc.compiler.backends.base import BackendInput
    from netc.compiler.ir.graph import Program

Weights = Mapping[str, Any] | str | os.PathLike[str]
"""Arrays or tensors by state-dict name, or the path of a `.safetensors`, `.npz`, `.pt` or `.pth` file."""


def backend_input(program: Program, weights: Weights | None, seed: int | None, spec_hash: str = "") -> BackendInput:
    """The input of a backend. Learned parameters with NaN or infinities are a `WeightsWarning` once they are read.

    Raises `TypeError` or `ValueError` for weights or a seed of another kind.
    """
    from netc.compiler.backends.base import BackendInput

    checked, number = checked_weights(weights), checked_seed(seed)

    @cache
    def infos() -> Mapping[str, Any]:
        from netc.compiler.analysis.parameters import parameters

        return parameters(program)

    def arrays() -> Mapping[str, Any]:
        from netc.compiler.errors.weights import WeightsWarning
        from netc.compiler.weights.matching import as_arrays, initial, load_matching, match, not_finite

        if checked is None:
            return initial(infos(), number)
        found = load_matching(infos(), checked) if isinstance(checked, str) else match(infos(), as_arrays(checked))
        ruined = not_finite(infos(), found)
        if ruined:
            warn(WeightsWarning(ruined), stacklevel=2)
        return found

    return BackendInput(program, program.main.name, spec_hash, None if weights is None and seed is None else arrays)
