"""Code of whole classes: what python_expressions.py has, and what only the structure around operators needs.

In: the Code of emitters. Out: the same with its inputs, modules and sizes resolved within its class. Always: plain frozen
data; equal code is equal as Python objects, and stays a tree whose depth is bounded by the nesting of blocks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from netc.dsl.record import Record
from netc.dsl.trees import Tree, rewrite_downward, walk_tree

from ....dims import SymDim
from ....ops.operator import strict_key
from ....types.traced_ints import has_origin, strip_formulas, substitute_values
from .python_expressions import Code, Lit


class NameCode(Code):
    """A variable, a dotted name, or any other text that binds as tightly as a name."""

    text: str


class TrainingFlag(NameCode):
    """Whether the model is being trained, which decides on what is drawn at random: that is not computed once for several uses."""


class PassedOn(NameCode):
    """An argument that the constructor takes from its caller and passes on under the same name."""


class ValueRef(Code):
    """The tensor number `index` of a body: its inputs first, then the results of its steps."""

    index: int


class MemberRef(Code):
    """The member `label` of the class: a module, a parameter or a buffer."""

    label: str


class ParameterRef(Code):
    """The parameter `name` of the stage at `path`, labels from the body inwards, joined by dots; without a name, what is there itself."""

    path: str
    name: str


class SharedModuleArg(Code):
    """The shared module number `index` among the arguments of `forward`."""

    index: int


class SizeArg(Code):
    """The size number `index` among the arguments of `forward`, which no input has."""

    index: int


class SymbolRef(Code):
    """The run-time size number `index` of a body."""

    index: int


class SizeRef(Code):
    """An integer that is computed. `text` is Python with `{0}`, `{1}`, ... for `sources`: sizes read at run time (`SymbolRef`, `SizeArg`),
    arguments of the constructor, or other formulas. `name` is what the spec calls it if it is a formula."""

    text: str
    sources: tuple[Code, ...]
    name: str = ""
    formula: object = None
    """Of one over arguments of the constructor alone, the formula over their texts as symbols."""


class Argument(Code):
    """`factor * name + offset`, of an argument of the constructor."""

    name: str
    factor: int = 1
    offset: int = 0


class NewModule(Code):
    """The module of the `InitializedCode` around it."""


class InitializedCode(Code):
    """A module that is made, and the statements after it that draw its parameters, in terms of `NewModule`."""

    module: Code
    calls: tuple[Code, ...]


class FrozenCode(Code):
    """A module whose parameters are not trained, or the tensor of a parameter that is not."""

    module: Code


class Starred(Code):
    """`*value`."""

    value: Code


class RepeatStar(Code):
    """`*(item for _ in range(count))`: `count` members of a sequence, each a new one."""

    item: Code
    count: Code


class GeneratorStar(Code):
    """`*(item for variable in iterable)`: members that follow a pattern."""

    item: Code
    variable: str
    iterable: Code


class Formatted(Code):
    """`f"before{value}after"`."""

    before: str
    value: Code
    after: str


class ChoiceItems(Code):
    """Members of a sequence: `then` if `test`, else `otherwise`. Of one body, those in the branch that is not `taken` are missing."""

    key: object
    taken: bool
    test: Code
    then: tuple[Code, ...] = ()
    otherwise: tuple[Code, ...] = ()


class FlagRef(Code):
    """Whether the condition of the `if` holds, in `forward`."""

    key: tuple[int, int]


class IfElse(Code):
    """`then if test else otherwise`."""

    test: Code
    then: Code
    otherwise: Code


class OptionalCode(Code):
    """`then if test else None`."""

    test: Code
    then: Code


class OptionalCall(Code):
    """`value if module is None else module(value)`."""

    module: Code
    value: Code


class ListComp(Code):
    """`[element for variable in iterable]`."""

    element: Code
    variable: str
    iterable: Code


class ElementCode(Code):
    """An argument of the call in a loop: the element of `iterable` in this iteration, as `variable`."""

    variable: str
    iterable: Code


class ListCode(Code):
    """`[items]`; items may be `RepeatStar` or `Starred`."""

    items: tuple[Code, ...]


class DictCode(Code):
    """`{"key": value}`."""

    items: tuple[tuple[str, Code], ...]


def find_repeated_formulas(codes: Iterable[Tree]) -> list[SizeRef]:
    """The formulas with names that occur more than once among the codes; one that is part of another is before it."""
    counts = Counter(c for c in codes if isinstance(c, SizeRef) and c.name)
    found = [c for c, count in counts.items() if count > 1]
    return sorted(found, key=lambda c: sum(isinstance(p, SizeRef) for p in walk_tree(c)))


def substitute_call_arguments(code: Code, arguments: Mapping[str, Any]) -> Code:
    """The code of a graph as it is where the graph is called: numbers in terms of the caller's symbols."""

    def change(part: Code) -> Code | None:
        return Lit(substitute_values(part.value, arguments), part.hint) if isinstance(part, Lit) and has_origin(part.value) else None

    return rewrite_downward(code, change) if arguments else code


def strip_code_formulas(code: Code) -> Code:
    """The code with plain numbers."""
    return rewrite_downward(
        code, lambda part: Lit(strip_formulas(part.value), part.hint) if isinstance(part, Lit) and has_origin(part.value) else None
    )


class StrictLiteral(Record):
    """A literal's value that is equal only to one that is written the same: 1 is not True, 0.0 not -0.0."""

    value: object

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StrictLiteral) and strict_key(self.value) == strict_key(other.value)

    def __hash__(self) -> int:
        return hash(strict_key(self.value))


def has_symbol(value: object) -> bool:
    """Whether a literal depends on a size that is known at run time."""
    return isinstance(value, SymDim) or (isinstance(value, tuple) and any(has_symbol(v) for v in value))
