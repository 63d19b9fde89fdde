"""Initial values of parameters, with the distributions of PyTorch's modules.

In: `ParameterInfo`s and a seed. Out: arrays. Always: the values of a parameter depend only on the seed and on its name, shape and
initializer, so they stay the same when stages are added elsewhere. A parameter that is computed from another one, such as the norms of
weight normalization, also depends on that one. Tied parameters share one array.

    >>> import netc
    >>> infos = netc.compile("input 3 -> dense 2 as fc").parameters
    >>> first, second = (draw_initial_values(infos, seed=1)["fc.weight"] for _ in range(2))
    >>> first.shape, first.tolist() == second.tolist()
    ((2, 3), True)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import sqrt
from threading import local
from types import MappingProxyType
from typing import Any

import numpy as np

from ..analysis.state_dict import ParameterInfo
from ..ops.constants import ParamOperator, TableOperator
from ..ops.initializers import compute_fans, gain_of
from ..ops.normalization import SpectralNormalize
from ..types.numpy_types import Array, numpy_dtype
from .bits import ParameterBits
from .buffer_pool import BufferPool
from .quantiles import PARTS, draw_half_normal, fill_normal, half_uniform

_CHUNK = 1 << 15
"""Values that are drawn at once: they fit into the caches. It is a multiple of four, so that no random bits are dropped between chunks.
Changing it changes the values of truncated distributions."""
Initializer = Callable[..., Array]
"""Draws the values of a parameter from its `ParameterInfo`, the source of random bits, and the initializer's arguments."""


def draw_initial_values(infos: Mapping[str, ParameterInfo], seed: int = 0) -> dict[str, Array]:
    """Draw an array for every parameter and buffer."""
    drawn = InitialValues(infos, seed)
    arrays = {name: drawn[name] for name, info in infos.items() if info.tied_to is None}
    return {name: arrays[info.tied_to or name] for name, info in infos.items()}


class InitialValues(Mapping[str, Array]):
    """The initial values by name, each drawn on access and not kept. Every thread has its own generators.

    `loaded` reads the values of parameters that are not drawn: a parameter that is computed from one of them has the values for these."""

    def __init__(
        self, infos: Mapping[str, ParameterInfo], seed: int = 0, loaded: Mapping[str, Callable[[], Array]] = MappingProxyType({})
    ) -> None:
        self._infos = infos
        self._seed = seed
        self._loaded = loaded
        self._thread = local()

    def __getitem__(self, name: str) -> Array:
        info = self._infos[self._infos[name].tied_to or name]
        source = getattr(self._thread, "source", None)
        if source is None:
            source = self._thread.source = _RandomSource(self._seed)
        # The values of the other parameter are drawn again rather than kept: exports read one parameter after the other.
        if info.follows is not None:
            followed = self._infos[info.follows].tied_to or info.follows
            return self._derived_values(info, self._loaded[followed]() if followed in self._loaded else self[followed])
        return _parameter_values(info, source)

    def _derived_values(self, info: ParameterInfo, weight: Array) -> Array:
        """Compute a parameter from the values of the one that it follows."""
        stage, _, name = info.name.rpartition(".")
        # PyTorch's parametrizations compute both from the weight when they are registered.
        match info.op:
            case SpectralNormalize() as op:
                return _cast_values(info, _singular_vectors(op, weight, self._thread.source.seek_parameter(stage))[name])
            case ParamOperator():
                rows = np.linalg.norm(weight.astype(np.float64).reshape(len(weight), -1), axis=1)
                return _cast_values(info, rows.reshape(info.shape))
        raise TypeError(f"`{info.operator}` computes nothing from a parameter")

    def __contains__(self, name: object) -> bool:
        return name in self._infos

    def __iter__(self) -> Iterator[str]:
        return iter(self._infos)

    def __len__(self) -> int:
        return len(self._infos)


def constant_values(info: ParameterInfo) -> Array:
    """Return the values of a parameter whose initializer draws no random numbers."""
    return _cast_values(info, CONSTANT_INITIALIZERS[info.init.kind](info))


def _parameter_values(info: ParameterInfo, source: _RandomSource) -> Array:
    if info.init.kind in CONSTANT_INITIALIZERS:
        return constant_values(info)
    draw = RANDOM_INITIALIZERS[info.init.kind]
    return _cast_values(info, draw(info, source.seek_parameter(info.name), *info.init.values))


