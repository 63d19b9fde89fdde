"""Streams: a model that takes its sequence in pieces of any length, and carries a state between them.

In: a checked program, and the dimension of its sequence. Out: programs of a step and of what comes before the first one, and what runs
them, in PyTorch or ONNX Runtime. Always: the outputs of the pieces, one after another, are those of the whole sequence.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from netc.compiler.analysis.input_shapes import check_sizes
from netc.compiler.analysis.state_dict import collect_parameters
from netc.compiler.backends.backend import USUAL, Backend, GraphOptions, WrongOutput
from netc.compiler.backends.backend_registry import get_or_raise
from netc.compiler.backends.onnx import BACKEND as ONNX
from netc.compiler.backends.torch import BACKEND as PYTORCH
from netc.compiler.dims import Dim, evaluate_dim, format_dim, free_symbols, invert_linear, make_symbol
from netc.compiler.ops.operator import numel
from netc.compiler.streaming import Refused, State, Stream, derive
from netc.compiler.types.tensor_types import BATCH
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.record import Record

from ..errors import CompileError, unsupported_is_compile_error
from ..files.atomic_writing import is_stream
from ..files.file_problems import diagnostic
from ..files.save_artifacts import backend_for, refuse_weights, save
from ..inputs.argument_checks import RUNTIMES, checked_name, checked_path
from ..inputs.argument_types import checks_methods
from ..inputs.backend_input import Weights, backend_input, part_of, reported
from ..inputs.checkpoint import checked_weights
from .genai_folder import save_decoder, special_tokens

if TYPE_CHECKING:
    from netc.compiler.backends.backend import BackendInput
    from netc.compiler.ir.graph import Program
    from netc.compiler.types.tensor_types import TensorType

START = ".start"
"""What the name of the file has in addition that computes what does not change, before its ending."""
Run = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""A program that runs: arrays or tensors by name, to those of the outputs."""
Full = Callable[[tuple[int, ...], float, str], Any]
"""An array or tensor of one number: its shape, the number, its element type."""


class Proof(Record):
    """Whether a program can be computed piece by piece: what is wrong, or the numbers that are remembered for a sample. `limit` says under
    which condition the proof holds, if there is one."""

    diagnostics: tuple[Diagnostic, ...] = ()
    memory: str = ""
    limit: str = ""


def prove_causal(program: Program, dimension: str) -> Proof:
    """Without diagnostics, no output depends on a later input along the dimension."""
    try:
        stream = derive(program, dimension)
        return Proof((), remembered(stream), _limit(stream))
    except Refused as refused:
        return Proof((diagnostic(refused.problem, refused.span),))


def _limit(stream: Stream) -> str:
    if stream.finite_mask is None:
        return ""
    return f"its masks hide scores with {stream.finite_mask:g}: this holds as long as no other score is nearly as low; -inf hides any score"


def remembered(stream: Stream) -> str:
    """The numbers that are remembered for one sample: `64`, or `128*P` where they grow with the number `P` of positions."""
    total: Dim = 0
    for state in stream.states:
        total = total + numel(tuple(d for d in state.type.shape if d != make_symbol(BATCH)))
    return format_dim(total)


class Remembered(dict[str, Any]):
    """What a stream has kept: states by name, and what was computed before the first piece. A piece makes a new one, and leaves this."""


class Pieces:
    """A stream that runs. Its states are values: keep one to go on from it more than once."""

    def __init__(self, stream: Stream, step: Run, start: Run | None, full: Full) -> None:
        self._stream = stream
        self._step = step
        self._start = start
        self._full = full
        made = [] if stream.start is None else stream.start.main.output_names
        self._passed = tuple(name for name in stream.fixed if name not in made)
        starting = [] if stream.start is None else _names(stream.start)
        self.begins_with = tuple(dict.fromkeys([*starting, *self._passed]))
        """The inputs that do not have the dimension of the stream: what `begin` takes."""

    def begin(self, /, **inputs: Any) -> Remembered:
        """What there is before the first piece, given the inputs that do not have the dimension of the stream."""
        _require("the start of the stream", self.begins_with, inputs)
        passed = {name: inputs[name] for name in self._passed}
        if self._start is None or self._stream.start is None:
            return Remembered(passed)
        return Remembered(passed | dict(self._start({name: inputs[name] for name in _names(self._stream.start)})))

    def __call__(self, state: Remembered, /, **pieces: Any) -> tuple[dict[str, Any], Remembered]:
        """The outputs for the next positions by name, and what is remembered after them."""
        if not isinstance(state, Remembered):
            raise TypeError(f"the first argument must be the state that `begin` or the last call returned, not {type(state).__name__}")
        stream = self._stream
        states = {s.name: s for s in stream.states}
        own = [name for name in _names(stream.step) if name not in states and name not in stream.fixed]
        _require("a piece", own, pieces)
        given = {name: state[name] for name in stream.fixed} | {name: pieces[name] for name in own}
        sizes = _sizes(stream.step, given, stream.rate) | {stream.past: 0}
        given |= {name: state[name] if name in state else self._first(one, sizes) for name, one in states.items()}
        results = self._step(given)
        after = {name: state[name] for name in stream.fixed} | {s.name: results[s.next] for s in stream.states}
        kept = {s.next for s in stream.states}
        return {name: value for name, value in results.items() if name not in kept}, Remembered(after)

    def _first(self, state: State, sizes: Mapping[str, int]) -> Any:
        shape = tuple(d if isinstance(d, int) else evaluate_dim(d, sizes) for d in state.type.shape)
        return self._full(shape, float(state.start or 0), state.type.dtype.name)


