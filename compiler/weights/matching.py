"""Weights matched with a program: initial values, values from files, and whether they fit.

In: `ParameterInfo`s, and arrays by name. Out: one array for every name in the state dict, of the spec's shape and type. Always: what does
not fit is reported all at once, in one `WeightsError`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice, takewhile

import numpy as np

from netc.dsl.diagnostics.suggest import near

from ..analysis.parameters import ParameterInfo
from ..errors.weights import SHOWN, Misfit, WeightsError, WeightsMismatch
from ..ir.elements import Array, dtype_of, numpy_dtype
from .checkpoint import as_arrays, load
from .headers import placeholders
from .initial import fixed, initial

__all__ = ["WeightsError", "as_arrays", "fixed", "initial", "load", "load_matching", "match", "not_finite"]

_COUNTER = "num_batches_tracked"
_MOST_PAIRS = 3
_MOST_CANDIDATES = 2000
"""The number of candidates among which similar names are searched."""


def match(infos: Mapping[str, ParameterInfo], arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays as the program needs them, in its order.

    Floating-point numbers are converted to the spec's type, integers where nothing is lost. The counters of batch normalisation may be
    missing, and so may all names but one of a tied parameter; those that are there must be equal.
    """
    return _Match(infos, arrays).run()


def load_matching(infos: Mapping[str, ParameterInfo], path: str) -> dict[str, Array]:
    """The arrays in a file as the program needs them. If headers show that they do not fit, their numbers are not read."""
    found = placeholders(path, infos)
    if found is not None:
        match(infos, found)
    return match(infos, load(path))


def not_finite(infos: Mapping[str, ParameterInfo], arrays: Mapping[str, Array]) -> list[str]:
    """Names of the learned parameters with NaN or infinities. Buffers may have infinities on purpose, as masks do."""
    return [
        name
        for name, array in arrays.items()
        if infos[name].trainable and infos[name].tied_to is None and infos[name].dtype.is_float and not np.isfinite(array).all()
    ]


class _Match:
    def __init__(self, infos: Mapping[str, ParameterInfo], arrays: Mapping[str, Array]) -> None:
        self.infos = infos
        self.arrays = arrays
        self.missing: list[str] = []
        self.misfits: list[Misfit] = []
        self.aliases: dict[str, list[str]] = {}
        for info in infos.values():
            if info.tied_to is not None:
                self.aliases.setdefault(info.tied_to, []).append(info.name)

    def run(self) -> dict[str, Array]:
        found: dict[str, Array] = {}
        for name, info in self.infos.items():
            if info.tied_to is None:
                value = self._value(info)
                if value is not None:
                    found[name] = value
        unexpected = [name for name in self.arrays if name not in self.infos]
        if self.missing or self.misfits or unexpected:
            raise WeightsError(self._mismatch(unexpected))
        return {name: found[info.tied_to or name] for name, info in self.infos.items()}

    def _value(self, info: ParameterInfo) -> Array | None:
        names = [n for n in (info.name, *self.aliases.get(info.name, ())) if n in self.arrays]
        if not names:
            if info.name.rpartition(".")[2] == _COUNTER:
                return fixed(info)
            self.missing.append(info.name)
            return None
        values = [self._fitted(info, name) for name in names]
        first = values[0]
        for name, other in zip(names[1:], values[1:], strict=True):
            if first is not None and other is not None and not np.array_equal(first, other, equal_nan=True):
                self.misfits.append(Misfit(name, f"differs from `{names[0]}`, which is the same parameter in the model"))
        return first

    def _fitted(self, info: ParameterInfo, name: str) -> Array | None:
        array = self.arrays[name]
        try:
            return _converted(info, array)
        except ValueError as error:
            self.misfits.append(Misfit(name, str(error)))
            return None

    def _mismatch(self, unexpected: list[str]) -> WeightsMismatch:
        prefix, added = self._prefix() if self.missing and unexpected else ("", True)
        pairs = () if prefix else tuple(islice(self._similar(unexpected), _MOST_PAIRS))
        return WeightsMismatch(tuple(self.missing), tuple(unexpected), tuple(self.misfits), pairs, prefix, added)

    def _similar(self, unexpected: list[str]) -> Iterator[tuple[str, str]]:
        """Names of the weights with those that they may be meant for: near ones, of the same shape."""
        left = self.missing[:_MOST_CANDIDATES]
        for name in unexpected[:SHOWN]:
            found = near(name, [n for n in left if self.infos[n].shape == self.arrays[name].shape])
            if found:
                left.remove(found[0])
                yield name, found[0]

    def _prefix(self) -> tuple[str, bool]:
        """The prefix of all names of one side, if more names agree without it."""
        theirs, ours = set(self.arrays), set(self.infos)
        best, least = ("", True), len(theirs & ours)
        for prefix in _prefixes(theirs):
            agree = len({name.removeprefix(prefix) for name in theirs} & ours)
            best, least = ((prefix, True), agree) if agree > least else (best, least)
        for prefix in _prefixes(ours):
            agree = len({name.removeprefix(prefix) for name in ours} & theirs)
            best, least = ((prefix, False), agree) if agree > least else (best, least)
        return best


def _converted(info: ParameterInfo, array: Array) -> Array:
    """The array in the parameter's type; a ValueError whose text is a clause: what is wrong with it."""
    if array.shape != info.shape:
        raise ValueError(f"has the shape {list(array.shape)}, needed is {list(info.shape)}")
    needed = numpy_dtype(info.dtype)
    if array.dtype == needed:
        return array
    found = dtype_of(array.dtype)
    if found is None or not ((found.is_float and info.dtype.is_float) or (found.is_integer and info.dtype.is_integer)):
        raise ValueError(f"holds {found or array.dtype}, needed is {info.dtype}")
    with np.errstate(over="ignore"):
        converted = array.astype(needed)
    lost = np.isinf(converted) & ~np.isinf(array) if found.is_float else converted != array
    if lost.any():
        raise ValueError(f"holds numbers that are out of the range of {info.dtype}")
    return converted


def _prefixes(names: set[str]) -> list[str]:
    """What all names begin with, up to each dot."""
    if not names:
        return []
    ends = zip(min(names).split(".")[:-1], max(names).split("."), strict=False)
    shared = [first for first, last in takewhile(lambda pair: pair[0] == pair[1], ends)]
    return [".".join(shared[: length + 1]) + "." for length in range(len(shared))]
