"""Writes the loop over positions that a `scan` becomes.

In: the writer of a method, and the step of a scan. Out: statements such as `for x_t in x.unbind(1): h = torch.tanh(x_t + h)`, or a function
of one position and the call of the framework's scan, and after them the stacked results.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..code.class_tree import NameCode
from ..code.classes import ScanCode
from ..code.python_expressions import Code, TupleCode
from ..printing.line_layout import STEP, Doc, LayoutBracket, layout_statement
from ..printing.python_printer import make_doc, print_code
from .forward_steps import list_references
from .statement_writer import StatementWriter


def write_scan(writer: StatementWriter, index: int, code: ScanCode) -> None:
    """Write `for x_t in x...:` with the steps inside, and after it the results of the steps, stacked."""
    step, count = writer.steps[index], len(code.states)
    remaining = writer.variables.remaining_uses
    # The loop's writer shares the counts of uses with this one: they are put back below, as they were without the loop's own uses.
    before = {t: remaining[t] - n for t, n in writer.uses.counts[index].items() if t in remaining}
    scanned = [
        print_code(writer.body.framework.unstack(c, a)) for c, a in zip(map(writer.resolve_code, code.scanned), code.axes, strict=True)
    ]
    starts = [print_code(writer.resolve_code(c)) for c in code.starts]
    _release_tensors(writer, code.starts)
    inside = writer.make_loop_writer(code)
    states = [writer.variables.bind_named(writer.names[t], t, inside.uses.total[t] + 1) for t in code.states]
    _release_tensors(writer, code.scanned)  # not before: the states are set ahead of the line that reads these
    moved = [(a, b) for a, b in zip(states, starts, strict=True) if a != b]
    if moved and not code.is_function:
        writer.add_lines(layout_statement(f"{', '.join(a for a, _ in moved)} = ", Doc(", ".join(b for _, b in moved)), writer.depth))
    lists = {o: writer.make_temporary("outputs") for o in step.outputs[count:] if writer.uses.total[o]}
    for name in lists.values() if not code.is_function else ():
        writer.add_lines([f"{STEP * writer.depth}{name} = []"])
    # The slice of `x` in an iteration is `x_t`, unless the spec has a name of its own for it.
    scanned_names = {writer.variables.name_of[t] for c in code.scanned for t in list_references(c)}
    wanted = [writer.names[t] + ("_t" if writer.variables.make_variable_name(writer.names[t]) in scanned_names else "") for t in code.parts]
    parts = [writer.variables.bind_named(name, t, inside.uses.total[t]) for name, t in zip(wanted, code.parts, strict=True)]
    for tensor in code.states:
        writer.variables.take_uses(tensor)  # their names are taken, even if nothing in the loop uses them
    collected_names = [lists.get(o, "") for o in step.outputs[count:]]
    if code.is_function:
        writer.add_lines(_write_scan_function(writer, inside, states, parts, starts, scanned, collected_names, code.reverse))
    else:
        rows = [f"reversed({s})" for s in scanned] if code.reverse else scanned
        over = Doc(rows[0], ":") if len(rows) == 1 else Doc("zip", LayoutBracket("(", [Doc(r) for r in rows], ")"), ":")
        head = layout_statement(f"for {', '.join(parts)} in ", over, writer.depth)
        writer.add_lines([*head, *_write_loop_lines(inside, states, collected_names)])
    remaining.update(before)
    remaining.update(dict.fromkeys(code.inner_tensors, 0))
    for name, output in zip(states, step.outputs[:count], strict=True):
        writer.variables.bind_name(name, output, writer.uses.total[output])
    for output, axis in zip(step.outputs[count:], code.stacked, strict=True):
        if output in lists:
            _write_stack(writer, code, lists[output], axis, writer.choose_target(output, index))


def _write_stack(writer: StatementWriter, code: ScanCode, name: str, axis: int, target: str) -> None:
    """Write the statement that stacks the results of all iterations, which a list has."""
    collected = NameCode(f"{name}[::-1]" if code.reverse and not code.is_function else name)
    stack = writer.body.framework.place_first if code.is_function else writer.body.framework.stack
    writer.add_lines(layout_statement(f"{target} = ", make_doc(stack(collected, axis)), writer.depth))
    writer.stack_lines = writer.groups[-1]


def _write_loop_lines(writer: StatementWriter, states: Sequence[str], lists: Sequence[str]) -> list[str]:
    """Return the lines in a loop. At its end, results of an iteration are appended to the `lists`, and the `states` get their new
    values."""
    items = writer.write_inner_steps()
    for name, code in zip(lists, items[len(states) :], strict=True):
        if name:
            writer.add_lines(layout_statement(f"{name}.append", Doc(LayoutBracket("(", [make_doc(code)], ")")), writer.depth))
    # One assignment for all states: each is computed from the old values of the others.
    set_ = [(n, c) for n, c in zip(states, items, strict=False) if c != NameCode(n)]
    if set_:
        values = make_doc(set_[0][1])
        for _, code in set_[1:]:
            values = values + Doc(", ") + make_doc(code)
        writer.add_lines(layout_statement(f"{', '.join(n for n, _ in set_)} = ", values, writer.depth))
    return writer.join_groups(writer.group_lines())


def _write_scan_function(
    writer: StatementWriter,
    inside: StatementWriter,
    states: Sequence[str],
    parts: Sequence[str],
    starts: Sequence[str],
    scanned: Sequence[str],
    lists: Sequence[str],
    reverse: bool,
) -> list[str]:
    """Write a function of the states and a slice, and the call of the framework's scan: `h, outputs = scan(step, h, x)`."""
    name = writer.make_temporary("step")
    carried = states[0] if len(states) == 1 else writer.make_temporary("carry")
    sliced = parts[0] if len(parts) == 1 else writer.make_temporary("slices")
    tensor = writer.body.framework.tensor
    kinds = [tensor if len(names) == 1 else f"tuple[{tensor}, ...]" if names else "None" for names in (states, parts)]
    outputs = [name for name in lists if name]
    result = tensor if len(outputs) == 1 else f"tuple[{tensor}, ...]" if outputs else "None"
    arguments = [Doc(f"{carried}: {kinds[0]}"), Doc(f"{sliced}: {kinds[1]}")]
    signature = Doc(LayoutBracket("(", arguments, ")"), f" -> tuple[{kinds[0]}, {result}]:")
    lines = [*([""] if writer.groups else []), *layout_statement(f"def {name}", signature, writer.depth)]
    for variable, names in ((carried, states), (sliced, parts)):
        lines += [f"{STEP * (writer.depth + 1)}{', '.join(names)} = {variable}"] if len(names) > 1 else []
    lines += _write_function_lines(inside, len(states), [bool(name) for name in lists])
    given = [name, _join_names(starts), _join_names(scanned), *(["reverse=True"] if reverse else [])]
    call = Doc(writer.body.framework.scan, LayoutBracket("(", [Doc(argument) for argument in given], ")"))
    targets = f"{_join_names(states, target=True)}, {_join_names(outputs, target=True)}"
    return [*lines, "", *layout_statement(f"{targets} = ", call, writer.depth)]


def _write_function_lines(writer: StatementWriter, states: int, kept: Sequence[bool]) -> list[str]:
    """Return the lines of a function of a scan, which returns the new states and the results of the step that are `kept`."""
    items = writer.write_inner_steps()
    outputs = [code for code, is_kept in zip(items[states:], kept, strict=True) if is_kept]
    pair = make_doc(_join_codes(items[:states])) + Doc(", ") + make_doc(_join_codes(outputs))
    writer.add_lines(layout_statement("return ", pair, writer.depth))
    return writer.join_groups(writer.group_lines())


def _release_tensors(writer: StatementWriter, parts: Iterable[Code]) -> None:
    """Count down the uses of tensors that a loop takes, each of which counts twice."""
    for part in parts:
        for tensor in list_references(part):
            writer.variables.take_uses(tensor)


def _join_names(names: Sequence[str], target: bool = False) -> str:
    """Write one name, or several as a tuple."""
    if not names:
        return "_" if target else "None"
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def _join_codes(codes: Sequence[Code]) -> Code:
    if not codes:
        return NameCode("None")
    return codes[0] if len(codes) == 1 else TupleCode(tuple(codes))