@checks_methods
class ModelStream:
    """A model in pieces along one dimension: what `Model.stream` returns. `step` and `start` are its programs, `start` None if there is
    nothing to compute before the first piece. Raises `CompileError` with the operator that looks ahead, or that has no rule."""

    def __init__(self, program: Program, dimension: object, weights: Mapping[str, Any] | None = None) -> None:
        name = checked_name(dimension, "dimension")
        if name is None:
            raise TypeError("a stream needs the name of a dimension, such as 'T'")
        try:
            self.stream = derive(program, name)
        except Refused as refused:
            raise CompileError((diagnostic(refused.problem, refused.span),)) from None
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
        """The program that computes what does not change; None if there is nothing."""
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
        """What a step takes from the one before."""
        return self.stream.states

    def memory(self) -> str:
        """The numbers that are remembered for one sample: `64`, or `128*P` where they grow with the number `P` of positions."""
        return remembered(self.stream)

    def source(self, target: str = "torch") -> str:
        """The text that the backend of a target writes for a step."""
        with unsupported_is_compile_error(self.step):
            return get_or_raise(target).text(self._part(self.step, self._whole(None, None)))

    def module(self, weights: Weights | None = None, seed: int | None = None) -> Pieces:
        """The stream in PyTorch, in evaluation. Weights are those of the whole model; without them, `seed` draws the parameters."""
        import torch

        def runs(program: Program) -> Run:
            with unsupported_is_compile_error(program):
                module = PYTORCH.module(self._part(program, whole)).eval()
            return partial(_of_module, module, _names(program), program.main.output_names)

        def full(shape: tuple[int, ...], number: float, dtype: str) -> Any:
            return torch.full(shape, number, dtype=getattr(torch, dtype))

        with reported(self._whole(weights, seed)) as whole:
            return Pieces(self.stream, runs(self.step), None if self.start is None else runs(self.start), full)

    def session(self, weights: Weights | None = None, seed: int | None = None, device: str = "cpu") -> Pieces:
        """The stream in ONNX Runtime, on `cpu` or `cuda`. Weights are those of the whole model; without them, the seed draws them.

        Outputs are arrays; states are values of ONNX Runtime, which are not copied from piece to piece (`.numpy()` is an array of one).
        """
        import numpy as np

        def runs(program: Program) -> Run:
            with unsupported_is_compile_error(program):
                session = ONNX.session(self._part(program, whole), device, partial(check_sizes, program))
            kept = {s.next for s in self.states} if program is self.step else set(program.main.output_names)
            return partial(session.keeping, kept=kept)

        def full(shape: tuple[int, ...], number: float, dtype: str) -> Any:
            return np.full(shape, number, dtype)

        with reported(self._whole(weights, seed)) as whole:
            return Pieces(self.stream, runs(self.step), None if self.start is None else runs(self.start), full)

    def notes(self, written: list[str]) -> tuple[str, ...]:
        """What users should know of the files of a stream, as `save` returns them: texts without a full stop."""
        if not written:
            raise ValueError("pass the names of the files that `save` returned")
        others = [f"`{s.name}` begins with {s.start}" for s in self.states if s.start]
        first = "the first `past_...` are zeros, empty where their size is the number of positions"
        if self.stream.rate > 1:
            others.append(f"`{self.dimension}` of each piece is a multiple of {self.stream.rate}")
        notes = [
            f"each `next_...` that {_file(written[0])} returns is the `past_...` of the next piece: {self.memory()} numbers for a sample",
            "; ".join([first, *others]),
        ]
        if len(written) > 1:
            made = self.start.main.output_names if self.start is not None else []
            notes.append(f"`{written[1]}` computes {_listed(made)} before the first piece")
        return tuple(notes)

    def save(
        self,
        path: str | os.PathLike[str],
        target: Backend | None = None,
        weights: Weights | None = None,
        seed: int | None = None,
        options: GraphOptions = USUAL,
    ) -> list[str]:
        """Writes the step to a file, and what comes before it to one whose name has `.start` before the ending. Returns their names.

        The ending of the path asks for a target, unless one is given. Raises `ValueError` for another ending, for weights with a target
        that holds none, and for standard output, `-`, where there are two files.
        """
        checked = checked_path(path)
        backend = target or backend_for(checked)
        if self.start is not None and is_stream(checked):
            raise WrongOutput("a stream with inputs that do not have its dimension is two files: give the name of one")
        if weights is not None or seed is not None:
            refuse_weights(backend, "weights and seeds are")
        written = [(checked, self.step)]
        if self.start is not None:
            written.append((start_path(checked, backend), self.start))
        with reported(self._whole(weights, seed, options)) as whole:
            for name, program in written:
                save(self._part(program, whole), backend, name)
        return [name for name, _ in written]

    def save_for(
        self,
        runtime: str,
        folder: str | os.PathLike[str],
        weights: Weights | None = None,
        seed: int | None = None,
        options: GraphOptions = USUAL,
    ) -> tuple[str, ...]:
        """Writes a folder that another runtime generates texts from: `onnxruntime-genai`, for a decoder of tokens. Returns what users
        should know of it: texts without a full stop.

        Its step has a mask, so that a batch has prompts of different lengths, padded on the right. Raises `ValueError` for another runtime
        and for a model that it has no place for, `CompileError` for what cannot be streamed with padding.
        """
        if runtime not in RUNTIMES:
            raise ValueError(f"the runtime must be {' or '.join(RUNTIMES)}, not {runtime!r}")
        checkpoint = checked_weights(weights)
        paths = () if checkpoint is None else checkpoint.paths
        return save_decoder(self._whole(weights, seed, options), self.dimension, checked_path(folder), special_tokens(paths))

    def _whole(self, weights: Weights | None, seed: int | None, options: GraphOptions = USUAL) -> BackendInput:
        """What backends would take of the whole model."""
        return backend_input(self._program, self._weights if weights is None and seed is None else weights, seed, options=options)

    def _part(self, program: Program, whole: BackendInput) -> BackendInput:
        """What backends take, with the parameters of the whole model that this program has."""
        return part_of(program, whole, {name: self.stream.moved.get(name, name) for name in collect_parameters(program)})


