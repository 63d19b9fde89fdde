"""The limits of a text: nesting, numbers, tensors, symbolic dimensions, lists, and the resources that a text takes altogether.

The checks take a value or a shape and its span, and raise a `Failure` if it is too large. A `Budget` counts amounts of a `Resource` over an
elaboration. Values that pass fit in the integers of the backends, and can be shown, compared and hashed quickly. Everything of which a
short text can make many is a `Resource`: iterations, stages, calls, items, characters, evaluations, terms of formulas.

    >>> count_items((1, 2, ("ab", 3)))
    7
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from netc.dsl.source import Span

from ..dims import Dim, Effort, SymDim, text_size
from ..errors.limit_errors import LargeDimension, LargeNumber, LargeTensor, ManyAxes, TooManyNodes
from ..ir.graph_values import Value
from ..types.tensor_types import MOST_AXES, Shape
from .scopes.early_exits import Failure
from .scopes.scope import StageClosure

MAX_NESTING = 64
"""The nesting of blocks and groups."""
MAX_NODES = 1_000_000
"""The operators of a program, and the items of a list."""
MAX_DEPTH = 100
"""The nesting of calls of functions and of values that use other values."""
MAX_ERRORS = 1_000
"""The errors after which no further ones are looked for, and the most warnings of names that are not used."""
MAX_STACK = 20_000
"""The nesting of Python's own calls."""
MAX_INTEGER = 2**63 - 1
"""The greatest integer of the backends."""
# Eight bytes an element, and one bit for the sign.
MAX_ELEMENTS = 2**60 - 1
"""The most elements of a tensor, so that its bytes can be counted in an integer too."""
MAX_CHARACTERS = 65_536
"""The longest string that a text can compute."""
MAX_LEAVES = 10_000
"""The longest formula for the size of an axis, in symbols and numbers."""
MAX_TENSORS = 10_000
"""The most tensors of a tuple."""
MAX_STAGES = 1_000
"""The most stages within a stage that is used as a value."""


class Resource:
    """A kind of work that is counted. An elaboration may take at most `limit` of these `parts` of a `whole`, as the error words it."""

    __slots__ = ("limit", "parts", "whole")

    def __init__(self, limit: int, parts: str, whole: str = "spec") -> None:
        self.limit = limit
        self.parts = parts
        self.whole = whole


ITERATIONS = Resource(50_000, "iterations", "network")
"""Iterations of comprehensions, and of loops if they add no operator or are checked again. The operators limit all others."""
STAGES = Resource(20_000, "different stages", "network")
"""Checks of stages after the first one, in loops and blocks. Equal iterations and equal uses of a block count once."""
CHECKS = Resource(500_000, "stages to be checked")
"""All checks of stages, the first one included."""
CALLS = Resource(25_000, "calls of functions")
RECURSIONS = Resource(600, "blocks inside themselves", "network")
ITEMS = Resource(4_000_000, "items in its lists and characters in its strings")
"""Items and characters that are made, compared or passed to functions, blocks and operators."""
STEPS = Resource(2_000_000, "evaluations of expressions")
TERMS = Resource(6_000_000, "terms in the formulas of its dimensions")
"""The terms of all formulas, intermediate ones included."""
LETTERS = Resource(100_000_000, "characters in the names of its parameters", "network")
"""The characters of the keys that a state dict would have, if each operator had a parameter."""
RESOURCES = (ITERATIONS, STAGES, CHECKS, CALLS, RECURSIONS, ITEMS, STEPS, TERMS)
"""The resources that add up over an elaboration. `LETTERS` belong to a graph, as its operators do."""
MAX_MODELS = 20
"""All models and train sections of one file together may take the limits this many times."""


class Budget:
    """The amounts of each resource that an elaboration has taken and may take. `earlier` has the amounts that other elaborations of the
    same file have taken."""

    __slots__ = ("effort", "limits", "spent")

    def __init__(self, earlier: Mapping[Resource, int] | None = None) -> None:
        self.spent = dict.fromkeys(RESOURCES, 0)
        spent_earlier = earlier or {}
        # Each model of a file may take the whole limit, but a file of hundreds of models may not take it hundreds of times.
        self.limits = {
            resource: min(resource.limit, MAX_MODELS * resource.limit - spent_earlier.get(resource, 0)) for resource in RESOURCES
        }
        self.effort = Effort(self.limits[TERMS])

    def try_spend(self, resource: Resource, amount: int) -> bool:
        """Counts this amount, and tells whether the limit allows it."""
        count = self.spent[resource] = self.spent[resource] + amount
        return count <= self.limits[resource]

    def limit_problem(self, resource: Resource) -> TooManyNodes:
        """The error of a resource whose limit is exceeded."""
        count, limit = self.spent[resource], self.limits[resource]
        if limit < resource.limit:
            most = MAX_MODELS * resource.limit
            return TooManyNodes(most + count - limit, most, "file with all its models", resource.parts)
        return TooManyNodes(count, limit, resource.whole, resource.parts)

    def spend_amount(self, resource: Resource, amount: int, span: Span) -> None:
        """Counts this amount, and ends the elaboration if it is too much."""
        if not self.try_spend(resource, amount):
            raise Failure(self.limit_problem(resource), span, final=True)

    def total_spent(self) -> dict[Resource, int]:
        """The amount of each resource that was taken. The terms are counted by `compiler/dims`."""
        return {**self.spent, TERMS: self.effort.spent}


