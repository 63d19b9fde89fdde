"""Turns the guards of an exported program into the conditions of a spec's `where`.

torch.export records every comparison of sizes that the module's code or PyTorch itself made, and the program refuses sizes that break one.
A single `x.view(b, t // 2, 2, c)` leaves a dozen guards, such as `(t // (t // 2)) == 2`, which all say that t is even. So the guards of one
size are stated as the bounds, the step and the exceptions that they have together, and a guard that follows from others is left out.

In: the guards of a program, the names of its axes, and the known conditions. Out: `GuardConditions`. Always: a size that the program
refuses breaks a condition, or a note says which guard the spec does not state.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, product
from math import gcd

from torch.export import ExportedProgram
from torch.utils._pytree import SequenceKey, keystr, tree_flatten_with_path, tree_unflatten

from netc.dsl.record import Record

from ...dims import Condition, Dim, condition_holds, condition_symbols, make_symbol
from ..graph_builder import ImportRefused
from .guard_code import Guard, UnreadGuard, read_guard
from .placeholders import find_user_inputs
from .sympy_sizes import SizeConverter, SymbolAxis

_MOST_TRIED = 1024
"""All sizes up to it are tried. A step or an exception beyond it is found only if a single comparison states it."""
_FAR = tuple(size + step for power in range(10, 21, 2) for size in (1 << power, 3 << power) for step in (-1, 0, 1) if size + step > 1024)
"""Larger sizes that are tried: a guard may be a bound above the sizes that are tried one by one."""
_FEW = 16
"""How many sizes a spec may exclude one by one."""
_NEAR, _COMBINED = 6, 4096
"""The number of small sizes of each dimension that are combined with sizes of the others, and the number of combinations tried."""


class GuardConditions(Record):
    """All conditions, with the known ones, and notes about the guards that no condition states."""

    conditions: tuple[Condition, ...]
    notes: tuple[str, ...]


def collect_guard_conditions(program: ExportedProgram, axes: Mapping[str, SymbolAxis], known: Sequence[Condition]) -> GuardConditions:
    """Add the conditions that state the guards of a program in a file to the `known` ones."""
    sizes = _list_axis_sizes(program, axes)
    guards: list[Guard] = []
    notes: list[str] = []
    for text in dict.fromkeys(program._guards_code):
        try:
            guards.append(read_guard(text, sizes))
        except UnreadGuard:
            notes.append(_make_note(text))
    collector = _Collector(guards, list(known), notes)
    for name in dict.fromkeys(axis.name for axis in axes.values()):
        collector.add_guards_of_one(name)
    collector.add_guards_of_several()
    return GuardConditions(tuple(_keep_tightest_bounds(collector.conditions)), tuple(collector.notes))


def _list_axis_sizes(program: ExportedProgram, axes: Mapping[str, SymbolAxis]) -> dict[str, Dim]:
    """Map the terms of guards, such as `L['x'].size()[1]`, to the sizes of the inputs."""
    converter = SizeConverter(axes, {axis.name: make_symbol(axis.name) for axis in axes.values()})
    result: dict[str, Dim] = {}
    for position, (node, terms) in enumerate(zip(find_user_inputs(program), _list_input_terms(program), strict=True)):
        if node is None:
            continue
        for axis, size in enumerate(node.meta["val"].shape):
            try:
                dim = converter.to_dim(size)
            except ImportRefused:
                continue
            # A strict export numbers the inputs.
            result |= {f"{term}.size()[{axis}]": dim for term in (*terms, f"L['flat_args'][{position}]")}
    return result


def _list_input_terms(program: ExportedProgram) -> Iterator[list[str]]:
    """Yield the terms by which guards may call each input, in order."""
    spec = program.call_spec.in_spec
    assert spec is not None
    arguments = tree_unflatten(list(range(spec.num_leaves)), spec)
    signature = program.module_call_graph[0].signature
    names = (signature.forward_arg_names if signature is not None else None) or []
    for (_, first, *rest), _ in tree_flatten_with_path(arguments)[0]:
        # The positional arguments are a tuple, the others a dict.
        index = first.idx if isinstance(first, SequenceKey) else None
        name = getattr(first, "key", "") if index is None else dict(enumerate(names)).get(index, "")
        terms = [f"L[{name!r}]{keystr(tuple(rest))}"]
        # `forward(self, *xs)` has an argument `xs_0` in the program, and `xs[0]` in its guards.
        if several := re.fullmatch(r"(.+)_(\d+)", str(name)):
            terms.append(f"L[{several[1]!r}][{several[2]}]{keystr(tuple(rest))}")
        yield terms


def _make_note(text: str) -> str:
    return f"The program refuses sizes that break `{text}`, and the spec does not state it."


class _Collector:
    """Collects conditions, beginning with the known ones."""

    def __init__(self, guards: Sequence[Guard], conditions: list[Condition], notes: list[str]) -> None:
        self.guards, self.conditions, self.notes = guards, conditions, notes

    def add_guards_of_one(self, name: str) -> None:
        """Add the conditions for the guards with one size only."""
        guards = [guard for guard in self.guards if guard.symbols == {name}]
        # A bound is exact for all sizes, so it is stated as it is.
        self._add([condition for guard in guards for condition in guard.conditions or () if _is_bound(condition)])
        tried = self._select_sizes(name, range(1, _MOST_TRIED + 1))
        far = self._select_sizes(name, _FAR)
        allowed = _select_holding(guards, name, tried)
        described = [] if allowed == tried else _describe_sizes(name, tried, allowed)
        if described is not None and [size for size in far if _all_hold(described, {name: size})] == _select_holding(guards, name, far):
            self._add(described)
            return
        self._add_needed(guards, [{name: size} for size in (*tried, *far)])

    def add_guards_of_several(self) -> None:
        """Add the conditions for the guards with several sizes, without those that follow from others at all sizes that are tried."""
        guards = [guard for guard in self.guards if len(guard.symbols) > 1]
        for symbols in dict.fromkeys(guard.symbols for guard in guards):
            names = sorted(symbols)
            choices = [self._select_near(name) for name in names]
            tried = [dict(zip(names, sizes, strict=True)) for sizes in islice(product(*choices), _COMBINED)]
            self._add_needed([guard for guard in guards if guard.symbols == symbols], tried)

    def _add_needed(self, guards: Sequence[Guard], tried: Sequence[Mapping[str, int]]) -> None:
        """State the guards that break for some sizes, beginning with the shortest, which often implies the others."""
        for guard in sorted(guards, key=lambda guard: len(guard.text)):
            remaining = [sizes for sizes in tried if self._are_allowed(sizes)]
            if all(map(guard.holds, remaining)):
                continue
            if guard.conditions is None:
                self.notes.append(_make_note(guard.text))
            else:
                self._add(guard.conditions)

    def _add(self, conditions: Iterable[Condition]) -> None:
        known = set(map(str, self.conditions))
        self.conditions += list({str(c): c for c in conditions if str(c) not in known}.values())

    def _are_allowed(self, sizes: Mapping[str, int]) -> bool:
        return _all_hold([c for c in self.conditions if _list_names(c) <= sizes.keys()], sizes)

    def _select_sizes(self, name: str, sizes: Iterable[int]) -> list[int]:
        return [size for size in sizes if self._are_allowed({name: size})]

    def _select_near(self, name: str) -> list[int]:
        """Return the smallest allowed sizes, and a few larger ones."""
        near = self._select_sizes(name, range(1, _MOST_TRIED + 1))
        return [*near[:_NEAR], *near[len(near) // 2 :][:1], *self._select_sizes(name, _FAR)[-3:]]


def _is_bound(condition: Condition) -> bool:
    """Return whether a condition compares a size with a number."""
    return isinstance(condition.right, int) and len(_list_names(condition)) == 1 and str(condition.left).isidentifier()


def _keep_tightest_bounds(conditions: Sequence[Condition]) -> list[Condition]:
    """Leave out the bounds of a size that a tighter one implies."""
    result: dict[tuple[str, str], Condition] = {}
    for condition in conditions:
        is_bound = _is_bound(condition) and condition.op in _BOUNDS
        bound = _include_bound(condition) if is_bound else condition
        key = (str(bound.left), bound.op) if is_bound else (str(bound), "")
        other = result.get(key)
        tighter = max if bound.op == ">=" else min
        result[key] = bound if other is None or tighter(other.right, bound.right) == bound.right else other
    return list(result.values())


_BOUNDS = {">": (">=", 1), "<": ("<=", -1), ">=": (">=", 0), "<=": ("<=", 0)}


def _include_bound(condition: Condition) -> Condition:
    """Return `T > 5` as `T >= 6`."""
    op, step = _BOUNDS[condition.op]
    return Condition(op, condition.left, condition.right + step)


def _list_names(condition: Condition) -> set[str]:
    return set(condition_symbols(condition))


def _all_hold(conditions: Iterable[Condition], sizes: Mapping[str, int]) -> bool:
    return all(condition_holds(condition, sizes) for condition in conditions)


def _select_holding(guards: Sequence[Guard], name: str, sizes: Iterable[int]) -> list[int]:
    return [size for size in sizes if all(guard.holds({name: size}) for guard in guards)]


def _describe_sizes(name: str, tried: Sequence[int], allowed: Sequence[int]) -> list[Condition] | None:
    """Describe the allowed sizes among the tried ones by bounds, a step and a few exceptions. None if that takes more."""
    if len(allowed) < 2:
        return None
    size, least, most = make_symbol(name), allowed[0], allowed[-1]
    step = gcd(*(other - least for other in allowed))
    result = [Condition("==", size % step, least % step)] if step > 1 else []
    if any(other < least and other % step == least % step for other in tried):
        result.append(Condition(">=", size, least))
    if any(other > most and other % step == least % step for other in tried):
        result.append(Condition("<=", size, most))
    exceptions = sorted({other for other in tried if _all_hold(result, {name: other})} - set(allowed))
    return None if len(exceptions) > _FEW else [*result, *(Condition("!=", size, other) for other in exceptions)]
