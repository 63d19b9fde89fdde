"""Trees as text, in lines that the formatter arranges.

In: a body, and names for its tensors. Out: its lines. Always: what is written parses to the same tree; a name is no keyword, and no text of
the model's origin becomes part of it but labels and names that were checked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from netc.dsl.precedence import NET
from netc.dsl.trees import rewrite_downward, walk_tree

from ...ops import Operator
from ...ops.constants import ParamOperator
from .array_storage import StoredNames
from .block_families import Family
from .iteration_bodies import fill_templates, has_templates
from .literal_columns import Parameter
from .numbering import has_first, label_ordinals, without_labels, without_numbers
from .operator_arguments import is_default
from .periods import folded
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
from .tensor_names import free, identifier
from .written_values import COUNTERS, Values

_PIPELINE = NET.loosest
LONGEST_STAGE = 80
"""The longest stage without parentheses, in columns. The rest of the 100 columns of a line is for the indentation and the label."""


class Printer(Values):
    """Writes one body. `names` are those of the tensors by their numbers, `inputs` what an input of the model is declared as, `parameters`
    the names of the block's parameters, `blocks` those of all blocks."""

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

    def lines(self, body: Body) -> list[str]:
        """The statements, one a line."""
        body = label_ordinals(body)
        self.read = [part.path for part in walk_tree(body) if isinstance(part, ParameterOfStage)]
        return self._lines(body.statements, body.results)

    def _lines(self, statements: Sequence[Any], results: Sequence[Any]) -> list[str]:
        lines = [self._statement(statement) for statement in statements]
        last = statements[-1] if statements else None
        named = isinstance(last, Assign) and len(results) == 1 and results == tuple(map(Ref, last.numbers))  # type: ignore[arg-type]
        return lines if named else [*lines, self._out(results)]

    def _out(self, results: Sequence[Any]) -> str:
        """The results, as the last statement of a body."""
        match results:
            case (InMode(training, evaluation),):
                return f"if training {{ {self._out(training)} }} else {{ {self._out(evaluation)} }}"
            case (result,):
                return self.expression(result)
        return f"out {', '.join(self.expression(result) for result in results)}"

    def _fresh(self, binders: Sequence[str]) -> tuple[str, ...]:
        """Names of a loop that no tensor, parameter or loop around it has."""
        taken = self._taken_names()
        found: list[str] = []
        for wanted in binders:
            found.append(free(wanted, {*taken, *found}))
        return tuple(found)

    def _fresh_counter(self) -> str:
        """The name of the number of an iteration. It must hide no tensor: `(w, i) = x.topk(2)` is read as `i` in the body of a loop."""
        taken = self._taken_names()
        return next((name for name in COUNTERS if name not in taken), None) or free("i", taken)

    def _taken_names(self) -> set[str]:
        return {*self.names, *self.parameters, *self.counters, *(name for around in self.binders for name in around)}

    def _shared_name(self, label: str) -> str:
        """The name of the shared stage with this label: not one with which the path of another stage begins."""
        if label not in self.shared:
            others = {path.partition(".")[0] for path in self.read if path.rpartition(".")[0] != label}
            taken = {*self.names, *self.parameters, *self.blocks, *self.shared.values(), *Operator.registry, *others}
            self.shared[label] = free(identifier(label.rpartition(".")[2], "stage"), taken)
        return self.shared[label]

    def _statement(self, statement: Any) -> str:
        match statement:
            case Assign(numbers, value):
                names = ["_" if number is None else self.names[number] for number in numbers]
                written = self.expression(value)
                return f"{names[0]} = {written}" if len(names) == 1 else f"({', '.join(names)}) = {written}"
            case Shared(name, stage):
                own = self._shared_name(name)
                written = self._row(stage.stages) if isinstance(stage, Group) else self._stage(stage)
                return f"shared {own} = {written}" + (f" as {name}" if own != name and name else "")
        raise TypeError(type(statement).__name__)

    # --- tensors ------------------------------------------------------------------------------------------------------

    def written(self, tree: Any) -> tuple[str, int]:
        match tree:
            case Ref(number):
                return self.names[number], NET.atom
            case Given():
                return "in", NET.atom
            case Declaration(number):
                return self.inputs[number], _PIPELINE
            case TupleOf(items):
                return f"({', '.join(self.expression(item) for item in items)})", NET.atom
            case Chain(head, stages):
                begin = [] if head is None else [self.expression(head, 1 + _PIPELINE if not isinstance(head, Declaration) else _PIPELINE)]
                # A line break asks the formatter for a line for each stage, which bodies in braces do not do by themselves.
                arrow = "\n-> " if len(stages) > 2 and any(isinstance(stage, Loop) for stage in stages) else " -> "
                return arrow.join([*begin, *map(self._stage, stages)]), _PIPELINE
            case Param(arguments, label):
                types = [str(value.value) for name, value in arguments if name == "dtype" and not is_default(value)]
                shape, *others = self.arguments([(n, v) for n, v in arguments if n != "dtype"], ParamOperator.name)
                return " ".join(["param", shape, *types, *others, "as", label]), _PIPELINE
            case Table():
                return self._table(tree), _PIPELINE
            case StoredTable():
                return self._stored_table(tree), _PIPELINE
            case ParameterOfStage(path):
                return path, NET.atom
            case IfGiven() | Picked():
                return self._several(tree), _PIPELINE
        return super().written(tree)

    def _several(self, tree: Any) -> str:
        """What is several statements."""
        match tree:
            case IfGiven(tensor, given, otherwise):
                return f"if given({self.expression(tensor, NET.atom)}) {{{self._steps(given)}}} else {{{self._steps(otherwise)}}}"
            case Picked(value, number, count):
                name = free("h", self._taken_names())
                names = [name if at == number else "_" for at in range(count)]
                return f"({', '.join(names)}) = {self.expression(value)}\n{name}"
        raise TypeError(type(tree).__name__)

    def _steps(self, steps: Steps) -> str:
        """What is in the braces of a branch."""
        lines = self._lines(steps.statements, (steps.result,))
        return "\n".join(["", *lines, ""]) if steps.statements else f" {lines[0]} "

    def _stored_table(self, table: StoredTable) -> str:
        place = [f"file={self.argument(table.file)}", f"name={self.argument(table.array)}"]
        words = ["table", self.argument(table.shape), table.dtype, *place, *(["as", table.label] if table.label else [])]
        return " ".join(filter(None, words))

    def _table(self, table: Table) -> str:
        words = ["table", f"({', '.join(table.indices)})", self.argument(table.shape), table.dtype, "=", self.expression(table.formula)]
        return " ".join([*filter(None, words), *(["as", table.label] if table.label else [])])

    # --- stages -------------------------------------------------------------------------------------------------------

    def _stage(self, stage: Any) -> str:
        match stage:
            case Group((Loop(label="") as loop,), label) if not loop.start:
                return self._loop(Loop(loop.over, loop.binders, loop.body, label))
            case Group(stages, ""):  # it has no parameters, and the body around it numbers its stages
                return f"({' -> '.join(map(self._stage, folded(without_labels(stages))))})"
            case Group(stages, label):
                return f"{self._row(stages)} as {label}"
            case Loop():
                return self._loop(stage)
            case Scanned():
                return self._scan(stage)
            case InTraining(value, negated):
                return f"if {'not ' if negated else ''}training {{ {self.expression(value).removeprefix('in -> ')} }}"
            case Choice(flag, stages, others):
                text = f"if {self.value(flag)} {{ {self._branch(stages)} }}"
                return f"{text} else {{ {self._branch(others)} }}" if others else text
        callee, suffix = stage.callee, ["as", stage.label] if stage.label is not None else []
        if isinstance(callee, (Literal, Parameter)):
            return " ".join([self.value(callee).removeprefix("(").removesuffix(")"), *suffix])
        name = callee.name if isinstance(callee, Family) else callee if isinstance(callee, str) else self._shared_name(callee.label)
        words = _with_arguments(name, self.arguments(stage.arguments, callee))
        words += [f"{name if isinstance(name, str) else name.name}={self.expression(tensor, NET.atom)}" for name, tensor in stage.tensors]
        if stage.activation is not None:
            words.append(self.value(stage.activation))
        return " ".join([*words, *suffix])

    def _row(self, stages: Sequence[Any]) -> str:
        """A sequence in parentheses. Its members have labels where their numbers are not their keys."""
        return f"({' -> '.join(map(self._stage, folded(without_numbers(stages))))})"

    def _branch(self, stages: Sequence[Any]) -> str:
        """What is in braces: stages, of which the last may be arithmetic with what those before it made."""
        if not isinstance(stages[-1], Inline):
            return " -> ".join(map(self._stage, stages))
        before = Chain(Given(), tuple(stages[:-1])) if len(stages) > 1 else Given()
        return self.expression(rewrite_downward(stages[-1].value, lambda part: before if isinstance(part, Given) else None), _PIPELINE)

    def _scan(self, scan: Scanned) -> str:
        states = ", ".join(f"{self.names[number]} = {self.expression(start)}" for number, start in scan.states)
        words = ["scan", *([f"({states})"] if states else []), f"axis={self.argument(scan.axes)}"]
        words += self.arguments([("reverse", scan.reverse)], scan)
        return " ".join([*words, "{", "\n".join(["", *self._lines(scan.statements, scan.results), ""]), "}"])

    def _loop(self, loop: Loop) -> str:
        over = self.value(loop.over)
        index = loop.start is not None or has_first(loop.body) or has_templates(loop.body)
        i = self._fresh_counter()
        self.counters.append(i)
        self.binders.append(self._fresh(loop.binders))
        self.starts.append(0 if loop.binders else loop.start or 0)
        body = fill_templates(loop.body, i)
        if isinstance(body, Steps):
            text = "\n".join(["", *self._lines(body.statements, (body.result,)), ""])
        elif isinstance(body, Growing):
            stage = body.stage
            one = Stage(stage.callee, stage.arguments, stage.tensors, stage.activation, "_") if isinstance(stage, Stage) else stage
            text = f"(kept...) = in; out kept, kept -> {self._stage(one)}"
        elif isinstance(body, Chain) and isinstance(body.head, Given):
            text = " -> ".join(map(self._stage, _iteration(body.stages)))
        else:
            text = self.expression(body)
        binders = self.binders.pop()
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
        if loop.start is not None:
            label = f"{label}{{{i} + {loop.start}}}" if loop.binders and loop.start else f"{label}{{{i}}}"
        head = f"repeat {names} in {over}" if names and (index or loop.binders) else f"repeat {over}"
        return f"{head} as {label or '_'} {{ {text} }}" if label is not None else f"{head} {{ {text} }}"


