"""Nearly valid uses: a valid one with one thing changed.

In: a use. Out: the uses that differ from it in one size, one rank, one element type or one argument, by one or by as much as there is: 0,
-1 and the largest numbers; or in an argument that is left out, or written. Always: specs stay readable to netc: no negative sizes of
inputs, no unknown words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netc.compiler.ops.initializers import INIT
from netc.compiler.ops.kinds import FLAG, DTypeKind, Kind, StringKind
from netc.compiler.types.tensor_types import DTYPES, TensorType
from tests.differential.use import Use

EXTREMES = (0, -1, 1000, 2**63)
FLOATS = (1e30, -1e30)
CHARACTERS = (" ", "(", ")", ".", "-", ">", "1", ",", "_", "z", "Z", "*")


def perturbed(use: Use) -> list[Use]:
    """All of them, in a fixed order."""
    plain = Use(use.operator, use.inputs, use.args)
    return [*_inputs(plain), *_arguments(plain), *_omissions(plain), *_additions(plain)]


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
        if dtype != type_.dtype:
            yield type_.with_dtype(dtype)


def _arguments(use: Use) -> Iterator[Use]:
    for index, (name, value) in enumerate(use.args):
        arg = use.cls.signature.get(name)
        for other in _values(arg.kind if arg else None, value):
            yield Use(use.operator, use.inputs, (*use.args[:index], (name, other), *use.args[index + 1 :]))


def _values(kind: Kind[Any] | None, value: Any) -> Iterator[Any]:
    if isinstance(kind, StringKind):
        yield from _texts(value)
    elif isinstance(kind, DTypeKind):
        yield from (name for name in DTYPES if name != value)
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, str):
        yield from (word for word in (kind.words if kind else ()) if word != value)
    elif isinstance(value, tuple):
        yield from _lists(value)
    else:
        yield from _numbers(value)


def _numbers(value: Any) -> Iterator[Any]:
    near = (value + 1, value - 1)
    yield from near
    yield from (n for n in (*EXTREMES, *(FLOATS if isinstance(value, float) else ())) if n not in (*near, value))


def _texts(value: str) -> Iterator[str]:
    """A letter less, a letter twice, two letters swapped, a character more."""
    for i in range(len(value)):
        head, tail = value[:i], value[i + 1 :]
        yield head + tail
        yield head + 2 * value[i] + tail
        yield head + tail[:1] + value[i] + tail[1:]
        yield from (head + character + value[i:] for character in CHARACTERS)


def _lists(value: tuple[Any, ...]) -> Iterator[Any]:
    for i, item in enumerate(value):
        yield from ((*value[:i], other, *value[i + 1 :]) for other in _numbers(item))
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


def _additions(use: Use) -> Iterator[Use]:
    """With one argument more, of another value than it has when it is left out."""
    given = dict(use.args)
    for name, arg in use.cls.signature.items():
        if name not in given and arg.kind is not INIT:
            for value in _others(arg.kind, arg.default):
                yield Use(use.operator, use.inputs, (*use.args, (name, value)))


def _others(kind: Kind[Any], default: Any) -> Iterator[Any]:
    """Values for an argument that has this one."""
    if isinstance(default, bool) or kind is FLAG:
        yield not default
    elif kind.words:
        yield from (word for word in kind.words if word != default)
    elif not isinstance(kind, StringKind):
        yield from (n for n in (1, *EXTREMES) if n != default)
