"""Writes the loop over layers that a `repeat` becomes.

In: the writer of a method, and the step of a loop. Out: statements such as `for layer in self.layers: x = layer(x, mask)`, after the first
values of the variables, and with lists for results that later statements take.
"""

from __future__ import annotations

from netc.dsl.record import replace
from netc.dsl.trees import rewrite_downward

from ..code.class_tree import ElementCode, NameCode, ValueRef
from ..code.classes import Loop, Step
from ..code.python_expressions import CallCode, Code
from ..printing.line_layout import STEP, layout_statement
from ..printing.python_printer import make_doc, print_code
from .statement_writer import StatementWriter, put_keywords_last


def write_loop(writer: StatementWriter, step: Step, loop: Loop) -> None:
    """Write `for layer in self.layers: x = layer(x, mask)`, after its variables have their first values."""
    assert isinstance(step.code, CallCode)
    count = len(loop.states)
    for tensor in loop.states:
        # A loop counts each use of a tensor twice (`_count_references`), so it releases two.
        writer.variables.take_uses(tensor, 2)
    before = [writer.variables.name_of[t] for t in loop.states]
    after = [_choose_loop_variable(writer, t, o) for t, o in zip(loop.states, step.outputs, strict=False)]
    moved = [(a, b) for a, b in zip(after, before, strict=True) if a != b]
    if moved:
        writer.add_lines([STEP * writer.depth + ", ".join(a for a, _ in moved) + " = " + ", ".join(b for _, b in moved)])
    lists = [_write_list(writer, o) for o in step.outputs[count:]]
    variables = [writer.make_temporary(loop.variable)]
    over = [writer.resolve_code(loop.members)]
    rest: list[Code] = []
    for part in step.code.args[count:]:
        if isinstance(part, ElementCode):
            variables.append(writer.make_temporary(part.variable))
            over.append(writer.resolve_code(part.iterable))
            part = NameCode(variables[-1])
        rest.append(writer.resolve_code(part))
        writer.variables.take_uses(part.index) if isinstance(part, ValueRef) else None
    call = rewrite_downward(CallCode(NameCode(variables[0]), (*(NameCode(a) for a in after), *rest)), put_keywords_last)
    targets, appends = _write_results(writer, loop, after, lists)
    members = print_code(over[0] if len(over) == 1 else CallCode("zip", tuple(over)))
    turn = layout_statement(f"{', '.join(targets)} = ", make_doc(call), writer.depth + 1)
    writer.add_lines([f"{STEP * writer.depth}for {', '.join(variables)} in {members}:", *turn, *appends])
    for output in step.outputs:
        writer.variables.remaining_uses[output] = writer.uses.total[output]


def _choose_loop_variable(writer: StatementWriter, state: int, output: int) -> str:
    """Choose the variable that a loop updates. It is reserved, even if nothing uses it after the loop."""
    uses = writer.uses.total[output] + 1
    before, role = writer.variables.name_of[state], writer.get_role(output) or writer.get_role(state)
    if writer.variables.is_free(before) and (uses == 1 if writer.names[output] else before == writer.variables.make_variable_name(role)):
        return writer.variables.bind_name(before, output, uses)
    if writer.names[output]:
        return writer.variables.bind_named(writer.names[output], output, uses)
    return writer.variables.bind_unnamed(output, uses, replace(writer.make_hint(output, state), role=role))


def _write_list(writer: StatementWriter, output: int) -> str:
    """Make the variable of a list that a loop appends to, empty at first. Return an empty name if nothing takes the list."""
    uses = writer.uses.total[output]
    if not uses:
        return ""
    writer.list_outputs.add(output)
    name = writer.variables.bind_named(writer.names[output] or "results", output, uses + 1)
    writer.add_lines([f"{STEP * writer.depth}{name} = []"])
    return name


def _write_results(writer: StatementWriter, loop: Loop, after: list[str], lists: list[str]) -> tuple[list[str], list[str]]:
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
        target = states[0] if states else writer.make_temporary(wanted) if filled_lists else "_"
        targets.append(target)
        appends += [f"{STEP * (writer.depth + 1)}{name}.append({target})" for name in filled_lists]
    return targets, appends
