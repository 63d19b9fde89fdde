"""Writes the statements at the end of a constructor that draw parameters in another way than the framework's modules do.

In: the modules that a constructor makes. Out: the code without its initializers, and the lines that apply these, such as
`init.zeros_(self.norm.weight)`. Always: a module in a list or sequence is reached by its position, even where the number of members
before it is an argument.

    >>> import netc
    >>> source = netc.compile("input 3 -> dense 2 init=trunc_normal(0.02) as fc").source()
    >>> [line.strip() for line in source.splitlines() if "fc" in line]
    ['self.fc = nn.Linear(3, 2)', 'nn.init.trunc_normal_(self.fc.weight, std=0.02)', 'return self.fc(input)']
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from netc.dsl.trees import rewrite_downward, walk_tree

from ..code.class_tree import (
    ChoiceItems,
    DictCode,
    FrozenCode,
    InitializedCode,
    ListCode,
    NameCode,
    NewModule,
    OptionalCode,
    RepeatStar,
)
from ..code.classes import ModuleRule
from ..code.framework import Framework
from ..code.python_expressions import CallCode, Code, LetCode, Lit, MembersCall, Prefix, TupleCode
from ..identifiers import make_unique
from ..printing.line_layout import STEP, Doc, layout_statement
from ..printing.python_printer import format_literal, make_doc, print_code
from ..printing.repeats import unroll_repeats


def strip_initializers(code: Code, framework: Framework) -> Code:
    """Return the code without initializers, with frozen parameters in the framework's words."""

    def change(part: Code) -> Code | None:
        match part:
            case InitializedCode(module):
                return strip_initializers(module, framework)
            case FrozenCode(module):
                return framework.registration.freeze(strip_initializers(module, framework))
        return None

    return rewrite_downward(code, change)


class DrawWriter:
    """Writes the lines that draw the parameters of modules. `taken`: names that its variables must not have."""

    def __init__(self, used_names: Iterable[str], framework: Framework) -> None:
        self.taken, self.framework = set(used_names), framework

    def write_lines(self, code: Code, module: str, indent: int = 2) -> list[str]:
        """Write the lines for the module that `code` makes. It is accessed by `module`."""
        match code:
            case InitializedCode(inner, calls):
                lines = [line for c in calls for line in layout_statement("", _apply_to_module(c, module), indent)]
                return lines + self.write_lines(inner, module, indent)
            case FrozenCode(inner):
                return self.write_lines(inner, module, indent)
            case LetCode(result=result):
                return self.write_lines(result, module, indent)
            case OptionalCode(test, then):
                # An optional module has nothing to draw when it is None.
                inside = self.write_lines(then, module, indent + 1)
                return [f"{STEP * indent}if {print_code(test)}:", *inside] if inside else []
            case CallCode(str(), (CallCode(str(), (ListCode(items),)),)) if all(map(_is_pair, items)):
                return self._write_named(items, module, indent)
            case CallCode(str(), (DictCode(items),)):
                return [line for key, item in items for line in self.write_lines(item, f"{module}[{format_literal(key)}]", indent)]
            case MembersCall(_, items) if any(isinstance(item, ChoiceItems) for item in items):
                return []  # drawn where the list of members is made
            case CallCode(str(), (ListCode(items),)) | MembersCall(_, items):
                return self._write_numbered(unroll_repeats(items), module, indent)
        return []

    def _write_named(self, pairs: tuple[Code, ...], module: str, indent: int) -> list[str]:
        """Write the lines for the members of a sequence with keys."""
        lines: list[str] = []
        for pair in pairs:
            assert isinstance(pair, TupleCode)
            key, item = pair.items
            assert isinstance(key, Lit)
            label = str(key.value)
            target = (
                f"{module}.{label}"
                if self.framework.is_attribute_name(label)
                else print_code(self.framework.by_path(NameCode(module), label))
            )
            lines += self.write_lines(item, target, indent)
        return lines

    def write_last(self, items: list[Code], module: str, indent: int) -> list[str]:
        """Write the lines for the last members of a list of unknown length, which negative indices reach."""
        if isinstance(items[0], RepeatStar):
            return self._write_each(items[0].item, f"{module}[{print_code(Prefix('-', items[0].count))}:]", indent)
        return [line for index, item in enumerate(items) for line in self.write_lines(item, f"{module}[{index - len(items)}]", indent)]

    def split_runs(self, items: list[Code]) -> list[list[Code]]:
        """Split the members into parts for `write_last`. Repeated members are a part of their own if they draw anything."""
        # Without draws, the members can stay in one statement.
        if not any(isinstance(part, InitializedCode) for item in items for part in walk_tree(item)):
            return [items]
        runs: list[list[Code]] = []
        for alone, group in groupby(unroll_repeats(items), key=lambda item: isinstance(item, RepeatStar)):
            several = list(group)
            runs += [[item] for item in several] if alone else [several]
        return runs

    def _write_each(self, item: Code, members: str, indent: int) -> list[str]:
        """Write a loop over several members that are made alike."""
        variable = make_unique("layer", self.taken)
        self.taken.add(variable)
        inside = self.write_lines(item, variable, indent + 1)
        # The name is free again after the loop, so that the next loop can have it too.
        self.taken.remove(variable)
        return [f"{STEP * indent}for {variable} in {members}:", *inside] if inside else []

    def _write_numbered(self, items: list[Code], module: str, indent: int) -> list[str]:
        """Write the lines for the members of a sequence or list, with a loop for repeated ones."""
        lines: list[str] = []
        counts: list[str] = []
        position = 0
        for item in items:
            if not isinstance(item, RepeatStar):
                lines += self.write_lines(item, f"{module}[{_format_sum(counts, position)}]", indent)
                position += 1
                continue
            start = _format_sum(counts, position)
            match item.count:
                case Lit(int() as count):
                    position += count
                case other:
                    counts.append(print_code(other))
            # The last members need no end: `layers[2:]`.
            end = "" if item is items[-1] else _format_sum(counts, position)
            members = module if start == "0" and not end else f"{module}[{start if start != '0' else ''}:{end}]"
            lines += self._write_each(item.item, members, indent)
        return lines


