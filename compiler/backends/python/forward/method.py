"""Writes the `forward` method of a class.

In: the body of a class, with `Argument`s in it. Out: the lines of the method: `def forward(self, x):` and its statements. Always: linear in
the number of steps. The statements compute the steps in their order, except that a nested step is computed where it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ....ir.choices import Key
from ..code.class_tree import MemberRef, NameCode, ValueRef
from ..code.classes import ClassBody, Guards, ScanCode, Step
from ..code.python_expressions import NestedResults
from ..code.simplify import simplify_code
from ..printing.line_layout import STEP
from .forward_statements import group_targets, write_assignment, write_return
from .forward_steps import convert_lists
from .loop_statements import write_loop
from .scan_statements import write_scan
from .signature import write_prelude
from .statement_writer import StatementWriter


def write_forward(
    body: ClassBody, attributes: Mapping[str, str], accessed: Callable[[MemberRef], str], flags: Mapping[Key, str] | None = None
) -> list[str]:
    """Write the method. `attributes`: the attribute that keeps each constructor argument; `accessed`: how a member is accessed; `flags`:
    the text of each condition."""
    return _ForwardWriter(body, attributes, accessed, flags or {}).run()


class _ForwardWriter(StatementWriter):
    """Writes all statements of the method, and the branches around them."""

    def run(self) -> list[str]:
        for index, name in enumerate(self.signature.inputs):
            self.variables.bind_name(name, index, self.uses.total[index])
        for index, step in enumerate(self.steps):
            if not self.uses.alive[index] or self.nested[index]:
                continue
            # A branch that passes a tensor on under its own name has nothing to write, not even an `else`.
            if step.guards and step.traits.either and self._is_passed(step):
                self.resolve_tensor(step.code.index)  # type: ignore[attr-defined]
                continue
            self._enter_branches(step.guards)
            self.write_step(step, index)
        body = self.join_groups(self._merge_return(self.group_lines()))
        return [*self.signature.write_lines(), *write_prelude(self.body, self.signature, self.format_formula), *body]

    def _merge_return(self, groups: list[list[str]]) -> list[list[str]]:
        """Return the statements. The stacked result of a `scan` is returned at once if nothing else is done with it."""
        match groups:
            case [*others, stacked, [last]] if stacked is self.stack_lines:
                name = last.strip().removeprefix("return ")
                first = stacked[0].strip().removeprefix(f"{name} = ")
                if first != stacked[0].strip():
                    return [*others, [f"{STEP * self.depth}return {first}", *stacked[1:]]]
        return groups

    def write_step(self, step: Step, index: int) -> None:
        self.first, self.mode = None, step.mode
        if step.loop is not None:
            write_loop(self, step, step.loop)
        elif isinstance(step.code, ScanCode):
            write_scan(self, index, step.code)
        else:
            code = simplify_code(self.resolve_code(step.code if step.outputs else convert_lists(step.code, self.list_outputs)))
            if step.traits.either and step.outputs[0] in self.variables.name_of:  # the other side of an `if`
                targets = [self.variables.name_of[o] for o in step.outputs]
            else:
                targets = [self.choose_target(o, index) for o in step.outputs]
            # `x = x` says nothing, but the group stays: the modes of the groups are counted in step with them.
            if targets and code == NameCode(targets[0]):
                self.add_lines([])
                return
            if isinstance(code, NestedResults):
                targets = group_targets(targets, code.groups)
                code = code.result
            self.add_lines(write_assignment(targets, code, self.depth) if step.outputs else write_return(code))
        for name in self.temporaries:
            self.variables.release_name(name)
        self.temporaries = []

    def _enter_branches(self, guards: Guards) -> None:
        """Begin the branches that a statement is in, with a line each."""
        for depth, (key, branch) in enumerate(guards):
            if self.guards[: depth + 1] != guards[: depth + 1]:
                # A branch for False right after the branch for True of the same `if` is its `else`.
                follows = self.guards[:depth] == guards[:depth] and self.guards[depth : depth + 1] == ((key, True),)
                test = "else" if follows and not branch else f"if {self.flags[key]}" if branch else f"if not {self.flags[key]}"
                self.guards = guards[:depth]
                self.add_lines([f"{STEP * self.depth}{test}:"])
                self.guards = guards[: depth + 1]
        self.guards = guards

    def _is_passed(self, step: Step) -> bool:
        """Whether the result of an `if` has the name of the tensor that this branch passes on, so that the branch needs no statement."""
        names = self.variables.name_of
        return isinstance(step.code, ValueRef) and names.get(step.code.index, "") == names.get(step.outputs[0]) != ""
