"""As much of NumPy as netc's ONNX backend needs, in Python alone: a browser has no NumPy.

In: numbers and nested lists. Out: arrays with a shape, an element type and a flat list of Python numbers, rounded to the type after each
operation. Always: what is not here raises `AttributeError` or `NotImplementedError`; nothing gives another result than NumPy silently.
tests/playground compares the ONNX files that are written with it with those written with NumPy, byte by byte.
"""

from __future__ import annotations

import math
import struct
from contextlib import contextmanager

from . import lib, linalg, random
from .arrays import Array, empty_of, floating, generic, integer, ndarray, number, of, result_type, scalar_types
from .dtypes import dtype
from .shapes import flat_index, walk, whole_shape

inf, nan, pi, newaxis = math.inf, math.nan, math.pi, None
__all__ = ["floating", "integer", "number", "lib", "linalg", "random", "dtype", "generic", "ndarray"]
globals().update(scalar_types)
float64, float32, int64, bool_ = (scalar_types[name] for name in ("float64", "float32", "int64", "bool_"))


@contextmanager
def errstate(**_):
    yield


def array(value, dtype=None, copy=True):
    made = of(value, dtype)
    return made.copy() if made is value else made


def asarray(value, dtype=None):
    return of(value, dtype)


ascontiguousarray = asarray


def full(shape, value, dtype=None):
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    one = of(value, dtype)
    return Array.make(one.flat * math.prod(shape), shape, one.dtype)


def zeros(shape, dtype=float64):
    return full(shape, 0, dtype)


def ones(shape, dtype=float64):
    return full(shape, 1, dtype)


empty = zeros


def arange(start, stop=None, step=1, dtype=None):
    start, stop = (0, start) if stop is None else (start, stop)
    numbers = [_plain(n) for n in (start, stop, step)]
    count = max(0, math.ceil((numbers[1] - numbers[0]) / numbers[2]))
    return of(
        [numbers[0] + n * numbers[2] for n in range(count)], dtype or (int64 if all(isinstance(n, int) for n in numbers) else float64)
    )


def _plain(number):
    return number.item() if isinstance(number, (ndarray, generic)) else number


def indices(shape, dtype=int64, sparse=False):
    assert sparse
    ranks = len(shape)
    return tuple(arange(n, dtype=dtype).reshape(tuple(-1 if a == axis else 1 for a in range(ranks))) for axis, n in enumerate(shape))


def tri(rows, columns=None, k=0, dtype=float64):
    columns = rows if columns is None else columns
    return of([[j <= i + k for j in range(columns)] for i in range(rows)], dtype).reshape((rows, columns))


def triu(m, k=0):
    rows, columns = m.shape
    kept = [value if j >= i + k else 0 for (i, j), value in zip(walk(m.shape), m.flat, strict=True)]
    return Array.make([type(v)(n) for v, n in zip(m.flat, kept, strict=True)], (rows, columns), m.dtype)


def broadcast_to(value, shape):
    value = of(value)
    if whole_shape(value.shape, tuple(shape)) != tuple(shape):
        raise ValueError("shapes do not fit")
    return Array.make(value.spread(tuple(shape)), tuple(shape), value.dtype)


def broadcast_arrays(*values):
    arrays = [of(v) for v in values]
    shape = ()
    for one in arrays:
        shape = whole_shape(shape, one.shape)
    return [broadcast_to(one, shape) for one in arrays]


def where(test, then, otherwise):
    kind = result_type(then, otherwise)
    test, a, b = broadcast_arrays(test, of(then), of(otherwise))
    return empty_of([kind.cast(x if t else y) for t, x, y in zip(test.flat, a.flat, b.flat, strict=True)], a.shape, kind)


def moveaxis(value, source, destination):
    order = [axis for axis in range(value.ndim) if axis != source % value.ndim]
    order.insert(destination % value.ndim, source % value.ndim)
    shape = tuple(value.shape[axis] for axis in order)
    places = (dict(zip(order, place, strict=True)) for place in walk(shape))
    flat = [value.flat[flat_index([place[axis] for axis in range(value.ndim)], value.shape)] for place in places]
    return empty_of(flat, shape, value.dtype)


def array_equal(a, b, equal_nan=False):
    a, b = of(a), of(b)
    return a.shape == b.shape and all(x == y or (equal_nan and x != x and y != y) for x, y in zip(a.flat, b.flat, strict=True))


