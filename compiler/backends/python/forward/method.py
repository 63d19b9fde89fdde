"""Writes the `forward` method of a class.

In: the body of a class, with `Argument`s in it. Out: the lines of the method: `def forward(self, x):` and its statements. Always: linear in
the number of steps. The statements compute the steps in their order, except that a nested step is computed where it is written.
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
from ..printing.code_widths import measure_step_widths
from ..printing.line_layout import STEP, Doc, LayoutBracket, layout_statement
from ..printing.python_printer import make_doc, print_code
from .forward_statements import DEPTH, group_by_mode, group_targets, roll_equal_statements, write_assignment, write_return
from .forward_steps import ForwardSteps, convert_lists, list_references
from .inline_results import TensorUses, find_nested_steps
from .name_hints import NameHints, find_destinations
from .signature import ForwardSignature, write_prelude
from .variables import NameHint, VariableNames


def write_forward(
    body: ClassBody, attributes: Mapping[str, str], accessed: Callable[[MemberRef], str], flags: Mapping[Key, str] | None = None
) -> list[str]:
    """Write the method. `attributes`: the attribute that keeps each constructor argument; `accessed`: how a member is accessed; `flags`:
    the text of each condition."""
    return _ForwardWriter(body, attributes, accessed, flags or {}).run()


class _ForwardWriter:
    def __init__(
        self, body: ClassBody, attributes: Mapping[str, str], accessed: Callable[[MemberRef], str], flags: Mapping[Key, str]
    ) -> None:
        self.body, self.attributes, self.accessed, self.flags = body, attributes, accessed, flags
        ready = ForwardSteps(body)
        self.steps, self.names, self.whole, self.tentative = ready.steps, ready.names, ready.whole, ready.tentative
        self.uses = TensorUses(self.steps, ready.references, len(self.names))
        self.nested = find_nested_steps(self.steps, self.names, self.uses, measure_step_widths(self.steps))
        self.maker = {s.outputs[0]: i for i, s in enumerate(self.steps) if len(s.outputs) == 1 and self.nested[i]}
        self.guards: Guards = ()
        alive = [s for s, a in zip(self.steps, self.uses.alive, strict=True) if a]
        self.signature = ForwardSignature(body, alive)
        own_names = [n for i, n in enumerate(self.names) if i >= body.inputs and i not in self.tentative]
        self.variables = VariableNames(self.signature.fixed_names, own_names, body.framework)
        self.hints = NameHints(self.steps, ready.references, self.names, self.uses, self.nested, body.framework)
        self.destinations = find_destinations(self.steps, ready.references, self.names, self.tentative, self.uses)
        self.groups: list[list[str]] = []
        self.modes: list[bool | None] = []
        """The mode of each group of lines."""
        self.mode: bool | None = None
        self.first: int | None = None
        self.temporaries: list[str] = []
        self.depth = DEPTH
        self.stack_lines: list[str] = []
        """The lines that make the result of the last `scan`."""
        self.list_outputs: set[int] = set()
        """The numbers of the lists that loops have collected."""

    def run(self) -> list[str]:
        for index, name in enumerate(self.signature.inputs):
            self.variables.bind_name(name, index, self.uses.total[index])
        for index, step in enumerate(self.steps):
            if not self.uses.alive[index] or self.nested[index]:
                continue
            # A branch that passes a tensor on under its own name has nothing to write, not even an `else`.
            if step.guards and step.traits.either and self._is_passed(step):
                self._resolve_tensor(step.code.index)  # type: ignore[attr-defined]
                continue
            self._enter_branches(step.guards)
            self._write_step(step, index)
        groups = group_by_mode(self.groups, self.modes, self.body.framework.training, self.depth)
        body = [line for group in roll_equal_statements(self._merge_return(groups), self.depth) for line in group]
        return [*self.signature.write_lines(), *write_prelude(self.body, self.signature, self._format_formula), *body]

    def _merge_return(self, groups: list[list[str]]) -> list[list[str]]:
        """Return the statements. The stacked result of a `scan` is returned at once if nothing else is done with it."""
        match groups:
            case [*others, stacked, [last]] if stacked is self.stack_lines:
                name = last.strip().removeprefix("return ")
                first = stacked[0].strip().removeprefix(f"{name} = ")
                if first != stacked[0].strip():
                    return [*others, [f"{STEP * self.depth}return {first}", *stacked[1:]]]
        return groups

    # --- statements --------------------------------------------------------------------------------------------------------

    def _write_step(self, step: Step, index: int) -> None:
        self.first, self.mode = None, step.mode
        if step.loop is not None:
            self._write_loop(step, step.loop)
        elif isinstance(step.code, ScanCode):
            self._write_scan(index, step.code)
        else:
            code = simplify_code(self._resolve_code(step.code if step.outputs else convert_lists(step.code, self.list_outputs)))
            if step.traits.either and step.outputs[0] in self.variables.name_of:  # the other side of an `if`
                targets = [self.variables.name_of[o] for o in step.outputs]
            else:
                targets = [self._choose_target(o, index) for o in step.outputs]
            # `x = x` says nothing, but the group stays: the modes of the groups are counted in step with them.
            if targets and code == NameCode(targets[0]):
                self._add_lines([])
                return
            if isinstance(code, NestedResults):
                targets = group_targets(targets, code.groups)
                code = code.result
            self._add_lines(write_assignment(targets, code, self.depth) if step.outputs else write_return(code))
        for name in self.temporaries:
            self.variables.release_name(name)
        self.temporaries = []

    def _add_lines(self, lines: list[str]) -> None:
        indent = STEP * len(self.guards)
        self.groups.append([indent + line if line else line for line in lines])
        self.modes.append(self.mode)

    def _enter_branches(self, guards: Guards) -> None:
        """Begin the branches that a statement is in, with a line each."""
        for depth, (key, branch) in enumerate(guards):
            if self.guards[: depth + 1] != guards[: depth + 1]:
                # A branch for False right after the branch for True of the same `if` is its `else`.
                follows = self.guards[:depth] == guards[:depth] and self.guards[depth : depth + 1] == ((key, True),)
                test = "else" if follows and not branch else f"if {self.flags[key]}" if branch else f"if not {self.flags[key]}"
                self.guards = guards[:depth]
                self._add_lines([f"{STEP * self.depth}{test}:"])
                self.guards = guards[: depth + 1]
        self.guards = guards

    def _choose_target(self, tensor: int, index: int) -> str:
        uses = self.uses.total[tensor]
        if not uses:
            return "_"
        if self.steps[index].guards and self.steps[index].traits.either:
            passed_name = self._find_passed_name(tensor)
            if passed_name:
                return self.variables.bind_name(passed_name, tensor, uses)
        if tensor in self.tentative:
            return self.variables.bind_bound(self.names[tensor], tensor, uses)
        if self.names[tensor] or tensor in self.whole:
            return self.variables.bind_named(self.names[tensor] or "parts", tensor, uses)
        same = self.first if self.hints.is_reshape(index) else None
        return self.variables.bind_unnamed(tensor, uses, self._make_hint(tensor, self.first, same, self.hints.describe_statement(index)))

    def _is_passed(self, step: Step) -> bool:
        """Whether the result of an `if` has the name of the tensor that this branch passes on, so that the branch needs no statement."""
        names = self.variables.name_of
        return isinstance(step.code, ValueRef) and names.get(step.code.index, "") == names.get(step.outputs[0]) != ""

    def _find_passed_name(self, result: int) -> str:
        """Return the name of a tensor that a branch passes on, if nothing else uses it and the spec gives the result no other name."""
        for step in self.steps:
            if step.traits.either and step.outputs == (result,) and isinstance(step.code, ValueRef):
                passed = step.code.index
                name = self.variables.name_of.get(passed, "")
                if name and self.variables.remaining_uses[passed] == 1 and self.names[result] in ("", self.names[passed], name):
                    return name
        return ""

    def _make_hint(self, tensor: int, source: int | None, same: int | None = None, last: str = "x") -> NameHint:
        label = self.hints.labels.get(tensor, "")
        return NameHint(source, self.destinations.get(tensor, ""), label, self._get_role(tensor), same, last)

    def _get_role(self, tensor: int) -> str:
        return self.body.roles[tensor] if tensor < len(self.body.roles) else ""

    def _write_loop(self, step: Step, loop: Loop) -> None:
        """Write `for layer in self.layers: x = layer(x, mask)`, after its variables have their first values."""
        assert isinstance(step.code, CallCode)
        count = len(loop.states)
        for tensor in loop.states:
            # A loop counts each use of a tensor twice (`_count_references`), so it releases two.
            self.variables.take_uses(tensor, 2)
        before = [self.variables.name_of[t] for t in loop.states]
        after = [self._choose_loop_variable(t, o) for t, o in zip(loop.states, step.outputs, strict=False)]
        moved = [(a, b) for a, b in zip(after, before, strict=True) if a != b]
        if moved:
            self._add_lines([STEP * self.depth + ", ".join(a for a, _ in moved) + " = " + ", ".join(b for _, b in moved)])
        lists = [self._write_list(o) for o in step.outputs[count:]]
        variables = [self._make_temporary(loop.variable)]
        over = [self._resolve_code(loop.members)]
        rest: list[Code] = []
        for part in step.code.args[count:]:
            if isinstance(part, ElementCode):
                variables.append(self._make_temporary(part.variable))
                over.append(self._resolve_code(part.iterable))
                part = NameCode(variables[-1])
            rest.append(self._resolve_code(part))
            self.variables.take_uses(part.index) if isinstance(part, ValueRef) else None
        call = rewrite_downward(CallCode(NameCode(variables[0]), (*(NameCode(a) for a in after), *rest)), _put_keywords_last)
        targets, appends = self._write_results(loop, after, lists)
        members = print_code(over[0] if len(over) == 1 else CallCode("zip", tuple(over)))
        turn = layout_statement(f"{', '.join(targets)} = ", make_doc(call), self.depth + 1)
        self._add_lines([f"{STEP * self.depth}for {', '.join(variables)} in {members}:", *turn, *appends])
        for output in step.outputs:
            self.variables.remaining_uses[output] = self.uses.total[output]

    def _write_list(self, output: int) -> str:
        """Make the variable of a list that a loop appends to, empty at first. Return an empty name if nothing takes the list."""
        uses = self.uses.total[output]
        if not uses:
            return ""
        self.list_outputs.add(output)
        name = self.variables.bind_named(self.names[output] or "results", output, uses + 1)
        self._add_lines([f"{STEP * self.depth}{name} = []"])
        return name

    def _write_results(self, loop: Loop, after: list[str], lists: list[str]) -> tuple[list[str], list[str]]:
        """Return the variables of one iteration's results, and the statements that append them to lists."""
        if not loop.slots:
            return after, []
        targets: list[str] = []
        appends: list[str] = []
        names = iter(loop.items)
        for slot in loop.slots:
            states = [after[i] for i in slot if i < len(after)]
            filled_lists = [lists[i - len(after)] for i in slot if i >= len(after) and lists[i - len(after)]]
            wanted = "" if states else next(names)
            target = states[0] if states else self._make_temporary(wanted) if filled_lists else "_"
            targets.append(target)
            appends += [f"{STEP * (self.depth + 1)}{name}.append({target})" for name in filled_lists]
        return targets, appends

    # --- scans -------------------------------------------------------------------------------------------------------------

    def _write_scan(self, index: int, code: ScanCode) -> None:
        """Write `for x_t in x...:` with the steps inside, and after it the results of the steps, stacked."""
        step, count = self.steps[index], len(code.states)
        # The loop's writer shares the counts of uses with this one: they are put back below, as they were without the loop's own
        # uses.
        before = {t: self.variables.remaining_uses[t] - n for t, n in self.uses.counts[index].items() if t in self.variables.remaining_uses}
        scanned = [
            print_code(self.body.framework.unstack(c, a)) for c, a in zip(map(self._resolve_code, code.scanned), code.axes, strict=True)
        ]
        starts = [print_code(self._resolve_code(c)) for c in code.starts]
        self._release_tensors(code.starts)
        inside = self._make_loop_writer(code)
        states = [self.variables.bind_named(self.names[t], t, inside.uses.total[t] + 1) for t in code.states]
        self._release_tensors(code.scanned)  # not before: the states are set ahead of the line that reads these
        moved = [(a, b) for a, b in zip(states, starts, strict=True) if a != b]
        if moved and not code.is_function:
            self._add_lines(layout_statement(f"{', '.join(a for a, _ in moved)} = ", Doc(", ".join(b for _, b in moved)), self.depth))
        lists = {o: self._make_temporary("outputs") for o in step.outputs[count:] if self.uses.total[o]}
        for name in lists.values() if not code.is_function else ():
            self._add_lines([f"{STEP * self.depth}{name} = []"])
        # The slice of `x` in an iteration is `x_t`, unless the spec has a name of its own for it.
        scanned_names = {self.variables.name_of[t] for c in code.scanned for t in list_references(c)}
        wanted = [self.names[t] + ("_t" if self.variables.make_variable_name(self.names[t]) in scanned_names else "") for t in code.parts]
        parts = [self.variables.bind_named(name, t, inside.uses.total[t]) for name, t in zip(wanted, code.parts, strict=True)]
        for tensor in code.states:
            self.variables.take_uses(tensor)  # their names are taken, even if nothing in the loop uses them
        collected_names = [lists.get(o, "") for o in step.outputs[count:]]
        if code.is_function:
            self._add_lines(self._write_scan_function(inside, states, parts, starts, scanned, collected_names, code.reverse))
        else:
            rows = [f"reversed({s})" for s in scanned] if code.reverse else scanned
            over = Doc(rows[0], ":") if len(rows) == 1 else Doc("zip", LayoutBracket("(", [Doc(r) for r in rows], ")"), ":")
            head = layout_statement(f"for {', '.join(parts)} in ", over, self.depth)
            self._add_lines([*head, *inside.write_loop_lines(states, collected_names)])
        self.variables.remaining_uses.update(before)
        self.variables.remaining_uses.update(dict.fromkeys(code.inner_tensors, 0))
        for name, output in zip(states, step.outputs[:count], strict=True):
            self.variables.bind_name(name, output, self.uses.total[output])
        for output, axis in zip(step.outputs[count:], code.stacked, strict=True):
            if output in lists:
                collected = NameCode(f"{lists[output]}[::-1]" if code.reverse and not code.is_function else lists[output])
                stack = self.body.framework.place_first if code.is_function else self.body.framework.stack
                stacked = layout_statement(f"{self._choose_target(output, index)} = ", make_doc(stack(collected, axis)), self.depth)
                self._add_lines(stacked)
                self.stack_lines = self.groups[-1]

    def _write_scan_function(
        self,
        inside: _ForwardWriter,
        states: Sequence[str],
        parts: Sequence[str],
        starts: Sequence[str],
        scanned: Sequence[str],
        lists: Sequence[str],
        reverse: bool,
    ) -> list[str]:
        """Write a function of the states and a slice, and the call of the framework's scan: `h, outputs = scan(step, h, x)`."""
        name = self._make_temporary("step")
        carried = states[0] if len(states) == 1 else self._make_temporary("carry")
        sliced = parts[0] if len(parts) == 1 else self._make_temporary("slices")
        tensor = self.body.framework.tensor
        kinds = [tensor if len(names) == 1 else f"tuple[{tensor}, ...]" if names else "None" for names in (states, parts)]
        outputs = [name for name in lists if name]
        result = tensor if len(outputs) == 1 else f"tuple[{tensor}, ...]" if outputs else "None"
        arguments = [Doc(f"{carried}: {kinds[0]}"), Doc(f"{sliced}: {kinds[1]}")]
        signature = Doc(LayoutBracket("(", arguments, ")"), f" -> tuple[{kinds[0]}, {result}]:")
        lines = [*([""] if self.groups else []), *layout_statement(f"def {name}", signature, self.depth)]
        for variable, names in ((carried, states), (sliced, parts)):
            lines += [f"{STEP * (self.depth + 1)}{', '.join(names)} = {variable}"] if len(names) > 1 else []
        lines += inside.write_function_lines(len(states), [bool(name) for name in lists])
        given = [name, _join_names(starts), _join_names(scanned), *(["reverse=True"] if reverse else [])]
        call = Doc(self.body.framework.scan, LayoutBracket("(", [Doc(argument) for argument in given], ")"))
        targets = f"{_join_names(states, target=True)}, {_join_names(outputs, target=True)}"
        return [*lines, "", *layout_statement(f"{targets} = ", call, self.depth)]

    def write_function_lines(self, states: int, kept: Sequence[bool]) -> list[str]:
        """Return the lines of a function of a scan, which returns the new states and the results of the step that are `kept`."""
        for index, step in enumerate(self.steps[:-1]):
            if self.uses.alive[index] and not self.nested[index]:
                self._write_step(step, index)
        self.mode = None
        result = self.steps[-1].code
        assert isinstance(result, TupleCode)
        items = [simplify_code(self._resolve_code(c)) for c in result.items]
        outputs = [code for code, is_kept in zip(items[states:], kept, strict=True) if is_kept]
        pair = make_doc(_join_codes(items[:states])) + Doc(", ") + make_doc(_join_codes(outputs))
        self._add_lines(layout_statement("return ", pair, self.depth))
        groups = group_by_mode(self.groups, self.modes, self.body.framework.training, self.depth)
        return [line for group in roll_equal_statements(groups, self.depth) for line in group]

    def _release_tensors(self, parts: Iterable[Code]) -> None:
        """Count down the uses of tensors that a loop takes, each of which counts twice."""
        for part in parts:
            for tensor in list_references(part):
                self.variables.take_uses(tensor)

    def _make_loop_writer(self, code: ScanCode) -> _ForwardWriter:
        """Return a writer for the steps in a loop, with the variables of the method but lines of its own."""
        # A shallow copy shares the variables, so that no name in the loop shadows one around it.
        inside = copy(self)
        inside.steps, references = list(code.steps), [list_references(s.code) for s in code.steps]
        inside.uses = TensorUses(inside.steps, references, len(self.names))
        inside.nested = find_nested_steps(inside.steps, self.names, inside.uses, measure_step_widths(inside.steps))
        inside.maker = {s.outputs[0]: i for i, s in enumerate(inside.steps) if len(s.outputs) == 1 and inside.nested[i]}
        inside.hints = NameHints(inside.steps, references, self.names, inside.uses, inside.nested, self.body.framework)
        inside.destinations = find_destinations(inside.steps, references, self.names, self.tentative, inside.uses)
        inside.guards = ()
        inside.groups, inside.modes, inside.temporaries, inside.depth = [], [], [], self.depth + 1
        return inside

    def write_loop_lines(self, states: Sequence[str], lists: Sequence[str]) -> list[str]:
        """Return the lines in a loop. At its end, results of an iteration are appended to the `lists`, and the `states` get their new
        values."""
        for index, step in enumerate(self.steps[:-1]):
            if self.uses.alive[index] and not self.nested[index]:
                self._write_step(step, index)
        self.mode = None
        result = self.steps[-1].code
        assert isinstance(result, TupleCode)
        items = [simplify_code(self._resolve_code(c)) for c in result.items]
        for name, code in zip(lists, items[len(states) :], strict=True):
            if name:
                self._add_lines(layout_statement(f"{name}.append", Doc(LayoutBracket("(", [make_doc(code)], ")")), self.depth))
        # One assignment for all states: each is computed from the old values of the others.
        set_ = [(n, c) for n, c in zip(states, items, strict=False) if c != NameCode(n)]
        if set_:
            values = make_doc(set_[0][1])
            for _, code in set_[1:]:
                values = values + Doc(", ") + make_doc(code)
            self._add_lines(layout_statement(f"{', '.join(n for n, _ in set_)} = ", values, self.depth))
        groups = group_by_mode(self.groups, self.modes, self.body.framework.training, self.depth)
        return [line for group in roll_equal_statements(groups, self.depth) for line in group]

    def _choose_loop_variable(self, state: int, output: int) -> str:
        """Choose the variable that a loop updates. It is reserved, even if nothing uses it after the loop."""
        uses = self.uses.total[output] + 1
        before, role = self.variables.name_of[state], self._get_role(output) or self._get_role(state)
        if self.variables.is_free(before) and (uses == 1 if self.names[output] else before == self.variables.make_variable_name(role)):
            return self.variables.bind_name(before, output, uses)
        if self.names[output]:
            return self.variables.bind_named(self.names[output], output, uses)
        return self.variables.bind_unnamed(output, uses, replace(self._make_hint(output, state), role=role))

    def _make_temporary(self, wanted: str) -> str:
        name = self.variables.make_temporary(wanted)
        self.temporaries.append(name)
        return name

    # --- expressions ---------------------------------------------------------------------------------------------------------

    def _resolve_code(self, code: Code) -> Code:
        """Return the code with all names decided."""
        resolved = rewrite_downward(code, self._resolve_part)
        return rewrite_downward(resolved, _put_keywords_last) if self.body.framework.keywords else resolved

    def _resolve_part(self, part: Code) -> Code | None:
        match part:
            case ValueRef(index):
                return self._resolve_tensor(index)
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
                return NameCode(self.signature.get_any_input())
            case ListComp(element, variable, iterable):
                return self._resolve_comprehension(element, variable, iterable)
        return None

    def _format_formula(self, size: SizeRef) -> str:
        return print_code(replace(size, sources=tuple(self._resolve_code(s) for s in size.sources)))

    def _resolve_tensor(self, index: int) -> Code:
        maker = self.maker.get(index)
        if maker is not None:
            return self._resolve_code(self.steps[maker].code)
        self.variables.take_uses(index)
        # The first variable that a statement reads is the source by which its result may be named.
        if self.first is None:
            self.first = index
        name = self.variables.name_of[index]
        return NameCode(f"**{name}" if name in self.body.framework.keywords else name)

    def _resolve_comprehension(self, element: Code, variable: str, iterable: Code) -> Code:
        name = self._make_temporary(variable)
        inner = rewrite_downward(element, lambda p: NameCode(name) if p == NameCode(variable) else self._resolve_part(p))
        return ListComp(inner, name, self._resolve_code(iterable))


def _put_keywords_last(code: Code) -> Code | None:
    """Move `**kwargs` after the other arguments of a call: an input that was added later, such as a hoisted table, may follow it."""
    if not isinstance(code, CallCode):
        return None
    keywords = tuple(a for a in code.args if isinstance(a, NameCode) and a.text.startswith("**"))
    if not keywords or code.args[-len(keywords) :] == keywords:
        return None
    positional = tuple(rewrite_downward(a, _put_keywords_last) for a in code.args if a not in keywords)
    return replace(code, args=(*positional, *keywords))


def _join_names(names: Sequence[str], target: bool = False) -> str:
    """Write one name, or several as a tuple."""
    if not names:
        return "_" if target else "None"
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def _join_codes(codes: Sequence[Code]) -> Code:
    if not codes:
        return NameCode("None")
    return codes[0] if len(codes) == 1 else TupleCode(tuple(codes))
