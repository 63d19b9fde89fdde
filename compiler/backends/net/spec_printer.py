"""Prints trees as text, in lines that the formatter arranges.

In: a body, and names for its tensors. Out: its lines. Always: the text parses to the same tree. A name is no keyword. Nothing of the
model's origin becomes text, except labels and names that were checked.

    >>> from .spec_tree import Binary, Ref
    >>> stage = Stage("dense", (("units", Literal(8, "units")),))
    >>> SpecPrinter(["x", "y"]).print_tree(Chain(Binary("+", Ref(0), Ref(1)), (stage,)))[0]
    'x + y -> dense 8'
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from netc.dsl.precedence import NET
from netc.dsl.trees import rewrite_downward, walk_tree

from ...ops import Operator
from ...ops.constants import ParamOperator
from ...ops.kinds import NOT_FINITE
from .array_storage import StoredNames
from .block_families import BlockFamily
from .iteration_bodies import drop_counted_list, fill_templates, has_templates
from .literal_columns import BlockParameter
from .numbering import has_first, strip_labels, strip_numbers
from .operator_arguments import is_default
from .periods import fold_periods
from .spec_tree import (
    Assign,
    Body,
    Chain,
    Choice,
    Declaration,
    Given,
    Group,
    Growing,
    IfGiven,
    Inline,
    InMode,
    InTraining,
    Literal,
    Loop,
    Param,
    ParameterOfStage,
    Picked,
    Ref,
    Scanned,
    Shared,
    Stage,
    Steps,
    StoredTable,
    Table,
    TupleOf,
)
from .tensor_names import make_free_name, to_identifier
from .written_values import COUNTERS, ValuePrinter

_PIPELINE = NET.loosest
LONGEST_STAGE = 80
"""The longest stage without parentheses, in columns. The rest of the 100 columns of a line is for the indentation and the label."""


class SpecPrinter(ValuePrinter):
    """Writes one body. `names` are the tensors' names by their numbers, `inputs` the declarations of the model's inputs, `parameters` the
    names of the block's parameters, `blocks` the names of all blocks."""

    def __init__(
        self,
        names: Sequence[str],
        parameters: Sequence[str] = (),
        inputs: Sequence[str] = (),
        stored: StoredNames | None = None,
        blocks: Sequence[str] = (),
    ) -> None:
        super().__init__(names, parameters, stored or StoredNames())
        self.inputs = inputs
        self.blocks = blocks
        self.shared: dict[str, str] = {}
        self.read: list[str] = []
        """The paths of the parameters of stages that the body reads."""

    def print_body(self, body: Body) -> list[str]:
        """Print the statements, one on each line."""
        self.read = [part.path for part in walk_tree(body) if isinstance(part, ParameterOfStage)]
        return self._print_lines(body.statements, body.results)

    def _print_lines(self, statements: Sequence[Any], results: Sequence[Any]) -> list[str]:
        lines = [self._print_statement(statement) for statement in statements]
        last = statements[-1] if statements else None
        named = isinstance(last, Assign) and len(results) == 1 and results == tuple(map(Ref, last.numbers))  # type: ignore[arg-type]
        # A result that the last statement names is returned by the statement itself.
        return lines if named else [*lines, self._print_results(results)]

    def _print_results(self, results: Sequence[Any]) -> str:
        """Print the results as the last statement of a body."""
        match results:
            case (InMode(training, evaluation),):
                return f"if training {{ {self._print_results(training)} }} else {{ {self._print_results(evaluation)} }}"
            case (result,):
                return self.print_expression(result)
        return f"out {', '.join(self.print_expression(result) for result in results)}"

    def _make_binders(self, binders: Sequence[str]) -> tuple[str, ...]:
        """Make names of a loop that no tensor, parameter or loop around it has."""
        used_names = self._list_used_names()
        chosen: list[str] = []
        for wanted in binders:
            chosen.append(make_free_name(wanted, {*used_names, *chosen}))
        return tuple(chosen)

    def _make_counter(self) -> str:
        """Make a name for the number of an iteration. It must hide no tensor: `(w, i) = x.topk(2)` is read as `i` in the body of a
        loop."""
        used_names = self._list_used_names()
        return next((name for name in COUNTERS if name not in used_names), None) or make_free_name("i", used_names)

    def _list_used_names(self) -> set[str]:
        return {*self.names, *self.parameters, *self.counters, *(name for around in self.binders for name in around)}

    def _name_shared(self, label: str) -> str:
        """Name the shared stage with this label. The path of another stage must not begin with the name."""
        if label not in self.shared:
            others = {path.partition(".")[0] for path in self.read if path.rpartition(".")[0] != label}
            used_names = {*self.names, *self.parameters, *self.blocks, *self.shared.values(), *Operator.registry, *NOT_FINITE, *others}
            self.shared[label] = make_free_name(to_identifier(label.rpartition(".")[2], "stage"), used_names)
        return self.shared[label]

    def _print_statement(self, statement: Any) -> str:
        match statement:
            case Assign(numbers, value):
                names = ["_" if number is None else self.names[number] for number in numbers]
                written = self.print_expression(value)
                return f"{names[0]} = {written}" if len(names) == 1 else f"({', '.join(names)}) = {written}"
            case Shared(name, stage):
                shared_name = self._name_shared(name)
                written = self._print_row(stage.stages) if isinstance(stage, Group) else self._print_stage(stage)
                return f"shared {shared_name} = {written}" + (f" as {name}" if shared_name != name and name else "")
        raise TypeError(type(statement).__name__)

    # --- tensors ------------------------------------------------------------------------------------------------------

    def print_tree(self, tree: Any) -> tuple[str, int]:
        match tree:
            case Ref(number):
                return self.names[number], NET.atom
            case Given():
                return "in", NET.atom
            case Declaration(number):
                return self.inputs[number], _PIPELINE
            case TupleOf(items):
                return f"({', '.join(self.print_expression(item) for item in items)})", NET.atom
            case Chain(head, stages):
                begin = (
                    [] if head is None else [self.print_expression(head, 1 + _PIPELINE if not isinstance(head, Declaration) else _PIPELINE)]
                )
                # A line break asks the formatter for a line for each stage, which bodies in braces do not do by themselves.
                arrow = "\n-> " if len(stages) > 2 and any(isinstance(stage, Loop) for stage in stages) else " -> "
                return arrow.join([*begin, *map(self._print_stage, stages)]), _PIPELINE
            case Param(arguments, label):
                types = [str(value.value) for name, value in arguments if name == "dtype" and not is_default(value)]
                shape, *others = self.print_arguments([(n, v) for n, v in arguments if n != "dtype"], ParamOperator.name)
                return " ".join(["param", shape, *types, *others, "as", label]), _PIPELINE
            case Table():
                return self._print_table(tree), _PIPELINE
            case StoredTable():
                return self._print_stored_table(tree), _PIPELINE
            case ParameterOfStage(path):
                return path, NET.atom
            case IfGiven() | Picked():
                return self._print_several(tree), _PIPELINE
        return super().print_tree(tree)

    def _print_several(self, tree: Any) -> str:
        """Print a tree that needs several statements."""
        match tree:
            case IfGiven(tensor, if_given, otherwise):
                condition = f"if given({self.print_expression(tensor, NET.atom)})"
                return f"{condition} {{{self._print_steps(if_given)}}} else {{{self._print_steps(otherwise)}}}"
            case Picked(value, number, count):
                name = make_free_name("h", self._list_used_names())
                names = [name if index == number else "_" for index in range(count)]
                return f"({', '.join(names)}) = {self.print_expression(value)}\n{name}"
        raise TypeError(type(tree).__name__)

    def _print_steps(self, steps: Steps) -> str:
        """Print the statements in the braces of a branch."""
        lines = self._print_lines(steps.statements, (steps.result,))
        return "\n".join(["", *lines, ""]) if steps.statements else f" {lines[0]} "

    def _print_stored_table(self, table: StoredTable) -> str:
        place = [f"file={self.print_argument(table.file)}", f"name={self.print_argument(table.array)}"]
        words = ["table", self.print_argument(table.shape), table.dtype, *place, *(["as", table.label] if table.label else [])]
        return " ".join(filter(None, words))

    def _print_table(self, table: Table) -> str:
        words = [
            "table",
            f"({', '.join(table.indices)})",
            self.print_argument(table.shape),
            table.dtype,
            "=",
            self.print_expression(table.formula),
        ]
        return " ".join([*filter(None, words), *(["as", table.label] if table.label else [])])

    # --- stages -------------------------------------------------------------------------------------------------------

    def _print_stage(self, stage: Any) -> str:
        match stage:
            case Group((Loop(label="") as loop,), label) if not loop.start:
                return self._print_loop(Loop(loop.over, loop.binders, loop.body, label))
            case Group(stages, ""):  # without parameters; the body around it numbers its stages
                return f"({' -> '.join(map(self._print_stage, fold_periods(strip_labels(stages))))})"
            case Group(stages, label):
                return f"{self._print_row(stages)} as {label}"
            case Loop():
                return self._print_loop(stage)
            case Scanned():
                return self._print_scan(stage)
            case InTraining(value, negated):
                return f"if {'not ' if negated else ''}training {{ {self.print_expression(value).removeprefix('in -> ')} }}"
            case Choice(flag, stages, others):
                text = f"if {self.print_value(flag)} {{ {self._print_branch(stages)} }}"
                return f"{text} else {{ {self._print_branch(others)} }}" if others else text
        callee, suffix = stage.callee, ["as", stage.label] if stage.label is not None else []
        if isinstance(callee, (Literal, BlockParameter)):
            return " ".join([self.print_value(callee).removeprefix("(").removesuffix(")"), *suffix])
        name = callee.name if isinstance(callee, BlockFamily) else callee if isinstance(callee, str) else self._name_shared(callee.label)
        tensors = [
            f"{name if isinstance(name, str) else name.name}={self.print_expression(tensor, NET.atom)}" for name, tensor in stage.tensors
        ]
        words = _add_arguments(name, self.print_arguments(stage.arguments, callee), tensors)
        if stage.activation is not None:
            words.append(self.print_value(stage.activation))
        return " ".join([*words, *suffix])

    def _print_row(self, stages: Sequence[Any]) -> str:
        """Print a sequence in parentheses. Its members have labels where their numbers are not their keys."""
        return f"({' -> '.join(map(self._print_stage, fold_periods(strip_numbers(stages))))})"

    def _print_branch(self, stages: Sequence[Any]) -> str:
        """Print the stages of a branch. The last one may be arithmetic with the result of the stages before it."""
        if not isinstance(stages[-1], Inline):
            return " -> ".join(map(self._print_stage, stages))
        before = Chain(Given(), tuple(stages[:-1])) if len(stages) > 1 else Given()
        return self.print_expression(
            rewrite_downward(stages[-1].value, lambda part: before if isinstance(part, Given) else None), _PIPELINE
        )

    def _print_scan(self, scan: Scanned) -> str:
        states = ", ".join(f"{self.names[number]} = {self.print_expression(start)}" for number, start in scan.states)
        words = ["scan", *([f"({states})"] if states else []), f"axis={self.print_argument(scan.axes)}"]
        words += self.print_arguments([("reverse", scan.reverse)], scan)
        return " ".join([*words, "{", "\n".join(["", *self._print_lines(scan.statements, scan.results), ""]), "}"])

    def _print_loop(self, loop: Loop) -> str:
        # The number of the iteration is needed only for labels and for conditions on the first one.
        is_template = has_templates(loop.body)
        index = loop.start is not None or has_first(loop.body) or is_template
        loop, counted = drop_counted_list(loop)
        index = index or counted is not None
        over = self.print_value(loop.over)
        i = self._make_counter()
        self.counters.append(i)
        binders = self._make_binders(loop.binders)
        self.binders.append(binders if counted is None else (*binders[:counted], i, *binders[counted:]))
        self.starts.append(0 if loop.binders else loop.start or 0)
        number = f"{i} + {loop.start}" if loop.binders and loop.start else i
        body = fill_templates(loop.body, number)
        if isinstance(body, Steps):
            text = "\n".join(["", *self._print_lines(body.statements, (body.result,)), ""])
        elif isinstance(body, Growing):
            stage = body.stage
            unlabeled = Stage(stage.callee, stage.arguments, stage.tensors, stage.activation, "_") if isinstance(stage, Stage) else stage
            text = f"(kept...) = in; out kept, kept -> {self._print_stage(unlabeled)}"
        elif isinstance(body, Chain) and isinstance(body.head, Given):
            text = " -> ".join(map(self._print_stage, _list_iteration_stages(body.stages)))
        else:
            text = self.print_expression(body)
        self.binders.pop()
        self.starts.pop()
        self.counters.pop()
        names = binders[0] if len(binders) == 1 else f"({', '.join(binders)})"
        label = loop.label
        if index and loop.binders:
            names, over = f"({i}, {names})", f"enumerate({over})"
        elif index:
            first = loop.start or 0
            end = str(first + int(over)) if over.isdecimal() else f"{over} + {first}" if first else over
            names, over = i, f"{first}..{end}"
        if loop.start is not None and not is_template:
            label = f"{label}{{{number}}}"
        head = f"repeat {names} in {over}" if names and (index or loop.binders) else f"repeat {over}"
        return f"{head} as {label or '_'} {{ {text} }}" if label is not None else f"{head} {{ {text} }}"


