"""Code of whole classes: the nodes that only the structure around operators needs. python_expressions.py has the nodes that operators need.

In: the code of emitters. Out: the same code with its inputs, modules and sizes resolved within its class: `Ref(0)`, the first input of a
node, becomes `ValueRef(7)`, a tensor of the body. Always: plain frozen data. Equal code is equal as Python objects, and the depth of a tree
is bounded by the nesting of blocks.

    >>> SizeRef("{0} // 2", (SymbolRef(0),)) == SizeRef("{0} // 2", (SymbolRef(0),))
    True
    >>> StrictLiteral(1) == StrictLiteral(True)
    False
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
    """Whether the model is in training, which decides random draws. Code with it is never computed once for several uses."""


class PassedOn(NameCode):
    """An argument that the constructor takes from its caller and passes on under the same name."""


class ValueRef(Code):
    """The tensor number `index` of a body: its inputs first, then the results of its steps."""

    index: int


class MemberRef(Code):
    """The member `label` of the class: a module, a parameter or a buffer."""

    label: str


class ParameterRef(Code):
    """Parameter `name` of the stage at `path`, labels from the body inwards, joined by dots. Without a name, the member at `path`
    itself."""

    path: str
    name: str


class SharedModuleArg(Code):
    """Shared module `index` among the arguments of `forward`."""

    index: int


class SizeArg(Code):
    """Size `index` among the arguments of `forward`: a size that cannot be read off any input."""

    index: int


class SymbolRef(Code):
    """Run-time size `index` of a body."""

    index: int


class SizeRef(Code):
    """An integer that is computed. `text` is Python with `{0}`, `{1}`, ... for `sources`: sizes read at run time (`SymbolRef`, `SizeArg`),
    arguments of the constructor, or other formulas. `name` is what the spec calls it if it is a formula."""

    text: str
    sources: tuple[Code, ...]
    name: str = ""
    formula: object = None
    """For a formula over constructor arguments alone: that formula, with the arguments' texts as its symbols."""


class Argument(Code):
    """`factor * name + offset`, where `name` is an argument of the constructor."""

    name: str
    factor: int = 1
    offset: int = 0


class NewModule(Code):
    """The module of the `InitializedCode` around it."""


class InitializedCode(Code):
    """A new module and the statements after it that draw its parameters, in terms of `NewModule`."""

    module: Code
    calls: tuple[Code, ...]


class FrozenCode(Code):
    """A module whose parameters are frozen, or the tensor of a frozen parameter."""

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
    """Members of a sequence: `then` if `test`, else `otherwise`. A single body lacks the items of the branch that is not `taken`."""

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
    """Return the named formulas that occur more than once among the codes, each after the formulas that are part of it."""
    counts = Counter(c for c in codes if isinstance(c, SizeRef) and c.name)
    repeated = [c for c, count in counts.items() if count > 1]
    # A formula has more parts than each formula in it, so the count of parts puts the inner ones first.
    return sorted(repeated, key=lambda c: sum(isinstance(p, SizeRef) for p in walk_tree(c)))


def substitute_call_arguments(code: Code, arguments: Mapping[str, Any]) -> Code:
    """Rewrite code of a graph for a call of the graph: numbers in terms of the caller's symbols."""

    def change(part: Code) -> Code | None:
        return Lit(substitute_values(part.value, arguments), part.hint) if isinstance(part, Lit) and has_origin(part.value) else None

    return rewrite_downward(code, change) if arguments else code


def strip_code_formulas(code: Code) -> Code:
    """Return the code with plain numbers, without the formulas that they came from."""
    return rewrite_downward(
        code, lambda part: Lit(strip_formulas(part.value), part.hint) if isinstance(part, Lit) and has_origin(part.value) else None
    )


class StrictLiteral(Record):
    """A literal's value that equals only values written the same: 1 is not True, and 0.0 is not -0.0."""

    value: object

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StrictLiteral) and strict_key(self.value) == strict_key(other.value)

    def __hash__(self) -> int:
        return hash(strict_key(self.value))


def has_symbol(value: object) -> bool:
    """Whether a literal depends on a size that is known at run time."""
    return isinstance(value, SymDim) or (isinstance(value, tuple) and any(has_symbol(v) for v in value))
