"""Make the input of a backend from a checked program and the caller's weights.

In: a program, weights or a seed. Out: a `BackendInput`. Always: the arguments are checked at once. Weights are opened or drawn only when a
backend needs them, and each tensor is read only when the backend reads it, so a model may be larger than the memory.

    >>> import netc
    >>> made = make_backend_input(netc.compile("input 3 -> dense 2 as fc").program, None, seed=0)
    >>> made.open_arrays()["fc.weight"].shape
    (2, 3)
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from warnings import warn

from netc.compiler.analysis.state_dict import collect_parameters
from netc.compiler.backends.backend import DEFAULT_OPTIONS, BackendInput
from netc.compiler.errors.weight_errors import WeightsNote, WeightsWarning
from netc.dsl.record import replace

from ..training.run_files import BEST, LAST
from ..version import __version__
from .argument_checks import check_seed
from .checkpoint import Checkpoint, Source, to_checkpoint

if TYPE_CHECKING:
    from netc.compiler.backends.backend import Backend, GraphOptions
    from netc.compiler.ir.graph import Program
    from netc.compiler.weights.match_weights import MatchedWeights

    from ..analysis import Spec
    from ..prediction.fit_signature import FittedSignature

Weights = Source | Checkpoint


def make_backend_input(
    program: Program,
    weights: Weights | None,
    seed: int | None,
    spec_hash: str = "",
    options: GraphOptions = DEFAULT_OPTIONS,
    spec: Spec | None = None,
) -> BackendInput:
    """Return the input of a backend. Raises `TypeError` or `ValueError` for weights or a seed of the wrong kind."""
    checked, number = to_checkpoint(weights), check_seed(seed)
    fitted = _fit_run_signature(program, checked, spec_hash, spec)
    signed = () if fitted is None else fitted.format_metadata()
    marked = replace(options, metadata=(("netc_version", __version__), *signed, *options.metadata))
    arrays = None if weights is None and seed is None else _LazyWeights(program, checked, number)
    if arrays is not None and fitted is not None:
        arrays.why_unsigned = fitted.why_not
    return BackendInput(program, program.main.name, spec_hash, arrays, options=marked)


def _fit_run_signature(program: Program, checkpoint: Checkpoint | None, spec_hash: str, spec: Spec | None) -> FittedSignature | None:
    """Return the signature of the run that the weights are from, as far as it is the program's; None if they are from no run."""
    if checkpoint is None or len(checkpoint.paths) != 1:
        return None
    folder, name = os.path.split(checkpoint.paths[0])
    # a `Checkpoint` has replaced the folder of a run by the file of its weights
    if name not in (BEST, LAST):
        return None
    from ..prediction.fit_signature import fit_signature

    return fit_signature(folder, program, spec, spec_hash)


class _LazyWeights:
    """Weights that are opened or drawn at the first call, and kept."""

    def __init__(self, program: Program, checkpoint: Checkpoint | None, seed: int) -> None:
        self._program = program
        self._checkpoint = checkpoint
        self._seed = seed
        self._drawn: Mapping[str, Any] | None = None
        self.matched: MatchedWeights | None = None
        """The weights of the checkpoint, once they are open."""
        self.why_unsigned = ""
        """The reason why the model does not have the signature of the run that the weights are from."""

    def __call__(self) -> Mapping[str, Any]:
        if self._drawn is None and self.matched is None:
            self._open_weights()
        return self._drawn if self.matched is None else self.matched  # type: ignore[return-value]

    def _open_weights(self) -> None:
        from netc.compiler.weights.initial import InitialValues

        infos = collect_parameters(self._program)
        if self._checkpoint is None:
            self._drawn = InitialValues(infos, self._seed)
        else:
            self.matched = self._checkpoint.match_parameters(infos, self._seed)


def make_part_input(program: Program, full_input: BackendInput, names: Mapping[str, str]) -> BackendInput:
    """Return the input of a backend for a program with parameters of another one, such as a streaming step. `names` maps each parameter to
    its name in the other program."""
    return BackendInput(program, program.main.name, "", _RenamedWeights(full_input, names), options=full_input.options)


class _RenamedWeights:
    """Some of the weights of another program, under other names."""

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
def warn_about_weights(inputs: BackendInput, level: int = 4) -> Iterator[BackendInput]:
    """Use weights within the context, and warn about them afterwards: with a `WeightsNote`, or with a `WeightsWarning` for learned
    parameters with NaN or infinities. `level` is the `stacklevel` of `warn`."""
    yield inputs  # whether the values are finite is known only after the backend has read them
    match inputs.weights:
        case _LazyWeights(matched=matched) | _RenamedWeights(matched=matched) if matched is not None:
            for warning in _list_warnings(matched):
                warn(warning, stacklevel=level)


def warn_about_signature(inputs: BackendInput, backend: Backend, level: int = 4) -> None:
    """Warn about a model for ONNX Runtime that gets the weights of a run, but not what the run knows of its data."""
    why = getattr(inputs.weights, "why_unsigned", "")
    if why and backend.takes_options:
        warn(WeightsNote(f"the file gets no names of columns and classes, so `netc predict` refuses it: {why}"), stacklevel=level)


def _list_warnings(matched: MatchedWeights) -> Iterator[Warning]:
    if matched.prefix:
        yield WeightsNote(f"the prefix `{matched.prefix}` was removed from the names of the weights")
    if matched.ignored:
        yield WeightsNote(f"left out of the weights: {_quote_names(matched.ignored)}")
    if matched.drawn:
        yield WeightsNote(f"initialized, since they are not in the weights: {_quote_names(matched.drawn)}")
    if matched.widened:
        found, needed = matched.widened
        keeps = f"`--dtype {found}` keeps them, in Python `dtype={str(found)!r}`"
        yield WeightsNote(f"the weights are {found} and become {needed}, the type of the model, in more bytes; {keeps}")
    if matched.not_finite:
        yield WeightsWarning([name for name in matched if name in matched.not_finite])


def _quote_names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
