"""Matches the tensors of a checkpoint with the parameters of a program, by name, shape and element type.

In: `ParameterInfo`s, and arrays or `StoredTensor`s by name. Out: an array for every name in the state dict, with the spec's shape and type.
Always: all misfits of names, shapes and types are reported in one `WeightsError` before a value is read. Misfits of values, such as
integers out of range, are found when the tensor is read.

    >>> import netc
    >>> import numpy as np
    >>> infos = netc.compile("input 3 -> dense 2 bias=false as fc").parameters
    >>> match_arrays(infos, {"fc.weight": np.zeros((2, 3))})["fc.weight"].dtype
    dtype('float32')
    >>> match_arrays(infos, {"fc.weights": np.zeros((2, 3))})
    Traceback (most recent call last):
    netc.compiler.errors.weight_errors.WeightsError: the weights do not match the model: 1 missing, 1 unexpected
    missing from the weights: `fc.weight`
    unexpected in the weights: `fc.weights`
    help: rename `fc.weights` to `fc.weight`
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice, takewhile

from netc.dsl.diagnostics.suggest import find_similar_names

from ..analysis.state_dict import ParameterInfo
from ..errors.weight_errors import SHOWN, Misfit, WeightsError, WeightsMismatch
from ..types.numpy_types import Array, numpy_dtype
from ..types.tensor_types import FLOAT32, DType
from .chunked_arrays import all_finite, arrays_equal, convert_array
from .initial import InitialValues, constant_values, draw_initial_values
from .lazy_tensors import StoredTensor, stored_tensor
from .weight_selection import Selection, may_be_missing, select_tensors
from .weight_sources import load_arrays, open_weights, to_arrays

__all__ = [
    "MatchedWeights",
    "WeightsError",
    "to_arrays",
    "constant_values",
    "draw_initial_values",
    "load_arrays",
    "load_matching",
    "match_arrays",
    "match_tensors",
    "open_weights",
]

_EVERYTHING = Selection()
_COUNTER = "num_batches_tracked"
_MOST_PAIRS = 3
_MOST_CANDIDATES = 2000
"""The number of candidates among which similar names are searched."""


def match_arrays(infos: Mapping[str, ParameterInfo], arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return the arrays in the program's order and types.

    Floats are converted to the spec's type, and integers if all are exact in it. The counters of batch normalization may be missing, and so
    may all names but one of a tied parameter; the names that are present must have equal values.
    """
    return match_tensors(infos, {name: stored_tensor(array) for name, array in arrays.items()}, Selection("")).read_all()


def load_matching(infos: Mapping[str, ParameterInfo], path: str) -> dict[str, Array]:
    """Read the arrays of a file in the program's order and types."""
    return match_tensors(infos, open_weights([path])).read_all()


def match_tensors(
    infos: Mapping[str, ParameterInfo], tensors: Mapping[str, StoredTensor], selection: Selection = _EVERYTHING, seed: int = 0
) -> MatchedWeights:
    """Match the tensors without reading them. Missing parameters that the selection allows get initial values drawn with the seed."""
    selected = select_tensors(tensors, infos, selection)
    sources: dict[str, Callable[[], Array]] = {}
    # With the readers of the weights: the magnitudes of weight normalization are the norms of the loaded weight.
    matcher = _Matcher(infos, selected.tensors, selection, InitialValues(infos, seed, sources))
    sources |= matcher.match_parameters()
    return MatchedWeights(infos, sources, selected.prefix, selected.ignored, tuple(matcher.drawn), _find_widening(infos, selected.tensors))


class _MisfitValues(Exception):
    """Values that do not fit, found while a tensor is read."""

    def __init__(self, misfit: Misfit) -> None:
        super().__init__(misfit.why)
        self.misfit = misfit