def _is_pair(item: Code) -> bool:
    """Whether it is a member with its key."""
    match item:
        case TupleCode((Lit(str()), _)):
            return True
    return False


def write_rules(rules: tuple[ModuleRule, ...], used_names: set[str], framework: Framework) -> list[str]:
    """Write the loop over all modules that applies rules to the modules of their classes."""
    if not rules:
        return []
    variable = make_unique("module", used_names)
    alike: dict[tuple[Code, ...], list[list[ModuleRule]]] = {}
    # Rules of one class are one branch: with `elif`, a second branch for it would never run.
    first = {rule.function: index for index, rule in reversed(list(enumerate(rules)))}
    ordered = sorted(rules, key=lambda rule: first[rule.function])
    for same_function in (list(group) for _, group in groupby(ordered, key=lambda rule: rule.function)):
        alike.setdefault(tuple(rule.statement for rule in same_function), []).append(same_function)
    # Classes with the same statements share a branch: `isinstance(module, (Linear, Conv2d))`.
    lines = [f"{STEP * 2}for {variable} in {framework.all_modules}:"]
    for word, several in zip(("if", *("elif",) * len(alike)), alike.values(), strict=False):
        functions = [same_function[0].function for same_function in several]
        classes = functions[0] if len(functions) == 1 else f"({', '.join(functions)})"
        body = [line for same in zip(*several, strict=True) for line in _write_rule(_find_weakest(same), variable)]
        lines += [f"{STEP * 3}{word} isinstance({variable}, {classes}):", *body]
    return lines


def _find_weakest(rules: tuple[ModuleRule, ...]) -> ModuleRule:
    """Return, of rules with the same statement, one that tests whether the parameter exists, if any class may lack it."""
    return next((rule for rule in rules if rule.needed is not None), rules[0])


def _write_rule(rule: ModuleRule, variable: str) -> list[str]:
    if rule.needed is None:
        return layout_statement("", _apply_to_module(rule.statement, variable), 4)
    test = f"{STEP * 4}if {_apply_to_module(rule.needed, variable).to_line()} is not None:"
    return [test, *layout_statement("", _apply_to_module(rule.statement, variable), 5)]


def _apply_to_module(code: Code, module: str) -> Doc:
    return make_doc(rewrite_downward(code, lambda part: NameCode(module) if isinstance(part, NewModule) else None))


def _format_sum(counts: list[str], position: int) -> str:
    return " + ".join([*counts, str(position)] if position or not counts else counts)
