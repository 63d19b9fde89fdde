"""The `forward` of a class.

In: the body of a class, with `Argument`s in it. Out: the lines of the method. Always: linear in the number of steps; the statements compute
the steps in their order, except that what is nested in another expression is computed there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy

from netc.dsl.record import replace
from netc.dsl.trees import rewrite_downward

from ....ir.choices import Key
from ..code.class_tree import (
    Argument,
    ElementCode,
    FlagRef,
    ListComp,
    MemberRef,
    NameCode,
    SharedModuleArg,
    SizeArg,
    SizeRef,
    SymbolRef,
    ValueRef,
)
from ..code.classes import ClassBody, Guards, Loop, ScanCode, Step
from ..code.python_expressions import AnyInput, CallCode, Code, NestedResults, TupleCode
from ..code.simplify import simplify_code
from ..printing.line_layout import STEP, Doc, LayoutBracket, statement
from ..printing.python_printer import doc, text, width
from .forward_statements import DEPTH, assigned, by_mode, grouped, returned, rolled
from .forward_steps import Steps, references
from .inline_results import Uses, nested
from .name_hints import NameHints, destinations
from .signature import Signature, prelude
from .variables import NameHint, Variables


def forward(
    body: ClassBody, attributes: Mapping[str, str], accessed: Callable[[MemberRef], str], flags: Mapping[Key, str] | None = None
) -> list[str]:
    """The method's lines. `attributes`: the attribute that keeps each constructor argument; `accessed`: how a member is accessed;
    `flags`: how each condition is."""
    return _Forward(body, attributes, accessed, flags or {}).run()


class _Forward:
    def __init__(
        self, body: ClassBody, attributes: Mapping[str, str], accessed: Callable[[MemberRef], str], flags: Mapping[Key, str]
    ) -> None:
        self.body, self.attributes, self.accessed, self.flags = body, attributes, accessed, flags
        ready = Steps(body)
        self.steps, self.names, self.whole, self.tentative = ready.steps, ready.names, ready.whole, ready.tentative
        self.uses = Uses(self.steps, ready.references, len(self.names))
        self.nested = nested(self.steps, self.names, self.uses, _widths(self.steps))
        self.maker = {s.outputs[0]: i for i, s in enumerate(self.steps) if len(s.outputs) == 1 and self.nested[i]}
        self.guards: Guards = ()
        alive = [s for s, a in zip(self.steps, self.uses.alive, strict=True) if a]
        self.signature = Signature(body, alive)
        own = [n for i, n in enumerate(self.names) if i >= body.inputs and i not in self.tentative]
        self.variables = Variables(self.signature.fixed, own, body.framework)
        self.hints = NameHints(self.steps, ready.references, self.names, self.uses, self.nested, body.framework)
        self.destinations = destinations(self.steps, ready.references, self.names, self.tentative, self.uses)
        self.groups: list[list[str]] = []
        self.modes: list[bool | None] = []
        """The mode of each group of lines."""
        self.mode: bool | None = None
        self.first: int | None = None
        self.passing: list[str] = []
        self.depth = DEPTH
        self.stacked: list[str] = []
        """The lines that make the last result of a `scan`."""
        self.lists: set[int] = set()
        """What loops have collected."""

    def run(self) -> list[str]:
        for index, name in enumerate(self.signature.inputs):
            self.variables.bind(name, index, self.uses.total[index])
        for index, step in enumerate(self.steps):
            if not self.uses.alive[index] or self.nested[index]:
                continue
            if step.guards and step.traits.either and self._is_passed(step):
                self._tensor(step.code.index)  # type: ignore[attr-defined]
                continue
            self._enter(step.guards)
            self._write(step, index)
        groups = by_mode(self.groups, self.modes, self.body.framework.training, self.depth)
        body = [line for group in rolled(self._returning(groups), self.depth) for line in group]
        return [*self.signature.lines(), *prelude(self.body, self.signature, self._formula), *body]

    def _returning(self, groups: list[list[str]]) -> list[list[str]]:
        """The statements. What a `scan` made is returned at once, if nothing else is done with it."""
        match groups:
            case [*others, made, [last]] if made is self.stacked:
                name = last.strip().removeprefix("return ")
                first = made[0].strip().removeprefix(f"{name} = ")
                if first != made[0].strip():
                    return [*others, [f"{STEP * self.depth}return {first}", *made[1:]]]
        return groups

    # --- statements --------------------------------------------------------------------------------------------------------

    def _write(self, step: Step, index: int) -> None:
        self.first, self.mode = None, step.mode
        if step.loop is not None:
            self._loop(step, step.loop)
        elif isinstance(step.code, ScanCode):
            self._scan(index, step.code)
        else:
            code = simplify_code(self._resolved(step.code if step.outputs else self._tuples(step.code)))
            if step.traits.either and step.outputs[0] in self.variables.name_of:  # the other side of an `if`
                targets = [self.variables.name_of[o] for o in step.outputs]
            else:
                targets = [self._target(o, index) for o in step.outputs]
            if targets and code == NameCode(targets[0]):
                self._add([])
                return
            if isinstance(code, NestedResults):
                targets = grouped(targets, code.groups)
                code = code.result
            self._add(assigned(targets, code, self.depth) if step.outputs else returned(code))
        for name in self.passing:
            self.variables.release(name)
        self.passing = []

    def _tuples(self, code: Code) -> Code:
        """What is returned, with lists that loops have collected as tuples."""

        def change(part: Code) -> Code | None:
            return CallCode("tuple", (part,)) if isinstance(part, ValueRef) and part.index in self.lists else None

        items = code.items if isinstance(code, TupleCode) else (code,)
        made = tuple(change(item) or item for item in items)
        return TupleCode(made) if isinstance(code, TupleCode) else made[0]

    def _add(self, lines: list[str]) -> None:
        indent = STEP * len(self.guards)
        self.groups.append([indent + line for line in lines])
        self.modes.append(self.mode)

    def _enter(self, guards: Guards) -> None:
        """Begins the branches that a statement is in, with a line each."""
        for depth, (key, branch) in enumerate(guards):
            if self.guards[: depth + 1] != guards[: depth + 1]:
                follows = self.guards[:depth] == guards[:depth] and self.guards[depth : depth + 1] == ((key, True),)
                test = "else" if follows and not branch else f"if {self.flags[key]}" if branch else f"if not {self.flags[key]}"
                self.guards = guards[:depth]
                self._add([f"{STEP * self.depth}{test}:"])
                self.guards = guards[: depth + 1]
        self.guards = guards

    def _target(self, tensor: int, index: int) -> str:
        uses = self.uses.total[tensor]
        if not uses:
            return "_"
        if self.steps[index].guards and self.steps[index].traits.either:
            found = self._passed_name(tensor)
            if found:
                return self.variables.bind(found, tensor, uses)
        if tensor in self.tentative:
            return self.variables.bound(self.names[tensor], tensor, uses)
        if self.names[tensor] or tensor in self.whole:
            return self.variables.named(self.names[tensor] or "parts", tensor, uses)
        same = self.first if self.hints.is_same(index) else None
        return self.variables.unnamed(tensor, uses, self._hint(tensor, self.first, same, self.hints.last(index)))

    def _is_passed(self, step: Step) -> bool:
        """Whether the result of an `if` has the name of what this branch gives, so that the branch need not say so."""
        names = self.variables.name_of
        return isinstance(step.code, ValueRef) and names.get(step.code.index, "") == names.get(step.outputs[0]) != ""

    def _passed_name(self, result: int) -> str:
        """The name of what the other branch of an `if` passes on, if nothing else uses that, and the spec has no other name."""
        for step in self.steps:
            if step.traits.either and step.outputs == (result,) and isinstance(step.code, ValueRef):
                passed = step.code.index
                name = self.variables.name_of.get(passed, "")
                if name and self.variables.left[passed] == 1 and self.names[result] in ("", self.names[passed], name):
                    return name
        return ""

    def _hint(self, tensor: int, source: int | None, same: int | None = None, last: str = "x") -> NameHint:
        label = self.hints.labels.get(tensor, "")
        return NameHint(source, self.destinations.get(tensor, ""), label, self._role(tensor), same, last)

    def _role(self, tensor: int) -> str:
        return self.body.roles[tensor] if tensor < len(self.body.roles) else ""

    def _loop(self, step: Step, loop: Loop) -> None:
        """`for layer in self.layers: x = layer(x, mask)`, after its variables have their first values."""
        assert isinstance(step.code, CallCode)
        count = len(loop.states)
        for tensor in loop.states:
            self.variables.take(tensor, 2)
        before = [self.variables.name_of[t] for t in loop.states]
        after = [self._carried(t, o) for t, o in zip(loop.states, step.outputs, strict=False)]
        moved = [(a, b) for a, b in zip(after, before, strict=True) if a != b]
        if moved:
            self._add([STEP * self.depth + ", ".join(a for a, _ in moved) + " = " + ", ".join(b for _, b in moved)])
        lists = [self._list(o) for o in step.outputs[count:]]
        variables = [self._temporary(loop.variable)]
        over = [self._resolved(loop.members)]
        rest: list[Code] = []
        for part in step.code.args[count:]:
            if isinstance(part, ElementCode):
                variables.append(self._temporary(part.variable))
                over.append(self._resolved(part.iterable))
                part = NameCode(variables[-1])
            rest.append(self._resolved(part))
            self.variables.take(part.index) if isinstance(part, ValueRef) else None
        call = CallCode(NameCode(variables[0]), (*(NameCode(a) for a in after), *rest))
        targets, appends = self._results(loop, after, lists)
        members = text(over[0] if len(over) == 1 else CallCode("zip", tuple(over)))
        turn = statement(f"{', '.join(targets)} = ", doc(call), self.depth + 1)
        self._add([f"{STEP * self.depth}for {', '.join(variables)} in {members}:", *turn, *appends])
        for output in step.outputs:
            self.variables.left[output] = self.uses.total[output]

    def _list(self, output: int) -> str:
        """The variable of a list that a loop appends to, which is empty at first; none if nothing takes the list."""
        uses = self.uses.total[output]
        if not uses:
            return ""
        self.lists.add(output)
        name = self.variables.named(self.names[output] or "results", output, uses + 1)
        self._add([f"{STEP * self.depth}{name} = []"])
        return name

    def _results(self, loop: Loop, after: list[str], lists: list[str]) -> tuple[list[str], list[str]]:
        """The variables of the results of one iteration, and the statements that append them to the lists."""
        if not loop.slots:
            return after, []
        targets: list[str] = []
        appends: list[str] = []
        names = iter(loop.items)
        for slot in loop.slots:
            states = [after[i] for i in slot if i < len(after)]
            taken = [lists[i - len(after)] for i in slot if i >= len(after) and lists[i - len(after)]]
            wanted = "" if states else next(names)
            target = states[0] if states else self._temporary(wanted) if taken else "_"
            targets.append(target)
            appends += [f"{STEP * (self.depth + 1)}{name}.append({target})" for name in taken]
        return targets, appends

    # --- scans -------------------------------------------------------------------------------------------------------------

    def _scan(self, index: int, code: ScanCode) -> None:
        """`for x_t in x...:` with the steps inside, and after it the results of the steps, stacked."""
        step, count = self.steps[index], len(code.states)
        before = {t: self.variables.left[t] - n for t, n in self.uses.counts[index].items() if t in self.variables.left}
        scanned = [text(self.body.framework.unstack(c, a)) for c, a in zip(map(self._resolved, code.scanned), code.axes, strict=True)]
        starts = [text(self._resolved(c)) for c in code.starts]
        self._release(code.starts)
        inside = self._inside(code)
        states = [self.variables.named(self.names[t], t, inside.uses.total[t] + 1) for t in code.states]
        self._release(code.scanned)  # not before: the states are set ahead of the line that reads these
        moved = [(a, b) for a, b in zip(states, starts, strict=True) if a != b]
        if moved:
            self._add(statement(f"{', '.join(a for a, _ in moved)} = ", Doc(", ".join(b for _, b in moved)), self.depth))
        lists = {o: self._temporary("outputs") for o in step.outputs[count:] if self.uses.total[o]}
        for name in lists.values():
            self._add([f"{STEP * self.depth}{name} = []"])
        whole = {self.variables.name_of[t] for c in code.scanned for t in references(c)}
        wanted = [self.names[t] + ("_t" if self.variables.local(self.names[t]) in whole else "") for t in code.parts]
        parts = [self.variables.named(name, t, inside.uses.total[t]) for name, t in zip(wanted, code.parts, strict=True)]
        for tensor in code.states:
            self.variables.take(tensor)  # their names are taken, even if nothing in the loop uses them
        rows = [f"reversed({s})" for s in scanned] if code.reverse else scanned
        over = Doc(rows[0], ":") if len(rows) == 1 else Doc("zip", LayoutBracket("(", [Doc(r) for r in rows], ")"), ":")
        head = statement(f"for {', '.join(parts)} in ", over, self.depth)
        body = inside.lines(states, [lists.get(o, "") for o in step.outputs[count:]])
        self._add([*head, *body])
        self.variables.left.update(before)
        self.variables.left.update(dict.fromkeys(code.inner_tensors, 0))
        for name, output in zip(states, step.outputs[:count], strict=True):
            self.variables.bind(name, output, self.uses.total[output])
        for output, axis in zip(step.outputs[count:], code.stacked, strict=True):
            if output in lists:
                given = NameCode(f"{lists[output]}[::-1]" if code.reverse else lists[output])
                made = statement(f"{self._target(output, index)} = ", doc(self.body.framework.stack(given, axis)), self.depth)
                self._add(made)
                self.stacked = self.groups[-1]

    def _release(self, parts: Iterable[Code]) -> None:
        """Lets go of what a loop takes, each of which counts twice."""
        for part in parts:
            for tensor in references(part):
                self.variables.take(tensor)

    def _inside(self, code: ScanCode) -> _Forward:
        """What writes the steps in a loop: with the variables of the method, but lines of its own."""
        inside = copy(self)
        inside.steps, taken = list(code.steps), [references(s.code) for s in code.steps]
        inside.uses = Uses(inside.steps, taken, len(self.names))
        inside.nested = nested(inside.steps, self.names, inside.uses, _widths(inside.steps))
        inside.maker = {s.outputs[0]: i for i, s in enumerate(inside.steps) if len(s.outputs) == 1 and inside.nested[i]}
        inside.hints = NameHints(inside.steps, taken, self.names, inside.uses, inside.nested, self.body.framework)
        inside.destinations = destinations(inside.steps, taken, self.names, self.tentative, inside.uses)
        inside.guards = ()
        inside.groups, inside.modes, inside.passing, inside.depth = [], [], [], self.depth + 1
        return inside

    def lines(self, states: Sequence[str], lists: Sequence[str]) -> list[str]:
        """The lines in a loop; at the end, what a step gives is added to the `lists`, and the variables of the `states` are set."""
        for index, step in enumerate(self.steps[:-1]):
            if self.uses.alive[index] and not self.nested[index]:
                self._write(step, index)
        self.mode = None
        result = self.steps[-1].code
        assert isinstance(result, TupleCode)
        given = [simplify_code(self._resolved(c)) for c in result.items]
        for name, code in zip(lists, given[len(states) :], strict=True):
            if name:
                self._add(statement(f"{name}.append", Doc(LayoutBracket("(", [doc(code)], ")")), self.depth))
        set_ = [(n, c) for n, c in zip(states, given, strict=False) if c != NameCode(n)]
        if set_:
            values = doc(set_[0][1])
            for _, code in set_[1:]:
                values = values + Doc(", ") + doc(code)
            self._add(statement(f"{', '.join(n for n, _ in set_)} = ", values, self.depth))
        groups = by_mode(self.groups, self.modes, self.body.framework.training, self.depth)
        return [line for group in rolled(groups, self.depth) for line in group]

    def _carried(self, state: int, output: int) -> str:
        """The variable that a loop updates. It is reserved, even if nothing uses it after the loop."""
        uses = self.uses.total[output] + 1
        before, role = self.variables.name_of[state], self._role(output) or self._role(state)
        if self.variables.is_free(before) and (uses == 1 if self.names[output] else before == self.variables.local(role)):
            return self.variables.bind(before, output, uses)
        if self.names[output]:
            return self.variables.named(self.names[output], output, uses)
        return self.variables.unnamed(output, uses, replace(self._hint(output, state), role=role))

    def _temporary(self, wanted: str) -> str:
        name = self.variables.temporary(wanted)
        self.passing.append(name)
        return name

    # --- expressions ---------------------------------------------------------------------------------------------------------

    def _resolved(self, code: Code) -> Code:
        """The code with all names decided."""
        return rewrite_downward(code, self._change)

    def _change(self, part: Code) -> Code | None:
        match part:
            case ValueRef(index):
                return self._tensor(index)
            case MemberRef():
                return NameCode(self.accessed(part))
            case Argument(name, factor, offset):
                return Argument(f"self.{self.attributes[name]}", factor, offset)
            case SizeRef() if part in self.signature.computed:
                return NameCode(self.signature.computed[part])
            case SymbolRef(index):
                return NameCode(self.signature.symbols[index])
            case SharedModuleArg(index):
                return NameCode(self.signature.shared_labels[index])
            case SizeArg(index):
                return NameCode(self.signature.passed[index])
            case FlagRef(key):
                return NameCode(self.flags[key])
            case AnyInput():
                return NameCode(self.signature.any_input())
            case ListComp(element, variable, iterable):
                return self._gathered(element, variable, iterable)
        return None

    def _formula(self, size: SizeRef) -> str:
        return text(replace(size, sources=tuple(self._resolved(s) for s in size.sources)))

    def _tensor(self, index: int) -> Code:
        maker = self.maker.get(index)
        if maker is not None:
            return self._resolved(self.steps[maker].code)
        self.variables.take(index)
        if self.first is None:
            self.first = index
        return NameCode(self.variables.name_of[index])

    def _gathered(self, element: Code, variable: str, iterable: Code) -> Code:
        name = self._temporary(variable)
        inner = rewrite_downward(element, lambda p: NameCode(name) if p == NameCode(variable) else self._change(p))
        return ListComp(inner, name, self._resolved(iterable))


def _widths(steps: Sequence[Step]) -> list[int]:
    """The length of each step's own code; a loop is on lines of its own."""
    return [0 if isinstance(s.code, ScanCode) else width(s.code) for s in steps]
