"""The functions of the Python API.

In: texts and paths of specs. Out: a `Model`, or a `CompileError` with all diagnostics. Always: a wrong argument, such as a seed that is not
an integer, is a `TypeError` or `ValueError`.

    >>> compile("input 3 -> dense 2").outputs["output"].shape[1]
    2
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from netc.compiler.elaborate.model_precision import FULL
from netc.dsl.source import SourceFile

from .analysis import Analysis, Choice, Spec, analyze
from .errors import CompileError
from .files.source_files import Unreadable, read_file
from .files.spec_hash import hash_spec
from .inputs.argument_checks import check_dims, check_name, check_params, check_path, check_paths, check_precision, check_spec_text
from .inputs.argument_types import check_arguments
from .model import Model

if TYPE_CHECKING:
    from .training.run_training import Result
    from .training.training_report import Report

TEXT = "<text>"


class TrainOptions(TypedDict, total=False):
    """The arguments of a training. None, as leaving an argument out, keeps the value of the train section."""

    data: Any
    validation: Any
    columns: Mapping[str, str | Sequence[str]] | None
    data_options: Mapping[str, str] | None
    epochs: int | None
    steps: int | None
    batch: int | None
    seed: int | None
    weights: Any
    device: str | None
    precision: str | None
    compile: bool | None
    strategy: str | None
    tp: int | None
    pp: int | None
    checkpoint_every: int | None
    checkpoint_activations: bool | None


@check_arguments
def compile(
    text: str,
    *,
    model: str | None = None,
    params: Mapping[str, object] | None = None,
    dims: Mapping[str, int] | None = None,
    allow_paths: Iterable[str | os.PathLike[str]] = (),
    dtype: object = None,
    keep_io: bool = False,
) -> Model:
    """Compile the text of a spec.

    `model` selects one of several models, `params` overrides its parameters, and `dims` fixes symbolic dimensions. Paths of used files are
    relative to the current directory. These files must be named `.net`, and be in this directory, at any depth, or in a folder of
    `allow_paths`. `dtype`, such as `"bfloat16"` or `torch.bfloat16`, is the element type of everything to which the spec gives none. With
    `keep_io`, the inputs and outputs stay float32.

    Raises `CompileError` if the spec has errors.
    """
    choice = _make_choice(model, params, dims, allow_paths, dtype, keep_io)
    source = SourceFile(TEXT, check_spec_text(text))
    return make_model(analyze(source, choice), choice)


@check_arguments
def compile_file(
    path: str | os.PathLike[str],
    *,
    model: str | None = None,
    params: Mapping[str, object] | None = None,
    dims: Mapping[str, int] | None = None,
    allow_paths: Iterable[str | os.PathLike[str]] = (),
    dtype: object = None,
    keep_io: bool = False,
) -> Model:
    """Compile a file. The other arguments are as for `compile`; paths of used files are relative to the file. A file that cannot be read is
    a `CompileError` too."""
    where = check_path(path)
    choice = _make_choice(model, params, dims, allow_paths, dtype, keep_io)
    try:
        source = read_file(where)
    except Unreadable as error:
        raise CompileError((error.diagnostic,)) from None
    return make_model(analyze(source, choice, where), choice, where)


@check_arguments
def zoo(name: str, *, params: Mapping[str, object] | None = None, dims: Mapping[str, int] | None = None) -> Model:
    """Compile a spec that is part of netc, by the name of the model or the file: `netc.zoo("resnet50")`.

    `params` and `dims` are as for `compile`. Raises `ValueError` for an unknown name; `netc zoo` lists the names.
    """
    from .files.published_specs import find_or_raise, resolve_path

    if not isinstance(name, str):
        raise TypeError(f"the name of a model must be a str, not {type(name).__name__}")
    path, model = find_or_raise(name)
    return compile_file(resolve_path(path), model=model, params=params, dims=dims)


@check_arguments
def train(
    path: str | os.PathLike[str] | Model | None = None,
    *,
    output: str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
    section: str | None = None,
    model: str | None = None,
    params: Mapping[str, object] | None = None,
    dims: Mapping[str, int] | None = None,
    allow_paths: Iterable[str | os.PathLike[str]] = (),
    report: Callable[[Report], None] | None = None,
    **options: Unpack[TrainOptions],
) -> Result:
    """Train a network with a train section of its spec, as `netc train` does.

    `path` is a file, or a model that `compile` or `compile_file` returned. `output` is the folder of a new run. `resume` is the folder of a
    run to continue, which needs no `path`. `section` selects one of several sections. `model`, `params`, `dims` and `allow_paths` are as
    for `compile`. `report` is called with each `Report`: step, epoch, results. The other arguments are as for the command: `data`,
    `validation`, `columns`, `data_options`, `epochs`, `steps`, `batch`, `seed`, `weights`, and the settings of the engine, such as
    `device`. `data` may also be a data source of your own.

    The result has the folder, the number of steps, and the results of the last validation, or of training without validation. Raises
    `CompileError` for errors in the spec or its data and for a loss that is not finite, and `RunError` for a folder that already has a run,
    for a folder without a run to resume, and for a missing device. Ctrl-C writes a checkpoint and raises `Interrupted`.
    """
    from .training.run_training import train_file

    text = None
    choice = _make_choice(model, params, dims, allow_paths)
    if isinstance(path, Model):
        where, text, choice = _read_model(path, choice)
    else:
        # the folder of a run to resume contains its spec
        where = None if path is None and resume is not None else check_path(path)
    if (output is None) == (resume is None):
        raise ValueError("give `output` for a new run, or `resume`")
    folder = check_path(output if output is not None else resume)
    # A run keeps its arguments as JSON, which has no NumPy integers.
    plain: Any = {n: int(v) if isinstance(v, Integral) and not isinstance(v, bool) else v for n, v in options.items()}
    return train_file(where, text, choice, check_name(section, "section"), folder, resume is not None, report or _ignore_report, **plain)


def _read_model(model: Model, choice: Choice) -> tuple[str | None, str | None, Choice]:
    """Return the path or the text of a compiled model, and its choice."""
    if choice != Choice():
        raise ValueError("the model is compiled: give `model`, `params`, `dims` and `allow_paths` to `netc.compile`")
    spec = model._require_spec()
    if spec.choice.precision != FULL:
        raise ValueError("parameters are trained in float32: compile the model without `dtype`, and give `precision` to `netc.train`")
    # the run reads the file again, so it would train the edited model, not this one
    if spec.path is not None and read_file(spec.path).text != spec.source.text:
        raise ValueError(f"`{spec.path}` has changed since the model was compiled: compile it again")
    return spec.path, None if spec.path is not None else spec.source.text, spec.choice


def _ignore_report(report: Report) -> None:
    """Ignore a report."""


def _make_choice(
    model: str | None,
    params: Mapping[str, object] | None,
    dims: Mapping[str, int] | None,
    allow_paths: Iterable[object],
    dtype: object = None,
    keep_io: bool = False,
) -> Choice:
    precision = check_precision(dtype, keep_io)
    return Choice(model, check_params(params), check_dims(dims), check_paths(allow_paths), precision)


def make_model(analysis: Analysis, choice: Choice, path: str | None = None) -> Model:
    """Return the model of an analysis. `path` is the file of the text. Raises `CompileError`."""
    if analysis.program is None:
        raise CompileError(analysis.require_model().diagnostics)
    spec = Spec(analysis.sources[0], choice, path)
    return Model(analysis.program, analysis.diagnostics, hash_spec(analysis, choice), spec)
