"""Streams: a model takes its sequence in pieces of any length, and carries a state between them.

In: a checked program, and the dimension of its sequence. Out: the program of a step, the program that computes constant values before the
first step, and runners for PyTorch and ONNX Runtime. Always: the concatenated outputs of the pieces equal the outputs for the full
sequence.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from netc.compiler.analysis.input_shapes import check_sizes
from netc.compiler.analysis.state_dict import collect_parameters
from netc.compiler.backends.backend import DEFAULT_OPTIONS, Backend, GraphOptions, WrongOutput
from netc.compiler.backends.backend_registry import get_or_raise
from netc.compiler.backends.onnx import BACKEND as ONNX
from netc.compiler.backends.torch import BACKEND as PYTORCH
from netc.compiler.dims import Dim, evaluate_dim, format_dim, free_symbols, invert_linear, make_symbol
from netc.compiler.ops.operator import numel
from netc.compiler.streaming import State, Stream, StreamRefused, derive_stream
from netc.compiler.types.tensor_types import BATCH
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.record import Record

from ..errors import CompileError, raise_as_compile_error
from ..files.atomic_writing import is_stream
from ..files.file_problems import make_diagnostic
from ..files.save_artifacts import refuse_weights, require_backend, save_artifact
from ..inputs.argument_checks import RUNTIMES, check_name, check_path
from ..inputs.argument_types import check_methods
from ..inputs.backend_input import Weights, make_backend_input, make_part_input, warn_about_weights
from ..inputs.checkpoint import to_checkpoint
from .genai_folder import save_decoder
from .repeated_steps import Checks, RepeatedSteps, StepOrigin
from .special_tokens import read_special_tokens

if TYPE_CHECKING:
    from netc.compiler.backends.backend import BackendInput
    from netc.compiler.backends.onnx.runtime import OnnxSession
    from netc.compiler.ir.graph import Program
    from netc.compiler.types.tensor_types import TensorType

START = ".start"
"""The addition to the name of the file that runs before the first piece, in front of its ending."""
RunFunction = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Runs a program: from arrays or tensors by name to outputs by name."""
FillFunction = Callable[[tuple[int, ...], float, str], Any]
"""Makes an array or tensor filled with a number, from its shape, the number and its element type."""


class CausalProof(Record):
    """Whether a program can be computed piece by piece: the problems, or the amount of state for a sample. `limit` is the condition of the
    proof, if there is one."""

    diagnostics: tuple[Diagnostic, ...] = ()
    memory: str = ""
    limit: str = ""


def prove_causal(program: Program, dimension: str) -> CausalProof:
    """Prove that no output depends on a later input along the dimension, or return diagnostics."""
    try:
        stream = derive_stream(program, dimension)
        return CausalProof((), format_memory(stream), _format_limit(stream))
    except StreamRefused as refused:
        return CausalProof((make_diagnostic(refused.problem, refused.span),))


def _format_limit(stream: Stream) -> str:
    if stream.finite_mask is None:
        return ""
    return f"its masks hide scores with {stream.finite_mask:g}: this holds as long as no other score is nearly as low; -inf hides any score"


def format_memory(stream: Stream) -> str:
    """Return the amount of state for one sample, in numbers: `64`, or `128*P` if it grows with the number `P` of positions."""
    total: Dim = 0
    for state in stream.states:
        total = total + numel(tuple(d for d in state.type.shape if d != make_symbol(BATCH)))
    return format_dim(total)


class StreamState(dict[str, Any]):
    """The state of a stream: states by name, and the values computed before the first piece. Each piece returns a new state and leaves the
    old one unchanged."""

    origin: StepOrigin | None = None
    """The step that returned the state, where the next one may leave out checks."""

    @staticmethod
    def make(states: Mapping[str, Any], origin: StepOrigin) -> StreamState:
        """Make the state that a step returns."""
        state = StreamState(states)
        state.origin = origin
        return state


class StreamRunner:
    """Runs a stream. Its states are values: keep one to continue from it several times."""

    def __init__(
        self, stream: Stream, step: RunFunction, start: RunFunction | None, full: FillFunction, repeated: RepeatedSteps | None = None
    ) -> None:
        self._stream = stream
        self._step = step
        self._start = start
        self._full = full
        self._repeated = repeated
        self._states = {s.name: s for s in stream.states}
        self._next_names = {s.next for s in stream.states}
        self._pieces = [name for name in _list_input_names(stream.step) if name not in self._states and name not in stream.fixed]
        start_outputs = [] if stream.start is None else stream.start.main.output_names
        # Values that are constant along the stream and need no computation pass from `begin` to each step unchanged.
        self._passed = tuple(name for name in stream.fixed if name not in start_outputs)
        starting = [] if stream.start is None else _list_input_names(stream.start)
        self.begins_with = tuple(dict.fromkeys([*starting, *self._passed]))
        """The arguments of `begin`: the inputs that do not have the dimension of the stream."""

    def begin(self, /, **inputs: Any) -> StreamState:
        """Return the state before the first piece, from the inputs that do not have the dimension of the stream."""
        _check_inputs("the start of the stream", self.begins_with, inputs)
        passed = {name: inputs[name] for name in self._passed}
        if self._start is None or self._stream.start is None:
            return StreamState(passed)
        return StreamState(passed | dict(self._start({name: inputs[name] for name in _list_input_names(self._stream.start)})))

    def __call__(self, state: StreamState, /, **pieces: Any) -> tuple[dict[str, Any], StreamState]:
        """Compute the next positions. Return the outputs by name, and the new state."""
        if not isinstance(state, StreamState):
            raise TypeError(f"the first argument must be the state that `begin` or the last call returned, not {type(state).__name__}")
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


