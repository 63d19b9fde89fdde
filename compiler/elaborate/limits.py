"""The greatest sizes that are accepted: nesting, numbers, tensors, symbolic dimensions, lists, and what a text takes altogether.

In: a value or a shape, and its span; or an amount of a `Resource`, and the `Budget` of an elaboration. Out: nothing, or a `Failure`.
Always: what passes fits in the integers of the backends, and can be shown, compared and hashed quickly. Whatever a text can make more of
than it is long is a `Resource`: iterations, stages, calls, items, characters, evaluations, terms of formulas.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netc.dsl.source import Span

from ..dims import Dim, Effort, SymDim, size
from ..errors.limits import LargeDimension, LargeNumber, LargeTensor, ManyAxes, TooManyNodes
from ..ir.types import MOST_AXES, Shape
from ..ir.values import Value
from .scopes.failures import Failure
from .scopes.scope import StageClosure

MAX_NESTING = 64
"""The nesting of blocks and groups."""
MAX_NODES = 1_000_000
"""The operators of a program, and the items of a list."""
MAX_DEPTH = 100
"""The nesting of calls of functions and of values that use other values."""
MAX_ERRORS = 1_000
"""The errors after which no further ones are looked for, and the most warnings of names that are not used."""
GREATEST = 2**63 - 1
"""The greatest integer of the backends."""
MOST_ELEMENTS = 2**60 - 1
"""The most elements of a tensor, so that its bytes can be counted in an integer too."""
MOST_CHARACTERS = 65_536
"""The longest string that a text makes of others."""
MOST_LEAVES = 10_000
"""The longest formula for the size of an axis, in symbols and numbers."""
MOST_TENSORS = 10_000
"""The most tensors of a tuple."""
MOST_STAGES = 1_000
"""The most stages within a stage that is used as a value."""


class Resource:
    """What an elaboration takes of one kind: at most `limit` of these `parts` of a `whole`, as its error says."""

    __slots__ = ("limit", "parts", "whole")

    def __init__(self, limit: int, parts: str, whole: str = "spec") -> None:
        self.limit = limit
        self.parts = parts
        self.whole = whole


ITERATIONS = Resource(50_000, "iterations", "network")
"""Those of comprehensions, and of loops where an iteration adds no operator or is checked again. Others are limited by the operators."""
STAGES = Resource(20_000, "different stages", "network")
"""The stages that are checked again, in loops and blocks; of equal iterations and of equal uses of a block, those of the first."""
CHECKS = Resource(500_000, "stages to be checked")
"""The stages that are checked, the first time too."""
CALLS = Resource(25_000, "calls of functions")
RECURSIONS = Resource(600, "blocks inside themselves", "network")
ITEMS = Resource(4_000_000, "items in its lists and characters in its strings")
"""Those that are made, compared and given to functions, blocks and operators."""
STEPS = Resource(2_000_000, "evaluations of expressions")
TERMS = Resource(6_000_000, "terms in the formulas of its dimensions")
"""The terms of all formulas that are made on the way."""
LETTERS = Resource(100_000_000, "characters in the names of its parameters", "network")
"""Those of the labels of all operators, with the labels around them, as the keys of a state dict have them."""
RESOURCES = (ITERATIONS, STAGES, CHECKS, CALLS, RECURSIONS, ITEMS, STEPS, TERMS)
"""Those that add up over an elaboration. `LETTERS` belong to a graph, as its operators do."""
MODELS = 20
"""How many times the limits are what all models and train sections of one file may take together."""


class Budget:
    """What one elaboration has taken of each resource, and may take. `earlier` is what others of the same file have taken."""

    __slots__ = ("effort", "limits", "spent")

    def __init__(self, earlier: Mapping[Resource, int] | None = None) -> None:
        self.spent = dict.fromkeys(RESOURCES, 0)
        taken = earlier or {}
        self.limits = {one: min(one.limit, MODELS * one.limit - taken.get(one, 0)) for one in RESOURCES}
        self.effort = Effort(self.limits[TERMS])

    def try_spend(self, resource: Resource, amount: int) -> bool:
        """Counts this amount, and tells whether the limit allows it."""
        count = self.spent[resource] = self.spent[resource] + amount
        return count <= self.limits[resource]

    def limit_problem(self, resource: Resource) -> TooManyNodes:
        """That a limit is exceeded."""
        count, limit = self.spent[resource], self.limits[resource]
        if limit < resource.limit:
            most = MODELS * resource.limit
            return TooManyNodes(most + count - limit, most, "file with all its models", resource.parts)
        return TooManyNodes(count, limit, resource.whole, resource.parts)

    def spend(self, resource: Resource, amount: int, span: Span) -> None:
        """Counts this amount, and ends the elaboration if it is too much."""
        if not self.try_spend(resource, amount):
            raise Failure(self.limit_problem(resource), span, final=True)

    def total_spent(self) -> dict[Resource, int]:
        """What was taken of each resource, at the end."""
        return {**self.spent, TERMS: self.effort.spent}


def size_of_value(value: Any) -> int:
    """The items and characters of a value, which takes no more than this to be copied or written."""
    match value:
        case str():
            return len(value)
        case tuple():
            return len(value) + sum(size_of_value(item) for item in value if item.__class__ in (tuple, str))
    return 0


def check_string(text: str, span: Span) -> str:
    """Rejects a string that is too long to be a label, a name or a pattern."""
    if len(text) > MOST_CHARACTERS:
        raise Failure(TooManyNodes(len(text), MOST_CHARACTERS, "string", "characters"), span)
    return text


def check_number(value: Any, span: Span) -> None:
    """Rejects an integer that no backend can hold, alone or in a list."""
    for item in value if isinstance(value, tuple) else (value,):
        if isinstance(item, int) and abs(item) > GREATEST:
            raise Failure(LargeNumber(item, GREATEST), span)


def check_dimension(value: Any, span: Span) -> None:
    """Rejects a symbolic dimension whose formula is too long to be useful."""
    if isinstance(value, SymDim) and size(value) > MOST_LEAVES:
        raise Failure(LargeDimension(MOST_LEAVES), span)


def check_product(left: Dim, right: Dim, span: Span) -> None:
    """The same for a product, before it is computed."""
    if size(left) * size(right) > 10 * MOST_LEAVES:
        raise Failure(LargeDimension(MOST_LEAVES), span)


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
    if elements > MOST_ELEMENTS:
        raise Failure(LargeTensor(shape), span)


def check_list(value: Any, span: Span) -> None:
    """Rejects nested lists with too many items in total."""
    if not isinstance(value, tuple) or not any(isinstance(item, tuple) for item in value):
        return
    count = 0
    stack = [value]
    while stack:
        for item in stack.pop():
            count += item.size if isinstance(item, StageClosure) else 1
            if isinstance(item, tuple):
                stack.append(item)
        if count > MAX_NODES:
            raise Failure(TooManyNodes(count, MAX_NODES, "list", "items"), span)


def check_tuple(tensors: tuple[Value, ...], span: Span) -> tuple[Value, ...]:
    """Rejects a tuple of too many tensors, which a loop that doubles them soon produces."""
    if len(tensors) > MOST_TENSORS:
        raise Failure(TooManyNodes(len(tensors), MOST_TENSORS, "tuple", "tensors"), span)
    return tensors


def stages_within(value: Any) -> int:
    """The number of stages that a value contains as values."""
    if isinstance(value, tuple):
        return sum(stages_within(item) for item in value)
    return value.size if isinstance(value, StageClosure) else 0


def check_closure(closure: StageClosure) -> StageClosure:
    """Rejects a stage as a value that contains too many others."""
    if closure.size > MOST_STAGES:
        raise Failure(TooManyNodes(closure.size, MOST_STAGES, "stage", "stages"), closure.span)
    return closure
