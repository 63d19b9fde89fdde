"""The `forward` of a class.

In: the body of a class, with `Argument`s in it. Out: the lines of the method. Always: linear in the number of steps; the statements compute
the steps in their order, except that what is nested in another expression is computed there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .classes import Body, ClassDef, Step, Symbol, Traits
from .code import Attribute, CallCode, Code, Device, Keyword, Let, Lit, Local, Method, TupleCode
from .grouping import Uses, nested
from .layout import STEP, statement
from .naming import IMPORTED, local, numbered, plain, unique
from .packing import packed
from .printer import doc, text
from .tree import (
    Argument,
    Gathered,
    Handed,
    MemberRef,
    Name,
    Passed,
    SizeRef,
    Starred,
    SymbolRef,
    ValueRef,
    rewrite,
)
from .variables import Variables

RETURN = Traits("return", form="infix")
DEPTH = 2
"""How deep the statements of a method are indented."""


def forward(cls: ClassDef, attributes: Mapping[str, str], annotate: Callable[[str], str]) -> list[str]:
    """The method's lines. `attributes`: the attribute that keeps each constructor argument."""
    return _Forward(cls, attributes).run()


class _Forward:
    def __init__(self, cls: ClassDef, attributes: Mapping[str, str]) -> None:
        self.body = cls.body
        self.attributes = attributes
        self.lines: list[str] = []
