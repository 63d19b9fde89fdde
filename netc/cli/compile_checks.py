"""Check that the options of `netc compile` go together.

In: the options. Out: a usage error that names the options to leave out, or nothing. Always: no option is ignored silently, and nothing is
compiled before all options are checked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from netc.compiler.backends.backend import has_suffix
from netc.compiler.backends.backend_registry import NAMES, find_backend, get_or_raise, list_backends
from netc.dsl.record import Record

from ..emit_stages import TEXT_STAGES
from ..files.save_artifacts import refuse_all, refuse_options, refuse_source_options, refuse_weights
from .program import raise_as_usage_error
from .range_options import AUTO

if TYPE_CHECKING:
    from netc.compiler.backends.backend import Backend

BACKENDS = list_backends()
SECTION = "train"
TRAINED = ("torch", "flax")
"""The targets of `--train`. `--target train` is short for `--target torch --train`."""
"""The target that is made of a train section rather than of a model: `netc.training.source`."""


class CompileOptions(Record):
    """The options that say what to write. `graph` has the options of ONNX graphs; `has_weights`: weights or a seed are given."""

    output: str | None
    target: str | None
    train: bool
    section: str | None
    stream: str | None
    lookahead: int | None
    runtime: str | None
    task: str | None
    emit: str | None
    quantize: str | None
    calibration: str | None
    keep: tuple[str, ...] | None
    example: str | None
    verbose: bool
    scan_layers: bool
    tp: int
    graph: dict[str, Any]
    has_weights: bool

    @property
    def writes_model(self) -> bool:
        """Whether the output is the model itself, in a file or as text."""
        others = (self.emit, self.stream, self.runtime, self.quantize)
        return not self.writes_section and all(option is None for option in others)

    @property
    def writes_section(self) -> bool:
        """Whether the output is made of the train section."""
        return self.train or self.target == SECTION

    def list_source_options(self) -> list[str]:
        """List the options that are given for the source of a module."""
        return [name for name, is_given in (("--scan-layers", self.scan_layers), ("--tp", self.tp > 1)) if is_given]


def check_options(options: CompileOptions) -> None:
    """Check everything that does not depend on the backend."""
    _check_kind(options)
    _check_graph_options(options)
    _check_quantization(options)
    _check_example(options)


def _check_kind(options: CompileOptions) -> None:
    """Check that one kind of output is asked for: a target, a stage, a stream or a train section."""
    if options.stream is not None and (options.emit is not None or options.writes_section):
        raise click.UsageError("--stream is for a file or a text of a target")
    if options.lookahead is not None and (options.stream is None or options.runtime is not None):
        raise click.UsageError("--lookahead is for --stream T, without --for")
    if options.emit is not None and (options.target is not None or options.has_weights):
        raise click.UsageError("--emit shows a stage as text: it goes without --target, --weights and --seed")
    if options.writes_section and options.has_weights:
        raise click.UsageError(f"--target {SECTION} writes a text, which holds no weights: it takes neither --weights nor --seed")
    if options.section is not None and not options.writes_section:
        raise click.UsageError(f"--section is for --train and --target {SECTION}")
    source_options = options.list_source_options()
    if source_options and (options.stream is not None or options.emit is not None or options.writes_section):
        raise click.UsageError(f"{source_options[0]} is for the source of a model: it goes without --stream, --emit and --train")
    if options.train and options.target not in (*TRAINED, SECTION):
        raise click.UsageError(f"--train goes with --target {' or --target '.join(TRAINED)}")


def _check_graph_options(options: CompileOptions) -> None:
    """Refuse options of ONNX graphs where no ONNX graph is written."""
    graph, emit = options.graph, options.emit
    if graph and emit not in (None, *(backend.name for backend in BACKENDS if backend.takes_options)):
        raise click.UsageError(f"{_format_subject(graph)} for graphs of ONNX, not for --emit {emit}")
    if graph and options.writes_section:
        raise click.UsageError(f"{_format_subject(graph)} for graphs of ONNX, not for --target {SECTION}")


def _check_quantization(options: CompileOptions) -> None:
    writes_model = not options.writes_section and options.emit is None and options.stream is None
    if options.quantize is not None and not writes_model:
        raise click.UsageError(f"--quantize is for an ONNX model: it goes without --emit, --stream and --target {SECTION}")
    if options.quantize is None and options.calibration is not None and options.keep != (AUTO,):
        raise click.UsageError("--calibration is for --quantize and --keep auto")


def _check_example(options: CompileOptions) -> None:
    if options.example is None:
        return
    writes_file = options.output is not None and find_backend(options.output) is get_or_raise("onnx")
    if not writes_file or options.stream is not None or options.emit is not None:
        raise click.UsageError("--example is for an ONNX model in a file: give -o NAME.onnx, without --stream and --emit")
    if not options.has_weights:
        raise click.UsageError("--example writes a program for a trained model: give --weights RUN")


def check_for_target(backend: Backend, options: CompileOptions) -> None:
    """Refuse every option that the target does not take. One error names them all, so that nobody removes them one at a time."""
    from ..quantizing import check_target

    checks = [lambda: refuse_options(backend, _to_flags(options.graph))]
    checks.append(lambda: refuse_source_options(backend, options.list_source_options()))
    # The ranges of `--keep auto` depend on weights, also if the target holds none.
    if options.has_weights and options.keep != (AUTO,):
        checks.insert(0, lambda: refuse_weights(backend, "--weights and --seed are"))
    method = options.quantize
    if method is not None:
        has_calibration, has_functions = options.calibration is not None, "functions" in options.graph
        checks.append(lambda: check_target(backend, options.output or "-", method, has_calibration, has_functions))
    with raise_as_usage_error():
        refuse_all(*checks)


def check_for_stage(stage: str, output: str | None, spec_options: Mapping[str, object]) -> None:
    """Refuse options that do not change the text of a stage, and an output whose name promises another kind of file."""
    words = [word for word, value in spec_options.items() if value]
    if words and stage in TEXT_STAGES:
        raise click.UsageError(f"--emit {stage} shows the text before there is a model: it goes without {' and '.join(words)}")
    by_name = find_backend(output) if output else None
    if by_name is not None and (by_name.is_binary or stage not in NAMES or not has_suffix(get_or_raise(stage), output or "")):
        raise click.UsageError(f"the name of `{output}` asks for {by_name.artifact}, and --emit {stage} writes another text")


def _to_flags(graph: Iterable[str]) -> list[str]:
    """Return the options of graphs as they are on the command line: `optimize` is `--no-optimize`, since only False can be given."""
    return ["--no-optimize" if name == "optimize" else f"--{name}" for name in graph]


def _format_subject(graph: Collection[str]) -> str:
    """Return the options of graphs as the subject of a sentence: `--opset is`, `--opset, --functions are`."""
    return ", ".join(_to_flags(graph)) + (" is" if len(graph) == 1 else " are")
