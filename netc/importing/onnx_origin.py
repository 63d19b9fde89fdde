"""Reads ONNX files as origins. ONNX Runtime runs them, or the reference implementation of the onnx package if it cannot."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from netc.compiler.frontends.imported_model import ImportFailed, Obstacle
from netc.compiler.frontends.onnx import float_model, from_file, read_whole

from .first_difference import RecordedCall
from .float64_reference import NotEvaluated, evaluate_float64, find_defect, run_reference
from .onnx_process import CannotLoad, CannotRun, Crashed, OnnxProcess, RuntimeFailure
from .origin import Origin, RunCalls

if TYPE_CHECKING:
    import onnx

    from netc.compiler.frontends.imported_model import Imported
    from netc.compiler.types.numpy_types import Array

UNVERIFIED = "`--no-verify` imports it without a comparison"


def make_onnx_origin(path: str, fixed: Mapping[str, object], *, dequantize: bool = False, outputs: Sequence[str] = ()) -> Origin:
    """Read an ONNX file as an origin.

    `fixed` are values of inputs and sizes of axes. `outputs` are the tensors that replace the file's own outputs. With `dequantize`, the
    origin is the float model that the file represents, and the proof also measures its distance from the file. Raises `ImportFailed`.
    """
    begun = time.monotonic()
    imported = from_file(path, fixed=fixed, dequantize=dequantize, outputs=outputs)
    seconds = time.monotonic() - begun
    file_runner = _OnnxRunner(lambda: read_whole(path, outputs).SerializeToString() if outputs else path, fixed)
    if not dequantize:
        return _make_origin(path, imported, file_runner, seconds)
    # ONNX Runtime fuses DequantizeLinear and MatMul to a product of integers, for which it rounds the other factor too.
    floats = _OnnxRunner(lambda: float_model(path, outputs).SerializeToString(), fixed, optimize=False)
    return _make_origin(path, imported, floats, seconds, file_runner)


def _make_origin(path: str, imported: Imported, run: _OnnxRunner, seconds: float, rounded: _OnnxRunner | None = None) -> Origin:
    calls = run.make_calls(imported.tensors)
    return Origin(path, imported, run, False, calls, seconds, rounded, run.run_float64, run.run_perturbed, describe_judge=lambda: run.judge)


class _OnnxRunner:
    """Runs a file, or the bytes of a model. `judge` is a sentence about the program that runs it, empty for ONNX Runtime."""

    def __init__(self, source: Callable[[], str | bytes], fixed: Mapping[str, object], *, optimize: bool = True) -> None:
        self.source, self.fixed, self.optimize = source, fixed, optimize
        self.judge = ""
        self.why = ""

    @cached_property
    def process(self) -> OnnxProcess:
        return OnnxProcess(self.source(), optimize=self.optimize)

    def __call__(self, inputs: Sequence[Array], weights: Mapping[str, Array]) -> list[Array]:
        feeds = self._make_feeds(inputs)
        if self.judge:
            return self._run_reference(feeds)
        try:
            return self.process.run_model(feeds)
        except CannotRun as error:
            shapes = ", ".join(f"`{name}` {list(array.shape)}" for name, array in feeds.items())
            raise ImportFailed((Obstacle("the file", f"fails in ONNX Runtime on inputs of the shapes {shapes}: {error}", ""),)) from error
        except (CannotLoad, Crashed) as error:
            self._refuse_invalid(error)
            self.why = str(error)
            self.judge = f"the file was run by the reference implementation of onnx, since ONNX Runtime cannot run it: {error}"
        return self._run_reference(feeds)

    def _refuse_invalid(self, error: RuntimeFailure) -> None:
        """Raise `ImportFailed` for a file that ONNX's own checker refuses too, because its results are not defined."""
        why = find_defect(self._model)
        if why:
            raise ImportFailed((Obstacle("the file", f"is not valid ONNX: {why}; ONNX Runtime says: {error}", "", UNVERIFIED),)) from error

    def _run_reference(self, feeds: Mapping[str, Array]) -> list[Array]:
        try:
            return run_reference(self._model, feeds)
        except NotEvaluated as error:
            why = f"cannot be run, so it cannot be compared: ONNX Runtime says {self.why}; the reference implementation says {error}"
            raise ImportFailed((Obstacle("the file", why, "", UNVERIFIED),)) from error

    def run_float64(self, inputs: Sequence[Array], weights: Mapping[str, Array]) -> list[Array]:
        """Evaluate the file in float64. Raises `NotEvaluated`."""
        return evaluate_float64(self._model, self._make_feeds(inputs))

    def run_perturbed(self, inputs: Sequence[Array], weights: Mapping[str, Array], seed: int) -> list[Array]:
        """Evaluate the file in float64 with rounding errors: numbers half a digit off, and results rounded. Raises `NotEvaluated`."""
        return evaluate_float64(self._model, self._make_feeds(inputs), seed)

    def make_calls(self, tensors: Mapping[str, tuple[str, str]]) -> RunCalls:
        """Return a function that records the inputs and results of stages. `tensors` has their names in the file by the stages' paths."""

        def run(inputs: Sequence[Array], weights: Mapping[str, Array]) -> list[RecordedCall]:
            names = list(dict.fromkeys(name for pair in tensors.values() for name in pair))
            arrays = self._run_tensors(names, inputs)
            pairs = [(path, arrays.get(before), arrays.get(after)) for path, (before, after) in tensors.items()]
            return [RecordedCall(path, 0, (before,), (after,)) for path, before, after in pairs if before is not None and after is not None]

        return run

    def _run_tensors(self, names: Sequence[str], inputs: Sequence[Array]) -> dict[str, Array]:
        """Return the tensors with these names. Empty if the file does not run with all of them as outputs."""
        import onnx

        model, feeds = onnx.ModelProto(), self._make_feeds(inputs)
        model.CopyFrom(self._model)
        known = {info.name for info in (*model.graph.input, *model.graph.output)}
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
        wanted = [name for name in names if name not in feeds]
        if not wanted:  # ONNX Runtime takes an empty list for all outputs
            return feeds
        try:
            outputs = OnnxProcess(model.SerializeToString(), optimize=self.optimize).run_model(wanted=wanted, feeds=feeds)
        except (ValueError, RuntimeFailure):  # protobuf raises a ValueError for more than 2 GiB
            return {}
        return {**feeds, **dict(zip(wanted, outputs, strict=True))}

    @cached_property
    def _model(self) -> onnx.ModelProto:
        import onnx

        source = self.source()
        return read_whole(source) if isinstance(source, str) else onnx.ModelProto.FromString(source)

    @cached_property
    def _input_names(self) -> list[str]:
        """The names of the inputs without stored values, in order."""
        import onnx

        source = self.source()
        model = onnx.load(source, load_external_data=False) if isinstance(source, str) else self._model
        # before IR version 4, a file had to list its parameters among the inputs
        stored = {tensor.name for tensor in model.graph.initializer}
        return [info.name for info in model.graph.input if info.name not in stored]

    def _make_feeds(self, inputs: Sequence[Array]) -> dict[str, Array]:
        import numpy as np

        arrays = iter(inputs)
        return {name: np.asarray(self.fixed[name]) if name in self.fixed else next(arrays) for name in self._input_names}
