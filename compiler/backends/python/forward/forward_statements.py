"""Writes the statements of the method that computes: targets, `return`s, and groups of lines as branches and loops.

In: the lines of the statements, in order. Out: lines. Always: their order stays.

    >>> group_targets(["x", "keys", "values"], (1, 2)), group_targets(["x"], (1, 1))
    (['x', '(keys, values)'], ['x', '_'])
"""

from __future__ import annotations

from itertools import groupby

from ..code.class_tree import IfElse, NameCode, OptionalCall
from ..code.python_expressions import CallCode, Code, TupleCode
from ..printing.line_layout import STEP, WIDTH, layout_statement
from ..printing.python_printer import make_doc, print_code

DEPTH = 2
"""The indentation of a method's statements."""
ROLLED = 3
"""The least number of equal statements in a row that become a loop."""


def group_targets(targets: list[str], groups: tuple[int, ...]) -> list[str]:
    """Group the targets, in parentheses where results are nested, with `_` for results that nothing takes."""
    padded = iter([*targets, *["_"] * (sum(groups) - len(targets))])
    parts = [[next(padded) for _ in range(size)] for size in groups]
    return [part[0] if len(part) == 1 else "_" if set(part) == {"_"} else f"({', '.join(part)})" for part in parts]


def write_assignment(targets: list[str], code: Code, depth: int) -> list[str]:
    """Write `targets = code`. If one branch leaves the variable as it is, an `if` sets it."""
    head = f"{', '.join(targets)} = "
    match code:
        case IfElse(test, then, NameCode(name)) if [name] == targets:
            return [f"{STEP * depth}if {print_code(test)}:", *layout_statement(head, make_doc(then), depth + 1)]
        case OptionalCall(module, NameCode(name) as value) if [name] == targets:
            then = CallCode(module, (value,))
            return [f"{STEP * depth}if {print_code(module)} is not None:", *layout_statement(head, make_doc(then), depth + 1)]
    return layout_statement(head, make_doc(code), depth)


def write_return(code: Code) -> list[str]:
    """Write the `return`, without parentheses around a tuple that fits on the line."""
    if isinstance(code, TupleCode) and len(code.items) > 1:
        line = f"{STEP * DEPTH}return {', '.join(print_code(i) for i in code.items)}"
        if len(line) <= WIDTH:
            return [line]
    return layout_statement("return ", make_doc(code), DEPTH)


def group_by_mode(groups: list[list[str]], modes: list[bool | None], test: str, depth: int) -> list[list[str]]:
    """Put statements of one mode into an `if`. `test`: the condition that is true in training."""
    runs = [
        (mode, [group for _, group in pairs if group]) for mode, pairs in groupby(zip(modes, groups, strict=True), key=lambda pair: pair[0])
    ]
    arranged: list[list[str]] = []
    while runs:
        mode, first = runs.pop(0)
        if mode is None:
            arranged += first
            continue
        # A run for training followed by one for evaluation is one `if` with an `else`.
        second = runs.pop(0)[1] if runs and runs[0][0] is not None else []
        training, evaluation = (first, second) if mode else (second, first)
        lines = [f"{STEP * depth}if {test}:", *_indent_groups(training)] if training else []
        if evaluation:
            lines += [STEP * depth + ("else:" if training else f"if {_negate(test)}:"), *_indent_groups(evaluation)]
        arranged.append(lines)
    return arranged


def _negate(test: str) -> str:
    return test.removeprefix("not ") if test.startswith("not ") else f"not {test}"


def _indent_groups(groups: list[list[str]]) -> list[str]:
    return [STEP + line for group in groups for line in group]


def roll_equal_statements(groups: list[list[str]], depth: int) -> list[list[str]]:
    """Write equal statements in a row as a loop."""
    result: list[list[str]] = []
    for group, several in groupby(groups):
        count = len(list(several))
        result += [[f"{STEP * depth}for _ in range({count}):", *_indent_groups([group])]] if count >= ROLLED else [group] * count
    return result
