"""Emit the transforms of `augment` for Flax, as two constants: functions of random_images.py with the inputs that each changes, and these
inputs.

In: the `augment` lines of a section, which torchvision has accepted. Out: texts, or the reason why a line has no function. Always: the
function draws from the distribution of torchvision's transform, with other random numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from netc.compiler.errors.recipe_errors import WrongSetting

from ..augmentation import Augmentation
from ..recipe import Recipe
from ..torchvision_transforms import resolve_transform
from .lines import format_call, format_keywords, to_literal

Options = Mapping[str, Any]
ADVICE = "train with `netc train`, or write the PyTorch file by `--target train`"


def _describe_crop(options: Options) -> dict[str, Any]:
    """Return the arguments of `crop_randomly` for a RandomCrop, whose padding is one number, two (left and right, top and bottom) or four
    (left, top, right, bottom)."""
    size, padding, mode = _list_numbers(options["size"]), options.get("padding"), options.get("padding_mode", "constant")
    left, top, right, bottom = (_list_numbers(0 if padding is None else padding) * 4)[:4]
    arguments = {"size": (size * 2)[:2]}
    if padding is None:
        return arguments
    given = {"mode": None if mode == "constant" else mode, "fill": options.get("fill")}
    return {**arguments, "padding": ((top, bottom), (left, right)), **{name: value for name, value in given.items() if value}}


def _list_numbers(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


TRANSFORMS: dict[str, tuple[str, Callable[[Options], dict[str, Any]]]] = {
    "RandomHorizontalFlip": ("flip_randomly", lambda options: {"axis": -1, **options}),
    "RandomVerticalFlip": ("flip_randomly", lambda options: {"axis": -2, **options}),
    "RandomCrop": ("crop_randomly", _describe_crop),
}
"""The functions of random_images.py and their arguments, by the classes of torchvision."""


def find_lacking_transform(augmentation: Augmentation) -> WrongSetting | None:
    """Return the problem of a line that the file of Flax cannot have."""
    cls, options = resolve_transform(augmentation)
    if cls.__name__ not in TRANSFORMS:
        need = "is not part of the training file of Flax, which has `horizontal_flip`, `vertical_flip` and `random_crop`"
        return WrongSetting(augmentation.name, need, ADVICE)
    if options.get("pad_if_needed") or not isinstance(options.get("fill", 0), (int, float)):
        return WrongSetting(augmentation.name, "has `pad_if_needed`, or no number as `fill`, which the training file of Flax lacks", ADVICE)
    return None


def emit_jax_transforms(recipe: Recipe) -> list[str]:
    """Emit the constants; nothing for a section without `augment`."""
    if not recipe.augmentations:
        return []
    lines = ["AUGMENTATIONS: list[tuple[tuple[str, ...], Any]] = ["]
    for augmentation in recipe.augmentations:
        cls, options = resolve_transform(augmentation)
        function, describe = TRANSFORMS[cls.__name__]
        arguments = [function, *format_keywords(describe(options))]
        lines += format_call(f"    ({to_literal(tuple(augmentation.kinds))}, ", "partial", arguments, "),")
    names = tuple({name: None for augmentation in recipe.augmentations for name in augmentation.kinds})
    return ["\n".join([*lines, "]"]), f"AUGMENTED = {to_literal(names)}"]
