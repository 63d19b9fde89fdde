"""Weights matched with a program: whether they fit, and in the program's types.

In: `ParameterInfo`s, and arrays or `StoredTensor`s by name. Out: an array for every name in the state dict, of the spec's shape and type.
Always: what does not fit by name, shape or type is reported all at once, in one `WeightsError`, before a number is read; what its numbers
show to be wrong, when it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice, takewhile

from netc.dsl.diagnostics.suggest import near

from ..analysis.state_dict import ParameterInfo
from ..errors.weight_errors import SHOWN, Misfit, WeightsError, WeightsMismatch
from ..types.numpy_types import Array, numpy_dtype
from ..types.tensor_types import FLOAT32, DType
from .chunked_arrays import all_finite, converted, same
from .initial import Drawn, fixed, initial
from .lazy_tensors import StoredTensor, of_array
from .weight_selection import Selection, allowed, select
from .weight_sources import as_arrays, load, open_weights

__all__ = ["Matched", "WeightsError", "as_arrays", "fixed", "initial", "load", "load_matching", "match", "match_stored", "open_weights"]

_AS_IT_IS = Selection()
_COUNTER = "num_batches_tracked"
_MOST_PAIRS = 3
_MOST_CANDIDATES = 2000
"""The number of candidates among which similar names are searched."""


def match(infos: Mapping[str, ParameterInfo], arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays as the program needs them, in its order.

    Floating-point numbers are converted to the spec's type, integers where nothing is lost. The counters of batch normalisation may be
    missing, and so may all names but one of a tied parameter; those that are there must be equal.
    """
    return match_stored(infos, {name: of_array(array) for name, array in arrays.items()}, Selection("")).all()


def load_matching(infos: Mapping[str, ParameterInfo], path: str) -> dict[str, Array]:
    """The arrays in a file as the program needs them."""
    return match_stored(infos, open_weights([path])).all()


def match_stored(
    infos: Mapping[str, ParameterInfo], tensors: Mapping[str, StoredTensor], selection: Selection = _AS_IT_IS, seed: int = 0
) -> Matched:
    """The tensors as the program needs them, none of them read. What the selection allows to be missing is drawn with the seed."""
    selected = select(tensors, infos, selection)
    found = _Match(infos, selected.tensors, selection, Drawn(infos, seed))
    sources = found.run()
    return Matched(infos, sources, selected.prefix, selected.ignored, tuple(found.drawn), _widened(infos, selected.tensors))


class _Unfit(Exception):
    """Numbers that do not fit."""

    def __init__(self, misfit: Misfit) -> None:
        super().__init__(misfit.why)
        self.misfit = misfit


