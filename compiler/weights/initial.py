"""First values of parameters, as PyTorch's modules draw them.

In: `ParameterInfo`s and a seed. Out: arrays. Always: the values of a parameter depend on the seed, its name, shape and initialiser alone,
and on those of the one that it follows, so that they stay when stages are added elsewhere; tied parameters share one array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import sqrt
from threading import local
from typing import Any

import numpy as np

from ..analysis.state_dict import ParameterInfo
from ..ops.constants import ParamOperator, TableOperator
from ..ops.initializers import fans, gain_of
from ..ops.normalization import SpectralNormalize
from ..types.numpy_types import Array, numpy_dtype
from .bits import Bits
from .buffer_pool import Rooms
from .quantiles import PARTS, fill_normal, half_normal, half_uniform

_PART = 1 << 15
"""Values that are drawn at once: what fits into the caches. It is a multiple of four, so that no bits are left over in between; truncated
values depend on it."""
Draw = Callable[..., Array]
"""What draws the values of one parameter: given what is known of it, what to draw from, and the values of the initialiser's arguments."""


def initial(infos: Mapping[str, ParameterInfo], seed: int = 0) -> dict[str, Array]:
    """An array for every parameter and buffer."""
    drawn = Drawn(infos, seed)
    arrays = {name: drawn[name] for name, info in infos.items() if info.tied_to is None}
    return {name: arrays[info.tied_to or name] for name, info in infos.items()}


class Drawn(Mapping[str, Array]):
    """The same, each array drawn when it is asked for, and not kept. Threads have generators of their own."""

    def __init__(self, infos: Mapping[str, ParameterInfo], seed: int = 0) -> None:
        self._infos = infos
        self._seed = seed
        self._own = local()

    def __getitem__(self, name: str) -> Array:
        info = self._infos[self._infos[name].tied_to or name]
        source = getattr(self._own, "source", None)
        if source is None:
            source = self._own.source = _Source(self._seed)
        if info.follows is not None:
            return self._following(info, self[info.follows])
        return _values(info, source)

    def _following(self, info: ParameterInfo, weight: Array) -> Array:
        """What is computed from the values of another parameter, and of what is drawn for the stage."""
        stage, _, name = info.name.rpartition(".")
        match info.op:
            case SpectralNormalize() as op:
                return _padded(info, _singular_vectors(op, weight, self._own.source.named(stage))[name])
            case ParamOperator():
                rows = np.linalg.norm(weight.astype(np.float64).reshape(len(weight), -1), axis=1)
                return _padded(info, rows.reshape(info.shape))
        raise TypeError(f"`{info.operator}` computes nothing from a parameter")

    def __contains__(self, name: object) -> bool:
        return name in self._infos

    def __iter__(self) -> Iterator[str]:
        return iter(self._infos)

    def __len__(self) -> int:
        return len(self._infos)


def fixed(info: ParameterInfo) -> Array:
    """The values of a parameter whose initialiser draws nothing."""
    return _padded(info, FIXED[info.init.kind](info))


def _values(info: ParameterInfo, source: _Source) -> Array:
    if info.init.kind in FIXED:
        return fixed(info)
    draw = DRAWN[info.init.kind]
    return _padded(info, draw(info, source.named(info.name), *info.init.values))


def _padded(info: ParameterInfo, values: Array) -> Array:
    """The values in the parameter's element type; `zero_row`, the padding of an embedding, is zero."""
    values = values.astype(numpy_dtype(info.dtype), copy=False)
    if info.init.zero_row is not None:
        values[info.init.zero_row] = 0
    return values


class _Source:
    """What one thread draws from: random bits, and memory."""

    def __init__(self, seed: int) -> None:
        self.bits = Bits(seed)
        self.empty = Rooms().empty

    @property
    def generator(self) -> np.random.Generator:
        return np.random.Generator(self.bits.parts)

    def named(self, name: str) -> _Source:
        """The source of the name, good until the next is asked for."""
        self.bits.begin(name)
        return self


def _singular_vectors(op: SpectralNormalize, weight: Array, source: _Source) -> dict[str, Array]:
    """The vectors of a weight's greatest singular value, after the number of steps that PyTorch's parametrization takes when it is made."""
    matrix = np.moveaxis(weight.astype(np.float64), op.axis, 0).reshape(weight.shape[op.axis], -1)
    u, v = np.empty(matrix.shape[0]), np.empty(matrix.shape[1])
    fill_normal(source.bits, v)
    for _ in range(15):
        u = _unit(matrix @ v, op.eps)
        v = _unit(matrix.T @ u, op.eps)
    return {"_u": u, "_v": v}


def _unit(vector: Array, eps: float) -> Array:
    return vector / max(float(np.linalg.norm(vector)), eps)


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


def _is_large_half(info: ParameterInfo) -> bool:
    """Whether it takes longer to draw the values in float32, and to round them, than to look them up."""
    return info.dtype.size == 2 and info.numel > PARTS