class MatchedWeights(Mapping[str, Array]):
    """The arrays by name, in the program's order. Each is read on access and not kept.

    `prefix` was removed from all names, `ignored` are the names that were left out, `drawn` the parameters that the weights lack. `widened`
    is the type of all weights and the larger type of all parameters, if the two differ.
    """

    def __init__(
        self,
        infos: Mapping[str, ParameterInfo],
        sources: Mapping[str, Callable[[], Array]],
        prefix: str = "",
        ignored: tuple[str, ...] = (),
        drawn: tuple[str, ...] = (),
        widened: tuple[DType, DType] | None = None,
    ) -> None:
        self.prefix = prefix
        self.ignored = ignored
        self.drawn = drawn
        self.widened = widened
        self.not_finite: set[str] = set()
        """Names of the learned parameters that were read and have NaN or infinities; buffers may have infinities on purpose."""
        self._infos = infos
        self._sources = sources

    def __getitem__(self, name: str) -> Array:
        info = self._infos[self._infos[name].tied_to or name]
        try:
            array = self._sources[info.name]()
        except _MisfitValues:
            raise WeightsError(WeightsMismatch((), (), tuple(self._find_misfits()))) from None
        # Buffers are left out: a mask of attention may hold infinities on purpose.
        if info.trainable and info.dtype.is_float and not all_finite(array):
            self.not_finite.add(info.name)
        return array

    def __contains__(self, name: object) -> bool:
        return name in self._infos

    def __iter__(self) -> Iterator[str]:
        return iter(self._infos)

    def __len__(self) -> int:
        return len(self._infos)

    def read_all(self) -> dict[str, Array]:
        """Read all arrays; tied parameters share one."""
        arrays = {name: self[name] for name, info in self._infos.items() if info.tied_to is None}
        return {name: arrays[info.tied_to or name] for name, info in self._infos.items()}

    def _find_misfits(self) -> Iterator[Misfit]:
        """Read all tensors, and yield the misfits of their values."""
        for read in self._sources.values():
            try:
                read()
            except _MisfitValues as error:
                yield error.misfit


class _Matcher:
    """Finds the reader of every parameter that is not tied to another one."""

    def __init__(
        self, infos: Mapping[str, ParameterInfo], tensors: Mapping[str, StoredTensor], selection: Selection, new: Mapping[str, Array]
    ) -> None:
        self.infos = infos
        self.tensors = tensors
        self.selection = selection
        self.initial_values = new
        self.missing: list[str] = []
        self.misfits: list[Misfit] = []
        self.drawn: list[str] = []
        self.aliases: dict[str, list[str]] = {}
        for info in infos.values():
            if info.tied_to is not None:
                self.aliases.setdefault(info.tied_to, []).append(info.name)

    def match_parameters(self) -> dict[str, Callable[[], Array]]:
        readers: dict[str, Callable[[], Array]] = {}
        for name, info in self.infos.items():
            if info.tied_to is None:
                source = self._find_reader(info)
                if source is not None:
                    readers[name] = source
        # All misfits are collected first, so that one message has them all.
        unexpected = [name for name in self.tensors if name not in self.infos]
        if self.missing or self.misfits or unexpected:
            raise WeightsError(self._describe_mismatch(unexpected))
        return readers

    def _find_reader(self, info: ParameterInfo) -> Callable[[], Array] | None:
        names = [n for n in (info.name, *self.aliases.get(info.name, ())) if n in self.tensors]
        if not names:
            return self._replace_missing(info)
        misfits = [
            Misfit(name, why, self.tensors[name].shape != info.shape)
            for name in names
            if (why := _describe_misfit(info, self.tensors[name]))
        ]
        if misfits:
            self.misfits += misfits
            return None
        return _make_reader(info, {name: self.tensors[name] for name in names})

    def _replace_missing(self, info: ParameterInfo) -> Callable[[], Array] | None:
        """Return a reader for a parameter that the weights lack, if it may be missing."""
        if info.name.rpartition(".")[2] == _COUNTER:  # checkpoints from before PyTorch 0.4.1, and of other libraries, have no counters
            return lambda: constant_values(info)
        if any(may_be_missing(self.selection, name) for name in (info.name, *self.aliases.get(info.name, ()))):
            self.drawn.append(info.name)
            return lambda: self.initial_values[info.name]
        self.missing.append(info.name)
        return None

    def _describe_mismatch(self, unexpected: list[str]) -> WeightsMismatch:
        prefix, added = self._find_prefix() if self.missing and unexpected else ("", True)
        pairs = () if prefix else tuple(islice(self._pair_similar_names(unexpected), _MOST_PAIRS))
        return WeightsMismatch(tuple(self.missing), tuple(unexpected), tuple(self.misfits), pairs, prefix, added)

    def _pair_similar_names(self, unexpected: list[str]) -> Iterator[tuple[str, str]]:
        """Yield unexpected names of the weights, each with the similar missing name of the same shape."""
        candidates = self.missing[:_MOST_CANDIDATES]
        for name in unexpected[:SHOWN]:
            similar = find_similar_names(name, [n for n in candidates if self.infos[n].shape == self.tensors[name].shape])
            if similar:
                candidates.remove(similar[0])
                yield name, similar[0]

    def _find_prefix(self) -> tuple[str, bool]:
        """Return the prefix with which most names agree, and whether to strip it from the weights' names; otherwise it is to be added.

        The prefix is empty if none makes more names agree.
        """
        theirs, ours = set(self.tensors), set(self.infos)
        best, most = ("", True), len(theirs & ours)
        for prefix in _common_prefixes(theirs):
            agree = len({name.removeprefix(prefix) for name in theirs} & ours)
            best, most = ((prefix, True), agree) if agree > most else (best, most)
        for prefix in _common_prefixes(ours):
            agree = len({name.removeprefix(prefix) for name in ours} & theirs)
            best, most = ((prefix, False), agree) if agree > most else (best, most)
        return best