def take(values, at, out=None, mode="raise"):
    taken = Array.make([values.flat[place] for place in at.flat], at.shape, values.dtype)
    if out is not None:
        out[:] = taken
    return taken


def pad(values, width):
    return Array.make([0.0] * width + values.flat + [0.0] * width, (len(values.flat) + 2 * width,), values.dtype)


def flatnonzero(values):
    return [place for place, value in enumerate(values.flat) if value]


def take_along_axis(values, at, axis):
    assert axis == 1
    assert len(values.shape) == 2
    found = [values.flat[flat_index((i, at.flat[n]), values.shape)] for n, (i, _) in enumerate(walk(at.shape))]
    return Array.make(found, at.shape, values.dtype)


def clip(values, low, high):
    return minimum(maximum(values, low), high)


class _Pairs:
    """A function of two arrays, and of all in a list."""

    def __init__(self, function):
        self.function = function

    def __call__(self, a, b):
        kind = result_type(a, b)
        a, b = broadcast_arrays(a, b)
        return empty_of([kind.cast(self.function(x, y)) for x, y in zip(a.flat, b.flat, strict=True)], a.shape, kind)

    def reduce(self, values):
        made = values[0]
        for other in values[1:]:
            made = self(made, other)
        return made


maximum = _Pairs(lambda x, y: x if x >= y or x != x else y)
minimum = _Pairs(lambda x, y: x if x <= y or x != x else y)
left_shift = _Pairs(lambda x, y: x << y)
power = _Pairs(lambda x, y: x**y)


def _each(function, *, real=True):
    """A function of each element; of integers in float64 if it is `real`."""

    def called(value):
        value = of(value)
        kind = dtype("float64") if real and value.dtype.kind != "f" else value.dtype
        return empty_of([kind.cast(_safely(function, v)) for v in value.flat], value.shape, kind)

    return called


def _safely(function, value):
    """What NumPy gives where Python has no answer."""
    try:
        return function(value)
    except OverflowError:
        return math.inf
    except ValueError:
        return -math.inf if function is math.log and value == 0 else math.nan


def _rounding(function):
    return _each(lambda v: float(function(v)) if math.isfinite(v) else v)


sin, cos, exp, log, sqrt = (_each(f) for f in (math.sin, math.cos, math.exp, math.log, math.sqrt))
floor, trunc, rint = _rounding(math.floor), _rounding(math.trunc), _rounding(round)
abs = _each(abs, real=False)
sinc = _each(lambda v: math.sin(math.pi * v) / (math.pi * v) if v else 1.0)


def _tests(function):
    return lambda value: Array.make([function(v) for v in of(value).flat], of(value).shape, dtype("bool"))


isfinite, isinf, isnan = (_tests(f) for f in (math.isfinite, math.isinf, math.isnan))


def nextafter(value, towards):
    """The next number of the type of `value`: the numbers of one sign are in the order of their bits."""
    kind, start, end = of(value).dtype, float(value), float(towards)
    if start == end:
        return scalar_types[kind.name](end)
    bits = int.from_bytes(kind.pack([math.fabs(start)]), "little")
    away = (end > start) == (start > 0) if start else True
    found = _read_number(kind, (bits + (1 if away else -1)).to_bytes(kind.itemsize, "little"))
    return scalar_types[kind.name](math.copysign(found, start or end))


def _read_number(kind, content):
    """The number of these little-endian bytes."""
    if kind.name == "bfloat16":
        return struct.unpack("<f", b"\0\0" + content)[0]
    return struct.unpack({"float16": "<e", "float32": "<f", "float64": "<d"}[kind.name], content)[0]


class finfo:  # noqa: N801
    """The greatest and the lowest number of a type."""

    def __init__(self, kind):
        name = dtype(kind).name
        greatest = {
            "float64": 1.7976931348623157e308,
            "float32": 3.4028234663852886e38,
            "float16": 65504.0,
            "bfloat16": 3.3895313892515355e38,
        }[name]
        self.max, self.min = scalar_types[name](greatest), scalar_types[name](-greatest)


def frombuffer(content, kind, count=None):
    """Numbers of 64 bits, or an array whose values are not set."""
    if count is not None:
        return zeros(count, kind)
    assert kind == "<u8"
    return [int.from_bytes(content[n : n + 8], "little") for n in range(0, len(content), 8)]