def _cast_values(info: ParameterInfo, values: Array) -> Array:
    """Cast values to the parameter's element type, and set the row of an embedding's padding index to zero."""
    values = values.astype(numpy_dtype(info.dtype), copy=False)
    if info.init.zero_row is not None:
        values[info.init.zero_row] = 0
    return values


class _RandomSource:
    """The random bits and the buffers of one thread."""

    def __init__(self, seed: int) -> None:
        self.bits = ParameterBits(seed)
        self.allocate = BufferPool().allocate_array

    @property
    def generator(self) -> np.random.Generator:
        return np.random.Generator(self.bits.stratum_bits)

    def seek_parameter(self, name: str) -> _RandomSource:
        """Start the random bits of a parameter. They are valid until the next call."""
        self.bits.seek_parameter(name)
        return self


def _singular_vectors(op: SpectralNormalize, weight: Array, source: _RandomSource) -> dict[str, Array]:
    """Estimate the singular vectors of a weight's largest singular value by power iteration."""
    matrix = np.moveaxis(weight.astype(np.float64), op.axis, 0).reshape(weight.shape[op.axis], -1)
    u, v = np.empty(matrix.shape[0]), np.empty(matrix.shape[1])
    fill_normal(source.bits, v)
    for _ in range(15):  # as many steps as torch.nn.utils.parametrizations.spectral_norm takes when it is made
        u = _normalize_vector(matrix @ v, op.eps)
        v = _normalize_vector(matrix.T @ u, op.eps)
    return {"_u": u, "_v": v}


def _normalize_vector(vector: Array, eps: float) -> Array:
    return vector / max(float(np.linalg.norm(vector)), eps)


# --- constant initializers -------------------------------------------------------------------------------------------------


def _fill_constant(info: ParameterInfo) -> Array:
    return np.full(info.shape, info.init.values[0])


def _compute_table(info: ParameterInfo) -> Array:
    match info.op:
        case TableOperator():
            return info.op.compute_values()
    raise TypeError(f"`{info.operator}` gives no values for its table")


CONSTANT_INITIALIZERS: dict[str, Callable[[ParameterInfo], Array]] = {
    "zeros": lambda info: np.zeros(info.shape, numpy_dtype(info.dtype)),
    "ones": lambda info: np.ones(info.shape, numpy_dtype(info.dtype)),
    "constant": _fill_constant,
    "table": _compute_table,
}


# --- random initializers ---------------------------------------------------------------------------------------------------


def _is_large_half(info: ParameterInfo) -> bool:
    """Whether looking the values up in a table is faster than drawing float32 numbers and rounding them."""
    return info.dtype.size == 2 and info.numel > PARTS


def _drawing_dtype(info: ParameterInfo) -> Any:
    """Return the type in which values are drawn: half types are drawn in float32 and rounded."""
    return np.float64 if info.dtype.name == "float64" else np.float32


def _draw_in_chunks(info: ParameterInfo, source: _RandomSource, draw: Callable[[Array], None]) -> Array:
    """Draw the values in chunks; `draw` fills one reused array, because mapping fresh pages takes as long as drawing."""
    values = source.allocate(info.numel, numpy_dtype(info.dtype))
    drawn = np.empty(min(_CHUNK, info.numel), _drawing_dtype(info))
    for begin in range(0, values.size, _CHUNK):
        part = values[begin : begin + _CHUNK]
        draw(drawn[: part.size])
        part[:] = drawn[: part.size]
    return values.reshape(info.shape)


def _fill_uniform(source: _RandomSource, values: Array) -> None:
    """Fill the array with uniform numbers from 0 to 1."""
    source.generator.random(out=values, dtype=values.dtype)


def _draw_normal(info: ParameterInfo, source: _RandomSource, std: float, mean: float = 0.0) -> Array:
    if _is_large_half(info):
        return draw_half_normal(source.bits, source.allocate(info.numel, numpy_dtype(info.dtype)), std, mean).reshape(info.shape)

    def draw(values: Array) -> None:
        fill_normal(source.bits, values)
        values *= std
        values += mean

    return _draw_in_chunks(info, source, draw)


