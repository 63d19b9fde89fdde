"""Trees as text, in lines that the formatter arranges.

In: a body, and names for its tensors. Out: its lines. Always: what is written parses to the same tree; a name is no keyword, and no text of
the model's origin becomes part of it but labels and names that were checked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import inf, isinf, isnan
from typing import Any

from netc.dsl.grammar import tables

from ...dims import SymDim, show
from ...ir.types import DType
from ...ops import Operator
from ...ops.base import Init
from ...ops.constants import ParamOperator
from ...ops.initialisers import INITIALISERS
from .arguments import is_default
from .columns import Parameter, SizeOfInput
from .families import Family
from .formulas import IndexName, Term
from .names import free, identifier
from .tree import (
    Activation,
    Assign,
    Binary,
    Body,
    Chain,
    Declaration,
    Given,
    Group,
    Growing,
    IfFirst,
    InTraining,
    Item,
    ListOf,
    Literal,
    Loop,
    Param,
    ParameterOfStage,
    Prefix,
    Ref,
    Shared,
    Stage,
    Table,
    Tree,
    TupleOf,
)
from .variants import Choice

_STRENGTH = {
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), 1),
    **dict.fromkeys(("+", "-"), 2),
    **dict.fromkeys(("*", "/", "//", "%", "@"), 3),
    "**": 5,
}
_PIPELINE, _SIGN, _ATOM = 0, 4, 6
_ONE_WORD = re.compile(r"\w[\w.]*(\[[^\]]*\])?|\d[\w.]*e-?\d+")
_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
COUNTERS = "ijklmn"
"""The names of the numbers of iterations, from the outermost loop."""


class Printer:
    """Writes one body. `names` are those of the tensors by their numbers, `inputs` what an input of the model is declared as, `parameters`
    the names of the block's parameters."""

    def __init__(self, names: Sequence[str], parameters: Sequence[str] = (), inputs: Sequence[str] = ()) -> None:
        self.names, self.parameters, self.inputs = names, parameters, inputs
        self.binders: list[tuple[str, ...]] = []
        self.starts: list[int] = []
        self.shared: dict[str, str] = {}

    def lines(self, body: Body) -> list[str]:
        """The statements, one a line."""
        lines = [self._statement(statement) for statement in body.statements]
        results = [self._expression(result, _PIPELINE) for result in body.results]
        if len(results) > 1:
            return [*lines, f"out {', '.join(results)}"]
        last = body.statements[-1] if body.statements else None
        named = isinstance(last, Assign) and body.results == tuple(map(Ref, last.numbers))  # type: ignore[arg-type]
        return lines if named else [*lines, *results]

    def _fresh(self, binders: Sequence[str]) -> tuple[str, ...]:
        """Names of a loop that no tensor, parameter or loop around it has."""
        taken = {*self.names, *self.parameters, *(name for around in self.binders for name in around)}
        found: list[str] = []
        for wanted in binders:
            found.append(free(wanted, {*taken, *found}))
        return tuple(found)

    def _shared_name(self, label: str) -> str:
        """The name of the shared stage with this label."""
        if label not in self.shared:
            taken = {*self.names, *self.parameters, *self.shared.values(), *Operator.registry}
            self.shared[label] = free(identifier(label.rpartition(".")[2], "stage"), taken)
        return self.shared[label]

    def _statement(self, statement: Any) -> str:
        match statement:
            case Assign(numbers, value):
                names = [f"_{at}" if number is None else self.names[number] for at, number in enumerate(numbers)]
                written = self._expression(value, _PIPELINE)
                return f"{names[0]} = {written}" if len(names) == 1 else f"({', '.join(names)}) = {written}"
            case Shared(name, stage):
                return f"shared {self._shared_name(name)} = {self._stage(stage)}"
        raise TypeError(type(statement).__name__)

    # --- tensors ------------------------------------------------------------------------------------------------------

    def _expression(self, tree: Any, least: int) -> str:
        """The text, in brackets if it is weaker than `least`."""
        text, strength = self._written(tree)
        return text if strength >= least else f"({text})"

    def _written(self, tree: Any) -> tuple[str, int]:
        match tree:
            case Ref(number):
                return self.names[number], _ATOM
            case Given():
                return "in", _ATOM
            case Literal() | Parameter() | SizeOfInput() | Item() | IfFirst():
                text = self._value(tree)
                return text, _SIGN if text.startswith("-") else _ATOM
            case Declaration(number):
                return self.inputs[number], _PIPELINE
            case TupleOf(items):
                return f"({', '.join(self._expression(item, _PIPELINE) for item in items)})", _ATOM
            case Binary(symbol, left, right):
                strength = _STRENGTH[symbol]
                higher = strength in (1, 5)
                first = self._expression(left, strength + higher)
                return f"{first} {symbol} {self._expression(right, strength + (symbol != '**'))}", strength
            case Prefix(symbol, operand):
                return f"{symbol}{self._expression(operand, _SIGN + 1)}", _SIGN
            case Chain(head, stages):
                begin = [] if head is None else [self._expression(head, 1 + _PIPELINE if not isinstance(head, Declaration) else _PIPELINE)]
                # A line break asks the formatter for a line for each stage, which bodies in braces do not do by themselves.
                arrow = "\n-> " if len(stages) > 2 and any(isinstance(stage, Loop) for stage in stages) else " -> "
                return arrow.join([*begin, *map(self._stage, stages)]), _PIPELINE
            case Param(arguments, label):
                types = [str(value.value) for name, value in arguments if name == "dtype" and not is_default(value)]
                shape, *others = self._arguments([(n, v) for n, v in arguments if n != "dtype"], ParamOperator.name)
                return " ".join(["param", shape, *types, *others, "as", label]), _PIPELINE
            case Table():
                return self._table(tree), _PIPELINE
            case ParameterOfStage(path):
                return path, _ATOM
        raise TypeError(type(tree).__name__)

    def _table(self, table: Table) -> str:
        formula = self._term(table.formula, table.indices)
        words = ["table", f"({', '.join(table.indices)})", self._argument(table.shape), table.dtype, "=", formula]
        return " ".join([*filter(None, words), *(["as", table.label] if table.label else [])])

    def _term(self, part: Any, indices: Sequence[str]) -> str:
        match part:
            case Term(parts):
                return "".join(self._term(inner, indices) for inner in parts)
            case IndexName(number):
                return indices[number]
            case str():
                return part
        text = self._value(part)
        return f"({text})" if " " in text else text

    # --- stages -------------------------------------------------------------------------------------------------------

    def _stage(self, stage: Any) -> str:
        match stage:
            case Group((Loop(label="") as loop,), label) if not loop.start:
                return self._loop(Loop(loop.over, loop.binders, loop.body, label))
            case Group(stages, label):
                return f"({' -> '.join(map(self._stage, without_numbers(stages)))})" + (f" as {label}" if label else "")
            case Loop():
                return self._loop(stage)
            case InTraining(value):
                return f"if training {{ {self._expression(value, _PIPELINE).removeprefix('in -> ')} }}"
            case Choice(flag, stages, others):
                text = f"if {self._value(flag)} {{ {' -> '.join(map(self._stage, stages))} }}"
                return f"{text} else {{ {' -> '.join(map(self._stage, others))} }}" if others else text
        callee = stage.callee
        if isinstance(callee, (Literal, Parameter)):
            return self._value(callee).removeprefix("(").removesuffix(")")
        words = [callee.name if isinstance(callee, Family) else callee if isinstance(callee, str) else self._shared_name(callee.label)]
        words += self._arguments(stage.arguments, callee)
        words += [f"{name}={self._expression(tensor, _ATOM)}" for name, tensor in stage.tensors]
        if stage.activation is not None:
            words.append(self._value(stage.activation))
        return " ".join([*words, *(["as", stage.label] if stage.label is not None else [])])

    def _loop(self, loop: Loop) -> str:
        over = self._value(loop.over)
        index = loop.start is not None or has_first(loop.body)
        self.binders.append(self._fresh(loop.binders))
        self.starts.append(0 if loop.binders else loop.start or 0)
        body = loop.body
        if isinstance(body, Growing):
            stage = body.stage
            one = Stage(stage.callee, stage.arguments, stage.tensors, stage.activation, "_") if isinstance(stage, Stage) else stage
            text = f"(kept...) = in; out kept, kept -> {self._stage(one)}"
        elif isinstance(body, Chain) and isinstance(body.head, Given):
            stages = body.stages[0].stages if isinstance(body.stages[0], Group) else body.stages
            text = " -> ".join(map(self._stage, without_numbers(stages)))
        else:
            text = self._expression(body, _PIPELINE)
        binders = self.binders.pop()
        self.starts.pop()
        i = COUNTERS[len(self.binders)]
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

    def _arguments(self, arguments: Sequence[tuple[str, Any]], callee: Any) -> list[str]:
        """Those that do not have their default value: by position as far as possible, of the others with their names."""
        positional = _positional(callee)
        words: list[str] = []
        at = 0
        for name, value in sorted(arguments, key=lambda item: positional.index(item[0]) if item[0] in positional else len(positional)):
            if isinstance(value, Literal) and is_default(value):
                continue
            text = self._argument(value, callee)
            by_position = at < len(positional) and positional[at] == name
            words.append(text if by_position else f"{name}={text}")
            at = at + 1 if by_position else len(positional)
        return words

    # --- values -------------------------------------------------------------------------------------------------------

    def _argument(self, value: Any, callee: Any = None) -> str:
        """A value as an argument: in brackets where the language needs them."""
        if isinstance(value, Literal) and value.name == "tie":
            return str(value.value) if _PATH.fullmatch(value.value) and value.value not in tables().keywords else f'"{value.value}"'
        if isinstance(value, Literal) and isinstance(value.value, str) and value.value not in _words(callee, value.name):
            return f'"{value.value}"'
        text = self._value(value)
        if isinstance(value, Literal) and isinstance(value.value, (Init, Activation)):
            return text
        return text if _ONE_WORD.fullmatch(text) or text[0] in '["' else f"({text})"

    def _value(self, value: Any) -> str:
        match value:
            case Literal(Activation(operator, arguments)):
                text = " ".join([operator, *self._arguments(arguments, operator)])
                return f"({text})" if arguments else text
            case Literal(inner, _, _, axes):
                return literal(inner) if axes == 1 else "x".join([literal(inner)] * axes)
            case Parameter(number):
                return self.parameters[number]
            case Item(number, up):
                return self.binders[-1 - up][number]
            case IfFirst(first, others, up):
                i = COUNTERS[len(self.binders) - 1 - up]
                start = self.starts[-1 - up]
                if type(first.value) is bool and type(others.value) is bool:
                    return f"{i} == {start}" if first.value else f"{i} > {start}"
                return f"{literal(first.value)} if {i} == {start} else {literal(others.value)}"
            case SizeOfInput(number, axis, rank):
                name = self.names[number]
                return f"{name}.features" if axis == rank - 1 else f"{name}.channels" if axis == 1 else f"{name}.shape[{axis}]"
            case Binary(symbol, left, right):
                return f"{self._value(left)} {symbol} {self._value(right)}"
            case ListOf(items, joined):
                texts = [self._value(item) for item in items]
                if joined and len(texts) > 1 and all(text.isdecimal() for text in texts):
                    return "x".join(texts)
                return f"[{', '.join(texts)}]"
        raise TypeError(type(value).__name__)