def count_items(value: Any) -> int:
    """The number of items and characters of a value, to which the work of copying or writing it is proportional."""
    match value:
        case str():
            return len(value)
        case tuple():
            return len(value) + sum(count_items(item) for item in value if isinstance(item, (tuple, str)))
    return 0


def check_string(text: str, span: Span) -> str:
    """Rejects a string that is too long to be a label, a name or a pattern."""
    if len(text) > MAX_CHARACTERS:
        raise Failure(TooManyNodes(len(text), MAX_CHARACTERS, "string", "characters"), span)
    return text


def check_number(value: Any, span: Span) -> None:
    """Rejects an integer that no backend can hold, alone or in a list."""
    for item in value if isinstance(value, tuple) else (value,):
        if isinstance(item, int) and not -MAX_INTEGER - 1 <= item <= MAX_INTEGER:
            raise Failure(LargeNumber(item, MAX_INTEGER), span)


def check_dimension(value: Any, span: Span) -> None:
    """Rejects a symbolic dimension whose formula is too long to be useful."""
    if isinstance(value, SymDim) and text_size(value) > MAX_LEAVES:
        raise Failure(LargeDimension(MAX_LEAVES), span)


def check_product(left: Dim, right: Dim, span: Span) -> None:
    """Rejects a product of dimensions whose formula would be too long, before it is computed."""
    # Before the product is made, since the terms of a product multiply.
    if text_size(left) * text_size(right) > 10 * MAX_LEAVES:
        raise Failure(LargeDimension(MAX_LEAVES), span)


def check_tensor(shape: Shape, span: Span) -> None:
    """Rejects a tensor with too many elements or axes, or with an axis of too long a formula."""
    if len(shape) > MOST_AXES:
        raise Failure(ManyAxes(len(shape), MOST_AXES), span)
    elements = 1
    for axis in shape:
        if isinstance(axis, int):
            elements *= int(axis)
        else:
            check_dimension(axis, span)
    if elements > MAX_ELEMENTS:
        raise Failure(LargeTensor(shape), span)


def check_list(value: Any, span: Span) -> None:
    """Rejects nested lists with too many items in total."""
    if not isinstance(value, tuple) or not any(isinstance(item, tuple) for item in value):
        return
    count = 0
    stack = [value]
    while stack:
        for item in stack.pop():
            # A stage as a value contains other stages; a list of such stages grows as fast as a nested list.
            count += item.size if isinstance(item, StageClosure) else 1
            if isinstance(item, tuple):
                stack.append(item)
        if count > MAX_NODES:
            raise Failure(TooManyNodes(count, MAX_NODES, "list", "items"), span)


def check_tuple(tensors: tuple[Value, ...], span: Span) -> tuple[Value, ...]:
    """Rejects a tuple of too many tensors, which a loop that doubles them soon produces."""
    if len(tensors) > MAX_TENSORS:
        raise Failure(TooManyNodes(len(tensors), MAX_TENSORS, "tuple", "tensors"), span)
    return tensors


def count_stages(value: Any) -> int:
    """The number of stages that a value contains as values."""
    if isinstance(value, tuple):
        return sum(count_stages(item) for item in value)
    return value.size if isinstance(value, StageClosure) else 0


def check_closure(closure: StageClosure) -> StageClosure:
    """Rejects a stage as a value that contains too many others."""
    if closure.size > MAX_STAGES:
        raise Failure(TooManyNodes(closure.size, MAX_STAGES, "stage", "stages"), closure.span)
    return closure


@contextmanager
def deep_stack() -> Iterator[None]:
    """Room for nested blocks: their nesting is limited, but exceeds Python's default limit of calls."""
    before = sys.getrecursionlimit()
    # A caller may have set a higher limit for its own reasons.
    sys.setrecursionlimit(max(before, MAX_STACK))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
