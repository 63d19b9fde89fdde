"""Make the jobs of contenders.

In: a model, or the path of a file. Out: a `Job` for each contender, with its files in a folder. Always: all jobs have the inputs, the
threads and the device of the first.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from netc.compiler.backends.torch.torch_source import choose_class_name
from netc.compiler.dims import SymDim
from netc.compiler.frontends.torch.capture_output import silence_output
from netc.compiler.types.tensor_types import DTYPES
from netc.dsl.record import Record, replace

from ..inputs.random_inputs import choose_varied_shapes
from .job import DeclaredInput, Job

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program

    from ..inputs.backend_input import Weights
    from ..model import Model

Shapes = dict[str, tuple[int, ...]]


class Settings(Record):
    """The settings that all contenders share. Their files are written to `folder`."""

    folder: str
    threads: int
    device: str
    seed: int


class Subject(Record):
    """The model to measure: its job, a function that makes the job of its PyTorch module, a function that returns its program, which
    says which axes are symbolic, and a function that makes its job in a runtime of ONNX models. They are None for a model without a module,
    and without an ONNX model."""

    job: Job
    module: Callable[[], Job] | None = None
    program: Callable[[], Program] | None = None
    in_runtime: Callable[[str], Job] | None = None


def declare_inputs(program: Program, shapes: Shapes) -> tuple[DeclaredInput, ...]:
    """Return the inputs of a program with these shapes."""
    return tuple((value.name, value.type.dtype.name, tuple(shapes[value.name])) for value in program.main.inputs)


def make_onnx_job(
    model: Model,
    weights: Weights | None,
    what: str,
    inputs: tuple[DeclaredInput, ...],
    settings: Settings,
    name: str,
    runtime: str | None = None,
) -> Job:
    """Save a model as an ONNX file, and return the job that runs it in ONNX Runtime, or in another runtime."""
    path = os.path.join(settings.folder, f"{name}.onnx")
    model.save(path, weights, None if weights is not None or model.weights is not None else settings.seed, runtime=runtime)
    return make_job(what, runtime or "onnx", path, inputs, settings)


def make_runtime_job(model: Model, weights: Weights | None, runtime: str, inputs: tuple[DeclaredInput, ...], settings: Settings) -> Job:
    """Save a model in the form that a runtime takes, and return the job that runs it there."""
    return make_onnx_job(model, weights, f"{runtime}'s form", inputs, settings, runtime, runtime)


def make_module_job(model: Model, weights: Weights | None, inputs: tuple[DeclaredInput, ...], settings: Settings) -> Job:
    """Save a model as PyTorch source with the same weights, and return the job that runs it in PyTorch."""
    from safetensors.numpy import save_file

    backend_input = model.backend_input(weights, None if weights is not None or model.weights is not None else settings.seed)
    path, weights_path = os.path.join(settings.folder, "model.py"), os.path.join(settings.folder, "model.safetensors")
    with open(path, "w", encoding="utf-8") as file:
        file.write(model.source())
    # safetensors writes the memory of an array as it lies, so a transposed view would come back wrong
    save_file({name: array.copy() for name, array in backend_input.open_arrays().items()}, weights_path)
    return make_job(
        "its PyTorch module",
        "torch",
        f"{path}:{choose_class_name(backend_input.program, backend_input.name)}",
        inputs,
        settings,
        weights=weights_path,
    )


def make_job(what: str, kind: str, path: str, inputs: tuple[DeclaredInput, ...], settings: Settings, **more: Any) -> Job:
    return Job(what, kind, path, inputs, **{"arguments": {}, **more}, seed=settings.seed, threads=settings.threads, device=settings.device)


def make_export_jobs(subject: Subject, settings: Settings) -> tuple[Job, Job]:
    """Return the job that exports the module with torch.onnx.export, and the job that runs the export. Raises `NoSizes`."""
    assert subject.module is not None
    assert subject.program is not None
    program, module = subject.program(), subject.module()
    dynamic = tuple(tuple(axis for axis, d in enumerate(value.type.shape) if isinstance(d, SymDim)) for value in program.main.inputs)
    path = os.path.join(settings.folder, "exported.onnx")
    shapes = subject.job.inputs
    if any(dynamic):  # with sizes of at least 2, because torch.export specializes the graph to a size of 1
        ((_, varied_shapes),) = choose_varied_shapes(program, 1)
        shapes = tuple(
            (name, dtype, varied_shapes[value.name]) for (name, dtype, _), value in zip(shapes, program.main.inputs, strict=True)
        )
    writes = {"kind": "export", "inputs": shapes, "written": path, "dynamic": dynamic, "what": "torch.onnx.export"}
    return replace(module, **writes), make_job("torch.onnx.export", "onnx", path, subject.job.inputs, settings)


class NoExamples(ValueError):
    """The file is not an exported program, or has no example inputs."""


def read_example_inputs(path: str) -> tuple[DeclaredInput, ...]:
    """Return name, element type and shape of the example inputs in a `.pt2` file, by position. PyTorch unpickles parts of the file, which
    may execute code. Raises `NoExamples`."""
    import torch

    try:
        with silence_output():
            inputs = torch.export.load(path).example_inputs
    except Exception as error:  # PyTorch does not document which exceptions a damaged archive raises
        message = next(iter(str(error).splitlines()), type(error).__name__)
        raise NoExamples(f"`{path}` is no exported program: {message}") from None
    if inputs is None:
        raise NoExamples(f"`{path}` has no example inputs, whose sizes would be measured")
    args, kwargs = inputs
    values = [*args, *kwargs.values()]
    if not all(isinstance(value, torch.Tensor) for value in values):
        raise NoExamples(f"`{path}` takes something else than tensors")
    names = [str(value.dtype).removeprefix("torch.") for value in values]
    unknown = next((name for name in names if name not in DTYPES), None)
    if unknown is not None:
        raise NoExamples(f"`{path}` takes {unknown}, which netc does not have")
    return tuple((f"input_{index}", name, tuple(value.shape)) for index, (name, value) in enumerate(zip(names, values, strict=True)))
