"""Arguments of the public API, checked against the annotations of its functions: what is no bool is not taken for one.

In: a function with annotations, or a class. Out: the same, whose arguments are checked before it runs: one of another type is a
`TypeError` that names it, `` `depth` must be an integer or None, not Tensor ``. Always: an annotation that is neither a class nor one of
these words (an alias, `Any`) is left to the function itself; only None is refused where it is not among them. The annotations are texts,
and `inspect` is not imported, since starting must be quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from numbers import Integral, Real
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=type)

Test = Callable[[object], bool]

WORDS: dict[str, tuple[Test, str]] = {
    "None": (lambda value: value is None, "None"),
    "str": (lambda value: isinstance(value, str), "a str"),
    "bool": (lambda value: isinstance(value, bool), "a bool"),
    "int": (lambda value: isinstance(value, Integral) and not isinstance(value, bool), "an integer"),
    "float": (lambda value: isinstance(value, Real) and not isinstance(value, bool), "a number"),
    "os.PathLike": (lambda value: isinstance(value, os.PathLike), "a path"),
    "Mapping": (lambda value: isinstance(value, Mapping), "a mapping"),
    "list": (lambda value: isinstance(value, list), "a list"),
    "Iterable": (lambda value: isinstance(value, Iterable), "a list"),
    "Callable": (callable, "a function"),
}
"""The parts of annotations that are checked: how, and what they are called."""
OWN = ("text",)
"""The arguments about which their functions know what else they may have been meant to be."""


def checks_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """The function, with its arguments checked against its annotations."""
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    first = names[: code.co_argcount]
    annotations = function.__annotations__

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for name, value in (*zip(first, args, strict=False), *((n, v) for n, v in kwargs.items() if n in names)):
            if name not in OWN:
                _check_argument(name, value, annotations.get(name, "Any"), function.__globals__)
        return function(*args, **kwargs)

    return checked


def checks_methods(cls: C) -> C:
    """The class, with the arguments of its public methods checked."""
    for name, value in list(vars(cls).items()):
        if (not name.startswith("_") or name == "__init__") and hasattr(value, "__code__"):
            setattr(cls, name, checks_arguments(value))
    return cls


def _check_argument(name: str, value: object, annotation: str, names: Mapping[str, object]) -> None:
    parts = _split_union(annotation)
    if any(_fits_part(value, part, names) for part in parts):
        return
    words = dict.fromkeys(WORDS[part][1] if part in WORDS else f"a `{part}`" for part in parts)
    raise TypeError(f"`{name}` must be {' or '.join(words)}, not {'None' if value is None else type(value).__name__}")


def _fits_part(value: object, part: str, names: Mapping[str, object]) -> bool:
    """Whether a value is what a part of an annotation says, as far as that is known."""
    if part in WORDS:
        return WORDS[part][0](value)
    if part in ("Any", "object"):
        return True
    first, *rest = part.split(".")
    found = names.get(first) or sys.modules.get(first)
    for attribute in rest:
        found = getattr(found, attribute, None)
    if not isinstance(found, type):
        return value is not None and not (rest and found is None)  # of a library that is not imported, there is no object
    if getattr(found, "_is_protocol", False):
        return all(hasattr(value, member) for member in vars(found) if not member.startswith("_"))
    return isinstance(value, found)


def _split_union(annotation: str) -> list[str]:
    """The names in a union, without what is in brackets: `Mapping[str, int] | None` is `Mapping` and `None`."""
    parts, depth = [""], 0
    for character in annotation:
        depth += (character == "[") - (character == "]")
        if character == "|" and not depth:
            parts.append("")
        elif not depth and character not in "] ":
            parts[-1] += character
    return parts
