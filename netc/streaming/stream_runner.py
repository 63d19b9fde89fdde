"""Run a stream piece by piece, in PyTorch or in ONNX Runtime.

In: functions that run the programs of a stream. Out: the outputs of each piece, and the state for the next one. Always: the outputs of all
pieces together, with the outputs of the flush if the stream has a look-ahead, are the outputs for the full sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from netc.compiler.dims import evaluate_dim, free_symbols, invert_linear
from netc.compiler.streaming import State, Stream

from .repeated_steps import Checks, RepeatedSteps, StepOrigin, read_shape

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program
    from netc.compiler.types.tensor_types import TensorType

RunFunction = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Runs a program: from arrays or tensors by name to outputs by name."""
FillFunction = Callable[[tuple[int, ...], float, str], Any]
"""Makes an array or tensor filled with a number, from its shape, the number and its element type."""


class StreamState(dict[str, Any]):
    """The state of a stream: states by name, and the values computed before the first piece. Each piece returns a new state and leaves the
    old one unchanged."""

    origin: StepOrigin | None = None
    """The step that returned the state, where the next one may leave out checks."""
    positions: int = 0
    """The number of positions so far. Only a stream with a look-ahead counts them."""
    shapes: Mapping[str, tuple[int, ...]] | None = None
    """The shapes of the last pieces, for a flush."""

    @staticmethod
    def make(states: Mapping[str, Any], origin: StepOrigin) -> StreamState:
        """Make the state that a step returns."""
        state = StreamState(states)
        state.origin = origin
        return state


class StreamRunner:
    """Runs a stream. Its states are values: keep one to continue from it several times."""

    def __init__(
        self,
        stream: Stream,
        step: RunFunction,
        start: RunFunction | None,
        full: FillFunction,
        repeated: RepeatedSteps | None = None,
        flush: RunFunction | None = None,
    ) -> None:
        self._stream = stream
        self._step = step
        self._start = start
        self._flush = flush
        self._full = full
        self._repeated = repeated
        self._states = {s.name: s for s in stream.states}
        self._next_names = {s.next for s in stream.states}
        self._pieces = [name for name in list_input_names(stream.step) if name not in self._states and name not in stream.fixed]
        start_outputs = [] if stream.start is None else stream.start.main.output_names
        # Values that are constant along the stream and need no computation pass from `begin` to each step unchanged.
        self._passed = tuple(name for name in stream.fixed if name not in start_outputs)
        starting = [] if stream.start is None else list_input_names(stream.start)
        self.begins_with = tuple(dict.fromkeys([*starting, *self._passed]))
        """The arguments of `begin`: the inputs that do not have the dimension of the stream."""

    def begin(self, /, **inputs: Any) -> StreamState:
        """Return the state before the first piece, from the inputs that do not have the dimension of the stream."""
        _check_inputs("the start of the stream", self.begins_with, inputs)
        passed = {name: inputs[name] for name in self._passed}
        if self._start is None or self._stream.start is None:
            return StreamState(passed)
        return StreamState(passed | dict(self._start({name: inputs[name] for name in list_input_names(self._stream.start)})))

    def __call__(self, state: StreamState, /, **pieces: Any) -> tuple[dict[str, Any], StreamState]:
        """Compute the next positions. Return the outputs by name, and the new state."""
        outputs, after = self._run_step(state, pieces)
        if self._stream.lookahead:
            after.shapes = {name: read_shape(piece) for name, piece in pieces.items()}
            after.positions = state.positions + _infer_sizes(self._stream.step, pieces, self._stream.rate)[self._stream.dimension]
            outputs = self._drop_early_outputs(outputs, state.positions)
        return outputs, after

    def flush(self, state: StreamState, /) -> dict[str, Any]:
        """End a stream with a look-ahead. Return the last outputs by name, which no later input can change any more. The state stays
        unchanged. Raises `ValueError` for a stream without a look-ahead, and before the first piece."""
        _check_state(state)
        stream = self._stream
        if self._flush is None or stream.flush is None:
            raise ValueError("the stream has no look-ahead: its steps have returned all outputs")
        if state.shapes is None:
            raise ValueError("a stream ends after its first piece at the earliest")
        pieces = {name: self._make_last_piece(name, state.shapes[name]) for name in self._pieces}
        arguments = {name: pieces[name] if name in pieces else state[name] for name in list_input_names(stream.flush)}
        return self._drop_early_outputs(dict(self._flush(arguments)), state.positions)

    def _make_last_piece(self, name: str, shape: tuple[int, ...]) -> Any:
        """Make the piece after the end of the sequence, whose numbers are never looked at."""
        (type,) = (value.type for value in self._stream.step.main.inputs if value.name == name)
        sizes = {self._stream.dimension: self._stream.lookahead}
        axis = _find_axis(self._stream, type)
        assert axis is not None
        full = (*shape[:axis], evaluate_dim(type.shape[axis], sizes), *shape[axis + 1 :])
        return self._full(full, 0.0, type.dtype.name)

    def _drop_early_outputs(self, outputs: dict[str, Any], positions: int) -> dict[str, Any]:
        """Drop the outputs for positions before the first one of the sequence."""
        # an output that is shorter than the stream begins later
        if positions >= self._stream.lookahead and not self._stream.excess:
            return outputs
        for name, (axis, count) in count_early_outputs(self._stream, positions).items():
            outputs[name] = outputs[name][(slice(None),) * axis + (slice(count, None),)]
        return outputs

    def _run_step(self, state: StreamState, pieces: Mapping[str, Any]) -> tuple[dict[str, Any], StreamState]:
        _check_state(state)
        origin = state.origin
        repeated = None if self._repeated is None else self._repeated.run(state, origin, pieces)
        if repeated is not None:
            outputs, states, after_origin = repeated
            return outputs, StreamState.make(states, after_origin)
        _check_inputs("a piece", self._pieces, pieces)
        arguments = self._collect_arguments(state, pieces)
        results = self._step(arguments)
        checks = {} if self._repeated is None else self._repeated.remember(arguments, pieces)
        # checks are for the sizes of one sequence, so a state from elsewhere begins without any
        known = {} if origin is None or not origin.is_unchanged(state) else origin.checks
        return self._split_results(state, results, {**known, **checks})

    def _collect_arguments(self, state: StreamState, pieces: Mapping[str, Any]) -> dict[str, Any]:
        stream = self._stream
        arguments = {name: state[name] for name in stream.fixed} | {name: pieces[name] for name in self._pieces}
        # The first states are made here, not in `begin`, because only the first piece shows the size of the batch.
        sizes = _infer_sizes(stream.step, arguments, stream.rate) | {stream.past: 0}
        if not sizes[stream.dimension]:
            raise ValueError(f"a piece must have at least 1 position along `{stream.dimension}`, found 0")
        return arguments | {
            name: state[name] if name in state else self._make_initial_state(declared_state, sizes)
            for name, declared_state in self._states.items()
        }

    def _split_results(self, state: StreamState, results: Mapping[str, Any], checks: Checks) -> tuple[dict[str, Any], StreamState]:
        """Split the results of a step into outputs and the state for the next step."""
        states = {name: state[name] for name in self._stream.fixed} | {s.name: results[s.next] for s in self._stream.states}
        after = StreamState.make(states, StepOrigin(tuple(states.values()), checks))
        return {name: value for name, value in results.items() if name not in self._next_names}, after

    def _make_initial_state(self, state: State, sizes: Mapping[str, int]) -> Any:
        shape = tuple(d if isinstance(d, int) else evaluate_dim(d, sizes) for d in state.type.shape)
        return self._full(shape, float(state.start or 0), state.type.dtype.name)


