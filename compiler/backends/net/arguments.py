"""The arguments of an operator as a spec has them.

In: an operator with its arguments checked. Out: literals by position and by name. Always: an argument that has its default is left out; an
argument by position has all positional ones before it.
"""

from __future__ import annotations

from typing import Any

from ...ops.argument import Arg, Required
from ...ops.base import Init, Operator, strict_key
from ...ops.kinds import DIM, ListKind, SizesKind
from ...ops.operand import NAMED, REVERSE
from .tree import ListOf, Literal

Named = tuple[tuple[str, Any], ...]


def arguments_of(op: Operator) -> tuple[tuple[Any, ...], Named]:
    """Those by position and those by name."""
    positional: list[Any] = []
    named: list[tuple[str, Any]] = []
    open_ = True
    for name, declared in op.signature.items():
        value = op.args[name]
        if name in (NAMED, REVERSE) or _is_default(declared, value):
            open_ = open_ and not declared.positional
            continue
        written = literal_of(declared, name, value)
        if declared.positional and open_:
            positional.append(written)
        else:
            named.append((name, written))
    if op.open_keywords is not None:
        named += [(name, Literal(value, name)) for name, value in op.args["sizes"]]
    return tuple(positional), tuple(named)


def _is_default(declared: Arg[Any], value: object) -> bool:
    if isinstance(declared.default, Required):
        return False
    return value is None or strict_key(_short(declared, value)) == strict_key(_short(declared, declared.default))


def _short(declared: Arg[Any], value: object) -> object:
    """One number for all axes, where it is the same for all."""
    if isinstance(declared.kind, SizesKind) and isinstance(value, tuple) and value and len(set(value)) == 1:
        return int(value[0])
    return value


def literal_of(declared: Arg[Any], name: str, value: object) -> Any:
    """The value as literals: of sizes and shapes each item is one of its own."""
    if isinstance(declared.kind, SizesKind):
        if not isinstance(value, tuple):
            return Literal(value, name)
        if name != "kernel" and len(set(value)) == 1:
            return Literal(value[0], name)
        return ListOf(tuple(Literal(v, name) for v in value), joined=True)
    if isinstance(value, tuple) and isinstance(declared.kind, ListKind) and declared.kind.item is DIM:
        return ListOf(tuple(Literal(v, name) for v in value))
    return Literal(value, name)


def words_of(op: Operator, name: str) -> tuple[str, ...]:
    """The words that an argument may be, which are written without quotes."""
    declared = op.signature.get(name)
    return declared.kind.words if declared is not None else ()


def is_initialiser(value: object) -> bool:
    return isinstance(value, Init)
