"""Merges bodies of one block that an `if` of the spec makes different into one class, with branches for the differences.

In: groups of bodies of one block, with equal keys within a group. Out: fewer groups. Bodies that became one class have the same members
and steps, with `guards` on those in a branch. Code that a body lacks is copied from another one. Always: bodies are aligned by the text of
the block, not by their looks. A condition is one that the constructor's arguments can express. After a branch ends, the next step takes
the result of the branch that ran.

    >>> import netc
    >>> text = "block l(norm) { dense 8 -> if norm { batch_norm } -> relu }; input 3 -> l true as a -> l false as b"
    >>> [line.strip() for line in netc.compile(text).source().splitlines() if "batch_norm1" in line]
    ['self.batch_norm1 = nn.BatchNorm1d(8) if norm else None', 'return F.relu(x if self.batch_norm1 is None else self.batch_norm1(x))']
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from netc.dsl.record import replace
from netc.dsl.trees import Different, find_literals, require_same_value, rewrite_downward, shape_key, walk_tree

from ....ir.choices import Key
from ....types.traced_ints import has_origin
from ..code.class_tree import ChoiceItems, NameCode, StrictLiteral, SymbolRef, ValueRef
from ..code.classes import ClassBody, Guards, ScanCode, SizeSymbol, Step
from ..code.formula_code import formula_to_code
from ..code.python_expressions import Code, TupleCode
from .branches import Aligned, AlignedNode, BodyColumn, Condition, flatten_branches, get_own_or_any
from .choice_branches import Branch, arrange_by_branch, decide_condition
from .class_symbols import ClassSymbols
from .relations import Relations


def merge_variants(groups: list[list[ClassBody]], program: ClassSymbols) -> list[list[ClassBody]]:
    """Merge the groups of one block that differ in the branches of `if`s."""
    waiting = sorted(groups, key=lambda g: -len(g[0].members) - len(g[0].steps))
    # All groups at once first: with three or more, only one of them may show which of two tensors an `if` takes.
    if waiting[2:]:
        try:
            return [_Alignment([body for group in waiting for body in group], program).run()]
        except Different:
            pass
    # Otherwise greedily: each group joins the first class that it fits.
    merged: list[list[ClassBody]] = []
    while waiting:
        members, merged_group, *others = waiting[0], waiting[0], *waiting[1:]
        waiting = []
        for group in others:
            try:
                merged_group = _Alignment([*members, *group], program).run()
                members = [*members, *group]
            except Different:
                waiting.append(group)
        merged.append(merged_group)
    return merged


class _Alignment:
    def __init__(self, bodies: list[ClassBody], program: ClassSymbols) -> None:
        self.bodies = bodies
        self.relations = Relations(bodies, program)
        self.all = range(len(bodies))
        first = bodies[0]
        self.names, self.roles = list(first.names[: first.inputs]), list(first.roles[: first.inputs])
        self.scopes: list[Guards] = [() for _ in self.names]
        self.numbers = [{i: [i] for i in range(b.inputs)} for b in bodies]
        """For each body, the numbers in the class that a tensor of the body may have."""
        self.symbols: list[SizeSymbol] = []
        self.tests: dict[Key, BodyColumn] = {}
        self.taken: dict[Key, Mapping[int, bool]] = {}
        self.conditions: dict[Key, dict[int, Code]] = {}
        """The conditions of all `if`s, by body."""
        self.phis: dict[int, tuple[Key, tuple[int, int]]] = {}
        """The tensors that are one of two: by which condition, and which two."""

    def run(self) -> list[ClassBody]:
        if any(b.graph.has_modes or any(isinstance(s.code, ScanCode) for s in b.steps) for b in self.bodies):
            raise Different
        require_same_value((b.keyed, b.inputs, tuple(b.shared_labels), len(b.passed), len(b.outputs), b.chain is None) for b in self.bodies)
        require_same_value((*b.ties, *b.starts, *b.norms) for b in self.bodies)
        chains = self._align_codes({i: b.chain for i, b in enumerate(self.bodies) if b.chain is not None})
        members: list[tuple[BodyColumn, Guards]] = []
        self._align_members(
            {i: arrange_by_branch(b.graph, [(m.node, m) for m in b.members]) for i, b in enumerate(self.bodies)}, (), members
        )
        nodes: list[AlignedNode] = []
        # A sequence has no steps, and so no ends of branches: its members are aligned as its code.
        if not chains:
            self._align_steps({i: _arrange_steps(b) for i, b in enumerate(self.bodies)}, (), nodes)
        outputs = [
            self._resolve_code({i: b.outputs[position] for i, b in enumerate(self.bodies)})
            for position in range(len(self.bodies[0].outputs))
        ]
        # Code in branches is copied from other bodies, but the outputs of the class are outside of all branches.
        require_same_value(tuple(o[i] for o in outputs) for i in self.all)
        bodies = [self._build_body(i, chains.get(i), members, tuple(o[i] for o in outputs)) for i in self.all]
        # The constructor of a container registers its members in one expression, which has no branches.
        if bodies[0].keyed and any(m.guards for m in bodies[0].members):
            raise Different
        optional = bodies[0].find_optional_members()
        for i, body in enumerate(bodies):
            body.steps = flatten_branches(nodes, i, optional)
        return bodies

    def _build_body(self, i: int, chain: Any, members: list[tuple[BodyColumn, Guards]], outputs: tuple[Code, ...]) -> ClassBody:
        body = self.bodies[i].copy()
        body.chain, body.names, body.roles, body.symbols = chain, self.names, self.roles, self.symbols
        body.members = [replace(get_own_or_any(column, i), guards=guards) for column, guards in members]
        body.outputs = outputs
        body.tests = {key: get_own_or_any(tests, i) for key, tests in self.tests.items()}
        body.taken = {key: outcomes[i] for key, outcomes in self.taken.items() if i in outcomes}
        return body

    # --- branches ----------------------------------------------------------------------------------------------------------

    def _zip_columns(self, trees: BodyColumn) -> Iterable[tuple[BodyColumn, bool]]:
        """Iterate over the trees side by side, with whether the column is an `if`."""
        require_same_value(len(tree) for tree in trees.values())
        for position in range(len(next(iter(trees.values()), ()))):
            column = {i: tree[position] for i, tree in trees.items()}
            yield column, require_same_value(isinstance(item, Branch) for item in column.values())

    def _read_condition(self, column: BodyColumn) -> tuple[Key, dict[int, bool], dict[int, Code]]:
        key: Key = require_same_value(branch.choice.key for branch in column.values())
        self.conditions[key] = {i: formula_to_code(branch.choice.test) for i, branch in column.items()}
        return key, {i: branch.choice.taken for i, branch in column.items()}, self.conditions[key]

    def _add_condition(self, key: Key, taken: dict[int, bool], tests: dict[int, Code]) -> None:
        """Make it a condition of the class."""
        self._check_condition(tests)
        self.tests[key], self.taken[key] = tests, taken

    def _check_condition(self, tests: BodyColumn) -> None:
        """Check that the constructor's arguments can express the condition."""
        require_same_value(shape_key(test) for test in tests.values())
        for several in zip(*(find_literals(get_own_or_any(tests, i)) for i in self.all), strict=True):
            values, unused = [lit.value for lit in several], {i for i in self.all if i not in tests}
            # A flag of the block is an argument itself.
            if isinstance(values[0], bool) and several[0].hint:
                continue
            used = [v for i, v in enumerate(values) if i not in unused]
            formula = self.relations.find_formula(values, unused) if any(has_origin(v) for v in values) else None
            if formula is None and (any(has_origin(v) for v in used) or len({StrictLiteral(v) for v in used}) > 1):
                raise Different

    # --- members -----------------------------------------------------------------------------------------------------------

    def _align_members(self, trees: BodyColumn, guards: Guards, aligned: list[tuple[BodyColumn, Guards]]) -> None:
        for column, is_branch in self._zip_columns(trees):
            if not is_branch:
                require_same_value((m.label, m.kind) for m in column.values())
                codes = self._align_codes({i: m.code for i, m in column.items()})
                aligned.append(({i: replace(m, code=codes[i]) for i, m in column.items()}, guards))
                continue
            key, taken, tests = self._read_condition(column)
            for branch in (True, False):
                inside = {i: item.made for i, item in column.items() if taken[i] is branch}
                several = len(inside) < len(column)
                before = len(aligned)
                self._align_members(inside, (*guards, (key, branch)) if several else guards, aligned)
                if several and len(aligned) > before:
                    self._add_condition(key, taken, tests)

    def _align_codes(self, codes: BodyColumn) -> dict[int, Any]:
        """Align code of one shape, and sequences with the members of all branches."""
        if len({shape_key(code) for code in codes.values()}) < 2:
            return dict(codes)
        choices: dict[int, list[ChoiceItems]] = {i: [] for i in codes}

        def cut(part: Code, i: int) -> Code | None:
            if not isinstance(part, ChoiceItems):
                return None
            choices[i].append(part)
            # Choices are compared on their own, so an empty name stands for each while the rest is compared.
            return NameCode("")

        require_same_value(shape_key(rewrite_downward(code, lambda part, i=i: cut(part, i))) for i, code in codes.items())  # type: ignore[misc]
        columns = [self._align_choices(dict(zip(choices, several, strict=True))) for several in zip(*choices.values(), strict=True)]
        return {i: _replace_choices(code, (column[i] for column in columns)) for i, code in codes.items()}

    def _align_choices(self, codes: BodyColumn) -> dict[int, Any]:
        require_same_value(code.key for code in codes.values())
        fields = {i: {"test": code.test} for i, code in codes.items()}
        for name, branch in (("then", True), ("otherwise", False)):
            inside = {i: TupleCode(getattr(code, name)) for i, code in codes.items() if code.taken is branch}
            aligned = self._align_codes(inside) if inside else {}
            for i in codes:
                fields[i][name] = get_own_or_any(aligned, i).items if aligned else ()
        if len({code.taken for code in codes.values()}) > 1:
            self._check_condition({i: code.test for i, code in codes.items()})
        return {i: replace(code, **fields[i]) for i, code in codes.items()}

    # --- steps -------------------------------------------------------------------------------------------------------------

    def _align_steps(self, trees: BodyColumn, scope: Guards, aligned: list[AlignedNode]) -> None:
        for column, is_branch in self._zip_columns(trees):
            if not is_branch:
                aligned.append(self._align_step(column, scope))
                continue
            key, taken, tests = self._read_condition(column)
            # All bodies took the same branch, so the class needs no `if`.
            if len(set(taken.values())) == 1:
                self._align_steps({i: item.made for i, item in column.items()}, scope, aligned)
                continue
            condition = Condition(key, scope, tests, taken)
            taken_in = {i: self.bodies[i].ends[item.choice.key][0] for i, item in column.items()}
            results = {i: self.bodies[i].ends[item.choice.key][1] for i, item in column.items()}
            passed = self._resolve_tensors(taken_in, scope)
            for branch, nodes in condition.branches.items():
                self._align_steps({i: b.made for i, b in column.items() if taken[i] is branch}, (*scope, (key, branch)), nodes)
            self._add_condition(key, taken, tests)
            aligned.append(condition)
            self._join_results(condition, results, taken_in, passed)

    def _resolve_tensors(self, several: BodyColumn, scope: Guards) -> list[int]:
        """Resolve the tensors that an `if` takes or gives."""
        if not all(isinstance(code, ValueRef) for codes in several.values() for code in codes):
            raise Different
        count = require_same_value(len(codes) for codes in several.values())
        return [self._resolve_tensor({i: codes[position].index for i, codes in several.items()}, scope) for position in range(count)]

    def _join_results(self, condition: Condition, results: BodyColumn, inputs: BodyColumn, resolved: list[int]) -> None:
        """Join the results of the two branches of an `if`."""
        if not all(isinstance(code, ValueRef) for codes in results.values() for code in codes):
            raise Different
        for position in range(require_same_value(len(codes) for codes in results.values())):
            sides: list[int] = []
            for branch in (True, False):
                column = {i: codes[position].index for i, codes in results.items() if condition.taken[i] is branch}
                passed = {inputs[i].index(ValueRef(t)) if ValueRef(t) in inputs[i] else -1 for i, t in column.items()}
                place = passed.pop() if len(passed) == 1 else -1
                sides.append(resolved[place] if place >= 0 else self._resolve_tensor(column, (*condition.scope, (condition.key, branch))))
            # Both branches pass on the same tensor: no choice between two is needed.
            if sides[0] != sides[1]:
                self._add_phi(condition, (sides[0], sides[1]), {i: codes[position].index for i, codes in results.items()})

    def _align_step(self, column: BodyColumn, scope: Guards) -> Aligned:
        require_same_value((len(s.outputs), s.traits, s.loop is None) for s in column.values())
        codes = self._resolve_code({i: s.code for i, s in column.items()}, scope)
        require_same_value(shape_key(code) for code in codes.values())
        loops = {i: s.loop for i, s in column.items()}
        first = next(iter(column.values()))
        if first.loop is not None:
            states = tuple(
                self._resolve_tensor({i: s.loop.states[position] for i, s in column.items()}, scope)
                for position in range(len(first.loop.states))
            )
            require_same_value((replace(loop, states=()), len(loop.states)) for loop in loops.values())
            loops = {i: replace(loop, states=states) for i, loop in loops.items()}
        outputs = tuple(
            self._add_tensor({i: s.outputs[position] for i, s in column.items()}, scope) for position in range(len(first.outputs))
        )
        steps = {i: replace(s, code=codes[i], outputs=outputs, loop=loops[i], guards=scope) for i, s in column.items()}
        return Aligned(steps, outputs)

    def _add_tensor(self, column: BodyColumn, scope: Guards) -> int:
        number = len(self.names)
        names = [self.bodies[i].names[tensor] for i, tensor in column.items()]
        self.names.append(next((n for n in names if n), ""))
        self.roles.append(next((self.bodies[i].roles[t] for i, t in column.items()), ""))
        self.scopes.append(scope)
        for i, tensor in column.items():
            self.numbers[i][tensor] = [number]
        return number

    def _resolve_code(self, codes: BodyColumn, scope: Guards = ()) -> dict[int, Code]:
        """Replace tensors and sizes in code by the class's tensors and sizes."""
        references = {i: [p.index for p in walk_tree(code) if isinstance(p, ValueRef)] for i, code in codes.items()}
        count = require_same_value(len(r) for r in references.values())
        resolved = [self._resolve_tensor({i: r[position] for i, r in references.items()}, scope) for position in range(count)]
        return {i: self._replace_references(code, i, iter(resolved)) for i, code in codes.items()}

    def _replace_references(self, code: Code, i: int, numbers: Any) -> Code:
        def change(part: Code) -> Code | None:
            match part:
                case ValueRef():
                    return ValueRef(next(numbers))
                case SymbolRef(index):
                    return SymbolRef(self._add_symbol(self.bodies[i].symbols[index]))
            return None

        return rewrite_downward(code, change)

    def _add_symbol(self, wanted: SizeSymbol) -> int:
        for index, known in enumerate(self.symbols):
            if replace(known, name=wanted.name, given=wanted.given) == wanted:
                return index
        self.symbols.append(wanted)
        return len(self.symbols) - 1

    def _resolve_tensor(self, column: BodyColumn, scope: Guards) -> int:
        """Return the number of a tensor in the class. If it may be either an `if`'s result or the tensor that the `if` passed on, bodies
        that all passed it on leave this open, which raises `Different`."""
        candidates = set.intersection(*(set(self.numbers[i][tensor]) for i, tensor in column.items()))
        known = [number for number in candidates if self.scopes[number] == scope[: len(self.scopes[number])]]
        if len(known) > 1:
            known = [number for number in known if not self._is_other(number, scope, known)]
        if len(known) != 1:
            raise Different
        return known[0]

    def _is_other(self, number: int, scope: Guards, known: list[int]) -> bool:
        """Whether a tensor that is one of two equals another of the known ones, by the conditions of the branches around."""
        if number not in self.phis:
            return False
        key, sides = self.phis[number]
        for around, branch in scope:
            shared = self.conditions[around].keys() & self.conditions[key].keys()
            decided = {decide_condition(self.conditions[around][i], self.conditions[key][i]) for i in shared}
            holds = decided.pop() if len(decided) == 1 else None
            if holds is not None:
                return sides[0 if holds is branch else 1] in known
        return False

    def _add_phi(self, condition: Condition, sides: tuple[int, int], column: BodyColumn) -> None:
        """Add a tensor that is one of two, by the condition."""
        if sides not in condition.phis:
            condition.phis[sides] = len(self.names)
            self.phis[len(self.names)] = condition.key, sides
            self.names.append("")
            # The name moves from the tensor in the branch to the result: both are one variable in `forward`.
            for number in reversed(sides):
                if len(self.scopes[number]) > len(condition.scope):
                    self.names[-1], self.names[number] = self.names[number], ""
            self.roles.append("")
            self.scopes.append(condition.scope)
        number = condition.phis[sides]
        for i, tensor in column.items():
            if number not in self.numbers[i][tensor]:
                self.numbers[i][tensor].append(number)


def _arrange_steps(body: ClassBody) -> list[Step | Branch[Step]]:
    ends: dict[Key, list[Step]] = {}
    for step in body.steps:
        if step.end is not None:
            ends.setdefault(step.end, []).append(step)
    return arrange_by_branch(body.graph, [(s.node, s) for s in body.steps if s.end is None], ends)


def _replace_choices(code: Code, choices: Iterator[ChoiceItems]) -> Code:
    return rewrite_downward(code, lambda part: next(choices) if isinstance(part, ChoiceItems) else None)
