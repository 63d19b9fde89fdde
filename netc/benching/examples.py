"""The inputs of an exported program. In: the path of a `.pt2` file. Out: what its example inputs are, by position."""

from __future__ import annotations

from netc.compiler.frontends.torch.capture_output import silence_output
from netc.compiler.types.tensor_types import DTYPES

from .job import Declared


class NoExamples(ValueError):
    """A file that is no exported program, or has no example inputs."""


def examples(path: str) -> tuple[Declared, ...]:
    """Name, element type and shape of each. PyTorch unpickles parts of the file, which may execute code. Raises `NoExamples`."""
    import torch

    try:
        with silence_output():
            inputs = torch.export.load(path).example_inputs
    except Exception as error:  # what a damaged archive raises is not stated anywhere
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
