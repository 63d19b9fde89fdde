"""Python code as data: the result of an operator's emitter, before names and layout are decided.

It is a tree rather than text, so that uses of one block that differ only in literals can become one class with constructor arguments.
Trees compare as values:

>>> call_function("relu", Ref(0), inplace=Default(False, False)) == call_function("relu", Ref(0), inplace=Default(False, False))
True
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from math import copysign
from typing import Any, ClassVar

from netc.dsl.record import Record
from netc.dsl.trees import Tree

from ....dims import SymDim
from ....ops.operator import strict_key
from ....types.traced_ints import origin_key


class FrameworkValue(Record):
    """A value that the framework has a name for, such as an element type: its `text`, and the type to annotate."""

    text: str
    annotation: str


Literal = int | float | bool | str | None | SymDim | FrameworkValue | tuple["Literal", ...]


class Code(Tree):
    """A part of Python code."""


class Lit(Code):
    """A value. A symbolic dimension is read off a tensor's shape at run time."""

    value: Literal
    hint: str = ""
    """The name that a constructor argument for it would have."""
    is_literal: ClassVar[bool] = True

    def __eq__(self, other: object) -> bool:
        # `1 == True` and `0.0 == -0.0` in Python, but the two would be written differently.
        if not isinstance(other, Lit) or (strict_key(self.value), self.hint) != (strict_key(other.value), other.hint):
            # Two equal numbers from different formulas stay apart: merging them would lose the formula of one.
            return False
        return origin_key(self.value) == origin_key(other.value)

    def __hash__(self) -> int:
        # The origin is left out, as it need not be hashable; equal literals still have equal hashes.
        return hash((strict_key(self.value), self.hint))


class Probability(Lit):
    """A probability. It is written without rounding errors, because no random draw can show the difference."""


class Unneeded(Lit):
    """The None of an argument that nothing uses here: any other value may take its place."""


class StageLit(Lit):
    """The function of a call that differs in the uses of a block, a `StageValue`. `default` is the default of the block's parameter."""

    default: Literal = None


class Ref(Code):
    """Input `index` of the node."""

    index: int


class SelfMember(Code):
    """`self.<label>`: the node's module, parameter or buffer."""


class Local(Code):
    """A name bound by a `LetCode` around it."""

    name: str


class AnyInput(Code):
    """Any one of the body's input tensors, of which the code reads a property that they share. Never in a constructor."""


class KeywordCode(Code):
    """`name=value`, left out while the value is the literal `default`. Code that differs in defaults alone has one shape."""

    name: str
    value: Code
    default: Literal = None
    has_default: bool = False
    not_compared: ClassVar[tuple[str, ...]] = ("default", "has_default")


class StageValue(FrameworkValue):
    """A callable that makes a module or computes a tensor: `function` with `keywords` bound. Without a `function` it is the identity."""

    function: str
    keywords: tuple[KeywordCode, ...]

    def apply_to(self, args: tuple[Code, ...], keywords: tuple[KeywordCode, ...]) -> Code:
        """Return the call with arguments; `keywords` are added to the bound ones."""
        return CallCode(self.function, args, (*self.keywords, *keywords)) if self.function else args[0]


class CallCode(Code):
    """`function(*args, **kwargs)`; `function` is a dotted name, or code such as `SelfMember()`."""

    function: str | Code
    args: tuple[Code, ...]
    kwargs: tuple[KeywordCode, ...] = ()


class MembersCall(CallCode):
    """A call that takes the members of a sequence: those that follow a pattern may be written as a comprehension."""


class Method(Code):
    """`target.name(*args, **kwargs)`."""

    target: Code
    name: str
    args: tuple[Code, ...] = ()
    kwargs: tuple[KeywordCode, ...] = ()


class AttributeCode(Code):
    target: Code
    name: str


Freedom = typing.Literal["none", "signs", "neutral"]
"""Other ways in which an emitter allows an operation to be written. `none`: no other. `signs`: `x + -y` as `x - y`, which frameworks may
refuse for booleans. `neutral`: also `x * 1` as `x`, which changes the type of the result if 1 is a float and `x` is not."""


class Infix(Code):
    """`left op right`, with Python's precedence; `op` such as `+`, `@`, `==`, `&`."""

    op: str
    left: Code
    right: Code
    freedom: Freedom = "none"


class Share(Infix):
    """A probability that is computed: `rate * 3 / 11`. It is written without rounding errors too."""


class Prefix(Code):
    """`-operand`, `~operand`."""

    op: str
    operand: Code


class SliceCode(Code):
    """`start:stop:step` within a subscript."""

    start: Code | None = None
    stop: Code | None = None
    step: Code | None = None


class Subscript(Code):
    """`target[items]`."""

    target: Code
    items: tuple[Code, ...]


class ItemCode(Subscript):
    """An item of a tuple with `count` items, or of a tuple of any length."""

    count: int = 0


class TupleCode(Code):
    items: tuple[Code, ...]


class LetCode(Code):
    """Statements before an expression: each `(name, code)` is bound in order, then `result`. Only at the top of an emitter's result."""

    bindings: tuple[tuple[str, Code], ...]
    result: Code


class NestedResults(Code):
    """An expression whose results are tuples within a tuple: `y, (h, c) = self.lstm(x)`. `groups`: their sizes; 1: a single result.
    Only at the top of an emitter's result, and only where several results are unpacked."""

    result: Code
    groups: tuple[int, ...]


class Default(Record):
    """The value of a keyword that calls leave out if it is the `usual` one, the function's own default."""

    value: object
    usual: Any


def to_code(value: object, hint: str = "") -> Code:
    """Convert a value to a literal. Code is returned unchanged."""
    assert not isinstance(value, Default), "only a keyword has a default"
    return value if isinstance(value, Code) else Lit(value, hint)  # type: ignore[arg-type]


def shorten_float(value: float) -> float:
    """Return an integral float as an integer, `masked_fill(mask, 0)`: -0.0 is none, and an integer has 64 bits.

    >>> shorten_float(2.0), shorten_float(-0.0), shorten_float(1e30)
    (2, -0.0, 1e+30)
    """
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**63
    return int(value) if is_whole and (value or copysign(1, value) > 0) else value


def call_function(function: str | Code, *args: object, **kwargs: object) -> CallCode:
    """`call_function("mean", code, axis=(1, 2), keepdims=Default(op.keepdim, False))`: a keyword is a value, or one with a `Default`."""
    return CallCode(function, tuple(to_code(a) for a in args), make_keywords(kwargs))


def construct_module(function: str, positional: Mapping[str, object], **kwargs: object) -> CallCode:
    """Return `construct_module("Linear", {"in_features": 3}, bias=Default(True, True))` as code.

    The keys of `positional` are the names that constructor arguments for these values would have.
    """
    return CallCode(function, tuple(to_code(v, k) for k, v in positional.items()), make_keywords(kwargs))


def call_method(target: Code, name: str, *args: object, **kwargs: object) -> Method:
    """`call_method(x, "mean", axis=1)`: a call of a method, with keywords as `call_function` takes them."""
    return Method(target, name, tuple(to_code(a) for a in args), make_keywords(kwargs))


def make_keywords(kwargs: Mapping[str, object]) -> tuple[KeywordCode, ...]:
    """The keywords of a call, by their names."""
    return tuple(_make_keyword(name, value) for name, value in kwargs.items())


def _make_keyword(name: str, value: object) -> KeywordCode:
    if isinstance(value, Default):
        return KeywordCode(name, to_code(value.value, name), value.usual, True)
    return KeywordCode(name, to_code(value, name))
