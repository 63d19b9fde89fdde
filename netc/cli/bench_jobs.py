"""What `netc bench` measures: from words of the command line to jobs.

In: FILE, the values of --against and the options. Out: a job for each, the first one that of FILE. Always: what does not make sense is
an error before anything is measured.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from netc.dsl.record import Record

from ..analysis import Choice
from ..benching import contenders
from ..benching.contender_names import AGAINST
from ..benching.contenders import Settings, Subject
from ..benching.examples import NoExamples, examples
from ..benching.job import Declared, Job
from ..importing.input_declarations import WrongInput, declared_inputs
from ..inputs.random_inputs import NoSizes, shapes_of
from .command_failure import Failed, no_file
from .importing import value_of
from .program import compiled
from .runnable import of_onnx
from .spec_sources import reader, suffix

if TYPE_CHECKING:
    from ..inputs.checkpoint import Checkpoint
    from ..model import Model


class Asked(Record):
    """The options of the command."""

    path: str | None
    text: str | None
    choice: Choice
    weights: Checkpoint | None
    seed: int | None
    inputs: tuple[str, ...]
    arguments: dict[str, str]
    other_model: str | None


def jobs(asked: Asked, against: Sequence[str], settings: Settings) -> list[Job]:
    """All contenders. Raises ValueError for wrong usage, `Failed` for what cannot be had."""
    strange = next((word for word in against if word not in AGAINST and _kind(word) == "spec" and not os.path.isfile(word)), None)
    if strange is not None:
        raise Failed(
            f"there is no file `{strange}` to compare with", f"--against is {', '.join(AGAINST)}, a file, or `package.module:name`"
        )
    subject = _SUBJECTS[_kind(asked.path)](asked, settings)
    inputs, found = subject.job.inputs, [subject.job]
    for number, word in enumerate(against):
        if word in AGAINST:
            found.append(AGAINST[word](subject, settings))
        else:
            found.append(_OTHERS[_kind(word)](word, asked, inputs, settings, f"other{number}"))
    return found


def _kind(path: str | None) -> str:
    if path is None or path == "-":
        return "spec"
    ending = suffix(path)
    if ending in (".onnx", ".pt2"):
        return ending
    return "module" if ":" in path and ending != ".net" else "spec"


def _spec(asked: Asked, settings: Settings) -> Subject:
    if asked.inputs or asked.arguments:
        raise ValueError("--input and --args are for PyTorch modules: a spec declares its inputs, and --set sets its parameters")
    model = compiled(reader(asked.path, asked.text), asked.choice)
    try:
        inputs = contenders.declared(model.program, shapes_of(model.program))
    except NoSizes as error:
        raise Failed(str(error), "fix them: `--dim NAME=SIZE`") from None
    weights = _own_weights(model, asked)
    job = contenders.onnx_of(model, weights, asked.path or model.name or "the spec", inputs, settings, "model")
    return Subject(job, cache(lambda: contenders.module_of(model, weights, inputs, settings)), lambda: model.program)


def _own_weights(model: Model, asked: Asked) -> Checkpoint | None:
    if asked.seed is not None and asked.weights is None:
        model.weights = None  # drawn
    return asked.weights


def _onnx(asked: Asked, settings: Settings) -> Subject:
    """As it is; netc's PyTorch module of it only if it is asked for."""
    _refuse_choice(asked, "an ONNX model is already compiled")
    path = asked.path
    assert path is not None
    made = of_onnx(path, asked.choice.dims, settings.device)
    shapes = made.shapes()
    inputs = tuple((name, port.dtype.name, shapes[name]) for name, port in made.session.inputs.items())

    @cache
    def model() -> Model:
        return compiled(reader(path, None), asked.choice)

    job = contenders.job(path, "onnx", path, inputs, settings)
    return Subject(job, cache(lambda: contenders.module_of(model(), None, inputs, settings)), lambda: model().program)


def _program(asked: Asked, settings: Settings) -> Subject:
    """An exported program, of the sizes with which it was exported."""
    _refuse_choice(asked, "an exported program is already compiled")
    if asked.choice.dims or asked.inputs or asked.arguments:
        raise ValueError("an exported program runs with the sizes of its example inputs: --dim, --input and --args are for others")
    path = asked.path
    assert path is not None
    if not os.path.isfile(path):
        raise no_file(path)

    try:
        inputs = examples(path)
    except NoExamples as error:
        raise Failed(str(error)) from None
    return Subject(contenders.job(path, "program", path, inputs, settings), None, None)


def _module(asked: Asked, settings: Settings) -> Subject:
    _refuse_choice(asked, "a PyTorch module is what its code makes")
    if not asked.inputs:
        raise ValueError('say what the module takes: `--input 3x224x224`, `--input "tokens=[T] int64"`')
    path = asked.path
    assert path is not None
    try:
        found = declared_inputs(asked.inputs)
        shapes = shapes_of(declared_inputs(asked.inputs, asked.choice.dims).program)
    except (WrongInput, NoSizes) as error:
        raise ValueError(f"--input: {error}") from None
    names = [name or f"input_{at}" for at, name in enumerate(found.names)]
    inputs = tuple((name, dtype, shape) for name, (_, dtype, shape) in zip(names, contenders.declared(found.program, shapes), strict=True))
    arguments = {name: value_of(text) for name, text in asked.arguments.items()}
    keywords = tuple(name for name in found.names if name is not None)
    job = contenders.job(path, "torch", path, inputs, settings, arguments=arguments, keywords=keywords)
    return Subject(job, lambda: job, lambda: found.program)


def _refuse_choice(asked: Asked, why: str) -> None:
    choice = asked.choice
    if (
        choice.model is not None
        or choice.params
        or choice.allow_paths
        or choice.precision != Choice().precision
        or asked.weights is not None
    ):
        raise ValueError(f"{why}: --model, --set, --allow-path, --dtype and --weights are for specs")


def _other_spec(word: str, asked: Asked, inputs: tuple[Declared, ...], settings: Settings, name: str) -> Job:
    """With the same sizes and element type."""
    choice = asked.choice
    model = compiled(
        reader(word, None), Choice(asked.other_model, dims=choice.dims, allow_paths=choice.allow_paths, precision=choice.precision)
    )
    return contenders.onnx_of(model, None, word, inputs, settings, name)


def _file(kind: str) -> Callable[[str, Asked, tuple[Declared, ...], Settings, str], Job]:
    def made(word: str, asked: Asked, inputs: tuple[Declared, ...], settings: Settings, name: str) -> Job:
        if kind != "torch" and not os.path.isfile(word):
            raise no_file(word)
        return contenders.job(word, kind, word, inputs, settings)

    return made


_SUBJECTS: dict[str, Callable[[Asked, Settings], Subject]] = {"spec": _spec, ".onnx": _onnx, ".pt2": _program, "module": _module}
_OTHERS = {"spec": _other_spec, ".onnx": _file("onnx"), ".pt2": _file("program"), "module": _file("torch")}
