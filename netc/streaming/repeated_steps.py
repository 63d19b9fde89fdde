"""Run the steps of a stream in ONNX Runtime with the checks that a step needs, and no others.

A loop that writes text takes thousands of steps, each on one token and the states of the step before. ONNX Runtime needs a fraction of a
millisecond for a step of a small model, and to check the shapes of all states takes longer. The states of a step have the shapes that the
step before gave them: only the number of positions differs.

In: the session of a step, the states that a step has returned, and pieces. Out: the results, or None where the step needs all checks: for
the first piece, for a piece of another shape, and for states that the caller has changed. Always: sizes that the model does not take raise
the ValueError that a check of all shapes raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import is_
from typing import TYPE_CHECKING, Any

import onnxruntime

from netc.compiler.analysis.repeated_checks import GrowthChecks
from netc.compiler.dims import free_symbols, make_symbol
from netc.dsl.record import Record

if TYPE_CHECKING:
    from netc.compiler.backends.onnx.runtime import OnnxSession
    from netc.compiler.streaming import Stream

Signature = tuple[tuple[str, tuple[int, ...]], ...]
"""The shapes of the pieces of a step."""
Checks = Mapping[Signature, GrowthChecks]


class StepOrigin(Record):
    """What a state knows of the step that returned it: its values, and the checks of the pieces that have fitted so far, by their shapes.
    The checks are shared by all states of one sequence, whose fixed sizes are the same."""

    values: tuple[Any, ...]
    checks: Checks

    def is_unchanged(self, state: Mapping[str, Any]) -> bool:
        """Whether a state still has the values that the step has returned."""
        # by identity: the same array still has the shape that was checked, and its numbers do not matter here
        return len(state) == len(self.values) and all(map(is_, state.values(), self.values))


class RepeatedSteps:
    """The steps of one stream."""

    def __init__(self, stream: Stream, session: OnnxSession) -> None:
        self._stream, self._session = stream, session
        names = list(session.outputs)
        kept = {state.next for state in stream.states}
        self._state_indices = {state.name: names.index(state.next) for state in stream.states}
        self._output_indices = {name: index for index, name in enumerate(names) if name not in kept}
        self._counter = _find_counter(stream)
        uses_past = {state.name for state in stream.states for dim in state.type.shape if stream.past in free_symbols(dim)}
        # without a counter, nothing tells how many positions such a state has, so its growth cannot be checked
        self._is_possible = not stream.fixed and (self._counter is not None or not uses_past)

    def run(
        self, state: Mapping[str, Any], origin: StepOrigin | None, pieces: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any], StepOrigin] | None:
        """Run a step. Return its outputs, the next states and their origin, or None if it needs all checks."""
        if origin is None or not origin.is_unchanged(state):
            return None
        checks = origin.checks.get(_make_signature(pieces))
        if checks is None:
            return None
        if self._counter is not None:
            name, axis = self._counter
            checks.check_growth(state[name].shape()[axis])
        results = self._session.repeat(pieces, state)
        values = tuple([results[index] for index in self._state_indices.values()])
        outputs = {name: self._session.read_result(name, results[index]) for name, index in self._output_indices.items()}
        return outputs, dict(zip(self._state_indices, values, strict=True)), StepOrigin(values, origin.checks)

    def remember(self, arguments: Mapping[str, Any], pieces: Mapping[str, Any]) -> Checks:
        """Return the checks of the steps that follow one with all checks, whose inputs are `arguments`."""
        if not self._is_possible:
            return {}
        shapes = {name: read_shape(value) for name, value in arguments.items()}
        return {_make_signature(pieces): GrowthChecks(self._stream.step, self._stream.past, shapes)}


def _find_counter(stream: Stream) -> tuple[str, int] | None:
    """Find a state one of whose axes is the number of positions."""
    past = make_symbol(stream.past, lower=0)
    return next(((s.name, axis) for s in stream.states for axis, dim in enumerate(s.type.shape) if dim == past), None)


def _make_signature(pieces: Mapping[str, Any]) -> Signature:
    return tuple((name, tuple(getattr(piece, "shape", ()))) for name, piece in pieces.items())


def read_shape(value: Any) -> tuple[int, ...]:
    """Return the shape of an array, a tensor or a value of ONNX Runtime."""
    return tuple(value.shape() if isinstance(value, onnxruntime.OrtValue) else value.shape)
