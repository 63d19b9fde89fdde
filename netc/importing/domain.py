"""Decides which conditions of torch.export the `where` of an imported spec needs.

In: an origin whose conditions may be narrower than the module, and the models that its text compiles to with fewer of them. Out: a
`Domain`: the conditions that stay, sizes that break the others, and notes. Always: a condition is left out only if the text without it
compiles and agrees with the module at sizes that break it. If a condition stays although the module runs without it, a note says so.

torch.export records every comparison of sizes that any code makes, even PyTorch's own choice of a kernel. So a module with nothing but
`nn.MaxPool2d(2, 2, ceil_mode=True)` gets `H % 2 == 0`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, auto
from itertools import islice
from typing import TYPE_CHECKING

from netc.compiler.dims import Condition, WhereCondition, condition_holds, free_symbols, make_symbol
from netc.compiler.frontends.imported_model import ImportFailed
from netc.dsl.record import Record

from ..inputs.random_inputs import choose_varied_shapes
from .proof import Comparison, NotProved, Sizes

if TYPE_CHECKING:
    from ..model import Model
    from .origin import Origin

Stating = tuple[WhereCondition, str]
_ORDER = {"==": 0, "<=": 1, ">=": 2}
_SEVERAL = 3
_FARTHEST = 1024
"""The largest size, in elements, that is tried above an upper bound: the comparison runs the module at it."""


class Domain(Record):
    """`sizes` are for the proof. `is_wider`: conditions were left out, so that some of these sizes break them. `all_notes` are for
    a text in which all conditions stay."""

    conditions: tuple[Stating, ...]
    sizes: tuple[Sizes, ...]
    notes: tuple[str, ...]
    is_wider: bool
    all_notes: tuple[str, ...]


class _Found(Enum):
    AGREES = auto()
    DIFFERS = auto()
    ORIGINAL_FAILS = auto()


def domain_of(origin: Origin, model: Model, compiled: Callable[[Sequence[Stating]], Model], seed: int = 0) -> Domain:
    """The conditions that a model needs. `compiled` compiles the text with some of them, and raises `NotProved` if it cannot."""
    return _Search(origin, model, compiled, seed).find_domain()


class _Search:
    def __init__(self, origin: Origin, model: Model, compiled: Callable[[Sequence[Stating]], Model], seed: int) -> None:
        self.origin, self.model, self.compiled, self.seed = origin, model, compiled, seed
        self.usual = choose_varied_shapes(model.program, 2)
        self.stated = origin.imported.program.conditions
        self.outside: list[Sizes] = []
        self.notes: list[str] = []
        self.comparison: tuple[Model | None, Comparison] | None = None

    def find_domain(self) -> Domain:
        kept = list(self.stated)
        least = self._compile_model(())
        for one in sorted(self.stated, key=lambda one: _ORDER.get(getattr(one[0], "op", ""), 0)):
            if one[1] in self.origin.imported.stated:
                continue
            rest = [other for other in kept if other is not one]
            at = kept.index(one)
            kept[at : at + 1] = self._needed_part(one, rest, self._compile_model(rest) if least is None else least)
        everything = tuple(_condition_note(text) for _, text in self.stated if text not in self.origin.imported.stated)
        if self._compile_model(kept) is None:
            return Domain(self.stated, tuple(self.usual), everything, False, everything)
        wider = [text for _, text in kept] != [text for _, text in self.stated]
        sizes = (*self.usual, *(one for one in self.outside if all(condition_holds(condition, one[0]) for condition, _ in kept)))
        return Domain(tuple(kept), sizes, tuple(self.notes), wider, everything)

    def _compile_model(self, conditions: Sequence[Stating]) -> Model | None:
        try:
            return self.compiled(conditions)
        except NotProved:
            return None

    def _needed_part(self, one: Stating, rest: Sequence[Stating], model: Model | None) -> list[Stating]:
        """The part of a condition that is needed in addition to those that stay: nothing, a smaller lower bound, or all of it."""
        condition, text = one
        if len(free_symbols(condition.left) | (free_symbols(condition.right) if isinstance(condition, Condition) else set())) > 1:
            return [one]  # torch.export asserted it, and no sizes are known that break it alone
        agreeing: list[Sizes] = []
        for sizes in self._breaking_cases(condition, rest):
            found = self._compare(model, sizes)
            if found is not _Found.AGREES:
                break
            agreeing.append(sizes)
        else:
            self.outside += agreeing[-1:]
            return [] if model is not None else [one]
        if agreeing and isinstance(condition, Condition) and condition.op == ">=":
            least = self._least_size(str(condition.left), agreeing[-1], sizes, model)
            self.outside.append(least)
            condition = Condition(">=", condition.left, least[0][str(condition.left)])
            text = str(condition)
        if found is _Found.DIFFERS or (agreeing and condition is one[0]):
            self.notes.append(_condition_note(text))
        return [(condition, text)]

    def _least_size(self, name: str, works: Sizes, fails: Sizes, model: Model | None) -> Sizes:
        """The least size of a dimension, between two, at which the model agrees, by bisection."""
        below = fails[0][name]
        while works[0][name] - below > 1:
            middle = (works[0][name] + below) // 2
            sizes = self._with_size(name, middle)
            if sizes is not None and self._compare(model, sizes) is _Found.AGREES:
                works = sizes
            else:
                below = middle
        return works

    def _breaking_cases(self, condition: WhereCondition, rest: Sequence[Stating]) -> list[Sizes]:
        """Sizes that break a condition and keep the others, near the usual ones first."""
        if not isinstance(condition, Condition):
            return []
        (name,) = free_symbols(condition.left) | free_symbols(condition.right)
        made = [self._with_size(name, size) for size in _breaking_sizes(condition, name, self.usual[0][0][name])]
        broken = [sizes for sizes in made if sizes is not None and not condition_holds(condition, sizes[0])]
        return [sizes for sizes in broken if all(condition_holds(other, sizes[0]) for other, _ in rest)]

    def _with_size(self, name: str, size: int) -> Sizes | None:
        """The usual sizes with another one of a dimension; None if an input has no such shape."""
        program = self.model.program
        (usual, shapes), changed = self.usual[0], {}
        names = {dim: one for one, dim in program.dims.items()}
        for value in program.main.inputs:
            axes = zip(value.type.shape, shapes[value.name], strict=True)
            changed[value.name] = tuple(size if names.get(dim) == name or str(dim) == name else old for dim, old in axes)
        return ({**usual, name: size}, changed) if changed != shapes else None

    def _compare(self, model: Model | None, sizes: Sizes) -> _Found:
        """Whether the model agrees with the module at these sizes; without a model, it differs if the module runs."""
        if self.comparison is None or self.comparison[0] is not model:
            self.comparison = None  # frees the weights before the next comparison draws its own
            self.comparison = model, Comparison(self.origin, self.model, model, self.seed)
        try:
            self.comparison[1].compare_at(sizes)
        except ImportFailed:
            return _Found.ORIGINAL_FAILS
        except NotProved:
            return _Found.DIFFERS
        return _Found.AGREES


def _breaking_sizes(condition: Condition, name: str, usual: int) -> list[int]:
    """Sizes of the only dimension of a condition that may break it, nearest first."""
    if condition.left != make_symbol(name) or not isinstance(condition.right, int):
        near = sorted(range(1, _FARTHEST), key=lambda size: abs(size - usual))
        return list(islice((size for size in near if not condition_holds(condition, {name: size})), _SEVERAL))
    right = condition.right
    match condition.op:
        case ">=":
            return list(dict.fromkeys(size for size in (right - 1, right * 3 // 4, right // 2, right // 4, right // 8, 2, 1) if size > 0))
        case "<=":
            return [right + 1, *([2 * right] if 2 * right <= _FARTHEST else [])]
        case "!=":
            return [right]
    return [usual + 1, usual + 2, usual + 3]


def _condition_note(text: str) -> str:
    """The note for a condition that stays although the module runs without it."""
    return f"torch.export found `{text}`, and the spec is not proved without it. The module itself also runs at other sizes."