@check_methods
class ModelStream:
    """A model that is computed in pieces along one dimension, as `Model.stream` returns it. `step` and `start` are its programs; `start` is
    None if there is nothing to compute before the first piece. Raises `CompileError` at an operator that looks ahead, or has no rule."""

    def __init__(self, program: Program, dimension: object, weights: Mapping[str, Any] | None = None) -> None:
        name = check_name(dimension, "dimension")
        if name is None:
            raise TypeError("a stream needs the name of a dimension, such as 'T'")
        try:
            self.stream = derive_stream(program, name)
        except StreamRefused as refused:
            raise CompileError((make_diagnostic(refused.problem, refused.span),)) from None
        self._program = program
        self._weights = weights

    @property
    def dimension(self) -> str:
        """The name of the dimension."""
        return self.stream.dimension

    @property
    def step(self) -> Program:
        """The program that computes a piece."""
        return self.stream.step

    @property
    def start(self) -> Program | None:
        """The program that computes constant values before the first piece, or None."""
        return self.stream.start

    @property
    def inputs(self) -> dict[str, TensorType]:
        """The types of the inputs of a step by name, the states last."""
        return {value.name: value.type for value in self.step.main.inputs}

    @property
    def outputs(self) -> dict[str, TensorType]:
        """The types of the outputs of a step by name, the next states last."""
        return dict(zip(self.step.main.output_names, (v.type for v in self.step.main.outputs), strict=True))

    @property
    def states(self) -> tuple[State, ...]:
        """The states that a step takes from the previous step."""
        return self.stream.states

    def memory(self) -> str:
        """Return the amount of state for one sample, in numbers: `64`, or `128*P` if it grows with the number `P` of positions."""
        return format_memory(self.stream)

    def source(self, target: str = "torch") -> str:
        """Return the text of a step for a target."""
        with raise_as_compile_error(self.step):
            return get_or_raise(target).text(self._select_input(self.step, self._make_full_input(None, None)))

    def module(self, weights: Weights | None = None, seed: int | None = None) -> StreamRunner:
        """Run the stream in PyTorch, in evaluation mode. `weights` belong to the full model; without them, `seed` draws the parameters."""
        import torch

        def make_run(program: Program) -> RunFunction:
            with raise_as_compile_error(program):
                module = PYTORCH.module(self._select_input(program, full_input)).eval()
            return partial(_run_module, module, _list_input_names(program), program.main.output_names)

        def make_full(shape: tuple[int, ...], number: float, dtype: str) -> Any:
            return torch.full(shape, number, dtype=getattr(torch, dtype))

        with warn_about_weights(self._make_full_input(weights, seed)) as full_input:
            return StreamRunner(self.stream, make_run(self.step), None if self.start is None else make_run(self.start), make_full)

    def session(self, weights: Weights | None = None, seed: int | None = None, device: str = "cpu") -> StreamRunner:
        """Run the stream in ONNX Runtime, on `cpu` or `cuda`. `weights` belong to the full model; without them, `seed` draws them.

        Outputs are arrays. States are values of ONNX Runtime, which are not copied between pieces; `.numpy()` converts one to an array.
        """
        import numpy as np

        def make_session(program: Program) -> OnnxSession:
            with raise_as_compile_error(program):
                return ONNX.session(self._select_input(program, full_input), device, partial(check_sizes, program))

        def make_full(shape: tuple[int, ...], number: float, dtype: str) -> Any:
            return np.full(shape, number, dtype)

        with warn_about_weights(self._make_full_input(weights, seed)) as full_input:
            step, start = make_session(self.step), None if self.start is None else make_session(self.start)
            run_step = partial(step.keeping, kept={s.next for s in self.states})
            run_start = None if start is None else partial(start.keeping, kept=set(start.outputs))
            return StreamRunner(self.stream, run_step, run_start, make_full, RepeatedSteps(self.stream, step))

    def notes(self, written: list[str]) -> tuple[str, ...]:
        """Return notes for users about the files that `save_artifact` returned: texts without a full stop."""
        if not written:
            raise ValueError("pass the names of the files that `save` returned")
        step_file = _format_file(written[0])
        others = [f"`{s.name}` begins with {s.start}" for s in self.states if s.start]
        first = "the first `past_...` are zeros, empty where their size is the number of positions"
        if self.stream.rate > 1:
            others.append(f"`{self.dimension}` of each piece is a multiple of {self.stream.rate}")
        # Whoever runs the files without netc must feed the states back; nothing in the files says so.
        notes = [
            f"each `next_...` that {step_file} returns is the `past_...` of the next piece: {self.memory()} numbers for a sample",
            "; ".join([first, *others]),
        ]
        if len(written) > 1:
            start_outputs = self.start.main.output_names if self.start is not None else []
            notes.append(f"`{written[1]}` computes {_quote_names(start_outputs)} before the first piece")
        return tuple(notes)

    def save(
        self,
        path: str | os.PathLike[str],
        target: Backend | None = None,
        weights: Weights | None = None,
        seed: int | None = None,
        options: GraphOptions = DEFAULT_OPTIONS,
    ) -> list[str]:
        """Write the step to a file, and the start program to a second file whose name has `.start` before the ending. Return their names.

        The ending of the path selects the target, unless one is passed. Raises `ValueError` for an unknown ending, for weights with a
        target that stores none, and for standard output, `-`, if there are two files.
        """
        checked = check_path(path)
        backend = target or require_backend(checked)
        # Standard output can hold one file, and this stream needs two.
        if self.start is not None and is_stream(checked):
            raise WrongOutput("a stream with inputs that do not have its dimension is two files: give the name of one")
        if weights is not None or seed is not None:
            refuse_weights(backend, "weights and seeds are")
        written = [(checked, self.step)]
        if self.start is not None:
            written.append((make_start_path(checked, backend), self.start))
        with warn_about_weights(self._make_full_input(weights, seed, options)) as full_input:
            for name, program in written:
                save_artifact(self._select_input(program, full_input), backend, name)
        return [name for name, _ in written]

    def save_for(
        self,
        runtime: str,
        folder: str | os.PathLike[str],
        weights: Weights | None = None,
        seed: int | None = None,
        options: GraphOptions = DEFAULT_OPTIONS,
    ) -> tuple[str, ...]:
        """Write a folder from which another runtime generates text: `onnxruntime-genai`, for a decoder of tokens. Return notes for users:
        texts without a full stop.

        The step has a mask, so that a batch may have prompts of different lengths, padded on the right. Raises `ValueError` for another
        runtime and for a model that the runtime cannot run, and `CompileError` for a model that cannot be streamed with padding.
        """
        if runtime not in RUNTIMES:
            raise ValueError(f"the runtime must be {' or '.join(RUNTIMES)}, not {runtime!r}")
        checkpoint = to_checkpoint(weights)
        paths = () if checkpoint is None else checkpoint.paths
        return save_decoder(self._make_full_input(weights, seed, options), self.dimension, check_path(folder), read_special_tokens(paths))

    def _make_full_input(self, weights: Weights | None, seed: int | None, options: GraphOptions = DEFAULT_OPTIONS) -> BackendInput:
        """Make the backend input of the full model."""
        return make_backend_input(self._program, self._weights if weights is None and seed is None else weights, seed, options=options)

    def _select_input(self, program: Program, full_input: BackendInput) -> BackendInput:
        """Make the backend input of one program, with its share of the full model's parameters."""
        return make_part_input(program, full_input, {name: self.stream.moved.get(name, name) for name in collect_parameters(program)})


