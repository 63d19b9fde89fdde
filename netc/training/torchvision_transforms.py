"""Resolve the transforms of `augment` to classes of torchvision.transforms.v2 and their arguments.

In: an `Augmentation`. Out: a class and its arguments by name. Always: torchvision is imported when a section has the setting, and only
its own classes are used. A spec writes their names in snake case, with or without `random_`: `horizontal_flip` is `RandomHorizontalFlip`.
"""

from __future__ import annotations

import inspect
import re
from functools import cache
from typing import Any

from .augmentation import Augmentation
from .optimizers import list_keyword_options, normalize_name

RANDOM = "random"
LINES = "takes other transforms: write a line `augment` for each"
MIXING = "mixes several samples, and `augment` changes one at a time"
UNUSABLE = {
    "compose": LINES,
    "randomapply": LINES,
    "randomchoice": LINES,
    "randomorder": LINES,
    "lambda": "takes a Python function, which a spec cannot have",
    "cutmix": MIXING,
    "mixup": MIXING,
}
"""Transforms that a spec cannot use, with the reason."""


@cache
def list_transforms() -> dict[str, type[Any]]:
    """List torchvision's transforms by the normalized names of their classes. Raises `ImportError` without torchvision."""
    from torchvision.transforms import v2

    classes = [c for c in vars(v2).values() if inspect.isclass(c) and issubclass(c, v2.Transform) and c is not v2.Transform]
    named = {normalize_name(c.__name__): c for c in classes}
    short = {name.removeprefix(RANDOM): c for name, c in named.items() if name.startswith(RANDOM)}
    return {**short, **named}  # `grayscale` is Grayscale, not RandomGrayscale


def list_transform_names() -> tuple[str, ...]:
    """List the names of the usable transforms as a spec writes them."""
    classes = {c.__name__: None for name, c in list_transforms().items() if name not in UNUSABLE and c.__name__.lower() not in UNUSABLE}
    return tuple(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower() for name in classes)


def resolve_transform(augmentation: Augmentation) -> tuple[type[Any], dict[str, Any]]:
    """Return the class of a transform and its arguments. Arguments without a name are the first ones of the constructor."""
    cls = list_transforms()[normalize_name(augmentation.name)]
    positional = zip(list_keyword_options(cls, 0), augmentation.positional, strict=False)
    return cls, {**{name: argument.value for name, argument in positional}, **augmentation.values}
