"""What backends take, made of a checked program and the caller's weights.

In: a program, weights or a seed. Out: a `BackendInput`. Always: the arguments are checked at once; weights are opened or drawn when a
backend needs them, and each tensor is read when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from warnings import warn

from netc.compiler.analysis.state_dict import collect_parameters
from netc.compiler.backends.backend import DEFAULT_OPTIONS, BackendInput
from netc.compiler.errors.weight_errors import WeightsNote, WeightsWarning
from netc.dsl.record import replace

from ..version import __version__
from .argument_checks import checked_seed
from .checkpoint import Checkpoint, Source, checked_weights

if TYPE_CHECKING:
    from netc.compiler.backends.backend import GraphOptions
    from netc.compiler.ir.graph import Program
    from netc.compiler.weights.match_weights import MatchedWeights

Weights = Source | Checkpoint


def backend_input(
    program: Program, weights: Weights | None, seed: int | None, spec_hash: str = "", options: GraphOptions = DEFAULT_OPTIONS
) -> BackendInput:
    """The input of a backend. Raises `TypeError` or `ValueError` for weights or a seed of another kind."""
    checked, number = checked_weights(weights), checked_seed(seed)

    arrays = None if weights is None and seed is None else _Arrays(program, checked, number)
    marked = replace(options, metadata=(("netc_version", __version__), *options.metadata))
    return BackendInput(program, program.main.name, spec_hash, arrays, options=marked)


class _Arrays:
    """Opens the weights when it is called, once."""

    def __init__(self, program: Program, checkpoint: Checkpoint | None, seed: int) -> None:
        self._program = program
        self._checkpoint = checkpoint
        self._seed = seed
        self._drawn: Mapping[str, Any] | None = None
        self.matched: MatchedWeights | None = None
        """Those of the checkpoint, once they are opened."""

    def __call__(self) -> Mapping[str, Any]:
        if self._drawn is None and self.matched is None:
            self._open()
        return self._drawn if self.matched is None else self.matched  # type: ignore[return-value]

    def _open(self) -> None:
        from netc.compiler.weights.initial import InitialValues

        infos = collect_parameters(self._program)
        if self._checkpoint is None:
            self._drawn = InitialValues(infos, self._seed)
        else:
            self.matched = self._checkpoint.matched(infos, self._seed)


def part_of(program: Program, whole: BackendInput, names: Mapping[str, str]) -> BackendInput:
    """The input of a backend for a program that has parameters of another one: `names` are those that they have there."""
    return BackendInput(program, program.main.name, "", _Part(whole, names), options=whole.options)


class _Part:
    """Some of the weights, under other names."""

    def __init__(self, whole: BackendInput, names: Mapping[str, str]) -> None:
        self._whole = whole
        self._names = names

    def __call__(self) -> Mapping[str, Any]:
        from netc.compiler.weights.lazy_tensors import RenamedArrays

        return RenamedArrays(self._whole.open_arrays(), self._names)

    @property
    def matched(self) -> MatchedWeights | None:
        return getattr(self._whole.weights, "matched", None)


@contextmanager
def reported(given: BackendInput, level: int = 4) -> Iterator[BackendInput]:
    """While weights are used. Afterwards, what users should see of them is a warning: a `WeightsNote`, or a `WeightsWarning` for learned
    parameters with NaN or infinities. `level`: that of `warn`."""
    yield given
    match given.weights:
        case _Arrays(matched=found) | _Part(matched=found) if found is not None:
            for warning in _warnings(found):
                warn(warning, stacklevel=level)


def _warnings(matched: MatchedWeights) -> Iterator[Warning]:
    if matched.prefix:
        yield WeightsNote(f"the prefix `{matched.prefix}` was removed from the names of the weights")
    if matched.ignored:
        yield WeightsNote(f"left out of the weights: {_listed(matched.ignored)}")
    if matched.drawn:
        yield WeightsNote(f"newly drawn, since they are not in the weights: {_listed(matched.drawn)}")
    if matched.widened:
        found, needed = matched.widened
        keeps = f"`--dtype {found}` keeps them, in Python `dtype={str(found)!r}`"
        yield WeightsNote(f"the weights are {found} and become {needed}, the type of the model, in more bytes; {keeps}")
    if matched.not_finite:
        yield WeightsWarning([name for name in matched if name in matched.not_finite])


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
