"""Emit the transforms of `augment` as two constants: the transforms with the inputs that each changes, and the names of these inputs."""

from __future__ import annotations

from ..augmentation import Augmentation
from ..recipe import Recipe
from ..torchvision_transforms import resolve_transform
from .lines import format_call, format_keywords, quote_string, to_literal


def emit_augmentations(recipe: Recipe) -> list[str]:
    """Emit the constants; nothing for a section without `augment`."""
    if not recipe.augmentations:
        return []
    lines = ["AUGMENTATIONS: list[tuple[dict[str, Any], Any]] = ["]
    for augmentation in recipe.augmentations:
        cls, options = resolve_transform(augmentation)
        lines += format_call(f"    ({_emit_kinds(augmentation)}, ", f"v2.{cls.__name__}", format_keywords(options), "),")
    names = tuple({name: None for augmentation in recipe.augmentations for name in augmentation.kinds})
    return ["\n".join([*lines, "]"]), f"AUGMENTED = {to_literal(names)}"]


def _emit_kinds(augmentation: Augmentation) -> str:
    return "{" + ", ".join(f"{quote_string(name)}: tv_tensors.{kind}" for name, kind in augmentation.kinds.items()) + "}"