def make_start_path(path: str, backend: Backend) -> str:
    """Return the path of the file that runs before the first piece, from the path of the step.

    >>> from types import SimpleNamespace
    >>> make_start_path("model.onnx", SimpleNamespace(suffix=".onnx"))
    'model.start.onnx'
    """
    return path.removesuffix(backend.suffix) + START + backend.suffix


def _run_module(module: Any, inputs: list[str], outputs: list[str], arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    import torch

    with torch.no_grad():
        results = module(*(arguments[name] for name in inputs))
    return dict(zip(outputs, results if isinstance(results, tuple | list) else [results], strict=True))


def _list_input_names(program: Program) -> list[str]:
    return [value.name for value in program.main.inputs]


def _check_inputs(what: str, expected: Sequence[str], inputs: Mapping[str, Any]) -> None:
    """Raise `ValueError` for missing or unknown inputs."""
    missing = [name for name in expected if name not in inputs]
    unknown = [name for name in inputs if name not in expected]
    if missing or unknown:
        problem = f"lacks {_quote_names(missing)}" if missing else f"takes no {_quote_names(unknown)}"
        raise ValueError(f"{what} {problem}; its inputs are {_quote_names(expected)}" if expected else f"{what} takes no inputs")


def _quote_names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _infer_sizes(program: Program, arrays: Mapping[str, Any], rate: int) -> dict[str, int]:
    """Infer the sizes of dimensions from the shapes of arrays. Positions are multiples of `rate`."""
    sizes: dict[str, int] = {}
    for value in program.main.inputs:
        if value.name not in arrays:
            continue
        shape_value = getattr(arrays[value.name], "shape", None)
        if shape_value is None:
            raise TypeError(f"the input `{value.name}` must be an array or a tensor, not {type(arrays[value.name]).__name__}")
        shape = shape_value() if callable(shape_value) else shape_value  # a method in the values of ONNX Runtime
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


def _format_file(path: str) -> str:
    return "the step" if path == "-" else f"`{path}`"
