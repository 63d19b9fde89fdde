"""Arrays and scalars: arithmetic as NumPy promotes it."""

from __future__ import annotations

import math
import operator
from itertools import product

from .dtypes import FLOATS, INTEGERS, ORDER, dtype
from .shapes import flat_index, walk, whole_shape


def result_type(a, b):
    """The type of arithmetic of two things; Python's numbers take the type of the array, if they can."""
    arrays = [x.dtype for x in (a, b) if isinstance(x, Array)]
    plain = [x for x in (a, b) if not isinstance(x, Array)]
    if not arrays:
        return of([*plain]).dtype
    wide = max(arrays, key=lambda kind: ORDER.index(kind.name))
    if len(arrays) == 2 and arrays[0] != arrays[1]:
        kinds = {kind.kind for kind in arrays}
        if "f" in kinds and len(kinds) > 1 and "b" not in kinds:
            wide = dtype("float64")
        elif {kind.name for kind in arrays} in ({"float16", "bfloat16"}, {"uint8", "int8"}):
            raise NotImplementedError
    if any(isinstance(x, float) for x in plain) and wide.kind != "f":
        return dtype("float64")
    if any(isinstance(x, int) and not isinstance(x, bool) for x in plain) and wide.kind == "b":
        return dtype("int64")
    return wide


