"""Check the transforms of `augment`: their names and arguments against torchvision's classes, and their results against the inputs.

In: a `Recipe`, and the inputs with their shapes. Out: diagnostics at the settings. Always: the installed torchvision decides. Each
transform is tried on random samples, and must keep the shape and the type of its input, because validation has no augmentation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from netc.compiler.errors.optional_packages import format_install_command
from netc.compiler.errors.problem import Problem
from netc.compiler.errors.recipe_errors import UnknownChoice, WrongSetting
from netc.compiler.ir.training_program import Training
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import replace
from netc.dsl.source import Span

from ..files.file_problems import make_diagnostic
from .augmentation import Augmentation
from .optimizer_options import check_arguments, check_values
from .optimizers import list_keyword_options, normalize_name
from .recipe import Recipe
from .sample_generator import SampleGenerator
from .torchvision_transforms import UNUSABLE, list_transform_names, list_transforms, resolve_transform

TRIED_SAMPLES = 4
"""The random samples on which a transform is tried: some transforms return several sizes."""
TORCHVISION = "torchvision"


def check_transforms(training: Training, recipe: Recipe, shapes: Mapping[str, tuple[int, ...]] = {}) -> list[Diagnostic]:
    """Check all `augment` lines. `shapes` has the shapes of samples, where the data is known; without it, those that are declared in
    numbers."""
    if not recipe.augmentations:
        return []
    try:
        list_transforms()
    except ImportError:
        problem = WrongSetting("augment", f"needs {TORCHVISION}, which is not installed", f"run `{format_install_command(TORCHVISION)}`")
        return [make_diagnostic(problem, recipe.augmentations[0].span)]
    inputs = [(value.name, shapes.get(value.name, value.type.shape[1:]), value.type.dtype.name) for value in training.program.main.inputs]
    samples = {
        name: make_sample(shape, getattr(torch, dtype)) for name, shape, dtype in inputs if all(isinstance(size, int) for size in shape)
    }
    return [make_diagnostic(problem, span) for line in recipe.augmentations for problem, span in _check_transform(line, samples)]


def make_sample(shape: tuple[Any, ...], dtype: torch.dtype) -> Tensor:
    """Make a sample of noise: numbers from 0 to 1, or the bytes of an image; zeros for a mask."""
    generator = torch.Generator().manual_seed(0)
    if dtype.is_floating_point:
        return torch.rand(shape, generator=generator).to(dtype)
    return torch.randint(0, 256 if dtype == torch.uint8 else 1, shape, generator=generator).to(dtype)


def _check_transform(line: Augmentation, samples: Mapping[str, Tensor]) -> Iterator[tuple[Problem, Span]]:
    name, classes = normalize_name(line.name), list_transforms()
    cls = classes.get(name)
    if cls is None:
        known = list_transform_names()
        similar = find_similar_names(line.name, [*known, *(n.removeprefix("random_") for n in known)])
        yield UnknownChoice("transform", line.name, tuple(similar), known), line.span
        return
    why = UNUSABLE.get(normalize_name(cls.__name__))
    if why is not None:
        yield WrongSetting(line.name, why), line.span
        return
    known = list_keyword_options(cls, 0)
    if len(line.positional) > len(known):
        yield WrongSetting(line.name, f"takes at most {len(known)} arguments"), line.positional[len(known)].span
        return
    named = (*(replace(a, name=n, name_span=a.span) for n, a in zip(known, line.positional, strict=False)), *line.options)
    problems = [
        *check_arguments(line.name, named, known),
        *check_values(cls, line, named, known, partial(_try_transform, cls, line, samples), TORCHVISION),
    ]
    yield from problems or _check_results(line, samples)


def _try_transform(cls: type[Any], line: Augmentation, samples: Mapping[str, Tensor], arguments: dict[str, Any]) -> None:
    """Make the transform, and apply it if the shapes of its inputs are known."""
    transform = cls(**arguments)
    if line.kinds.keys() <= samples.keys():
        for _ in apply_transform(transform, line, samples):
            pass


def _check_results(line: Augmentation, samples: Mapping[str, Tensor]) -> Iterable[tuple[Problem, Span]]:
    if not line.kinds.keys() <= samples.keys():
        return
    cls, options = resolve_transform(line)
    for results in apply_transform(cls(**options), line, samples):
        for name in line.kinds:
            difference = describe_difference(name, results[name], samples[name])
            if difference:
                yield WrongSetting(line.name, difference, "choose arguments that keep the size and the type of a sample"), line.span
                return


def describe_difference(name: str, result: Any, sample: Tensor) -> str:
    """Describe a result that has another shape or type than the input, as the rest of a sentence; empty if both agree."""
    if not isinstance(result, Tensor):
        return f"returns {type(result).__name__} for `{name}`, and no tensor"
    if result.shape == sample.shape and result.dtype == sample.dtype:
        return ""
    return f"returns {_format_type(result)} for `{name}`, whose samples are {_format_type(sample)}"


def _format_type(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def apply_transform(transform: Any, line: Augmentation, samples: Mapping[str, Tensor]) -> Iterator[Mapping[str, Any]]:
    """Apply a transform to the same sample with several random numbers."""
    from torchvision import tv_tensors

    if isinstance(getattr(transform, "p", None), float):  # a transform that is applied to some samples alone is applied to all here
        transform.p = 1.0
    for seed in range(TRIED_SAMPLES):
        with SampleGenerator(seed):
            yield transform({name: getattr(tv_tensors, kind)(samples[name]) for name, kind in line.kinds.items()})