# In parentheses, a comma ends an argument, so that `(-1)` and `(2 * n)` need no parentheses of their own.
_FORMULA_IN_BRACKETS = re.compile(r"^(\w+=)?\(([^()]* (?:[-+*/%]|//|\*\*) [^()]*|-[\d.]+)\)$")


def _with_arguments(name: str, arguments: Sequence[str]) -> list[str]:
    """The stage with its arguments, as words. Long arguments are written in parentheses, as in a call, because a line can be broken only
    inside brackets. `tie=` stays outside, because its path is only read there."""
    if len(arguments) <= 2 or len(name) + sum(len(text) + 1 for text in arguments) <= LONGEST_STAGE:
        return [name, *arguments]
    after = [text for text in arguments if text.startswith("tie=")]
    inside = [_FORMULA_IN_BRACKETS.sub(r"\1\2", text) for text in arguments if text not in after]
    return [f"{name}({', '.join(inside)})", *after]


def _iteration(stages: Sequence[Any]) -> Sequence[Any]:
    """The stages of an iteration, which is the sequence if there is one: its only member needs a label to have a level of its own."""
    match stages:
        case (Group((Stage(label=str(), activation=None),) as only),):
            return only
        case (Group(members),):
            return folded(without_numbers(members))
    return folded(without_numbers(stages))