class Array:
    """What arrays and scalars have in common."""

    flat: list
    shape: tuple
    dtype: dtype

    @staticmethod
    def make(values, shape, kind):
        """An array of numbers that are of the type."""
        made = object.__new__(ndarray)
        made.flat, made.shape, made.dtype = values, shape, kind
        return made

    size = property(lambda self: len(self.flat))
    ndim = property(lambda self: len(self.shape))

    @property
    def T(self):  # noqa: N802
        rows, columns = self.shape
        return Array.make([self.flat[i * columns + j] for j in range(columns) for i in range(rows)], (columns, rows), self.dtype)

    def spread(self, shape):
        """The elements, broadcast to a shape."""
        if self.shape == shape:
            return self.flat
        if len(self.flat) == 1:
            return self.flat * math.prod(shape)
        own = (1,) * (len(shape) - len(self.shape)) + self.shape
        return [self.flat[flat_index([0 if n == 1 else i for i, n in zip(place, own, strict=True)], own)] for place in walk(shape)]

    def astype(self, kind, copy=True):
        kind = dtype(kind)
        if kind == self.dtype:
            return self.copy() if copy else self
        return empty_of([kind.cast(v) for v in self.flat], self.shape, kind)

    def copy(self):
        return Array.make(self.flat[:], self.shape, self.dtype)

    def view(self, kind):
        """64 bits as four times 16, the low ones first."""
        assert (self.dtype.name, dtype(kind).name) == ("uint64", "uint16")
        parts = [word >> shift & 0xFFFF for word in self.flat for shift in (0, 16, 32, 48)]
        return Array.make(parts, (len(parts),), dtype(kind))

    def tobytes(self):
        return self.dtype.pack(self.flat)

    def reshape(self, *shape):
        shape = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        if -1 in shape:
            known = math.prod(n for n in shape if n != -1)
            shape = tuple(len(self.flat) // known if n == -1 else n for n in shape)
        assert math.prod(shape) == len(self.flat)
        return Array.make(self.flat, shape, self.dtype)

    def item(self):
        (value,) = self.flat
        return value

    def _reduced(self, function, axis, keepdims=False, kind=None):
        kind = kind or self.dtype
        if axis is None:
            return empty_of([function(self.flat)], (), kind)
        assert axis == 1
        assert len(self.shape) == 2
        rows, columns = self.shape
        found = [function(self.flat[i * columns : (i + 1) * columns]) for i in range(rows)]
        return Array.make(found, (rows, 1) if keepdims else (rows,), kind)

    def max(self, axis=None):
        return self._reduced(max, axis)

    def min(self, axis=None):
        return self._reduced(min, axis)

    def any(self, axis=None):
        return self._reduced(any, axis, kind=dtype("bool"))

    def all(self, axis=None):
        return self._reduced(all, axis, kind=dtype("bool"))

    def argmax(self, axis=None):
        return self._reduced(lambda row: row.index(max(row)), axis, kind=dtype("int64"))

    def sum(self, axis=None, keepdims=False):
        return self._reduced(lambda row: self.dtype.cast(_pairwise(row)), axis, keepdims)

    def __getitem__(self, at):
        at = at if isinstance(at, tuple) else (at,)
        if any(isinstance(part, Array) for part in at):
            return self._gathered(at)
        if None in at:
            kept = iter(self.shape)
            shape = [1 if part is None else next(kept) for part in at if part is None or part == slice(None)]
            assert len(shape) == len(at)
            return self.reshape(*shape, *kept)
        ranges = [range(n)[p] if isinstance(p, slice) else (p,) for p, n in zip(at, self.shape, strict=False)]
        if len(self.shape) == 1 and isinstance(at[0], slice) and ranges[0].step == 1:
            return _View.of(self, ranges[0])
        rest = self.shape[len(at) :]
        shape = (*(len(r) for r, p in zip(ranges, at, strict=True) if isinstance(p, slice)), *rest)
        places = product(*ranges, *map(range, rest))
        return empty_of([self.flat[flat_index(place, self.shape)] for place in places], shape, self.dtype)

    def _gathered(self, at):
        parts = [of(part) for part in at]
        if len(parts) == 1 and parts[0].dtype.kind == "b":
            kept = [v for v, keep in zip(self.flat, parts[0].flat, strict=True) if keep]
            return Array.make(kept, (len(kept),), self.dtype)
        shape = ()
        for part in parts:
            shape = whole_shape(shape, part.shape)
        assert len(parts) == len(self.shape)
        places = zip(*(part.spread(shape) for part in parts), strict=True)
        return empty_of([self.flat[flat_index(place, self.shape)] for place in places], shape, self.dtype)

    def __setitem__(self, at, value):
        at = at if isinstance(at, tuple) else (at,)
        if isinstance(at[0], Array):
            for place, one in zip(at[0].flat, of(value).flat, strict=True):
                self.flat[place] = self.dtype.cast(one)
            return
        ranges = [range(n)[p] if isinstance(p, slice) else (p,) for p, n in zip(at, self.shape, strict=False)]
        places = [*product(*ranges, *map(range, self.shape[len(at) :]))]
        given = of(value).flat
        for place, one in zip(places, given if len(given) == len(places) else [of(value).item()] * len(places), strict=True):
            self.flat[flat_index(place, self.shape)] = self.dtype.cast(one)

    def __imul__(self, other):
        self[:] = self * other
        return self

    def __iadd__(self, other):
        self[:] = self + other
        return self

    def __len__(self):
        return self.shape[0]

    def __iter__(self):
        return (self[i] for i in range(self.shape[0]))

    def _with(self, other, function, kind=None, swapped=False):
        if not isinstance(other, (Array, int, float)):
            return NotImplemented
        given = result_type(self, other)
        wanted = kind or given
        other = of(other)
        shape = whole_shape(self.shape, other.shape)
        pairs = zip(self.spread(shape), other.spread(shape), strict=True)
        if swapped:
            pairs = ((b, a) for a, b in pairs)
        cast = given.cast
        return empty_of([wanted.cast(_computed(function, cast(a), cast(b))) for a, b in pairs], shape, wanted)

    def __truediv__(self, other):
        return self._with(other, operator.truediv, _quotient(self, other))

    def __rtruediv__(self, other):
        return self._with(other, operator.truediv, _quotient(self, other), swapped=True)

    def __matmul__(self, vector):
        rows, columns = self.shape
        assert vector.shape == (columns,)
        sums = [sum(map(operator.mul, self.flat[i * columns : (i + 1) * columns], vector.flat)) for i in range(rows)]
        return empty_of(sums, (rows,), result_type(self, vector))

    def __neg__(self):
        return empty_of([self.dtype.cast(-v) for v in self.flat], self.shape, self.dtype)

    def __invert__(self):
        return empty_of([not v if self.dtype.kind == "b" else ~v for v in self.flat], self.shape, self.dtype)

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    __index__ = __int__

    def __bool__(self):
        return bool(self.item())

    def __hash__(self):
        return hash(self.item())

    def __repr__(self):
        return f"array({self.flat}, {self.shape}, {self.dtype})"


def _computed(function, a, b):
    """What NumPy gives where Python has no answer."""
    try:
        return function(a, b)
    except ZeroDivisionError:
        return 0 if isinstance(a, int) else math.nan if a == 0 or a != a else math.copysign(math.inf, a) * math.copysign(1, b)
    except OverflowError:
        return math.inf


def _quotient(a, b):
    kind = result_type(a, b)
    return kind if kind.kind == "f" else dtype("float64")


def _pairwise(row):
    """The sum as NumPy adds up fewer than eight numbers, or more of them in eight parts."""
    if len(row) < 8:
        total = 0.0
        for value in row:
            total += value
        return total
    if len(row) > 128:
        half = len(row) // 2 - len(row) // 2 % 8
        return _pairwise(row[:half]) + _pairwise(row[half:])
    parts = list(row[:8])
    end = len(row) - len(row) % 8
    for at in range(8, end, 8):
        parts = [p + v for p, v in zip(parts, row[at : at + 8], strict=True)]
    total = ((parts[0] + parts[1]) + (parts[2] + parts[3])) + ((parts[4] + parts[5]) + (parts[6] + parts[7]))
    for value in row[end:]:
        total += value
    return total


def _operators():
    plain = {
        "add": operator.add, "sub": operator.sub, "mul": operator.mul, "floordiv": operator.floordiv, "mod": operator.mod,
        "pow": operator.pow, "and": operator.and_, "or": operator.or_, "xor": operator.xor, "lshift": operator.lshift,
    }  # fmt: skip
    for name, function in plain.items():
        setattr(Array, f"__{name}__", lambda self, other, f=function: self._with(other, f))
        setattr(Array, f"__r{name}__", lambda self, other, f=function: self._with(other, f, swapped=True))
    for name in ("eq", "ne", "lt", "le", "gt", "ge"):
        function = getattr(operator, name)
        setattr(Array, f"__{name}__", lambda self, other, f=function: self._with(other, f, dtype("bool")))


_operators()


class ndarray(Array):  # noqa: N801
    """An array, which may have no axes."""

    def __class_getitem__(cls, _):
        return cls


class _View(ndarray):
    """A part of a row of numbers: what is written to it is written to the row."""

    @classmethod
    def of(cls, row, places):
        made = object.__new__(cls)
        made.flat, made.shape, made.dtype = row.flat[places.start : places.stop], (len(places),), row.dtype
        made.row, made.start = row, places.start
        return made

    def __setitem__(self, at, value):
        super().__setitem__(at, value)
        self.row.flat[self.start : self.start + len(self.flat)] = self.flat


class generic(Array):  # noqa: N801
    """One number with an element type."""

    def __new__(cls, value=0):
        kind = dtype(cls)
        return empty_of([kind.cast(value.item() if isinstance(value, Array) else value)], (), kind)


class number(generic):  # noqa: N801
    """One that is no boolean."""


class integer(number):  # noqa: N801
    """One of integers, with or without a sign."""


class floating(number):  # noqa: N801
    """One of floats."""


def _scalar_type(name):
    base = generic if name == "bool" else floating if name in FLOATS else integer
    return type("bool_" if name == "bool" else name, (base,), {"__module__": "numpy"})


_TYPES = {name: _scalar_type(name) for name in (*FLOATS, *INTEGERS, "bool")}
scalar_types = {kind.__name__: kind for kind in _TYPES.values()}


def empty_of(values, shape, kind):
    """An array, or the scalar that arithmetic gives in place of an array without axes."""
    made = object.__new__(ndarray if shape else _TYPES[kind.name])
    made.flat, made.shape, made.dtype = values, shape, kind
    return made


def of(value, kind=None):
    """The array that a number, a nested list or an array is."""
    if isinstance(value, Array):
        made = Array.make(value.flat, value.shape, value.dtype)
        return value if kind is None and isinstance(value, ndarray) else made if kind is None else made.astype(kind, copy=False)
    numbers: list = []
    shape = _flatten(value, numbers)
    if kind is None:
        types = {v.dtype.name if isinstance(v, Array) else {bool: "bool", float: "float64"}.get(type(v), "int64") for v in numbers}
        kind = max(types, key=ORDER.index) if types else "float64"
    kind = dtype(kind)
    return Array.make([kind.cast(v.item() if isinstance(v, Array) else v) for v in numbers], shape, kind)


def _flatten(value, numbers):
    if not isinstance(value, (list, tuple, range)):
        numbers.append(value)
        return ()
    shapes = [_flatten(part, numbers) for part in value]
    if any(shape != shapes[0] for shape in shapes):
        raise ValueError("lists of different lengths")
    return (len(value), *(shapes[0] if shapes else ()))