def _precision(info: ParameterInfo) -> Any:
    """Half types are drawn in float32 and rounded."""
    return np.float64 if info.dtype.name == "float64" else np.float32


def _in_parts(info: ParameterInfo, source: _Source, draw: Callable[[Array], None]) -> Array:
    """The values, with which `draw` fills an array: some at a time and always the same array, since asking the system for memory takes as
    long as drawing."""
    values = source.empty(info.numel, numpy_dtype(info.dtype))
    drawn = np.empty(min(_PART, info.numel), _precision(info))
    for begin in range(0, values.size, _PART):
        part = values[begin : begin + _PART]
        draw(drawn[: part.size])
        part[:] = drawn[: part.size]
    return values.reshape(info.shape)


def _uniform(source: _Source, values: Array) -> None:
    """Fills the array with numbers from 0 to 1."""
    source.generator.random(out=values, dtype=values.dtype)


def _normal(info: ParameterInfo, source: _Source, std: float, mean: float = 0.0) -> Array:
    if _is_large_half(info):
        return half_normal(source.bits, source.empty(info.numel, numpy_dtype(info.dtype)), std, mean).reshape(info.shape)

    def draw(values: Array) -> None:
        fill_normal(source.bits, values)
        values *= std
        values += mean

    return _in_parts(info, source, draw)


def _between(info: ParameterInfo, source: _Source, low: float, high: float) -> Array:
    if _is_large_half(info):
        return half_uniform(source.bits, source.empty(info.numel, numpy_dtype(info.dtype)), low, high).reshape(info.shape)

    def draw(values: Array) -> None:
        _uniform(source, values)
        values *= high - low
        values += low

    return _in_parts(info, source, draw)


def _trunc_normal(info: ParameterInfo, source: _Source, std: float, mean: float, a: float, b: float) -> Array:
    """Drawn anew until all are within the bounds: normal numbers where many of them are, otherwise uniform ones, each kept with the
    probability that its density is of the greatest one."""
    low, high = (a - mean) / std, (b - mean) / std
    mode = min(max(low, 0.0), high)
    wide = low <= 0 <= high and high - low >= 2
    if not wide:  # what is further from the mode is as good as impossible
        reach = 10 / max(1.0, abs(mode))
        low, high = max(low, mode - reach), min(high, mode + reach)

    def some(count: int) -> Array:
        """`count` of them at most."""
        if wide:
            drawn = np.empty(count, _precision(info))
            fill_normal(source.bits, drawn)
            return drawn[(drawn >= low) & (drawn <= high)]
        drawn = low + (high - low) * source.generator.random(count)
        return drawn[source.generator.random(count) <= np.exp((mode**2 - drawn**2) / 2)]

    def draw(values: Array) -> None:
        done = 0
        while done < values.size:
            drawn = some(values.size - done)
            values[done : done + drawn.size] = np.clip(drawn * std + mean, a, b)
            done += drawn.size

    return _in_parts(info, source, draw)


def _xavier_normal(info: ParameterInfo, source: _Source, gain: float) -> Array:
    return _normal(info, source, gain * sqrt(2 / sum(fans(info.shape))))


def _xavier_uniform(info: ParameterInfo, source: _Source, gain: float) -> Array:
    bound = gain * sqrt(6 / sum(fans(info.shape)))
    return _between(info, source, -bound, bound)


def _kaiming_std(info: ParameterInfo, mode: str, nonlinearity: str, a: float) -> float:
    fan_in, fan_out = fans(info.shape)
    return gain_of(nonlinearity, a) / sqrt(fan_in if mode == "fan_in" else fan_out)


def _kaiming_normal(info: ParameterInfo, source: _Source, mode: str, nonlinearity: str, a: float) -> Array:
    return _normal(info, source, _kaiming_std(info, mode, nonlinearity, a))


def _kaiming_uniform(info: ParameterInfo, source: _Source, mode: str, nonlinearity: str, a: float) -> Array:
    bound = sqrt(3) * _kaiming_std(info, mode, nonlinearity, a)
    return _between(info, source, -bound, bound)


def _orthogonal(info: ParameterInfo, source: _Source, gain: float) -> Array:
    """Rows, or columns if there are fewer of them, that are orthogonal, uniformly distributed: the Q of a normal matrix, with the signs
    that make R's diagonal positive."""
    matrix = _normal(info, source, 1.0).reshape(info.shape[0], -1)
    rows, columns = matrix.shape
    q, r = np.linalg.qr(matrix.T if rows < columns else matrix)
    q *= np.sign(np.diag(r))
    return np.ascontiguousarray(q.T if rows < columns else q).reshape(info.shape) * gain


DRAWN: dict[str, Draw] = {
    "normal": _normal,
    "trunc_normal": _trunc_normal,
    "uniform": _between,
    "xavier_uniform": _xavier_uniform,
    "xavier_normal": _xavier_normal,
    "kaiming_uniform": _kaiming_uniform,
    "kaiming_normal": _kaiming_normal,
    "orthogonal": _orthogonal,
}