def start_path(path: str, backend: Backend) -> str:
    """The file next to that of a step that computes what comes before the first piece."""
    return path.removesuffix(backend.suffix) + START + backend.suffix


def _of_module(module: Any, inputs: list[str], outputs: list[str], given: Mapping[str, Any]) -> Mapping[str, Any]:
    import torch

    with torch.no_grad():
        made = module(*(given[name] for name in inputs))
    return dict(zip(outputs, made if isinstance(made, tuple | list) else [made], strict=True))


def _names(program: Program) -> list[str]:
    return [value.name for value in program.main.inputs]


def _require(what: str, wanted: Sequence[str], given: Mapping[str, Any]) -> None:
    """Refuses other inputs than those that are wanted."""
    missing = [name for name in wanted if name not in given]
    unknown = [name for name in given if name not in wanted]
    if missing or unknown:
        problem = f"lacks {_listed(missing)}" if missing else f"takes no {_listed(unknown)}"
        raise ValueError(f"{what} {problem}; its inputs are {_listed(wanted)}" if wanted else f"{what} takes no inputs")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _sizes(program: Program, given: Mapping[str, Any], rate: int) -> dict[str, int]:
    """The sizes of dimensions, from those of arrays. Positions are multiples of `rate`."""
    sizes: dict[str, int] = {}
    for value in program.main.inputs:
        if value.name not in given:
            continue
        found = getattr(given[value.name], "shape", None)
        if found is None:
            raise TypeError(f"the input `{value.name}` must be an array or a tensor, not {type(given[value.name]).__name__}")
        shape = found() if callable(found) else found
        if len(shape) != value.type.rank:
            raise ValueError(f"the input `{value.name}` is {value.type}, found an array with {len(shape)} axes")
        for dim, size in zip(value.type.shape, shape, strict=True):
            known = None if isinstance(dim, int) or len(free_symbols(dim)) != 1 else invert_linear(dim)
            if known is not None:
                name, factor, divisor, offset = known
                if evaluate_dim(dim, {name: (size - offset) * divisor // factor}) != size:
                    raise ValueError(f"`{name}` must be a multiple of {rate}, and the input `{value.name}` has the shape {list(shape)}")
                sizes.setdefault(name, (int(size) - offset) * divisor // factor)
    return sizes


def _file(path: str) -> str:
    return "the step" if path == "-" else f"`{path}`"