class Matched(Mapping[str, Array]):
    """The arrays by name, in the program's order, each read when it is asked for, and not kept.

    `prefix` was removed from all names, `ignored` are names that were left out, `drawn` are parameters that were not in the weights.
    `widened`: the one type that the weights have and the larger one that the model has, if all numbers are converted so.
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
        except _Unfit:
            raise WeightsError(WeightsMismatch((), (), tuple(self._unfit()))) from None
        if info.trainable and info.dtype.is_float and not all_finite(array):
            self.not_finite.add(info.name)
        return array

    def __contains__(self, name: object) -> bool:
        return name in self._infos

    def __iter__(self) -> Iterator[str]:
        return iter(self._infos)

    def __len__(self) -> int:
        return len(self._infos)

    def all(self) -> dict[str, Array]:
        """All of them, tied ones as one array."""
        found = {name: self[name] for name, info in self._infos.items() if info.tied_to is None}
        return {name: found[info.tied_to or name] for name, info in self._infos.items()}

    def _unfit(self) -> Iterator[Misfit]:
        """What the numbers of all show to be wrong."""
        for read in self._sources.values():
            try:
                read()
            except _Unfit as error:
                yield error.misfit


class _Match:
    """Finds for every parameter that is not tied how to read it."""

    def __init__(
        self, infos: Mapping[str, ParameterInfo], tensors: Mapping[str, StoredTensor], selection: Selection, new: Mapping[str, Array]
    ) -> None:
        self.infos = infos
        self.tensors = tensors
        self.selection = selection
        self.new = new
        self.missing: list[str] = []
        self.misfits: list[Misfit] = []
        self.drawn: list[str] = []
        self.aliases: dict[str, list[str]] = {}
        for info in infos.values():
            if info.tied_to is not None:
                self.aliases.setdefault(info.tied_to, []).append(info.name)

    def run(self) -> dict[str, Callable[[], Array]]:
        found: dict[str, Callable[[], Array]] = {}
        for name, info in self.infos.items():
            if info.tied_to is None:
                source = self._source(info)
                if source is not None:
                    found[name] = source
        unexpected = [name for name in self.tensors if name not in self.infos]
        if self.missing or self.misfits or unexpected:
            raise WeightsError(self._mismatch(unexpected))
        return found

    def _source(self, info: ParameterInfo) -> Callable[[], Array] | None:
        names = [n for n in (info.name, *self.aliases.get(info.name, ())) if n in self.tensors]
        if not names:
            return self._without(info)
        misfits = [
            Misfit(name, why, self.tensors[name].shape != info.shape) for name in names if (why := _unfit_type(info, self.tensors[name]))
        ]
        if misfits:
            self.misfits += misfits
            return None
        return _reader(info, {name: self.tensors[name] for name in names})

    def _without(self, info: ParameterInfo) -> Callable[[], Array] | None:
        """The values of a parameter that the weights do not have."""
        if info.name.rpartition(".")[2] == _COUNTER:
            return lambda: fixed(info)
        if any(allowed(self.selection, name) for name in (info.name, *self.aliases.get(info.name, ()))):
            self.drawn.append(info.name)
            return lambda: self.new[info.name]
        self.missing.append(info.name)
        return None

    def _mismatch(self, unexpected: list[str]) -> WeightsMismatch:
        prefix, added = self._prefix() if self.missing and unexpected else ("", True)
        pairs = () if prefix else tuple(islice(self._similar(unexpected), _MOST_PAIRS))
        return WeightsMismatch(tuple(self.missing), tuple(unexpected), tuple(self.misfits), pairs, prefix, added)

    def _similar(self, unexpected: list[str]) -> Iterator[tuple[str, str]]:
        """Names of the weights with those that they may be meant for: near ones, of the same shape."""
        left = self.missing[:_MOST_CANDIDATES]
        for name in unexpected[:SHOWN]:
            found = near(name, [n for n in left if self.infos[n].shape == self.tensors[name].shape])
            if found:
                left.remove(found[0])
                yield name, found[0]

    def _prefix(self) -> tuple[str, bool]:
        """The prefix of all names of one side, if more names agree without it."""
        theirs, ours = set(self.tensors), set(self.infos)
        best, least = ("", True), len(theirs & ours)
        for prefix in _prefixes(theirs):
            agree = len({name.removeprefix(prefix) for name in theirs} & ours)
            best, least = ((prefix, True), agree) if agree > least else (best, least)
        for prefix in _prefixes(ours):
            agree = len({name.removeprefix(prefix) for name in ours} & theirs)
            best, least = ((prefix, False), agree) if agree > least else (best, least)
        return best


def _unfit_type(info: ParameterInfo, tensor: StoredTensor) -> str:
    """What is wrong with the shape or type, as a clause; empty if they fit."""
    if tensor.shape != info.shape:
        return f"has the shape {list(tensor.shape)}, needed is {list(info.shape)}"
    found = tensor.dtype
    if found is None or not _convertible(found, info.dtype):
        return f"holds {found or tensor.kind}, needed is {info.dtype}"
    return ""


def _widened(infos: Mapping[str, ParameterInfo], tensors: Mapping[str, StoredTensor]) -> tuple[DType, DType] | None:
    pairs = {(tensors[name].dtype, info.dtype) for name, info in infos.items() if name in tensors and info.dtype.is_float}
    match [*pairs]:
        case [(DType() as found, needed)] if found.size < needed.size and needed == FLOAT32:  # another type was asked for
            return found, needed
    return None


def _convertible(found: DType, needed: DType) -> bool:
    return found == needed or (found.is_float and needed.is_float) or (found.is_integer and needed.is_integer)


def _reader(info: ParameterInfo, tensors: Mapping[str, StoredTensor]) -> Callable[[], Array]:
    """Reads a parameter that is in the weights under these names, of which all are the same."""

    def read_one(name: str) -> Array:
        try:
            return converted(tensors[name].read(), numpy_dtype(info.dtype))
        except OverflowError:
            raise _Unfit(Misfit(name, f"holds numbers that are out of the range of {info.dtype}")) from None

    def read() -> Array:
        first, *others = tensors
        array = read_one(first)
        for name in others:
            if not same(array, read_one(name)):
                raise _Unfit(Misfit(name, f"differs from `{first}`, which is the same parameter in the model"))
        return array

    return read


def _prefixes(names: set[str]) -> list[str]:
    """What all names begin with, up to each dot."""
    if not names:
        return []
    ends = zip(min(names).split(".")[:-1], max(names).split("."), strict=False)
    shared = [first for first, last in takewhile(lambda pair: pair[0] == pair[1], ends)]
    return [".".join(shared[: length + 1]) + "." for length in range(len(shared))]