def _describe_misfit(info: ParameterInfo, tensor: StoredTensor) -> str:
    """Return the misfit of shape or type as a clause; empty if both fit."""
    if tensor.shape != info.shape:
        return f"has the shape {list(tensor.shape)} instead of {list(info.shape)}"
    dtype = tensor.dtype
    if dtype is None or not _is_convertible(dtype, info.dtype):
        return f"holds {dtype or tensor.kind} instead of {info.dtype}"
    return ""


def _find_widening(infos: Mapping[str, ParameterInfo], tensors: Mapping[str, StoredTensor]) -> tuple[DType, DType] | None:
    pairs = {(tensors[name].dtype, info.dtype) for name, info in infos.items() if name in tensors and info.dtype.is_float}
    # The note is for one case: all weights have one smaller type, and the spec stores them as float32.
    match [*pairs]:
        case [(DType() as stored, needed)] if stored.size < needed.size and needed == FLOAT32:  # another type was asked for
            return stored, needed
    return None


def _is_convertible(stored: DType, needed: DType) -> bool:
    return stored == needed or (stored.is_float and needed.is_float) or (stored.is_integer and needed.is_integer)


def _make_reader(info: ParameterInfo, tensors: Mapping[str, StoredTensor]) -> Callable[[], Array]:
    """Return the reader of a parameter that the weights hold under one or several names, with equal values."""

    def read_one(name: str) -> Array:
        try:
            return convert_array(tensors[name].read(), numpy_dtype(info.dtype))
        except OverflowError:
            raise _MisfitValues(Misfit(name, f"holds numbers that are out of the range of {info.dtype}")) from None

    def read() -> Array:
        first, *others = tensors
        array = read_one(first)
        for name in others:
            if not arrays_equal(array, read_one(name)):
                raise _MisfitValues(Misfit(name, f"differs from `{first}`, which is the same parameter in the model"))
        return array

    return read


def _common_prefixes(names: set[str]) -> list[str]:
    """Return the common prefixes of all names that end in a dot, shortest first."""
    if not names:
        return []
    # Names between the least and the greatest share the prefix that these two share.
    ends = zip(min(names).split(".")[:-1], max(names).split("."), strict=False)
    shared = [first for first, last in takewhile(lambda pair: pair[0] == pair[1], ends)]
    return [".".join(shared[: length + 1]) + "." for length in range(len(shared))]