# In parentheses, a comma ends an argument, so that `(-1)` and `(2 * n)` need no parentheses of their own.
_FORMULA_IN_BRACKETS = re.compile(r"^(\w+=)?\(([^()]* (?:[-+*/%]|//|\*\*) [^()]*|-[\d.]+)\)$")


def _add_arguments(name: str, arguments: Sequence[str], tensors: Sequence[str] = ()) -> list[str]:
    """Join a stage with its arguments and its tensors by name, as words. Many long ones are written in parentheses, as in a call, because a
    line can be broken only inside brackets. `tie=` stays outside, because its path is read only there."""
    words = [*arguments, *tensors]
    # One or two long arguments are lists, which can be broken themselves, but names of tensors cannot.
    if (len(words) <= 2 and not tensors) or len(name) + sum(len(text) + 1 for text in words) <= LONGEST_STAGE:
        return [name, *words]
    after = [text for text in arguments if text.startswith("tie=")]
    inside = [_FORMULA_IN_BRACKETS.sub(r"\1\2", text) for text in words if text not in after]
    return [f"{name}({', '.join(inside)})", *after]


def _list_iteration_stages(stages: Sequence[Any]) -> Sequence[Any]:
    """Return the stages of an iteration. If it is a single sequence, a label keeps the level of the sequence's only member."""
    match stages:
        case (Group((Stage(label=str(), activation=None),) as only),):
            return only
        case (Group(members),):
            return fold_periods(strip_numbers(members))
    return fold_periods(strip_numbers(stages))