def _positional(callee: Any) -> list[str]:
    """The arguments that are written without their names, in order."""
    if isinstance(callee, Family):
        return [name for name in callee.parameters if name not in callee.defaults][:3]
    if isinstance(callee, str):
        return [name for name, declared in Operator.registry[callee].signature.items() if declared.positional]
    return []


def _words(callee: Any, name: str) -> Sequence[str]:
    """What an argument may be without quotes."""
    declared = Operator.registry[callee].signature.get(name) if isinstance(callee, str) else None
    return () if declared is None else declared.kind.words


def literal(value: Any) -> str:
    """A compile-time value."""
    match value:
        case bool():
            return "true" if value else "false"
        case SymDim():
            return show(value)
        case float():
            return _float(value)
        case tuple():
            return f"[{', '.join(map(literal, value))}]"
        case Init():
            return _initialiser(value)
        case int() | str() | DType():
            return str(value)
    raise TypeError(type(value).__name__)


def _initialiser(init: Init) -> str:
    """An initialiser with those of its arguments that it would not have anyway."""
    declared = INITIALISERS[init.kind]
    words: list[str] = []
    for at, (argument, value) in enumerate(zip(declared.arguments, init.values, strict=True)):
        if value != argument.default:
            words.append(literal(value) if at < declared.positional and len(words) == at else f"{argument.name}={literal(value)}")
    return f"{init.kind}({', '.join(words)})" if words else init.kind


