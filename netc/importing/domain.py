"""Decides which conditions on sizes the `where` of an imported spec needs: torch.export's conditions, and that a size is not 1.

In: an origin whose conditions may be narrower than the module, and the models that its text compiles to with fewer of them. Out: a
`Domain`: the conditions that stay, sizes that break the others, and notes. Always: a condition is left out only if the text without it
compiles and agrees with the module at sizes that break it. If a condition stays although the module runs without it, a note says so.

torch.export records every comparison of sizes that any code makes, even PyTorch's own choice of a kernel. So a module with nothing but
`nn.MaxPool2d(2, 2, ceil_mode=True)` gets `H % 2 == 0`. And it computes as if no symbolic size were 1, without a condition: `x.squeeze()`
removes an axis N only if N is 1, so it keeps it. The text gets `where N >= 2` if it differs from the module at 1.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from itertools import islice, product
from typing import TYPE_CHECKING

from netc.compiler.dims import OPPOSITE, Condition, WhereCondition, condition_holds, free_symbols, make_symbol
from netc.compiler.frontends.imported_model import ImportFailed
from netc.dsl.record import Record

from ..inputs.random_inputs import choose_varied_shapes, replace_size
from .output_judge import NotProved
from .proof import Comparison, Sizes

if TYPE_CHECKING:
    from ..model import Model
    from .origin import Origin

Stating = tuple[WhereCondition, str]
_ORDER = {"==": 0, "<=": 1, ">=": 2}
_SEVERAL = 3
_MOST_TOGETHER = 3
"""How many dimensions of a condition are changed together."""
_MOST_TRIED = 64
"""How many sizes that break several conditions at once are tried."""
_FARTHEST = 1024
"""The largest size that is tried above an upper bound. The comparison runs the module at this size, so larger ones cost memory and time."""
_MOST = 1 << 16
"""An upper bound from here on stays without a trial. `torch.quantile` has one of 2**24."""


class Domain(Record):
    """The conditions that stay. `sizes` are for the proof. `is_wider`: conditions were left out, and some of these sizes break them.
    `all_conditions` and `all_notes` are for a text in which all conditions stay."""

    conditions: tuple[Stating, ...]
    sizes: tuple[Sizes, ...]
    notes: tuple[str, ...]
    is_wider: bool
    all_conditions: tuple[Stating, ...]
    all_notes: tuple[str, ...]


class _Outcome(Enum):
    AGREES = auto()
    DIFFERS = auto()
    ORIGINAL_FAILS = auto()


def find_domain(origin: Origin, model: Model, compile_text: Callable[[Sequence[Stating]], Model], seed: int = 0) -> Domain:
    """Find the conditions that a model needs. `compile_text` compiles the text with some of them, and raises `NotProved` if it cannot."""
    return _DomainSearch(origin, model, compile_text, seed).find_domain()


class _DomainSearch:
    def __init__(self, origin: Origin, model: Model, compile_text: Callable[[Sequence[Stating]], Model], seed: int) -> None:
        self.origin, self.model, self.compile_text, self.seed = origin, model, compile_text, seed
        self.usual = choose_varied_shapes(model.program, 2)
        self.stated = origin.imported.program.conditions
        self.outside: list[Sizes] = []
        self.notes: list[str] = []
        self.comparison: tuple[Model | None, Comparison] | None = None

    def find_domain(self) -> Domain:
        kept = list(self.stated)
        needed, least = self._find_least_text()
        required = [stating for stating in self.stated if stating in needed or stating[1] in self.origin.imported.stated]
        for stating in sorted(self.stated, key=_rank_condition):
            if stating[1] in self.origin.imported.stated:
                continue
            rest = [other for other in kept if other is not stating]
            index = kept.index(stating)
            model = self._compile_model(rest) if least is None or stating in needed else least
            kept[index : index + 1] = self._find_needed_part(stating, rest, model, rest if least is None else required)
        everything = tuple(_make_condition_note(text) for _, text in self.stated if text not in self.origin.imported.stated)
        wider = [text for _, text in kept] != [text for _, text in self.stated]
        model = self._compile_model(kept) if wider else self.model
        if model is None:
            kept, wider, model, self.notes = list(self.stated), False, self.model, list(everything)
        above_one = self._find_conditions_above_one(model, model if least is None else least)
        further_notes = tuple(_make_note_of_one(condition) for condition, _ in above_one)
        outside = [sizes for sizes in self.outside if all(condition_holds(condition, sizes[0]) for condition, _ in kept)]
        # The same sizes may break several conditions.
        different = {tuple(sorted(sizes[0].items())): sizes for sizes in outside if sizes[0] not in [other[0] for other in self.usual]}
        return Domain(
            (*kept, *above_one),
            (*self.usual, *different.values()) if wider else tuple(self.usual),
            (*self.notes, *further_notes),
            wider,
            (*self.stated, *above_one),
            (*everything, *further_notes),
        )

    def _find_least_text(self) -> tuple[Sequence[Stating], Model | None]:
        """Find the conditions without which the text does not compile, and the text with these alone. One text serves all comparisons.

        The text is None if it needs more: one of two conditions may do for the other.
        """
        if not self.stated:
            return (), self.model
        least = self._compile_model(())
        if least is not None:
            return (), least
        needed = [
            stating for stating in self.stated if self._compile_model([other for other in self.stated if other is not stating]) is None
        ]
        return needed, self._compile_model(needed)

    def _find_conditions_above_one(self, model: Model, compared: Model) -> list[Stating]:
        """Find the conditions `N >= 2` that the text needs. `model` is the text with all other conditions; `compared` computes the same."""
        needed: list[Stating] = []
        for name in self.usual[0][0]:
            sizes = replace_size(model.program, self.usual[0][0], name, 1)
            if sizes is not None and self._compare_at(compared, sizes) is not _Outcome.AGREES:
                condition = Condition(">=", make_symbol(name), 2)
                needed.append((condition, str(condition)))
        return needed

    def _compile_model(self, conditions: Sequence[Stating]) -> Model | None:
        try:
            return self.compile_text(conditions)
        except NotProved:
            return None

    def _find_needed_part(
        self, stating: Stating, rest: Sequence[Stating], model: Model | None, required: Sequence[Stating]
    ) -> list[Stating]:
        """Return the part of a condition that is needed in addition to the others: nothing, a smaller lower bound, or all of it.

        All sizes that are tried keep the conditions in `required`.
        """
        condition, text = stating
        lowered = self._lower_bound(condition, rest) if model is None and isinstance(condition, Condition) else None
        if lowered is not None:
            return [(lowered, str(lowered))]
        raised = self._raise_bound(condition, rest) if model is None and isinstance(condition, Condition) else None
        if raised is not None:
            return [(raised, str(raised))]
        if _is_distant_bound(condition):
            return [stating]
        cases = self._list_breaking_cases(condition, rest)
        if not cases and len(_list_symbols(condition)) > 1:
            # torch.export asserted it, and no sizes are known that break it alone
            return [] if self._agrees_where_several_break(condition, model, required) else [stating]
        agreeing: list[Sizes] = []
        for sizes in cases:
            outcome = self._compare_at(model, sizes)
            if outcome is not _Outcome.AGREES:
                break
            agreeing.append(sizes)
        else:
            self.outside += agreeing[-1:]
            return [] if model is not None else [stating]
        # Some smaller sizes work, so the bound is only too high. Bisection finds the real one.
        if agreeing and isinstance(condition, Condition) and condition.op == ">=":
            least = self._bisect_least_size(str(condition.left), agreeing[-1], sizes, model)
            self.outside.append(least)
            condition = Condition(">=", condition.left, least[0][str(condition.left)])
            text = str(condition)
        if outcome is _Outcome.DIFFERS or (agreeing and condition is stating[0]):
            self.notes.append(_make_condition_note(text))
        return [(condition, text)]

    def _lower_bound(self, condition: Condition, rest: Sequence[Stating]) -> Condition | None:
        """Find the least lower bound with which the text compiles, for a text that needs one. None if the text differs at this size."""
        if condition.op != ">=" or condition.left != make_symbol(str(condition.left)) or not isinstance(condition.right, int):
            return None

        def compile_above(size: int) -> Model | None:
            bound = Condition(">=", condition.left, size)
            return self._compile_model((*rest, (bound, str(bound))))

        name, least = str(condition.left), _bisect_least(lambda size: compile_above(size) is not None, 1, condition.right)
        works, fails = self._replace_size(name, least), self._replace_size(name, least - 1)
        model = compile_above(least) if least < condition.right else None
        if model is None or works is None:
            return None
        outcome = self._compare_at(model, works)
        if outcome is _Outcome.ORIGINAL_FAILS:
            # The text compiles for sizes that are too small for the module.
            works = self._bisect_least_size(name, self.usual[0], works, model)
            least = works[0][name]
            fails = self._replace_size(name, least - 1)
        elif outcome is not _Outcome.AGREES:
            return None
        if least >= condition.right:
            return None
        self.outside.append(works)
        lowered = Condition(">=", condition.left, least)
        if fails is not None and self._compare_at(None, fails) is _Outcome.DIFFERS:
            self.notes.append(_make_condition_note(str(lowered)))
        return lowered

    def _raise_bound(self, condition: Condition, rest: Sequence[Stating]) -> Condition | None:
        """Raise an upper bound by 1, if the text needs a bound and agrees there. None if it does not.

        torch.export excludes the whole length of a buffer, `mask[:T]` with T as long as the mask, as a case of its own.
        """
        if condition.op != "<=" or condition.left != make_symbol(str(condition.left)) or not isinstance(condition.right, int):
            return None
        raised = Condition("<=", condition.left, condition.right + 1)
        sizes = self._replace_size(str(condition.left), condition.right + 1)
        model = None if _is_distant_bound(condition) or sizes is None else self._compile_model((*rest, (raised, str(raised))))
        if model is None or sizes is None or self._compare_at(model, sizes) is not _Outcome.AGREES:
            return None
        self.outside.append(sizes)
        return raised

    def _bisect_least_size(self, name: str, works: Sizes, fails: Sizes, model: Model | None) -> Sizes:
        """Find the least size of a dimension at which the model agrees, by bisection between a size that works and one that fails."""

        def agrees(size: int) -> bool:
            sizes = self._replace_size(name, size)
            return sizes is not None and self._compare_at(model, sizes) is _Outcome.AGREES

        least = _bisect_least(agrees, fails[0][name], works[0][name])
        return self._replace_size(name, least) or works

    def _agrees_where_several_break(self, condition: WhereCondition, model: Model | None, required: Sequence[Stating]) -> bool:
        """Return whether the text agrees at sizes that break a condition together with others.

        torch.export may assert the same in several ways: `H * W != 1` and `1 % (H * W) != 0`. Sizes at which the module fails are skipped,
        because they may break something else.
        """
        broken = (sizes for sizes in self._list_all_breaking_cases(condition) if _keeps_all(required, sizes))
        agreeing: list[Sizes] = []
        for sizes in islice(broken, _MOST_TRIED):
            outcome = self._compare_at(model, sizes)
            if outcome is _Outcome.DIFFERS:
                return False
            if outcome is _Outcome.AGREES:
                agreeing.append(sizes)
            if len(agreeing) == _SEVERAL:
                break
        self.outside += agreeing[:1]
        return bool(agreeing)

    def _list_breaking_cases(self, condition: WhereCondition, rest: Sequence[Stating]) -> list[Sizes]:
        """List sizes that break a condition and keep the others, nearest to the usual ones first."""
        kept = [sizes for sizes in self._list_all_breaking_cases(condition) if _keeps_all(rest, sizes)]
        return kept if len(_list_symbols(condition)) == 1 else kept[:_SEVERAL]

    def _list_all_breaking_cases(self, condition: WhereCondition) -> list[Sizes]:
        """List sizes that break a condition, nearest to the usual ones first."""
        if not isinstance(condition, Condition):
            return []
        names, usual = _list_symbols(condition), self.usual[0][0]
        opposite = Condition(OPPOSITE[condition.op], condition.left, condition.right)
        if len(names) == 1:
            listed = [{names[0]: size} for size in _list_breaking_sizes(condition, names[0], usual[names[0]])]
        else:
            listed = [changed for changed in _list_near_sizes(names, usual) if condition_holds(opposite, {**usual, **changed})]
        candidates = [self._replace_sizes(changed) for changed in listed]
        # A condition that divides by zero is not broken: something is empty then.
        return [sizes for sizes in candidates if sizes is not None and condition_holds(opposite, sizes[0])]

    def _replace_size(self, name: str, size: int) -> Sizes | None:
        """Return the usual sizes with another size of one dimension, or None if no input has that dimension."""
        return self._replace_sizes({name: size})

    def _replace_sizes(self, replaced: Mapping[str, int]) -> Sizes | None:
        """Return the usual sizes with other sizes of some dimensions, or None if no input has these dimensions."""
        program = self.model.program
        (usual, shapes), changed = self.usual[0], {}
        names = {dim: known_name for known_name, dim in program.dims.items()}
        for value in program.main.inputs:
            axes = zip(value.type.shape, shapes[value.name], strict=True)
            changed[value.name] = tuple(replaced.get(names.get(dim, str(dim)), old) for dim, old in axes)
        return ({**usual, **replaced}, changed) if changed != shapes else None

    def _compare_at(self, model: Model | None, sizes: Sizes) -> _Outcome:
        """Compare the model with the module at these sizes. Without a model, it differs if the module runs."""
        if self.comparison is None or self.comparison[0] is not model:
            self.comparison = None  # frees the weights before the next comparison draws its own
            self.comparison = model, Comparison(self.origin, self.model, model, self.seed)
        try:
            self.comparison[1].compare_at(sizes)
        except ImportFailed:
            return _Outcome.ORIGINAL_FAILS
        except NotProved:
            return _Outcome.DIFFERS
        return _Outcome.AGREES


def _bisect_least(holds: Callable[[int], bool], below: int, least: int) -> int:
    """Return the least size at which something holds, between one at which it does not and one at which it does."""
    sizes = range(below + 1, least)
    return below + 1 + bisect_left(sizes, True, key=holds)


def _is_distant_bound(condition: WhereCondition) -> bool:
    return isinstance(condition, Condition) and condition.op == "<=" and isinstance(condition.right, int) and condition.right >= _MOST


def _rank_condition(stating: Stating) -> tuple[int, bool]:
    """Rank equalities first: without `H % 2 == 0` a lower bound can be any number, and its search tries odd ones too. Then conditions on
    several sizes, which are easier to read as conditions on each: `H // 2 != 0` implies a part of `1 < (H // 2) * (W // 2)`."""
    return _ORDER.get(getattr(stating[0], "op", ""), 0), len(_list_symbols(stating[0])) == 1


def _keeps_all(conditions: Sequence[Stating], sizes: Sizes) -> bool:
    return all(condition_holds(condition, sizes[0]) for condition, _ in conditions)


def _list_symbols(condition: WhereCondition) -> list[str]:
    right = free_symbols(condition.right) if isinstance(condition, Condition) else set()
    return sorted(free_symbols(condition.left) | right)


def _list_near_sizes(names: Sequence[str], usual: Mapping[str, int]) -> list[dict[str, int]]:
    """List sizes of several dimensions, nearest to the usual ones first.

    A condition such as `T > S` or `T != 2 * S` is broken by sizes near each other, or near the others' multiples.
    """
    near = {usual[other] * factor + step for other in names for factor in (1, 2, 3) for step in (-1, 0, 1)} | {1, 2, 3}
    choices = [sorted({size for size in near if 0 < size <= _FARTHEST} | {usual[name]}) for name in names[:_MOST_TOGETHER]]
    listed = [dict(zip(names, sizes, strict=False)) for sizes in product(*choices)]
    return sorted(listed, key=lambda sizes: sum(abs(size - usual[name]) for name, size in sizes.items()))


def _list_breaking_sizes(condition: Condition, name: str, usual: int) -> list[int]:
    """List sizes of the only dimension of a condition that may break it, nearest to the usual size first."""
    if condition.left != make_symbol(name) or not isinstance(condition.right, int):
        near = sorted(range(1, _FARTHEST), key=lambda size: abs(size - usual))
        return list(islice((size for size in near if not condition_holds(condition, {name: size})), _SEVERAL))
    right = condition.right
    match condition.op:
        case ">=":
            # from near to far: the first size that fails is a bound for the bisection
            return list(dict.fromkeys(size for size in (right - 1, right * 3 // 4, right // 2, right // 4, right // 8, 2, 1) if size > 0))
        case "<=":
            # A branch for long inputs may ask for more than their length: `if T > 512 and T % 128 == 0`. So several sizes are tried,
            # with and without common divisors.
            multiples = [step * (right // step + 1) for step in (60, 128)]
            return [right + 1, *sorted({right + 2, right + 3, *(size for size in (*multiples, 2 * right) if size <= _FARTHEST)})]
        case "!=":
            return [right]
    return [usual + 1, usual + 2, usual + 3]


def _make_condition_note(text: str) -> str:
    """Return the note for a condition that stays although the module runs without it."""
    return f"torch.export found `{text}`, and the spec is not proved without it. The module itself also runs at other sizes."


def _make_note_of_one(condition: WhereCondition) -> str:
    """Return the note for a size that must be at least 2."""
    assert isinstance(condition, Condition)
    return f"torch.export ignores that a size can be 1, where the module differs from the spec or fails: so the spec states `{condition}`."
