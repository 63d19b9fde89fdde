"""The lines and the variables of a method that is being written, and the expressions in them.

In: the steps of a body. Out: groups of lines, and for each expression its code with all names decided. Always: a nested step is computed
where it is written.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from copy import copy
from typing import Self

from netc.dsl.record import replace
from netc.dsl.trees import rewrite_downward

from ....ir.choices import Key
from ..code.class_tree import (
    Argument,
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
from ..code.classes import ClassBody, Guards, ScanCode, Step
from ..code.python_expressions import AnyInput, CallCode, Code, TupleCode
from ..code.simplify import simplify_code
from ..printing.code_widths import measure_step_widths
from ..printing.line_layout import STEP
from ..printing.python_printer import print_code
from .forward_statements import DEPTH, group_by_mode, roll_equal_statements
from .forward_steps import ForwardSteps, list_references
from .inline_results import TensorUses, find_nested_steps
from .name_hints import NameHints, find_destinations
from .signature import ForwardSignature
from .variables import NameHint, VariableNames


class StatementWriter(ABC):
    """Writes statements, one after the other. A subclass decides which statements a step becomes."""

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

    @abstractmethod
    def write_step(self, step: Step, index: int) -> None:
        """Write the statements of a step."""
        ...

    def write_inner_steps(self) -> list[Code]:
        """Write the steps in a loop. Return the code of the results of an iteration, which is the last step."""
        for index, step in enumerate(self.steps[:-1]):
            if self.uses.alive[index] and not self.nested[index]:
                self.write_step(step, index)
        self.mode = None
        result = self.steps[-1].code
        assert isinstance(result, TupleCode)
        return [simplify_code(self.resolve_code(c)) for c in result.items]

    def group_lines(self) -> list[list[str]]:
        """Return the lines of each statement, with one `if` for neighbors of the same mode."""
        return group_by_mode(self.groups, self.modes, self.body.framework.training, self.depth)

    def join_groups(self, groups: list[list[str]]) -> list[str]:
        """Return all lines, with a loop for equal statements."""
        return [line for group in roll_equal_statements(groups, self.depth) for line in group]

    def make_loop_writer(self, code: ScanCode) -> Self:
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

    def add_lines(self, lines: list[str]) -> None:
        """Add the lines of a statement in the current branches and mode."""
        indent = STEP * len(self.guards)
        self.groups.append([indent + line if line else line for line in lines])
        self.modes.append(self.mode)

    def choose_target(self, tensor: int, index: int) -> str:
        """Choose the variable of a tensor that a step computes. Return `_` if nothing uses the tensor."""
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
        return self.variables.bind_unnamed(tensor, uses, self.make_hint(tensor, self.first, same, self.hints.describe_statement(index)))

    def _find_passed_name(self, result: int) -> str:
        """Return the name of a tensor that a branch passes on, if nothing else uses it and the spec gives the result no other name."""
        for step in self.steps:
            if step.traits.either and step.outputs == (result,) and isinstance(step.code, ValueRef):
                passed = step.code.index
                name = self.variables.name_of.get(passed, "")
                if name and self.variables.remaining_uses[passed] == 1 and self.names[result] in ("", self.names[passed], name):
                    return name
        return ""

    def make_hint(self, tensor: int, source: int | None, same: int | None = None, last: str = "x") -> NameHint:
        """Collect everything that suggests a name for a tensor."""
        label = self.hints.labels.get(tensor, "")
        return NameHint(source, self.destinations.get(tensor, ""), label, self.get_role(tensor), same, last)

    def get_role(self, tensor: int) -> str:
        """Return the role of a tensor, such as `q`. Empty if it has none."""
        return self.body.roles[tensor] if tensor < len(self.body.roles) else ""

    def make_temporary(self, wanted: str) -> str:
        """Make a variable that is free again after this statement."""
        name = self.variables.make_temporary(wanted)
        self.temporaries.append(name)
        return name

    # --- expressions ---------------------------------------------------------------------------------------------------------

    def resolve_code(self, code: Code) -> Code:
        """Return the code with all names decided."""
        resolved = rewrite_downward(code, self._resolve_part)
        return rewrite_downward(resolved, put_keywords_last) if self.body.framework.keywords else resolved

    def _resolve_part(self, part: Code) -> Code | None:
        match part:
            case ValueRef(index):
                return self.resolve_tensor(index)
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

    def format_formula(self, size: SizeRef) -> str:
        """Return the text of a formula of sizes."""
        return print_code(replace(size, sources=tuple(self.resolve_code(s) for s in size.sources)))

    def resolve_tensor(self, index: int) -> Code:
        """Return the variable of a tensor, or its code if it is computed where it is used."""
        maker = self.maker.get(index)
        if maker is not None:
            return self.resolve_code(self.steps[maker].code)
        self.variables.take_uses(index)
        # The first variable that a statement reads is the source by which its result may be named.
        if self.first is None:
            self.first = index
        name = self.variables.name_of[index]
        return NameCode(f"**{name}" if name in self.body.framework.keywords else name)

    def _resolve_comprehension(self, element: Code, variable: str, iterable: Code) -> Code:
        name = self.make_temporary(variable)
        inner = rewrite_downward(element, lambda p: NameCode(name) if p == NameCode(variable) else self._resolve_part(p))
        return ListComp(inner, name, self.resolve_code(iterable))


def put_keywords_last(code: Code) -> Code | None:
    """Move `**kwargs` after the other arguments of a call: an input that was added later, such as a hoisted table, may follow it."""
    if not isinstance(code, CallCode):
        return None
    keywords = tuple(a for a in code.args if isinstance(a, NameCode) and a.text.startswith("**"))
    if not keywords or code.args[-len(keywords) :] == keywords:
        return None
    positional = tuple(rewrite_downward(a, put_keywords_last) for a in code.args if a not in keywords)
    return replace(code, args=(*positional, *keywords))
