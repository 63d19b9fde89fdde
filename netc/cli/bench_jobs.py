"""Make the jobs of `netc bench` from the words of its command line.

In: FILE, the values of `--against` and the options. Out: a job for each contender, FILE's first. Always: contradictions are errors before
netc measures anything.

For example, `netc bench m.net --against eager --against old.onnx` gives three jobs: the spec in ONNX Runtime, its module in PyTorch, and
the file `old.onnx`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING

from netc.dsl.record import Record

from ..analysis import Choice
from ..benching import contenders
from ..benching.contender_names import AGAINST
from ..benching.contenders import NoExamples, Settings, Subject, read_example_inputs
from ..benching.job import DeclaredInput, Job
from ..importing.input_declarations import WrongInput, parse_inputs
from ..inputs.random_inputs import NoSizes, choose_input_shapes
from .command_failure import CommandFailed, missing_file
from .importing import parse_argument
from .program import compile_spec
from .runnable import open_onnx
from .spec_sources import get_suffix, is_spec, make_reader

if TYPE_CHECKING:
    from ..inputs.checkpoint import Checkpoint
    from ..model import Model


class BenchOptions(Record):
    """The options of the command."""

    path: str | None
    text: str | None
    choice: Choice
    weights: Checkpoint | None
    seed: int | None
    inputs: tuple[str, ...]
    arguments: dict[str, str]
    other_model: str | None


def make_jobs(options: BenchOptions, against: Sequence[str], settings: Settings) -> list[Job]:
    """Return a job for each contender. Raises ValueError for wrong usage, and `CommandFailed` for a missing file or an unusable model."""
    # before the first model is compiled, which may take long
    unknown = next((word for word in against if word not in AGAINST and _classify_contender(word) == "spec" and not is_spec(word)), None)
    if unknown is not None:
        raise CommandFailed(
            f"there is no file `{unknown}` to compare with", f"--against is {', '.join(AGAINST)}, a file, or `package.module:name`"
        )
    subject = _SUBJECTS[_classify_contender(options.path)](options, settings)
    inputs, jobs = subject.job.inputs, [subject.job]
    for number, word in enumerate(against):
        if word in AGAINST:
            jobs.append(AGAINST[word](subject, settings))
        else:
            jobs.append(_OTHERS[_classify_contender(word)](word, options, inputs, settings, f"other{number}"))
    return jobs


def _classify_contender(path: str | None) -> str:
    """Return the kind of a contender, a key of `_SUBJECTS`: `resnet.onnx` is an ONNX file, `torchvision.models:resnet50` a module."""
    if path is None or path == "-":
        return "spec"
    ending = get_suffix(path)
    if ending in (".onnx", ".pt2"):
        return ending
    return "module" if ":" in path and ending != ".net" else "spec"


def _make_spec_subject(options: BenchOptions, settings: Settings) -> Subject:
    if options.inputs or options.arguments:
        raise ValueError("--input and --args are for PyTorch modules: a spec declares its inputs, and --set sets its parameters")
    model = compile_spec(make_reader(options.path, options.text), options.choice)
    try:
        inputs = contenders.declare_inputs(model.program, choose_input_shapes(model.program))
    except NoSizes as error:
        raise CommandFailed(str(error), "fix them: `--dim NAME=SIZE`") from None
    weights = _choose_weights(model, options)
    job = contenders.make_onnx_job(model, weights, options.path or model.name or "the spec", inputs, settings, "model")
    # cached, because several words of `--against` run the same module
    return Subject(
        job,
        cache(lambda: contenders.make_module_job(model, weights, inputs, settings)),
        lambda: model.program,
        lambda runtime: contenders.make_runtime_job(model, weights, runtime, inputs, settings),
    )


def _choose_weights(model: Model, options: BenchOptions) -> Checkpoint | None:
    if options.seed is not None and options.weights is None:
        model.weights = None  # an imported file brings weights, and --seed asks for random parameters instead
    return options.weights


def _make_onnx_subject(options: BenchOptions, settings: Settings) -> Subject:
    """Measure the file as it is. netc imports it only if `--against` needs netc's PyTorch module."""
    _refuse_choice(options, "an ONNX model is already compiled")
    path = options.path
    assert path is not None
    target = open_onnx(path, options.choice.dims, settings.device)
    shapes = target.shapes()
    inputs = tuple((name, port.dtype.name, shapes[name]) for name, port in target.session.inputs.items())

    @cache
    def compile_model() -> Model:
        return compile_spec(make_reader(path, None), options.choice)

    job = contenders.make_job(path, "onnx", path, inputs, settings)
    return Subject(
        job,
        cache(lambda: contenders.make_module_job(compile_model(), None, inputs, settings)),
        lambda: compile_model().program,
        lambda runtime: contenders.make_job(path, runtime, path, inputs, settings),
    )


