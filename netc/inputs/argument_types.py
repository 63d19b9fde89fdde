"""Check the arguments of the public API against their annotations, so that no tensor is taken for a bool.

In: a function with annotations, or a class. Out: the same function or class, which checks its arguments before it runs. An argument of
another type is a `TypeError` that names it. Always: an annotation that is neither a class nor one of the `WORDS` below, such as an alias,
accepts anything but None. Annotations are strings here, and `inspect` is not imported, because netc must start quickly.

    >>> @check_arguments
    ... def show(depth: int | None = None) -> None: ...
    >>> show("2")
    Traceback (most recent call last):
    TypeError: `depth` must be an integer or None, not str
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from numbers import Integral, Real
from typing import Any, ParamSpec, TypeVar

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
"""The parts of annotations that are checked, each with a test and its name in messages. A bool is an int in Python, and is refused here."""
_OPTIONS = "Unpack["
"""Begins the annotation of `**options`, whose names and types a `TypedDict` declares."""
UNCHECKED = ("text",)
"""Arguments that are not checked here, because their functions have better messages: for a path instead of a text, for example."""


def check_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function, to check its arguments against its annotations."""
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    first = names[: code.co_argcount]
    annotations = function.__annotations__
    options = next((a[len(_OPTIONS) : -1] for a in annotations.values() if a.startswith(_OPTIONS)), "")

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        known = {**annotations, **_read_options(function.__globals__[options])} if options else annotations
        # not strict: the call itself reports arguments that are too many
        for name, value in (*zip(first, args, strict=False), *kwargs.items()):
            if options and name not in known and name not in names:
                raise TypeError(f"`{function.__name__}` has no argument `{name}`{_suggest(name, known)}")
            if name not in UNCHECKED and (options or name in names):
                _check_argument(name, value, known.get(name, "Any"), function.__globals__)
        return function(*args, **kwargs)

    return checked


def _read_options(options: Any) -> dict[str, str]:
    """Return the annotations of a `TypedDict`, as they are written."""
    return {name: getattr(annotation, "__forward_arg__", annotation) for name, annotation in options.__annotations__.items()}


def _suggest(name: str, known: Iterable[str]) -> str:
    from netc.dsl.diagnostics.suggest import find_similar_names

    near = find_similar_names(name, list(known))
    return f"; did you mean `{near[0]}`?" if near else ""


def check_methods(cls: C) -> C:
    """Decorate a class, to check the arguments of its public methods."""
    for name, value in list(vars(cls).items()):
        # Properties and nested classes have no code of their own.
        if (not name.startswith("_") or name == "__init__") and hasattr(value, "__code__"):
            setattr(cls, name, check_arguments(value))
    return cls


def _check_argument(name: str, value: object, annotation: str, names: Mapping[str, object]) -> None:
    parts = _split_union(annotation)
    if any(_fits_part(value, part, names) for part in parts):
        return
    words = dict.fromkeys(WORDS[part][1] if part in WORDS else f"a `{part}`" for part in parts)
    raise TypeError(f"`{name}` must be {' or '.join(words)}, not {'None' if value is None else type(value).__name__}")


def _fits_part(value: object, part: str, names: Mapping[str, object]) -> bool:
    """Whether a value fits a part of an annotation. A part that is not a class accepts everything but None."""
    if part in WORDS:
        return WORDS[part][0](value)
    if part in ("Any", "object"):
        return True
    first, *rest = part.split(".")
    # a library that a module imports for annotations only is looked up among the loaded ones
    expected = names.get(first) or sys.modules.get(first)
    for attribute in rest:
        expected = getattr(expected, attribute, None)
    if not isinstance(expected, type):
        return value is not None and not (rest and expected is None)  # no object can be of a library that is not imported
    # `isinstance` needs `runtime_checkable`, which our protocols are not.
    if getattr(expected, "_is_protocol", False):
        return all(hasattr(value, member) for member in vars(expected) if not member.startswith("_"))
    return isinstance(value, expected)


def _split_union(annotation: str) -> list[str]:
    """Return the names in a union, without their brackets.

    >>> _split_union("Mapping[str, int | float] | None")
    ['Mapping', 'None']
    """
    parts, depth = [""], 0
    for character in annotation:
        depth += (character == "[") - (character == "]")
        if character == "|" and not depth:
            parts.append("")
        elif not depth and character not in "] ":
            parts[-1] += character
    return parts
