"""Nearly valid uses: a valid one with one thing changed by one.

In: a use. Out: a strategy of uses that differ from it in one size, one rank, one element type or one argument. Always: texts stay
readable to netc: no negative sizes, no unknown words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netc.compiler.ops.kinds import DTYPE, DTypeKind, Kind, StringKind
from netc.compiler.types import DTYPES, TensorType

from .use import Use


def perturbed(use: Use) -> list[Use]:
    """All of them, in a fixed order."""
    plain = Use(use.operator, use.inputs, use.args)
    return [*_inputs(plain), *_arguments(plain), *_omissions(plain)]


def _inputs(use: Use) -> Iterator[Use]:
    for index, type_ in enumerate(use.inputs):
        for other in _types(type_):
            yield Use(use.operator, (*use.inputs[:index], other, *use.inputs[index + 1 :]), use.args)


def _types(type_: TensorType) -> Iterator[TensorType]:
    for axis, size in enumerate(type_.shape):
        for change in (1, -1):
            if size + change >= 1:
                yield type_.with_shape((*type_.shape[:axis], size + change, *type_.shape[axis + 1 :]))
    if type_.rank:
        yield type_.with_shape(type_.shape[1:])
        yield type_.with_shape(type_.shape[:-1])
    yield type_.with_shape((*type_.shape, 2))
    for dtype in DTYPES.values():
        if dtype != type_.dtype and dtype.name != "bfloat16":
            yield type_.with_dtype(dtype)


def _arguments(use: Use) -> Iterator[Use]:
    for index, (name, value) in enumerate(use.args):
        arg = use.cls.signature.get(name)
        for other in _values(arg.kind if arg else None, value):
            yield Use(use.operator, use.inputs, (*use.args[:index], (name, other), *use.args[index + 1 :]))


def _values(kind: Kind[Any] | None, value: Any) -> Iterator[Any]:
    if isinstance(kind, (StringKind,)):
        return
    if isinstance(kind, DTypeKind) or kind is DTYPE:
        yield from (name for name in DTYPES if name not in (value, "bfloat16"))
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, str):
        yield from (word for word in (kind.words if kind else ()) if word != value)
    elif isinstance(value, tuple):
        yield from _lists(value)
    else:
        yield value + 1
        yield value - 1


def _lists(value: tuple[Any, ...]) -> Iterator[Any]:
    for i, item in enumerate(value):
        yield (*value[:i], item + 1, *value[i + 1 :])
        yield (*value[:i], item - 1, *value[i + 1 :])
    if len(value) > 1:
        yield value[:-1]
    yield (*value, value[-1] if value else 1)


def _omissions(use: Use) -> Iterator[Use]:
    """Without one of the arguments, or of the inputs."""
    for index, (name, _) in enumerate(use.args):
        arg = use.cls.signature.get(name)
        if arg is not None and repr(arg.default) != "(required)":
            yield Use(use.operator, use.inputs, (*use.args[:index], *use.args[index + 1 :]))
    if len(use.inputs) > use.cls.arity()[0]:
        yield Use(use.operator, use.inputs[:-1], use.args)