def _make_program_subject(options: BenchOptions, settings: Settings) -> Subject:
    """Measure an exported program with the sizes of its example inputs."""
    _refuse_choice(options, "an exported program is already compiled")
    if options.choice.dims or options.inputs or options.arguments:
        raise ValueError("an exported program runs with the sizes of its example inputs: --dim, --input and --args are for others")
    path = options.path
    assert path is not None
    if not os.path.isfile(path):
        raise missing_file(path)

    try:
        inputs = read_example_inputs(path)
    except NoExamples as error:
        raise CommandFailed(str(error)) from None
    return Subject(contenders.make_job(path, "program", path, inputs, settings))


def _make_module_subject(options: BenchOptions, settings: Settings) -> Subject:
    _refuse_choice(options, "a PyTorch module is what its code makes")
    if not options.inputs:
        raise ValueError('declare the inputs of the module: `--input 3x224x224`, `--input "tokens=[T] int64"`')
    path = options.path
    assert path is not None
    try:
        declared = parse_inputs(options.inputs)
        shapes = choose_input_shapes(parse_inputs(options.inputs, options.choice.dims).program)
    except (WrongInput, NoSizes) as error:
        raise ValueError(f"--input: {error}") from None
    names = [name or f"input_{index}" for index, name in enumerate(declared.names)]
    inputs = tuple(
        (name, dtype, shape) for name, (_, dtype, shape) in zip(names, contenders.declare_inputs(declared.program, shapes), strict=True)
    )
    arguments = {name: parse_argument(text) for name, text in options.arguments.items()}
    # an input that was declared without a name is passed by position
    keywords = tuple(name for name in declared.names if name is not None)
    job = contenders.make_job(path, "torch", path, inputs, settings, arguments=arguments, keywords=keywords)
    return Subject(job, lambda: job, lambda: declared.program)


def _refuse_choice(options: BenchOptions, why: str) -> None:
    choice = options.choice
    if (
        choice.model is not None
        or choice.params
        or choice.allow_paths
        or choice.precision != Choice().precision
        or options.weights is not None
    ):
        raise ValueError(f"{why}: --model, --set, --allow-path, --dtype and --weights are for specs")


def _make_spec_job(word: str, options: BenchOptions, inputs: tuple[DeclaredInput, ...], settings: Settings, name: str) -> Job:
    """Compile another spec with the first one's sizes and element type, so that both do the same work."""
    choice = options.choice
    model = compile_spec(
        make_reader(word, None), Choice(options.other_model, dims=choice.dims, allow_paths=choice.allow_paths, precision=choice.precision)
    )
    return contenders.make_onnx_job(model, None, word, inputs, settings, name)


def _make_file_job(kind: str, word: str, options: BenchOptions, inputs: tuple[DeclaredInput, ...], settings: Settings, name: str) -> Job:
    if kind != "torch" and not os.path.isfile(word):
        raise missing_file(word)
    return contenders.make_job(word, kind, word, inputs, settings)


_SUBJECTS: dict[str, Callable[[BenchOptions, Settings], Subject]] = {
    "spec": _make_spec_subject,
    ".onnx": _make_onnx_subject,
    ".pt2": _make_program_subject,
    "module": _make_module_subject,
}
_OTHERS: dict[str, Callable[[str, BenchOptions, tuple[DeclaredInput, ...], Settings, str], Job]] = {
    "spec": _make_spec_job,
    ".onnx": partial(_make_file_job, "onnx"),
    ".pt2": partial(_make_file_job, "program"),
    "module": partial(_make_file_job, "torch"),
}
