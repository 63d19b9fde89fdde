"""Read the `augment` lines of a section: a transform of torchvision, its arguments, and the inputs that it changes.

In: the settings, and the inputs that are read from data. Out: `Augmentation`s and problems. Always: neither torch nor torchvision is
imported, so transform_options.py checks the transforms themselves.

`augment random_crop 32 padding=4` is for the only input of images; `augment horizontal_flip image mask` flips both inputs, or neither.

    >>> from netc.compiler.types.tensor_types import DTYPES
    >>> find_kind(TensorType(DTYPES["uint8"], (32, 3, 8, 8))), find_kind(TensorType(DTYPES["float32"], (32, 3)))
    (<InputKind.IMAGE: 'Image'>, None)
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from netc.compiler.errors.problem import Problem
from netc.compiler.errors.recipe_errors import WrongSetting
from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.training_program import Setting, SettingStage, Word
from netc.compiler.types.tensor_types import TensorType
from netc.dsl.source import Span

from .named_setting import NamedSetting
from .setting_values import convert_none_options

IMAGE_RANK = 4
"""The rank of a batch of images, `[N, C, H, W]`."""
LocatedProblem = tuple[Problem, Span]


class InputKind(StrEnum):
    """How torchvision sees an input, by the name of its class: colors change images alone, and masks are never interpolated."""

    IMAGE = "Image"
    MASK = "Mask"


class Augmentation(NamedSetting):
    """A transform, and the inputs that it changes together."""

    kinds: dict[str, InputKind] = {}


def read_augmentations(settings: Sequence[Setting], inputs: Sequence[Value]) -> tuple[tuple[Augmentation, ...], list[LocatedProblem]]:
    """Read the lines in their order."""
    problems: list[LocatedProblem] = []
    augmentations = [_read_augmentation(setting.stages[0], inputs, problems) for setting in settings]
    return tuple(augmentation for augmentation in augmentations if augmentation is not None), problems


def _read_augmentation(stage: SettingStage, inputs: Sequence[Value], problems: list[LocatedProblem]) -> Augmentation | None:
    if not stage.name:
        problems.append((WrongSetting("augment", "must be followed by a name", "write `augment random_horizontal_flip`"), stage.span))
        return None
    types = {value.name: value.type for value in inputs}
    named = [a for a in stage.positional if isinstance(a.value, Word) and a.value in types]
    problems += [
        (WrongSetting(str(a.value), "is no image", "an image has axes `[C, H, W]`, and a mask `[H, W]` or `[C, H, W]`"), a.span)
        for a in named
        if find_kind(types[str(a.value)]) is None
    ]
    kinds = {name: kind for name, type_ in types.items() if (kind := find_kind(type_)) is not None}
    chosen = [str(a.value) for a in named] or [name for name, kind in kinds.items() if kind is InputKind.IMAGE]
    kinds = {name: kinds[name] for name in chosen if name in kinds}
    if not named and len(kinds) != 1:
        images = ", ".join(f"`{name}`" for name in kinds)
        need = f"needs the name of an input, as {images} are images" if kinds else "needs an input of images, with axes `[C, H, W]`"
        remedy = f"write `augment {stage.name} {next(iter(kinds))}`, or several names to change them together" if kinds else ""
        problems.append((WrongSetting("augment", need, remedy), stage.name_span))
        return None
    positional = tuple(a for a in stage.positional if a not in named)
    return Augmentation(stage.name, stage.name_span, convert_none_options(positional), convert_none_options(stage.named), kinds)


def find_kind(type_: TensorType) -> InputKind | None:
    """Return how torchvision sees an input, or None if it is neither an image nor a mask.

    Floats and bytes of axes `[C, H, W]` are images. Other integers and booleans of these axes are masks, and so is everything `[H, W]`.
    """
    if type_.rank == IMAGE_RANK:
        return InputKind.IMAGE if type_.dtype.is_float or type_.dtype.name == "uint8" else InputKind.MASK
    return InputKind.MASK if type_.rank == IMAGE_RANK - 1 else None
