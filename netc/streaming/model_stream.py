"""Streams: a model takes its sequence in pieces of any length, and carries a state between them.

In: a checked program, and the dimension of its sequence. Out: the program of a step, the program that computes constant values before the
first step, and runners for PyTorch and ONNX Runtime. Always: the concatenated outputs of the pieces equal the outputs for the full
sequence.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from netc.compiler.analysis.input_shapes import check_sizes
from netc.compiler.analysis.state_dict import collect_parameters
from netc.compiler.backends.backend import DEFAULT_OPTIONS, Backend, GraphOptions, WrongOutput
from netc.compiler.backends.backend_registry import get_or_raise
from netc.compiler.backends.onnx import BACKEND as ONNX
from netc.compiler.backends.torch import BACKEND as PYTORCH
from netc.compiler.streaming import State, StreamRefused, derive_stream

from ..errors import CompileError, raise_as_compile_error
from ..files.atomic_writing import is_stream
from ..files.file_problems import make_diagnostic
from ..files.save_artifacts import refuse_weights, require_backend, save_artifact
from ..inputs.argument_checks import MAX_LOOKAHEAD, RUNTIMES, check_name, check_path
from ..inputs.argument_types import check_methods
from ..inputs.backend_input import Weights, make_backend_input, make_part_input, warn_about_weights
from ..inputs.checkpoint import to_checkpoint
from .causal_proof import format_memory
from .genai_folder import save_decoder
from .repeated_steps import RepeatedSteps
from .special_tokens import read_special_tokens
from .stream_runner import RunFunction, StreamRunner, count_early_outputs, list_input_names, quote_names

if TYPE_CHECKING:
    from netc.compiler.backends.backend import BackendInput
    from netc.compiler.backends.onnx.runtime import OnnxSession
    from netc.compiler.ir.graph import Program
    from netc.compiler.types.tensor_types import TensorType

START, FLUSH = ".start", ".flush"
"""The additions to the names of the files that run before the first piece and after the last one, in front of their endings."""


@check_methods
class ModelStream:
    """A model that is computed in pieces along one dimension, as `Model.stream` returns it. `step`, `start` and `flush` are its programs.
    `start` is None if there is nothing to compute before the first piece, and `flush` without a look-ahead. Raises `CompileError` at an
    operator that looks ahead further than `lookahead` positions, or has no rule."""

    def __init__(self, program: Program, dimension: object, weights: Mapping[str, Any] | None = None, lookahead: int = 0) -> None:
        name = check_name(dimension, "dimension")
        if name is None:
            raise TypeError("a stream needs the name of a dimension, such as 'T'")
        if not 0 <= lookahead <= MAX_LOOKAHEAD:
            raise ValueError(f"the look-ahead is a number of positions from 0 to {MAX_LOOKAHEAD:,}, not {lookahead}")
        try:
            self.stream = derive_stream(program, name, lookahead=lookahead)
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
    def lookahead(self) -> int:
        """The number of positions by which outputs come later than their inputs."""
        return self.stream.lookahead

    @property
    def flush(self) -> Program | None:
        """The program that computes the last outputs, or None without a look-ahead."""
        return self.stream.flush

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
            return partial(_run_module, module, list_input_names(program), program.main.output_names)

        def make_full(shape: tuple[int, ...], number: float, dtype: str) -> Any:
            return torch.full(shape, number, dtype=getattr(torch, dtype))

        with warn_about_weights(self._make_full_input(weights, seed)) as full_input:
            start, flush = (None if program is None else make_run(program) for program in (self.start, self.flush))
            return StreamRunner(self.stream, make_run(self.step), start, make_full, flush=flush)

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
            flush = None if self.flush is None else make_session(self.flush)
            run_step = partial(step.keeping, kept={s.next for s in self.states})
            run_start = None if start is None else partial(start.keeping, kept=set(start.outputs))
            run_flush = None if flush is None else partial(flush.keeping, kept=set[str]())
            return StreamRunner(self.stream, run_step, run_start, make_full, RepeatedSteps(self.stream, step), run_flush)

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
        if self.start is not None:
            notes.append(f"`{written[1]}` computes {quote_names(self.start.main.output_names)} before the first piece")
        if self.flush is not None:
            many = "1 position" if self.lookahead == 1 else f"{self.lookahead} positions"
            notes.append(f"the outputs come {many} later: drop the outputs for the first {many}")
            counts = count_early_outputs(self.stream, 0)
            notes += [f"of `{name}`, drop the first {counts[name][1]}, because it has another length" for name in self.stream.excess]
            notes.append(f"after the last piece, run `{written[-1]}` on {many} of any numbers for the last outputs")
        return tuple(notes)

    def save(
        self,
        path: str | os.PathLike[str],
        target: Backend | None = None,
        weights: Weights | None = None,
        seed: int | None = None,
        options: GraphOptions = DEFAULT_OPTIONS,
    ) -> list[str]:
        """Write the step to a file, and the start and flush programs to files with `.start` and `.flush` before the ending. Return their
        names.

        The ending of the path selects the target, unless one is passed. Raises `ValueError` for an unknown ending, for weights with a
        target that stores none, and for standard output, `-`, if there are two files.
        """
        checked = check_path(path)
        backend = target or require_backend(checked)
        # Standard output can hold one file.
        if (self.start is not None or self.flush is not None) and is_stream(checked):
            reason = "inputs that do not have its dimension" if self.start is not None else "a look-ahead"
            raise WrongOutput(f"a stream with {reason} is several files: give the name of one")
        if weights is not None or seed is not None:
            refuse_weights(backend, "weights and seeds are")
        written = list_stream_files(self, checked, backend)
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


def list_stream_files(stream: ModelStream, path: str, backend: Backend) -> list[tuple[str, Program]]:
    """List the files of a stream with their programs: the step at `path`, then those before the first piece and after the last one, such
    as `model.start.onnx` and `model.flush.onnx` next to `model.onnx`."""
    stem = path.removesuffix(backend.suffix)
    others = ((f"{stem}{addition}{backend.suffix}", program) for addition, program in ((START, stream.start), (FLUSH, stream.flush)))
    return [(path, stream.step), *((name, program) for name, program in others if program is not None)]


def _run_module(module: Any, inputs: list[str], outputs: list[str], arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    import torch

    with torch.no_grad():
        results = module(*(arguments[name] for name in inputs))
    return dict(zip(outputs, results if isinstance(results, tuple | list) else [results], strict=True))


def _format_file(path: str) -> str:
    return "the step" if path == "-" else f"`{path}`"