def _check_state(state: object) -> None:
    if not isinstance(state, StreamState):
        raise TypeError(f"the first argument must be the state that `begin` or the last call returned, not {type(state).__name__}")


def list_input_names(program: Program) -> list[str]:
    return [value.name for value in program.main.inputs]


def _check_inputs(what: str, expected: Sequence[str], inputs: Mapping[str, Any]) -> None:
    """Raise `ValueError` for missing or unknown inputs."""
    missing = [name for name in expected if name not in inputs]
    unknown = [name for name in inputs if name not in expected]
    if missing or unknown:
        problem = f"lacks {quote_names(missing)}" if missing else f"takes no {quote_names(unknown)}"
        raise ValueError(f"{what} {problem}; its inputs are {quote_names(expected)}" if expected else f"{what} takes no inputs")


def quote_names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _infer_sizes(program: Program, arrays: Mapping[str, Any], rate: int) -> dict[str, int]:
    """Infer the sizes of dimensions from the shapes of arrays. Positions are multiples of `rate`."""
    sizes: dict[str, int] = {}
    for value in program.main.inputs:
        if value.name not in arrays:
            continue
        if not hasattr(arrays[value.name], "shape"):
            raise TypeError(f"the input `{value.name}` must be an array or a tensor, not {type(arrays[value.name]).__name__}")
        shape = read_shape(arrays[value.name])
        if len(shape) != value.type.rank:
            raise ValueError(f"the input `{value.name}` is {value.type}, found an array with {len(shape)} axes")
        for dim, size in zip(value.type.shape, shape, strict=True):
            inverse = None if isinstance(dim, int) or len(free_symbols(dim)) != 1 else invert_linear(dim)
            if inverse is not None:
                name, factor, divisor, offset = inverse
                # The inverse rounds down, so its result is compared with the size: a piece may not be a multiple of the stride.
                if evaluate_dim(dim, {name: (size - offset) * divisor // factor}) != size:
                    raise ValueError(f"`{name}` must be a multiple of {rate}, and the input `{value.name}` has the shape {list(shape)}")
                sizes.setdefault(name, (int(size) - offset) * divisor // factor)
    return sizes


def count_early_outputs(stream: Stream, positions: int) -> dict[str, tuple[int, int]]:
    """Count the elements of each output, along its axis of the stream, that steps after this many positions return for positions before
    the first one. Return the axis and the number by output."""
    counts = {}
    states = {state.next for state in stream.states}
    for name, value in zip(stream.step.main.output_names, stream.step.main.outputs, strict=True):
        axis = _find_axis(stream, value.type)
        if axis is not None and name not in states:
            delayed, so_far = (evaluate_dim(value.type.shape[axis], {stream.dimension: n}) for n in (stream.lookahead, positions))
            counts[name] = axis, max(delayed - so_far - stream.excess.get(name, 0), 0)
    return counts


def _find_axis(stream: Stream, type: TensorType) -> int | None:
    return next((axis for axis, dim in enumerate(type.shape) if stream.dimension in free_symbols(dim)), None)
