"""First values of parameters, as PyTorch's modules draw them.

In: `ParameterInfo`s and a seed. Out: arrays. Always: the values of a parameter depend on the seed, its name, shape and initialiser alone,
so that they stay when stages are added elsewhere; tied parameters share one array.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b
from math import prod, sqrt
from typing import Any

import numpy as np

from ..analysis.parameters import ParameterInfo
from ..ir.elements import Array, numpy_dtype
from ..ops.constants import TableOperator

Draw = Callable[[ParameterInfo, np.random.Generator], Array]


def initial(infos: Mapping[str, ParameterInfo], seed: int = 0) -> dict[str, Array]:
    """An array for every parameter and buffer."""
    generators = _Generators(seed)
    arrays = {name: _values(info, generators) for name, info in infos.items() if info.tied_to is None}
    return {name: arrays[info.tied_to or name] for name, info in infos.items()}


def fixed(info: ParameterInfo) -> Array:
    """The values of a parameter whose initialiser draws nothing."""
    return FIXED[info.init.kind](info).astype(numpy_dtype(info.dtype), copy=False)


def _values(info: ParameterInfo, generators: _Generators) -> Array:
    if info.init.kind in FIXED:
        return fixed(info)
    return DRAWN[info.init.kind](info, generators.named(info.name)).astype(numpy_dtype(info.dtype), copy=False)


class _Generators:
    """A generator for every name: one, keyed anew, since making one asks the system for randomness that nobody wants."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.bits = np.random.Philox(key=0)
        self.fresh: Any = self.bits.state
        self.generator = np.random.Generator(self.bits)

    def named(self, name: str) -> np.random.Generator:
        """The generator of the name, good until the next is asked for."""
        key = blake2b(f"{self.seed}:{name}".encode(), digest_size=16).digest()
        self.fresh["state"]["key"] = np.frombuffer(key, "<u8")
        self.bits.state = self.fresh
        return self.generator


# --- what draws nothing ----------------------------------------------------------------------------------------------------


def _constant(info: ParameterInfo) -> Array:
    return np.full(info.shape, info.init.values[0])


def _table(info: ParameterInfo) -> Array:
    match info.op:
        case TableOperator():
            return info.op.values()
    raise TypeError(f"`{info.operator}` gives no values for its table")


FIXED: dict[str, Callable[[ParameterInfo], Array]] = {
    "zeros": lambda info: np.zeros(info.shape, numpy_dtype(info.dtype)),
    "ones": lambda info: np.ones(info.shape, numpy_dtype(info.dtype)),
    "constant": _constant,
    "table": _table,
}


# --- what draws ------------------------------------------------------------------------------------------------------------


def _precision(info: ParameterInfo) -> Any:
    """Half types are drawn in float32 and rounded."""
    return np.float64 if info.dtype.name == "float64" else np.float32


def _normal(info: ParameterInfo, generator: np.random.Generator) -> Array:
    values = generator.standard_normal(info.shape, dtype=_precision(info))
    values *= info.init.values[0]
    return values


def _normal_zero_row(info: ParameterInfo, generator: np.random.Generator) -> Array:
    """`values` are the deviation and the row that stays zero: the padding of an embedding."""
    values = _normal(info, generator)
    values[int(info.init.values[1])] = 0
    return values


def _between(info: ParameterInfo, generator: np.random.Generator, low: float, high: float) -> Array:
    values = generator.random(info.shape, dtype=_precision(info))
    values *= high - low
    values += low
    return values


def _uniform(info: ParameterInfo, generator: np.random.Generator) -> Array:
    return _between(info, generator, *info.init.values)


def _xavier_uniform(info: ParameterInfo, generator: np.random.Generator) -> Array:
    """torch.nn.init.xavier_uniform_: axes after the first two count to both fans."""
    outputs, inputs, *field = info.shape
    bound = sqrt(6 / ((inputs + outputs) * prod(field)))
    return _between(info, generator, -bound, bound)


DRAWN: dict[str, Draw] = {
    "normal": _normal,
    "normal_zero_row": _normal_zero_row,
    "uniform": _uniform,
    "xavier_uniform": _xavier_uniform,
}