def _draw_uniform(info: ParameterInfo, source: _RandomSource, low: float, high: float) -> Array:
    if _is_large_half(info):
        return half_uniform(source.bits, source.allocate(info.numel, numpy_dtype(info.dtype)), low, high).reshape(info.shape)

    def draw(values: Array) -> None:
        _fill_uniform(source, values)
        values *= high - low
        values += low

    return _draw_in_chunks(info, source, draw)


def _draw_trunc_normal(info: ParameterInfo, source: _RandomSource, std: float, mean: float, a: float, b: float) -> Array:
    """Draw truncated normal numbers by rejection.

    If much of the distribution is within the bounds, normal numbers outside are rejected. Otherwise uniform numbers are accepted with a
    probability in proportion to their density.
    """
    low, high = (a - mean) / std, (b - mean) / std
    mode = min(max(low, 0.0), high)
    wide = low <= 0 <= high and high - low >= 2
    if not wide:  # a number further from the mode has a probability below exp(-10), and would make the uniform proposals inefficient
        reach = 10 / max(1.0, abs(mode))
        low, high = max(low, mode - reach), min(high, mode + reach)

    def draw_accepted(count: int) -> Array:
        """Draw `count` proposals, and return those that are accepted."""
        if wide:
            drawn = np.empty(count, _drawing_dtype(info))
            fill_normal(source.bits, drawn)
            return drawn[(drawn >= low) & (drawn <= high)]
        drawn = low + (high - low) * source.generator.random(count)
        return drawn[source.generator.random(count) <= np.exp((mode**2 - drawn**2) / 2)]

    def draw(values: Array) -> None:
        done = 0
        while done < values.size:
            drawn = draw_accepted(values.size - done)
            values[done : done + drawn.size] = np.clip(drawn * std + mean, a, b)
            done += drawn.size

    return _draw_in_chunks(info, source, draw)


def _draw_xavier_normal(info: ParameterInfo, source: _RandomSource, gain: float) -> Array:
    return _draw_normal(info, source, gain * sqrt(2 / sum(compute_fans(info.shape))))


def _draw_xavier_uniform(info: ParameterInfo, source: _RandomSource, gain: float) -> Array:
    bound = gain * sqrt(6 / sum(compute_fans(info.shape)))
    return _draw_uniform(info, source, -bound, bound)


def _kaiming_std(info: ParameterInfo, mode: str, nonlinearity: str, a: float) -> float:
    fan_in, fan_out = compute_fans(info.shape)
    return gain_of(nonlinearity, a) / sqrt(fan_in if mode == "fan_in" else fan_out)


def _draw_kaiming_normal(info: ParameterInfo, source: _RandomSource, mode: str, nonlinearity: str, a: float) -> Array:
    return _draw_normal(info, source, _kaiming_std(info, mode, nonlinearity, a))


def _draw_kaiming_uniform(info: ParameterInfo, source: _RandomSource, mode: str, nonlinearity: str, a: float) -> Array:
    bound = sqrt(3) * _kaiming_std(info, mode, nonlinearity, a)
    return _draw_uniform(info, source, -bound, bound)


def _draw_orthogonal(info: ParameterInfo, source: _RandomSource, gain: float) -> Array:
    """Draw a matrix with orthonormal rows, or columns if there are fewer, uniformly distributed.

    It is the Q of a QR decomposition of normal numbers, with the signs that make the diagonal of R positive (Mezzadri, 2007).
    """
    matrix = _draw_normal(info, source, 1.0).reshape(info.shape[0], -1)
    rows, columns = matrix.shape
    q, r = np.linalg.qr(matrix.T if rows < columns else matrix)
    q *= np.sign(np.diag(r))
    return np.ascontiguousarray(q.T if rows < columns else q).reshape(info.shape) * gain


RANDOM_INITIALIZERS: dict[str, Initializer] = {
    "normal": _draw_normal,
    "trunc_normal": _draw_trunc_normal,
    "uniform": _draw_uniform,
    "xavier_uniform": _draw_xavier_uniform,
    "xavier_normal": _draw_xavier_normal,
    "kaiming_uniform": _draw_kaiming_uniform,
    "kaiming_normal": _draw_kaiming_normal,
    "orthogonal": _draw_orthogonal,
}
