"""Finds series that were computed in floating point: evenly spaced numbers, powers, logarithms, sines of positions.

The frequencies of rotary embedding, `1.0, 0.1, 0.01, ...`, are `1 / 10000 ** (i / 4)`.

In: an array of floats that are not integers. Out: candidate formulas: in float64 throughout first, then with the roundings to float32 that
PyTorch makes step by step. Always: one array has always the same candidates. A candidate is only a guess, which `Search` compares with all
elements.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from ...ops.formula import BinaryFormula, Const, Formula
from .simplify_formulas import (
    FindFormula,
    add_formulas,
    divide_formulas,
    make_call,
    make_const,
    make_index,
    multiply_formulas,
    negate_formula,
    round_to_float32,
)

if TYPE_CHECKING:
    from ...types.numpy_types import Array

_NEAR = 3e-6
"""The largest relative error of a number that is estimated from float32 elements."""
_DENOMINATORS = 4096


def find_scaled_integers(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Integers that are divided or multiplied by one number."""
    import numpy as np

    if a.dtype.kind != "f" or not np.isfinite(a).all():
        return
    wide = a.astype(np.float64)
    sample = wide.reshape(-1)[:: max(1, a.size // 4096)]
    for factor in dict.fromkeys(_list_scales(sample)):
        if not np.allclose(np.round(sample * factor), sample * factor, rtol=0, atol=1e-4):
            continue
        integers = np.round(wide * factor)
        if np.abs(integers).max() < 2**31 and np.allclose(integers, wide * factor, rtol=0, atol=1e-4):
            formula = find(integers.astype(np.int64))
            if formula is not None:
                yield _divide_formula(formula, factor)


def _list_scales(wide: Array) -> Iterator[float]:
    """Yield the candidates for the factor, from the least element, the least difference of two elements, and the largest element."""
    import numpy as np

    sizes = np.unique(np.abs(wide))
    steps = np.diff(sizes)
    for step in (*sizes[sizes > 0][:1], *steps[steps > 1e-7 * sizes[-1]][:1], *(sizes[-1:])):
        if step > 0:
            near = Fraction(float(step)).limit_denominator(_DENOMINATORS)
            if near:
                yield float(near.denominator)
            # A step with six decimal digits is as a person wrote it, such as 0.00390625 or 0.1.
            yield 1 / float(f"{step:.6g}")


def _divide_formula(formula: Formula, factor: float) -> Formula:
    if factor == 1:
        return formula
    return (
        divide_formulas(formula, make_const(factor))
        if float(factor).is_integer()
        else multiply_formulas(formula, make_const(float(f"{1 / factor:.6g}")))
    )


def find_evenly_spaced(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Evenly spaced numbers on one axis."""
    import numpy as np

    if a.dtype.kind != "f" or a.ndim != 1 or len(a) < 3 or not np.isfinite(a).all():
        return
    wide, count, i = a.astype(np.float64), len(a), make_index(0)
    step = (wide[-1] - wide[0]) / (count - 1)
    if not step or np.abs(wide - wide[0] - step * np.arange(count)).max() > 1e-5 * np.abs(wide).max():
        return
    ratio = _to_fraction(step)
    # `linspace` divides by `count - 1`, a range without its end by `count`, and centers of cells by `2 * count`.
    for divisor in dict.fromkeys((count - 1, count, count + 1, 2 * count)):
        over, start = _to_fraction(step * divisor), _to_fraction(wide[0])
        if over is not None and start is not None:
            yield add_formulas(
                divide_formulas(multiply_formulas(i, _fraction_to_formula(over)), make_const(divisor)), _fraction_to_formula(start)
            )
            yield add_formulas(multiply_formulas(round_to_float32(_fraction_to_formula(over / divisor)), i), _fraction_to_formula(start))
        # Centers of cells, `(i + 0.5) / n`, begin at half a step.
        offset = _to_fraction(wide[0] / step)
        if over is not None and offset is not None and offset.denominator <= 2:
            yield multiply_formulas(
                divide_formulas(add_formulas(i, _fraction_to_formula(offset)), make_const(divisor)), _fraction_to_formula(over)
            )
    if ratio is not None:
        yield add_formulas(multiply_formulas(i, _fraction_to_formula(ratio)), make_const(wide[0]))


def _to_fraction(number: float) -> Fraction | None:
    near = Fraction(float(number)).limit_denominator(_DENOMINATORS)
    return near if abs(float(near) - number) <= _NEAR * max(abs(number), 1e-3) else None


def _fraction_to_formula(number: Fraction) -> Formula:
    if number.denominator == 1:
        return make_const(number.numerator)
    decimal = Fraction(str(float(number)))
    return (
        make_const(float(number)) if decimal == number else BinaryFormula("/", make_const(number.numerator), make_const(number.denominator))
    )


def find_geometric_series(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Geometric series: the frequencies of positions, `1 / 10000 ** (i / 64)`, or their inverse, times a first number."""
    import numpy as np

    if a.dtype.kind != "f" or a.ndim != 1 or len(a) < 3 or not np.isfinite(a).all() or not (a > 0).all():
        return
    wide = a.astype(np.float64)
    slope = math.log(wide[-1] / wide[0]) / (len(a) - 1)
    if not slope or np.abs(np.log(wide / wide[0]) - slope * np.arange(len(a))).max() > 1e-5:
        return
    first = _make_first_value(wide[0])
    for base, length in _list_bases(abs(slope), len(a)):
        for power in _make_powers(base, length, make_index(0), falling=slope < 0):
            yield power if first is None else multiply_formulas(first, power)


def _make_first_value(number: float) -> Formula | None:
    if abs(number - 1) < _NEAR:
        return None
    for times, written in ((math.pi, Const(math.pi, "pi")), (2 * math.pi, multiply_formulas(make_const(2), Const(math.pi, "pi")))):
        if abs(number / times - 1) < _NEAR:
            return written
    near = _to_fraction(number)
    return make_const(float(f"{number:.7g}")) if near is None else _fraction_to_formula(near)


def _list_bases(slope: float, count: int) -> Iterator[tuple[int | float, int]]:
    """Yield the bases with few digits, and the number of indices after which the exponent grows by 1."""
    for length in dict.fromkeys((count, count - 1, count + 1, 2 * count, 1)):
        base = math.exp(min(slope * length, 300.0))  # beyond 709 it would overflow
        near = float(f"{base:.3g}")
        if near > 1 and abs(near / base - 1) < 3e-5 and near < 1e15:
            yield (int(near) if near.is_integer() else near), length


def _make_powers(base: int | float, length: int, i: Formula, *, falling: bool) -> Iterator[Formula]:
    exponent = divide_formulas(i, make_const(length))
    power = BinaryFormula("**", make_const(base), exponent)
    # Models differ in where they round: torch.pow of a rounded exponent, exp of a rounded product, or float64 until the end. One of these
    # formulas gives the bits of the checkpoint.
    rounded = round_to_float32(BinaryFormula("**", make_const(base), round_to_float32(exponent) if length > 1 else i))
    rate = BinaryFormula("/", make_call("log", make_const(base)), make_const(length))
    step = round_to_float32(multiply_formulas(i, round_to_float32(negate_formula(rate) if falling else rate)))
    if falling:
        yield BinaryFormula("/", make_const(1), power)
        yield BinaryFormula("/", make_const(1), rounded)
        yield round_to_float32(BinaryFormula("**", make_const(base), round_to_float32(negate_formula(exponent))))
    else:
        yield power
        yield rounded
    yield make_call("exp", step)
    yield make_call(
        "exp", round_to_float32(multiply_formulas(round_to_float32(i), round_to_float32(negate_formula(rate) if falling else rate)))
    )


def find_logarithms(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Coordinates that grow like logarithms, as Swin V2 has them: `log(1 + i * 8 / 7) / log(8)`."""
    import numpy as np

    if a.dtype.kind != "f" or a.ndim != 1 or len(a) < 3 or a[0] or not (a > 0)[1:].all() or not np.isfinite(a).all():
        return
    wide, i = a.astype(np.float64), make_index(0)
    for base in (math.e, 8.0, 2.0, 10.0, 16.0, 4.0):
        slope = math.expm1(wide[1] * math.log(base))
        if not np.allclose(np.log1p(slope * np.arange(len(a))), wide * math.log(base), rtol=1e-5):
            continue
        for times in (1, 8, 16) if base == math.e else (8, 1, 16):
            divisor = times / slope
            if divisor < 1e6 and abs(divisor - round(divisor)) < 1e-3 * divisor and round(divisor):
                yield from _make_logarithms(i, times, round(divisor), base)


def _make_logarithms(i: Formula, times: int, divisor: int, base: float) -> Iterator[Formula]:
    part = divide_formulas(i, make_const(divisor))
    if base == math.e:
        yield make_call("log", add_formulas(make_const(1), multiply_formulas(make_const(times), part)))
        yield make_call("log", round_to_float32(add_formulas(make_const(1), multiply_formulas(make_const(times), round_to_float32(part)))))
        return
    number = make_const(base)
    yield BinaryFormula(
        "/", make_call("log", add_formulas(multiply_formulas(part, make_const(times)), make_const(1))), make_call("log", number)
    )
    inner = round_to_float32(add_formulas(multiply_formulas(round_to_float32(part), make_const(times)), make_const(1)))
    two = make_call("log", make_const(2))
    power = math.log2(base)
    if power.is_integer():
        yield divide_formulas(round_to_float32(BinaryFormula("/", make_call("log", inner), two)), make_const(int(power)))
    yield BinaryFormula("/", make_call("log", inner), make_call("log", number))
    yield BinaryFormula("/", round_to_float32(make_call("log", inner)), round_to_float32(make_call("log", number)))


def find_sinusoids(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Matrices of sines or cosines of a position times a frequency."""
    import numpy as np

    if a.dtype.kind != "f" or a.ndim != 2 or min(a.shape) < 3 or not (np.abs(a) <= 1).all():
        return
    wide = a.astype(np.float64)
    # Row 0 is position 0, where sin is 0 and cos is 1. Any other row 0 means that the positions count from 1.
    names: tuple[str, ...] = ("sin",) if not wide[0].any() else ("cos",) if (wide[0] == 1).all() else ("sin", "cos")
    start = len(names) - 1
    position, row = add_formulas(make_index(0), make_const(start)), wide[1 - start]
    for name in names:
        for frequency, inverse in _find_frequencies(np.arcsin(row) if name == "sin" else np.arccos(row), make_index(1)):
            yield make_call(name, multiply_formulas(position, frequency) if inverse is None else BinaryFormula("/", position, inverse))
            yield make_call(name, round_to_float32(multiply_formulas(position, frequency)))


def _find_frequencies(frequencies: Array, j: Formula) -> Iterator[tuple[Formula, Formula | None]]:
    """Yield formulas for the frequencies. The second one, if any, is the inverse: `i / 10000 ** x` reads better than a product."""
    import numpy as np

    logs = np.log(np.maximum(frequencies, 1e-30))
    # Near 1 the cosine is flat: a float32 cosine of a smaller angle does not tell the angle.
    good = frequencies > 0.03
    if good.sum() < 2:
        return
    last = int(np.flatnonzero(good)[-1])
    slope = (logs[0] - logs[last]) / last if last else 0.0
    first = _make_first_value(float(frequencies[0]))
    if slope <= 1e-9:
        return
    for length in dict.fromkeys((len(frequencies), len(frequencies) - 1, len(frequencies) + 1)):
        base = math.exp(min(slope * length, 300.0))
        near = float(f"{base:.2g}")
        if near > 1 and abs(near / base - 1) < 2e-3:
            number = int(near) if near.is_integer() else near
            inverse = BinaryFormula("**", make_const(number), divide_formulas(j, make_const(length)))
            for k, power in enumerate(_make_powers(number, length, j, falling=True)):
                frequency = power if k == 0 else round_to_float32(power)
                if first is None:
                    yield frequency, inverse if k == 0 else None
                else:
                    yield multiply_formulas(first, frequency), None