def _float(value: float) -> str:
    if isnan(value):
        return "(0 * 1e999)"
    if isinf(value):
        return "inf" if value == inf else "-inf"
    text = repr(value)
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}" if e else text


def without_numbers(stages: Sequence[Any]) -> Sequence[Any]:
    """The stages of a sequence without labels that are those they would have anyway."""
    at = 0
    for stage in stages:
        if not _is_numbered(stage, at, stage is stages[-1]):
            return _labelled(stages)
        at += _members(stage)
    return [_unlabelled(stage) for stage in stages]


def _is_numbered(stage: Any, at: int, last: bool) -> bool:
    """Whether the stage needs no label to be the member number `at` of a sequence."""
    match stage:
        case Group() | Choice():
            return False
        case Loop(over, _, body, label, start):
            counted = last or isinstance(over, (ListOf, Literal))
            return not label and (start or 0) == at and counted and not has_first(body)
    return stage.label in (None, str(at))


def _labelled(stages: Sequence[Any]) -> Sequence[Any]:
    """The stages with labels for those whose numbers would be taken: they have no keys, so that any will do."""
    numbers = {stage.label for stage in stages if isinstance(stage, (Stage, Group))}
    found: list[Any] = []
    at = 0
    for stage in stages:
        if isinstance(stage, Stage) and stage.label is None:
            if str(at) in numbers and isinstance(stage.callee, str):
                label = free(stage.callee, {getattr(s, "label", "") for s in found})
                stage = Stage(stage.callee, stage.arguments, stage.tensors, stage.activation, label)
            else:
                at += 1
        found.append(stage)
    return found


def _members(stage: Any) -> int:
    """The number of members of a sequence that a stage is."""
    if isinstance(stage, Loop):
        return len(stage.over.items) if isinstance(stage.over, ListOf) else int(getattr(stage.over, "value", 0))
    return 1 + (isinstance(stage, Stage) and stage.activation is not None)


def _unlabelled(stage: Any) -> Any:
    match stage:
        case Stage():
            return Stage(stage.callee, stage.arguments, stage.tensors, stage.activation)
        case Loop():
            return Loop(stage.over, stage.binders, stage.body, None)
    return stage


def has_first(tree: Any, up: int = 0) -> bool:
    """Whether something in a loop's body is different in the first iteration. `up`: the number of loops around it in that body."""
    match tree:
        case IfFirst():
            return bool(tree.up == up)
        case Loop():
            return has_first(tree.over, up) or has_first(tree.body, up + 1)
        case tuple():
            return any(has_first(item, up) for item in tree)
        case Tree():
            return any(has_first(part, up) for part in tree.children())
    return False
