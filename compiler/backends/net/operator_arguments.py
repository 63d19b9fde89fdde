"""Lists the arguments of an operator as a spec has them.

In: an operator with its arguments checked. Out: literals by the arguments' names, in the order of declaration. Always: arguments with
their default value are included, so that uses can be compared. None is left out.

    >>> import netc
    >>> (conv,) = netc.compile("input 3x8x8 -> conv 16 3x3 padding=1").program.main.nodes
    >>> [(name, literal.value, is_default(literal)) for name, literal in list_arguments(conv.op)][:4]
    [('channels', 16, False), ('kernel', 3, False), ('stride', 1, True), ('groups', 1, True)]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...ops.argument import REQUIRED, Arg
from ...ops.initializers import INIT
from ...ops.kinds import AXES, DIM, ListKind, SizesKind
from ...ops.operand import NAMED
from ...ops.operator import Operator, strict_key
from .spec_tree import Activation, ListOf, Literal, make_literal_of

Arguments = tuple[tuple[str, Any], ...]


def list_arguments(op: Operator) -> Arguments:
    """List all arguments that have a value. An argument without an effect has its default value, except initializers."""
    idle = {name: op.signature[name].default for name in op.find_unused_arguments() if op.signature[name].kind is not INIT}
    args = op.args | idle
    named = [(name, args[name]) for name in op.signature if name != NAMED and args[name] is not None]
    literals = [(name, make_literal(op.signature[name], name, value)) for name, value in named]
    if op.open_keywords is not None:
        literals += [(name, Literal(value, name)) for name, value in op.args["sizes"]]
    return tuple(literals)


def make_literal(declared: Arg[Any], name: str, value: object) -> Any:
    """Convert a value to literals. Each item of sizes and shapes is a literal of its own, unless all are the same."""
    default = declared.default
    if isinstance(declared.kind, SizesKind) and isinstance(value, tuple):
        if len(set(value)) == 1:
            return Literal(value[0], name, default, len(value) if name in ("kernel", "size") else 1)
        return ListOf(tuple(Literal(v, name) for v in value), joined=True)
    if isinstance(value, tuple) and isinstance(declared.kind, ListKind) and declared.kind.item is DIM:
        return ListOf(tuple(Literal(v, name) for v in value))
    scalar = isinstance(declared.kind, ListKind) and declared.kind.scalar and declared.kind is not AXES  # axes are always a list
    if scalar and isinstance(value, tuple) and len(value) == 1:
        return Literal(value[0], name, default)
    return make_literal_of(value, name, default)


def is_default(literal: Literal) -> bool:
    """Whether the argument would have the value without being written."""
    return literal.default is not REQUIRED and strict_key(literal.value) == strict_key(literal.default)


def is_idle(name: str, arguments: Sequence[tuple[str, Any]], signature: Mapping[str, Arg[Any]]) -> bool:
    """Whether the argument has no effect next to these."""
    values = dict(arguments)
    others = [(signature[other], values.get(other)) for other in (signature[name].only_with if name in signature else ())]
    return any(value is None or (isinstance(value, Literal) and arg.is_none(value.value)) for arg, value in others)


def make_activation(op: Operator) -> Literal:
    """Make an activation a value, which can be an argument of a block."""
    arguments = tuple((name, value) for name, value in list_arguments(op) if not (isinstance(value, Literal) and is_default(value)))
    return Literal(Activation(op.name, arguments), "act")
